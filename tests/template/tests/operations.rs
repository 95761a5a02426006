//! Runs every operation of the service, with success and with each failure that causes other calls.

use e2e::{DAY_MS, TestApp};
use exchange_sim::Address;
use exchange_sim::faults::Fault;
use http::Method;
use hyperdex_local::approver::ApproverKey;
use serde_json::{Value, json};
use template::read;
use template::stacks::Sources;
use tokio::sync::OnceCell;

use crate::cloud::{Cheat, Cloud, Seen};

mod accounts;
mod agents;
mod lighter;
mod payments;
mod policies;
mod recovery;
mod tenant_keys;
mod trading;
mod webhooks;

static SEEN: OnceCell<Seen> = OnceCell::const_new();

/// Returns the recorded calls of all operations. The operations run once for all tests.
pub(crate) async fn seen() -> &'static Seen {
    crate::emitted::listen();
    let run = async {
        // The simulators use the main networks.
        let main = ("ExchangeEnvironment", "mainnet");
        let holders = recovery::Holders::new();
        let keys = holders.public();
        let parameters = [
            main,
            ("LighterWeightPerMinute", "100000"),
            ("RecoveryPublicKey", keys[0].as_str()),
            ("CosignerRecoveryPublicKey", keys[1].as_str()),
        ];
        let cloud = Cloud::start(&Sources::read().deploy(&parameters)).await;
        wallets(&cloud).await;
        let received = webhooks::made_and_deleted(&cloud).await;
        for exchange in EXCHANGES {
            registration(&cloud, &exchange).await;
            after_registration(&cloud, &exchange).await;
            agents::listed_and_removed(&cloud, &exchange).await;
            trading::traded(&cloud, &exchange).await;
            accounts::used(&cloud, &exchange).await;
            with_idempotency_key(&cloud, &exchange).await;
        }
        lighter::used(&cloud).await;
        trading::limited(&cloud).await;
        tenant_keys::managed(&cloud).await;
        jobs(&cloud).await;
        worn_wallets(&cloud).await;
        tenant_keys::contained(&cloud).await;
        webhooks::delivered(&cloud, &received).await;
        cheating(&cloud).await;
        recovery::restored(&cloud, &holders, "user_5").await;
        let done = cloud.run("seal-audit").await;
        assert_eq!((&done["seals"], &done["heads"]), (&json!(1), &json!(5)), "{done}");
        nothing(&cloud).await;
        let legacy = Cloud::start(&Sources::read().deploy(&[main, ("AsterApi", "v1")])).await;
        legacy_keys(&legacy).await;
        let policy =
            read("infra/cosigner-policy.json").replace("\"perMinute\": 120", "\"perMinute\": 1");
        let strict =
            Cloud::start(&Sources::read().deploy(&[main, ("CosignerPolicy", &policy)])).await;
        limited(&strict).await;
        let data = tempfile::tempdir().unwrap();
        let key = ApproverKey::create(&data.path().join("alice.pem")).unwrap();
        let policy = policies::document(&key);
        let approved = Sources::read().deploy(&[main, ("CosignerPolicy", &policy)]);
        let paying = Cloud::start(&approved).await;
        policies::changed(&paying, &key).await;
        payments::paid(&paying, &key).await;
        recovery::exported(&paying, &key, "user_1").await;
        let restored = Cloud::start(&approved).await;
        policies::restored(&restored).await;
        let all = cloud.seen().and(legacy.seen()).and(strict.seen());
        all.and(paying.seen()).and(restored.seen())
    };
    SEEN.get_or_init(|| run).await
}

struct Exchange {
    function: &'static str,
    path: &'static str,
    /// A fault that is a definite refusal of the approval.
    refusal: (u16, &'static str),
    /// Makes the simulator fail at a request.
    fail: fn(&TestApp, &str, Fault),
    /// The requests for an approval, for a removal and for the lookup of an agent.
    approve: &'static str,
    remove: &'static str,
    lookup: &'static str,
    /// Adds an agent to an account that no credential uses.
    add: fn(&TestApp, Address, Address),
}

const EXCHANGES: [Exchange; 2] = [
    Exchange {
        function: "register-aster",
        path: "/api/trading/aster/apikey",
        refusal: (400, r#"{"code":-1000,"msg":"agent quantity over limit"}"#),
        fail: |app, request, fault| app.stack.aster_sim.fail_next(request, fault),
        approve: "registerAndApproveAgent",
        remove: "deleteAgent",
        lookup: "listAgents",
        add: |app, master, agent| {
            let expires = app.clock.now_ms() + 100 * DAY_MS;
            assert!(app.stack.aster_sim.add_agent(master, "hdxlost", agent, expires));
        },
    },
    Exchange {
        function: "register-hyperliquid",
        path: "/api/trading/hyperliquid/apikey",
        refusal: (200, r#"{"status":"err","response":"Too many extra agents"}"#),
        fail: |app, request, fault| app.stack.hyperliquid_sim.fail_next(request, fault),
        approve: "approveAgent",
        remove: "approveAgent",
        lookup: "userRole",
        add: |app, master, agent| {
            let expires = app.clock.now_ms() + 100 * DAY_MS;
            assert!(app.stack.hyperliquid_sim.add_agent(master, "hdxlost", agent, expires));
        },
    },
];

impl Exchange {
    /// Lets the next request fail, and the lookup of its outcome too.
    fn fail_with_unknown_outcome(&self, cloud: &Cloud, request: &str, fault: Fault) {
        (self.fail)(&cloud.app, request, fault);
        (self.fail)(&cloud.app, self.lookup, Fault::Status(500, String::new()));
    }

    async fn register(&self, cloud: &Cloud, user: &str) -> (u16, Value) {
        // The budget refills, and the exchange finishes the removal.
        cloud.app.clock.advance_ms(60_000);
        let body = json!({ "walletIdOrAddress": user });
        cloud.send(self.function, (Method::POST, self.path), Some(body)).await
    }

    async fn rotate(&self, cloud: &Cloud, user: &str) -> (u16, Value) {
        let path = format!("{}/rotate", self.path);
        let body = json!({ "walletIdOrAddress": user });
        cloud.send("rotate-apikey", (Method::POST, &path), Some(body)).await
    }

    async fn delete(&self, cloud: &Cloud, user: &str) -> (u16, Value) {
        cloud.app.clock.advance_ms(60_000);
        let path = format!("{}?walletIdOrAddress={user}", self.path);
        cloud.send("delete-apikey", (Method::DELETE, &path), None).await
    }

    async fn get(&self, cloud: &Cloud, name: &str) -> u16 {
        let path = format!("{}?walletIdOrAddress={name}", self.path);
        cloud.send("get-apikey", (Method::GET, &path), None).await.0
    }
}

async fn create(cloud: &Cloud, user: &str) -> (u16, Value) {
    let body = json!({ "userId": user });
    cloud.send("create-wallet", (Method::POST, "/api/wallets"), Some(body)).await
}

async fn sign(cloud: &Cloud, name: &str) -> u16 {
    let path = format!("/api/wallets/{name}/sign");
    let body = json!({ "message": "hello" });
    cloud.send("sign-message", (Method::POST, &path), Some(body)).await.0
}

async fn wallets(cloud: &Cloud) {
    let (status, wallet) = create(cloud, "user_1").await;
    assert_eq!(status, 201, "{wallet}");
    assert_eq!(create(cloud, "user_1").await.0, 200);
    let names =
        ["user_1", wallet["walletId"].as_str().unwrap(), wallet["address"].as_str().unwrap()];
    let find = async |name: &str| {
        let path = format!("/api/wallets/{name}");
        cloud.send("get-wallet", (Method::GET, &path), None).await.0
    };
    for name in names {
        assert_eq!(find(name).await, 200);
        assert_eq!(sign(cloud, name).await, 200);
    }
    assert_eq!(find("nobody").await, 404);
    let (status, page) = cloud.send("list-wallets", (Method::GET, "/api/wallets"), None).await;
    assert_eq!((status, page["wallets"].as_array().unwrap().len()), (200, 1), "{page}");
    assert_eq!(sign(cloud, "nobody").await, 404);
    let (path, body) = ("/api/wallets/user_1/sign", json!({ "message": "hello" }));
    assert_eq!(cloud.send_twice("sign-message", (Method::POST, path), body).await.0, 200);
    let (path, body) = ("/api/wallets", json!({ "userId": "user_1" }));
    assert_eq!(cloud.send_twice("create-wallet", (Method::POST, path), body).await.0, 200);
}

/// Deletes the stored response to a request with this `Idempotency-Key`, as if its function had
/// been killed before storing it.
async fn erase_response(cloud: &Cloud, key: &str) {
    let hash = shared::store::hash(&[key.as_bytes()]);
    let text = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
    let client = cloud.app.stack.aws().dynamodb();
    let update = client
        .update_item()
        .table_name(hyperdex_local::WALLETS_TABLE)
        .key("pk", text(format!("local#I#{hash}")))
        .key("sk", text("idempotency".to_owned()))
        .condition_expression("attribute_exists(pk)")
        .update_expression("REMOVE #answer")
        .expression_attribute_names("#answer", "answer");
    update.send().await.unwrap();
}

async fn registration(cloud: &Cloud, exchange: &Exchange) {
    // A new key, then an existing one.
    let made = exchange.register(cloud, "user_1").await;
    assert_eq!(made.0, 200, "{made:?}");
    assert_eq!(exchange.register(cloud, "user_1").await.0, 409);
    // A refusal leaves nothing behind.
    assert!(matches!(create(cloud, "user_2").await.0, 200 | 201));
    let (status, body) = exchange.refusal;
    (exchange.fail)(&cloud.app, exchange.approve, Fault::Status(status, body.to_owned()));
    let refused = exchange.register(cloud, "user_2").await;
    assert_eq!(refused.0, 422, "{refused:?}");
    // An unknown outcome releases the key, and the next call with the same key finishes.
    exchange.fail_with_unknown_outcome(cloud, exchange.approve, Fault::AppliedButLost);
    let unknown = exchange.register(cloud, "user_2").await;
    assert_eq!(unknown.0, 502, "{unknown:?}");
    let resumed = exchange.register(cloud, "user_2").await;
    assert_eq!(resumed.0, 200, "{resumed:?}");
    assert_eq!(exchange.register(cloud, "nobody").await.0, 404);
}

/// Runs the operations after a registration.
async fn after_registration(cloud: &Cloud, exchange: &Exchange) {
    assert_eq!(exchange.get(cloud, "user_1").await, 200);
    assert_eq!(exchange.get(cloud, "nobody").await, 404);
    // An unknown outcome is finished by the next call with the same key.
    exchange.fail_with_unknown_outcome(cloud, exchange.approve, Fault::AppliedButLost);
    let unknown = exchange.rotate(cloud, "user_1").await;
    assert_eq!(unknown.0, 502, "{unknown:?}");
    let rotated = exchange.rotate(cloud, "user_1").await;
    assert_eq!(rotated.0, 200, "{rotated:?}");
    assert_eq!(exchange.rotate(cloud, "nobody").await.0, 404);
    // A removal with a lost response is looked up.
    (exchange.fail)(&cloud.app, exchange.remove, Fault::AppliedButLost);
    let gone = exchange.delete(cloud, "user_1").await;
    assert_eq!(gone.0, 200, "{gone:?}");
    assert_eq!(exchange.delete(cloud, "user_1").await.0, 404);
    assert_eq!(exchange.delete(cloud, "nobody").await.0, 404);
}

/// Runs the operations with an `Idempotency-Key`.
async fn with_idempotency_key(cloud: &Cloud, exchange: &Exchange) {
    let rotate = format!("{}/rotate", exchange.path);
    for (function, method, path) in [
        (exchange.function, Method::POST, exchange.path),
        ("rotate-apikey", Method::POST, rotate.as_str()),
        ("delete-apikey", Method::DELETE, exchange.path),
    ] {
        cloud.app.clock.advance_ms(60_000);
        let body = json!({ "walletIdOrAddress": "user_1" });
        let done = cloud.send_twice(function, (method, path), body).await;
        assert_eq!(done.0, 200, "{function}: {}", done.1["error"]);
    }
}

/// Runs the jobs without work, with interrupted operations of callers, and with expiring keys.
async fn jobs(cloud: &Cloud) {
    let sum = |done: &Value, what: &str| {
        ["aster", "hyperliquid"].map(|exchange| done[exchange][what].as_u64().unwrap())
    };
    assert_eq!(sum(&cloud.run("renew-apikeys").await, "renewed"), [0, 0]);
    assert_eq!(sum(&cloud.run("reconcile-apikeys").await, "checked"), [0, 0]);
    for exchange in EXCHANGES {
        let made = exchange.register(cloud, "user_1").await;
        assert_eq!(made.0, 200, "{made:?}");
        exchange.fail_with_unknown_outcome(
            cloud,
            exchange.remove,
            Fault::Status(500, String::new()),
        );
        assert_eq!(exchange.delete(cloud, "user_1").await.0, 502);
        exchange.fail_with_unknown_outcome(cloud, exchange.approve, Fault::AppliedButLost);
        assert_eq!(exchange.rotate(cloud, "user_2").await.0, 502);
    }
    cloud.app.clock.advance_ms(60_000);
    let done = cloud.run("renew-apikeys").await;
    assert_eq!(sum(&done, "finished"), [2, 2], "{done}");
    cloud.app.clock.advance_ms(170 * DAY_MS);
    let done = cloud.run("reconcile-apikeys").await;
    assert_eq!(sum(&done, "checked"), [1, 1], "{done}");
    let done = cloud.run("renew-apikeys").await;
    assert_eq!(sum(&done, "renewed"), [1, 1], "{done}");
    // The shares of both wallets are old by now.
    let done = cloud.run("refresh-shares").await;
    assert_eq!((&done["refreshed"], &done["failed"]), (&json!(2), &json!(0)), "{done}");
    assert_eq!(sign(cloud, "user_1").await, 200);
}

/// Takes every session slot of a wallet, as interrupted runs would.
async fn wear_out(cloud: &Cloud, user: &str) {
    use aws_sdk_dynamodb::types::AttributeValue::{S, Ss};
    let path = format!("/api/wallets/{user}");
    let (_, wallet) = cloud.send("get-wallet", (Method::GET, &path), None).await;
    let wallet_id = wallet["walletId"].as_str().unwrap();
    let runs = (0..4).map(|run| format!("{run}#died")).collect();
    let client = cloud.app.stack.aws().dynamodb();
    let update = client
        .update_item()
        .table_name(hyperdex_local::WALLETS_TABLE)
        .key("pk", S(format!("local#W#{wallet_id}")))
        .key("sk", S("record".to_owned()))
        .condition_expression("attribute_exists(pk)")
        .update_expression("SET runs = :runs")
        .expression_attribute_values(":runs", Ss(runs));
    update.send().await.unwrap();
}

/// Checks that every signing function has the shares of a worn wallet refreshed before it signs.
async fn worn_wallets(cloud: &Cloud) {
    const USER: &str = "user_5";
    assert_eq!(create(cloud, USER).await.0, 201);
    wear_out(cloud, USER).await;
    assert_eq!(sign(cloud, USER).await, 200);
    for exchange in &EXCHANGES {
        wear_out(cloud, USER).await;
        let made = exchange.register(cloud, USER).await;
        assert_eq!(made.0, 200, "{made:?}");
        wear_out(cloud, USER).await;
        let rotated = exchange.rotate(cloud, USER).await;
        assert_eq!(rotated.0, 200, "{rotated:?}");
        agents::removed_when_worn(cloud, exchange, USER).await;
        wear_out(cloud, USER).await;
        let gone = exchange.delete(cloud, USER).await;
        assert_eq!(gone.0, 200, "{gone:?}");
        let made = exchange.register(cloud, USER).await;
        assert_eq!(made.0, 200, "{made:?}");
    }
    cloud.app.clock.advance_ms(170 * DAY_MS);
    wear_out(cloud, USER).await;
    let done = cloud.run("renew-apikeys").await;
    assert_eq!(done["hyperliquid"]["failed"], json!(0), "{done}");
}

/// Runs the operations on API keys that Aster creates.
async fn legacy_keys(cloud: &Cloud) {
    let [aster, _] = EXCHANGES;
    assert_eq!(create(cloud, "user_1").await.0, 201);
    (aster.fail)(&cloud.app, "createApiKey", Fault::AppliedButLost);
    let unknown = aster.register(cloud, "user_1").await;
    assert_eq!(unknown.0, 502, "{unknown:?}");
    let made = aster.register(cloud, "user_1").await;
    assert_eq!(made.0, 200, "{made:?}");
    assert_eq!(aster.get(cloud, "user_1").await, 200);
    // The API has no call that removes this key.
    assert!(aster.rotate(cloud, "user_1").await.0 >= 400);
    assert!(aster.delete(cloud, "user_1").await.0 >= 400);
    let body = json!({ "walletIdOrAddress": "user_1", "removedOnExchange": true });
    let gone = cloud.send("delete-apikey", (Method::DELETE, aster.path), Some(body)).await;
    assert_eq!(gone.0, 200, "{gone:?}");
}

/// A wallet signs no more often than the policy allows.
async fn limited(cloud: &Cloud) {
    assert_eq!(create(cloud, "user_1").await.0, 201);
    assert_eq!(sign(cloud, "user_1").await, 200);
    assert!(sign(cloud, "user_1").await >= 400);
    cloud.app.clock.advance_ms(60_000);
    assert_eq!(sign(cloud, "user_1").await, 200);
}

/// Each party bars the key if the other one cheats.
async fn cheating(cloud: &Cloud) {
    for (cheat, user) in [(Cheat::Cosigner, "user_3"), (Cheat::Endpoint, "user_4")] {
        assert_eq!(create(cloud, user).await.0, 201);
        cloud.cheat(cheat);
        assert!(sign(cloud, user).await >= 400);
        cloud.cheat(Cheat::Nobody);
        assert_eq!(sign(cloud, user).await, 422, "the wallet must be frozen");
    }
}

async fn nothing(cloud: &Cloud) {
    assert_eq!(cloud.send("health", (Method::GET, "/api/health"), None).await.0, 200);
    let path = "/api/trading/lighter/apikey";
    let guided = cloud.send("exchange-guidance", (Method::POST, path), Some(json!({}))).await;
    assert_eq!(guided.0, 400);
}
