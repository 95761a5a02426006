//! Every operation of the service, once well and once on each way that makes other calls.

use e2e::TestApp;
use exchange_sim::faults::Fault;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::cloud::{Cheat, Cloud, Seen};
use crate::stacks::Sources;

static SEEN: OnceCell<Seen> = OnceCell::const_new();

/// What all of it was seen to call. It runs once for all tests.
pub(crate) async fn seen() -> &'static Seen {
    let run = async {
        // The simulators are of the main networks.
        let stacks = Sources::new().deploy(&[("ExchangeEnvironment", "mainnet")]);
        let cloud = Cloud::start(&stacks).await;
        wallets(&cloud).await;
        for exchange in EXCHANGES {
            registration(&cloud, &exchange).await;
        }
        cheating(&cloud).await;
        nothing(&cloud).await;
        cloud.seen()
    };
    SEEN.get_or_init(|| run).await
}

struct Exchange {
    function: &'static str,
    path: &'static str,
    /// The fault that is a definite no to the approval.
    refusal: (u16, &'static str),
    /// Makes the simulator fail at a request.
    fail: fn(&TestApp, &str, Fault),
    /// The approval, and the question whether it knows an agent.
    approve: &'static str,
    know: &'static str,
}

const EXCHANGES: [Exchange; 2] = [
    Exchange {
        function: "register-aster",
        path: "/api/trading/aster/apikey",
        refusal: (400, r#"{"code":-1000,"msg":"agent quantity over limit"}"#),
        fail: |app, request, fault| app.stack.aster_sim.fail_next(request, fault),
        approve: "/fapi/v3/registerAndApproveAgent",
        know: "listAgents",
    },
    Exchange {
        function: "register-hyperliquid",
        path: "/api/trading/hyperliquid/apikey",
        refusal: (200, r#"{"status":"err","response":"Too many extra agents"}"#),
        fail: |app, request, fault| app.stack.hyperliquid_sim.fail_next(request, fault),
        approve: "/exchange",
        know: "userRole",
    },
];

async fn create(cloud: &Cloud, user: &str) -> (u16, Value) {
    cloud.send("create-wallet", "/api/wallets", Some(json!({ "userId": user }))).await
}

async fn sign(cloud: &Cloud, name: &str) -> u16 {
    let path = format!("/api/wallets/{name}/sign");
    cloud.send("sign-message", &path, Some(json!({ "message": "hello" }))).await.0
}

async fn wallets(cloud: &Cloud) {
    let (status, wallet) = create(cloud, "user_1").await;
    assert_eq!(status, 201, "{wallet}");
    assert_eq!(create(cloud, "user_1").await.0, 200);
    let names =
        ["user_1", wallet["walletId"].as_str().unwrap(), wallet["address"].as_str().unwrap()];
    for name in names {
        let found = cloud.send("get-wallet", &format!("/api/wallets/{name}"), None).await;
        assert_eq!(found.0, 200, "{found:?}");
        assert_eq!(sign(cloud, name).await, 200);
    }
    assert_eq!(cloud.send("get-wallet", "/api/wallets/nobody", None).await.0, 404);
    assert_eq!(sign(cloud, "nobody").await, 404);
}

async fn registration(cloud: &Cloud, exchange: &Exchange) {
    let app = &cloud.app;
    let register = async |user: &str| {
        let body = json!({ "walletIdOrAddress": user });
        cloud.send(exchange.function, exchange.path, Some(body)).await
    };
    // Made, and there.
    let made = register("user_1").await;
    assert_eq!(made.0, 200, "{made:?}");
    assert_eq!(register("user_1").await.0, 409);
    // Refused: nothing is left behind.
    assert!(matches!(create(cloud, "user_2").await.0, 200 | 201));
    let (status, body) = exchange.refusal;
    (exchange.fail)(app, exchange.approve, Fault::Status(status, body.to_owned()));
    let refused = register("user_2").await;
    assert_eq!(refused.0, 422, "{refused:?}");
    // Unknown: released, and finished by the next call with the same key.
    (exchange.fail)(app, exchange.approve, Fault::AppliedButLost);
    (exchange.fail)(app, exchange.know, Fault::Status(500, String::new()));
    let unknown = register("user_2").await;
    assert_eq!(unknown.0, 502, "{unknown:?}");
    let resumed = register("user_2").await;
    assert_eq!(resumed.0, 200, "{resumed:?}");
    assert_eq!(register("nobody").await.0, 404);
}

/// Each party bars the key when the other cheats.
async fn cheating(cloud: &Cloud) {
    for (cheat, user) in [(Cheat::Cosigner, "user_3"), (Cheat::Endpoint, "user_4")] {
        assert_eq!(create(cloud, user).await.0, 201);
        cloud.cheat(cheat);
        assert!(sign(cloud, user).await >= 400);
        cloud.cheat(Cheat::Nobody);
        assert_eq!(sign(cloud, user).await, 422, "the wallet is frozen");
    }
}

async fn nothing(cloud: &Cloud) {
    assert_eq!(cloud.send("health", "/api/health", None).await.0, 200);
    let path = "/api/trading/lighter/apikey";
    assert_eq!(cloud.send("exchange-guidance", path, Some(json!({}))).await.0, 400);
}
