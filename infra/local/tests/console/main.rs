//! The console's page and reads: the fields they return, and their access control.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod app;
mod audit;
mod overview;

use std::collections::BTreeSet;

use domain::builder::Builder;
use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::Random;
use hyperdex_local::keys::KeyFile;
use serde_json::{Value, json};
use shared::store::{OperatorAction, OperatorActionKind};

use app::{App, fields};

const AGENT: [&str; 3] = ["agentAddress", "agentName", "expiresAt"];

/// Returns all fields that a read may have.
fn allowed(read: &str) -> BTreeSet<String> {
    let words = match read {
        "about" => {
            "now tenant readOnly hasMetrics keysWanted returnsPrivateKey requiresDeposit renewWithinMs refreshEveryMs"
        }
        "wallets" => {
            "now wallets wallets.walletId wallets.userId wallets.address wallets.createdAt \
             wallets.keyVersion wallets.refreshAt wallets.frozen wallets.operatorFreeze \
             wallets.operatorActions wallets.credentials"
        }
        "search" => {
            "now wallets wallets.walletId wallets.userId wallets.address wallets.createdAt \
             wallets.keyVersion wallets.refreshAt wallets.frozen wallets.operatorFreeze \
             wallets.operatorActions wallets.credentials lookedAt nextCursor"
        }
        "agents" => "now aster hyperliquid",
        "payments" => {
            "now next payments payments.paymentId payments.walletId payments.userId payments.kind \
             payments.amount payments.asset payments.venue payments.destination \
             payments.state payments.countedState payments.at payments.validUntil \
             payments.reference payments.refusal payments.reportedAt payments.reportedBy"
        }
        "schedule" => {
            "now more due due.walletId due.userId due.exchange due.agentAddress due.expiresAt \
             due.job due.job.does due.job.at"
        }
        "decisions" => {
            "now before decisions decisions.walletId decisions.userId decisions.run decisions.seq decisions.at decisions.decision \
             decisions.refused decisions.reason decisions.intent decisions.agentAddress \
             decisions.agentName decisions.validUntil decisions.builderAddress decisions.maxFee decisions.messageBytes decisions.caller \
             decisions.requestId decisions.policy decisions.keyVersion decisions.hash"
        }
        "overview" => {
            "now wallets wallets.counted wallets.more wallets.withoutKey wallets.frozenByOperator \
             wallets.barred credentials credentials.pending credentials.active \
             credentials.rotating credentials.revoking credentials.expired expiring \
             expiring.total expiring.first troubled troubled.total troubled.first unknownOrders \
             unknownOrders.total unknownOrders.first unknownOrders.more webhooks webhooks.total webhooks.failing \
             webhooks.disabled"
        }
        "metrics" => {
            "now from periodS series series.metric series.unit series.stat series.exchange \
             series.points alarms refusals refusals.at refusals.method refusals.path \
             refusals.status refusals.code refusals.requestId"
        }
        "audit" => {
            "now wallets records faults seals seals.verified seals.count seals.last seals.faults \
             nextCursor"
        }
        _ => {
            "now exchanges exchanges.exchange exchanges.simulated exchanges.url exchanges.network \
             exchanges.answered exchanges.answered.askedAt exchanges.answered.ok \
             exchanges.answered.tookMs exchanges.answered.trouble exchanges.weightUsed \
             exchanges.weightPerMinute exchanges.failures exchanges.pausedUntil \
             exchanges.pauseAskedFor exchanges.pauseBlocked exchanges.requests exchanges.requests.at \
             exchanges.requests.kind exchanges.requests.weight exchanges.requests.accepted"
        }
    };
    let mut all: BTreeSet<String> = words.split_whitespace().map(str::to_owned).collect();
    if matches!(read, "wallets" | "search") {
        for done in ["operatorFreeze", "operatorActions"] {
            let named = ["action", "at", "by", "reason"];
            all.extend(named.map(|name| format!("wallets.{done}.{name}")));
        }
        let at = "wallets.credentials";
        let own = "exchange state requestedAt createdAt autoRenew isApiKey retiring next job \
                   job.does job.at checkAt jobFailures busyUntil";
        let own = own.split_whitespace().chain(AGENT);
        all.extend(own.map(|name| format!("{at}.{name}")));
        for agents in ["retiring", "next"] {
            all.extend(AGENT.map(|name| format!("{at}.{agents}.{name}")));
        }
    }
    if read == "agents" {
        for exchange in ["aster", "hyperliquid"] {
            all.extend(
                ["agentAddress", "agentName", "validUntil"]
                    .map(|name| format!("{exchange}.{name}")),
            );
        }
    }
    all
}

#[tokio::test]
async fn console_reads_return_listed_fields_only() {
    let app = App::start(|_| {}).await;
    let (status, wallet) = app.post("any", "/api/wallets", json!({"userId": "alice"})).await;
    assert_eq!(status, 201);
    let id = wallet["walletId"].as_str().unwrap();
    let name = json!({"walletIdOrAddress": "alice"});
    assert_eq!(app.post("any", "/api/trading/aster/apikey", name.clone()).await.0, 200);
    let (_, first) = app.post("any", "/api/trading/hyperliquid/apikey", name.clone()).await;
    let (_, second) = app.post("any", "/api/trading/hyperliquid/apikey/rotate", name).await;
    let message = "a private message of a user";
    let (_, signed) = app.post("any", "/api/wallets/alice/sign", json!({"message": message})).await;
    let freeze = OperatorAction {
        action: OperatorActionKind::Freeze,
        at_ms: 1,
        by: "local:olga".to_owned(),
        reason: "a drill".to_owned(),
    };
    let (tenant, alice) = (Tenant::local(), "alice".parse().unwrap());
    app.stack.custody.store.operate(&tenant, &alice, &freeze).await.unwrap();
    let mut secrets: Vec<String> =
        [&first["data"]["apiPrivateKey"], &second["data"]["apiPrivateKey"], &signed["signature"]]
            .iter()
            .map(|text| text.as_str().unwrap().trim_start_matches("0x").to_owned())
            .collect();
    secrets.push(message.to_owned());

    for (read, query, wanted) in [
        ("about", String::new(), "local"),
        ("wallets", format!("?ids={id},alice,nobody"), "alice"),
        ("search", "?prefix=ALI&state=active".to_owned(), "alice"),
        ("agents", format!("?wallet={id}"), "hdx"),
        ("schedule", String::new(), "frozen"),
        ("decisions", String::new(), "HyperliquidApproveAgent"),
        ("decisions", "?wallet=alice".to_owned(), "PersonalMessage"),
        ("exchanges", String::new(), "exchangeStatus"),
        ("overview", String::new(), "frozenByOperator"),
        ("metrics", String::new(), "Registrations"),
        ("audit", String::new(), "records"),
        ("payments", String::new(), "next"),
    ] {
        let (status, body) = app.read("any", &format!("/console/data/{read}{query}")).await;
        assert_eq!(status, 200, "{read}: {body}");
        let text = body.to_string();
        assert!(text.contains(wanted), "{read} has no {wanted}: {text}");
        let mut found = BTreeSet::new();
        fields(&body, "", &mut found);
        let allowed = allowed(read);
        let beyond: Vec<_> = found.difference(&allowed).collect();
        assert!(beyond.is_empty(), "{read}: {beyond:?}");
        assert!(!found.is_empty());
        for secret in &secrets {
            assert!(!text.to_lowercase().contains(secret.as_str()), "{read} returns a secret");
        }
    }
}

#[tokio::test]
async fn refused_signature_appears_in_decisions() {
    let policy = include_str!("../../../cosigner-policy.json");
    let mut policy: Value = serde_json::from_str(policy).unwrap();
    let intents = policy["intents"].as_array_mut().unwrap();
    intents.retain(|intent| intent != "PersonalMessage");
    let app = App::start(|options| options.cosigner_policy = Some(policy.to_string())).await;
    app.post("any", "/api/wallets", json!({"userId": "alice"})).await;
    let (status, refused) =
        app.post("any", "/api/wallets/alice/sign", json!({"message": "hello"})).await;
    assert_eq!((status, &refused["code"]), (422, &json!("POLICY_REFUSED")));
    for path in ["/console/data/decisions", "/console/data/decisions?wallet=alice"] {
        let (_, body) = app.read("any", path).await;
        let newest = &body["decisions"][0];
        assert_eq!((&newest["decision"], &newest["refused"]), (&json!("refused"), &json!(true)));
        assert!(newest["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{newest}");
        assert_eq!(
            (&newest["intent"], &newest["messageBytes"]),
            (&json!("PersonalMessage"), &json!(5))
        );
        assert_eq!(
            body["decisions"].as_array().unwrap().len(),
            2,
            "with the record of the key: {body}"
        );
    }
    let (_, body) = app.read("any", "/console/data/decisions?wallet=alice&before=2").await;
    assert_eq!(body["decisions"][0]["decision"], "key-made");
    assert_eq!(body["before"], Value::Null);
}

#[tokio::test]
async fn approval_of_a_builder_appears_with_its_fee() {
    const BUILDER: &str = "0x8c967E73E7B15087c42A10D344cFf4c96D877f1D";
    let app = App::start(|options| {
        let (address, fee) = (BUILDER.parse().unwrap(), 50.try_into().unwrap());
        let builder = Some(Builder { address, fee });
        (options.hyperliquid.builder, options.aster.builder) = (builder, builder);
    })
    .await;
    app.post("any", "/api/wallets", json!({"userId": "alice"})).await;
    for (exchange, intent) in
        [("aster", "AsterApproveBuilder"), ("hyperliquid", "HyperliquidApproveBuilder")]
    {
        let path = format!("/api/trading/{exchange}/apikey");
        let (status, body) = app.post("any", &path, json!({"walletIdOrAddress": "alice"})).await;
        assert_eq!(status, 200, "{body}");
        let (_, body) = app.read("any", "/console/data/decisions").await;
        let mut decisions = body["decisions"].as_array().unwrap().iter();
        let approval = decisions.find(|one| one["intent"] == intent).unwrap();
        assert_eq!(
            (&approval["builderAddress"], &approval["maxFee"]),
            (&json!(BUILDER), &json!("0.05%"))
        );
        assert!(approval["agentAddress"].is_null(), "{approval}");
    }
}

#[tokio::test]
async fn console_read_returns_own_tenants_data_only() {
    let app = App::start(|_| {}).await;
    let keys = KeyFile::new(app.data.path());
    let [one, two] = ["one", "two"]
        .map(|name| keys.add(&name.parse().unwrap(), &Clock::system(), &Random::system()).unwrap());
    let (_, wallet) = app.post(&one, "/api/wallets", json!({"userId": "alice"})).await;
    app.post(&one, "/api/trading/aster/apikey", json!({"walletIdOrAddress": "alice"})).await;
    let id = wallet["walletId"].as_str().unwrap();
    let lists: [(String, &str); 4] = [
        ("schedule".to_owned(), "due"),
        ("decisions".to_owned(), "decisions"),
        (format!("wallets?ids={id}"), "wallets"),
        ("search?prefix=a".to_owned(), "wallets"),
    ];
    for (read, list) in &lists {
        let path = format!("/console/data/{read}");
        assert_ne!(app.read(&one, &path).await.1[list], json!([]), "{read}");
        assert_eq!(app.read(&two, &path).await.1[list], json!([]), "{read}");
    }
    for read in ["agents", "decisions"] {
        let path = format!("/console/data/{read}?wallet={id}");
        assert_eq!(app.read(&one, &path).await.0, 200);
        let (status, body) = app.read(&two, &path).await;
        assert_eq!((status, &body["code"]), (404, &json!("WALLET_NOT_FOUND")), "{read}");
    }
    for read in [
        "about",
        "schedule",
        "decisions",
        "exchanges",
        "overview",
        "metrics",
        "audit",
        "wallets?ids=a",
        "search",
        "agents?wallet=a",
    ] {
        let path = format!("/console/data/{read}");
        assert_eq!(app.send(&path, &[]).await.status(), 401, "{read}");
        assert_eq!(app.read("other", &path).await.0, 403, "{read}");
    }
    // The page itself requires no key.
    assert_eq!(app.send("/", &[]).await.status(), 200);
}

#[tokio::test]
async fn console_page_has_security_headers() {
    let app = App::start(|_| {}).await;
    for path in ["/", "/console/main.js", "/console/style.css", "/console/data/about"] {
        let answer = app.send(path, &[]).await;
        assert_eq!(answer.status(), 200, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        // Another site, a foreign name that resolves to this machine, and another port.
        let port = app.stack.api.rsplit(':').next().unwrap();
        let rebound = format!("evil.example:{port}");
        for (name, value) in [
            ("host", rebound.as_str()),
            ("origin", "http://evil.example"),
            ("origin", "http://127.0.0.1:1"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(app.send(path, &[(name, value)]).await.status(), 403, "{path} {name}");
        }
    }
    // A page of another site cannot use the API either; a program can.
    let cross = [("origin", "http://evil.example"), ("x-api-key", "any")];
    assert_eq!(app.send("/api/wallets", &cross).await.status(), 403);
    let port = app.stack.api.rsplit(':').next().unwrap();
    let rebound = format!("evil.example:{port}");
    let refused = app.send("/api/wallets", &[("host", &rebound), ("x-api-key", "any")]).await;
    assert_eq!(refused.status(), 403);
    let body: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!((&body["success"], &body["code"]), (&json!(false), &json!("HOST_NOT_ALLOWED")));
    assert!(body["message"].as_str().unwrap().contains("--allowed-host"), "{body}");
    assert!(body["timestamp"].is_u64(), "{body}");
    let local = format!("localhost:{port}");
    assert_eq!(app.send("/api/wallets", &[("host", &local)]).await.status(), 200);
    let unknown = app.send("/console/none.js", &[]).await;
    assert_eq!(unknown.status(), 404);
    assert_eq!(app.send("/api/none", &[]).await.status(), 404);
}

#[tokio::test]
async fn invalid_console_query_returns_4xx() {
    let app = App::start(|_| {}).await;
    let many = vec!["user"; 101].join(",");
    for path in [
        "wallets".to_owned(),
        "wallets?ids=a b".to_owned(),
        format!("wallets?ids={many}"),
        "search?state=nonsense".to_owned(),
        "search?cursor=nonsense".to_owned(),
        "audit?cursor=nonsense".to_owned(),
        format!("search?prefix={}", "a".repeat(129)),
        "agents".to_owned(),
        "agents?wallet=%23".to_owned(),
        "decisions?wallet=%23".to_owned(),
        "decisions?wallet=a&before=0".to_owned(),
        "decisions?wallet=a&before=-1".to_owned(),
    ] {
        let (status, body) = app.read("any", &format!("/console/data/{path}")).await;
        assert_eq!(status, 400, "{path}: {body}");
        assert!(body["error"].is_string() && body["code"].is_string(), "{body}");
    }
}
