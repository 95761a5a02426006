//! Tests `Idempotency-Key`: the same request is replayed, and a different request is refused.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use aws_sdk_dynamodb::types::AttributeValue;
use axum::body::{Body, to_bytes};
use axum::{Extension, Router};
use domain::ids::Tenant;
use e2e::{DAY_MS, Reply, TestApp};
use exchange_sim::faults::Fault;
use http::Method;
use platform::items::Item;
use serde_json::{Value, json};
use shared::access::Presented;
use tower::ServiceExt;

/// Sends a `POST` with this idempotency key.
async fn post(app: &TestApp, key: &str, path: &str, body: Value) -> Reply {
    let request = app.request(Method::POST, path).header("Idempotency-Key", key);
    app.send(request.json(&body)).await
}

async fn register(app: &TestApp, key: &str, exchange: &str) -> Reply {
    let path = format!("/api/trading/{exchange}/apikey");
    post(app, key, &path, json!({ "walletIdOrAddress": "user_1" })).await
}

fn is_replay(reply: &Reply) -> bool {
    reply.headers.get("idempotent-replay").is_some_and(|value| value == "true")
}

/// Returns the stored item of every idempotency key.
async fn items(app: &TestApp) -> Vec<Item> {
    let items = app.scan(hyperdex_local::WALLETS_TABLE).await;
    items.into_iter().filter(|item| item["sk"].as_s().unwrap() == "idempotency").collect()
}

/// Returns true if the value contains the secret as text or as bytes.
fn contains_secret(value: &AttributeValue, secret: &str) -> bool {
    let digits = secret.trim_start_matches("0x");
    let bytes = hex::decode(digits).unwrap();
    match value {
        AttributeValue::S(text) => text.contains(digits),
        AttributeValue::B(blob) => {
            let blob = blob.as_ref();
            blob.windows(bytes.len()).any(|window| window == bytes)
                || blob.windows(digits.len()).any(|window| window == digits.as_bytes())
        }
        AttributeValue::M(map) => map.values().any(|value| contains_secret(value, secret)),
        AttributeValue::L(list) => list.iter().any(|value| contains_secret(value, secret)),
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotent_post_and_delete_are_replayed() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let wallet = json!({ "walletIdOrAddress": "user_1" });
    let mut calls = vec![
        (Method::POST, "/api/wallets".to_owned(), json!({ "userId": "user_2" }), 201),
        (Method::POST, "/api/wallets/user_1/sign".to_owned(), json!({ "message": "hi" }), 200),
        (Method::POST, "/api/wallets/user_1/sign".to_owned(), json!({}), 400),
        (Method::POST, "/api/wallets/nobody/sign".to_owned(), json!({ "message": "hi" }), 404),
    ];
    for exchange in ["hyperliquid", "aster"] {
        let path = format!("/api/trading/{exchange}/apikey");
        calls.push((Method::POST, path.clone(), wallet.clone(), 200));
        calls.push((Method::POST, path.clone(), wallet.clone(), 409));
        calls.push((Method::POST, format!("{path}/rotate"), wallet.clone(), 200));
        calls.push((Method::DELETE, path.clone(), wallet.clone(), 200));
        calls.push((Method::DELETE, path, wallet.clone(), 404));
    }
    for (number, (method, path, body, status)) in calls.into_iter().enumerate() {
        app.clock.advance_ms(120_000);
        let send = async || {
            let request = app.request(method.clone(), &path);
            app.send(request.header("Idempotency-Key", format!("k{number}")).json(&body)).await
        };
        let first = send().await;
        assert_eq!(first.status, status, "{method} {path}: {first:?}");
        assert!(!is_replay(&first));
        app.clock.advance_ms(120_000);
        let sent =
            app.stack.hyperliquid_sim.requests().len() + app.stack.aster_sim.requests().len();
        let again = send().await;
        // A refusal changes nothing and is evaluated again.
        assert_eq!(is_replay(&again), status < 300, "{method} {path}: {again:?}");
        assert_eq!(again.status, status);
        if status < 300 {
            assert!(again.body == first.body, "{first:?} {again:?}");
        }
        assert_eq!(again.headers["content-type"], "application/json");
        assert_ne!(again.headers["x-request-id"], first.headers["x-request-id"]);
        let now = app.stack.hyperliquid_sim.requests().len() + app.stack.aster_sim.requests().len();
        assert_eq!(now, sent, "a replay must not call the exchange: {method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_key_with_another_request_returns_422() {
    let app = TestApp::start().await;
    let first = post(&app, "k", "/api/wallets", json!({ "userId": "a" })).await;
    assert_eq!(first.status, 201);
    for (path, body) in [
        ("/api/wallets", json!({ "userId": "b" })),
        ("/api/wallets?x=1", json!({ "userId": "a" })),
        ("/api/wallets/a/sign", json!({ "userId": "a" })),
        ("/api/trading/aster/apikey", json!({ "walletIdOrAddress": "a" })),
    ] {
        let other = post(&app, "k", path, body).await;
        assert_eq!((other.status, other.text("/code")), (422, "IDEMPOTENCY_KEY_REUSED"), "{path}");
        assert!(!is_replay(&other));
    }
    assert_eq!(app.get("/api/wallets/b").await.status, 404);
    // Keys are case-sensitive.
    assert_eq!(post(&app, "K", "/api/wallets", json!({ "userId": "b" })).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_idempotency_key_returns_400() {
    let app = TestApp::start().await;
    let body = json!({ "userId": "a" });
    for key in ["", "a b", "a\tb", "näh", &"k".repeat(256)] {
        let request = app.request(Method::POST, "/api/wallets");
        let value = http::HeaderValue::from_bytes(key.as_bytes()).unwrap();
        let reply = app.send(request.header("Idempotency-Key", value).json(&body)).await;
        let code = reply.text("/code");
        assert_eq!((reply.status, code), (400, "IDEMPOTENCY_KEY_INVALID"), "{key:?}");
    }
    let request = app.request(Method::POST, "/api/wallets").json(&body);
    let twice = request.header("Idempotency-Key", "a").header("Idempotency-Key", "a");
    assert_eq!(app.send(twice).await.status, 400);
    assert_eq!(
        app.get("/api/wallets/a").await.status,
        404,
        "a refused request must not create a wallet"
    );
    for key in ["!", &"~".repeat(255)] {
        assert!(post(&app, key, "/api/wallets", body.clone()).await.status < 300, "{key:?}");
    }
    // Reads ignore the header.
    let read = app.request(Method::GET, "/api/wallets/a").header("Idempotency-Key", "a b");
    assert_eq!(app.send(read).await.status, 200);
    assert_eq!(items(&app).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_with_one_key_run_once() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    for exchange in ["hyperliquid", "aster"] {
        let racing = (0..6).map(|_| register(&app, exchange, exchange));
        let replies = futures_util::future::join_all(racing).await;
        let made: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 200).collect();
        let first: Vec<&&Reply> = made.iter().filter(|reply| !is_replay(reply)).collect();
        assert_eq!(first.len(), 1, "{replies:?}");
        assert!(made.iter().all(|reply| reply.body == first[0].body));
        for refused in replies.iter().filter(|reply| reply.status != 200) {
            assert_eq!((refused.status, refused.text("/code")), (409, "IDEMPOTENCY_IN_PROGRESS"));
            assert_eq!(refused.retry_after_s(), Some(1), "{refused:?}");
        }
        assert!(register(&app, exchange, exchange).await.body == first[0].body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retryable_error_is_not_replayed() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    // The exchange fails at first, then recovers.
    app.stack.hyperliquid_sim.fail_next("approveAgent", Fault::Status(500, String::new()));
    for _ in 0..2 {
        app.stack.hyperliquid_sim.fail_next("userRole", Fault::Status(500, String::new()));
        let failed = register(&app, "k", "hyperliquid").await;
        assert!(failed.status >= 500, "{failed:?}");
        app.clock.advance_ms(60_000);
    }
    let made = register(&app, "k", "hyperliquid").await;
    assert_eq!(made.status, 200, "{made:?}");
    assert!(!is_replay(&made));
    assert!(is_replay(&register(&app, "k", "hyperliquid").await));
    // A released key stays bound to its request.
    let other = register(&app, "k", "aster").await;
    assert_eq!(other.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_response_with_a_secret_is_encrypted() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let made = register(&app, "made", "hyperliquid").await;
    app.clock.advance_ms(10_000);
    let path = "/api/trading/hyperliquid/apikey/rotate";
    let rotated = post(&app, "rotated", path, json!({ "walletIdOrAddress": "user_1" })).await;
    let items = items(&app).await;
    assert_eq!(items.len(), 2);
    for reply in [&made, &rotated] {
        let secret = reply.text("/data/apiPrivateKey");
        assert_eq!(secret.len(), 66);
        for item in &items {
            assert!(
                !item.values().any(|value| contains_secret(value, secret)),
                "a secret is stored in plain text"
            );
            let answer = item["answer"].as_m().unwrap();
            assert!(answer["body"].is_null() && answer["sealed"].is_m());
            // The outcome is removed once the response is stored.
            assert!(!item.contains_key("outcome"));
        }
    }
    // The client's idempotency key is not stored in plain text either.
    let text = format!("{items:?}");
    assert!(!text.contains("\"made\"") && !text.contains("\"rotated\""));
    // A stored response that is moved to another key does not decrypt.
    let (from, to) = (&items[0], &items[1]);
    let mut moved = to.clone();
    moved.insert("answer".to_owned(), from["answer"].clone());
    let put = app.stack.aws().dynamodb().put_item().table_name(hyperdex_local::WALLETS_TABLE);
    put.set_item(Some(moved)).send().await.unwrap();
    let replies = [
        register(&app, "made", "hyperliquid").await.status,
        post(&app, "rotated", path, json!({ "walletIdOrAddress": "user_1" })).await.status,
    ];
    assert!(replies.contains(&500) && replies.contains(&200), "{replies:?}");
}

/// A response with a secret is replayed for ten minutes. After that, and until the end of the day,
/// the request fails with `SECRET_NOT_SHOWN_AGAIN`.
#[tokio::test(flavor = "multi_thread")]
async fn secret_is_replayed_for_ten_minutes() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let webhook = json!({ "url": "https://hooks.example.com" });
    let made = post(&app, "webhook", "/api/webhooks", webhook.clone()).await;
    assert_eq!(made.status, 201, "{made:?}");
    // The ten minutes start at the response, not at the first attempt.
    app.stack.hyperliquid_sim.fail_next("approveAgent", Fault::Status(500, String::new()));
    assert_eq!(register(&app, "k", "hyperliquid").await.status, 502);
    app.clock.advance_ms(30 * 60_000);
    let first = register(&app, "k", "hyperliquid").await;
    assert_eq!(first.status, 200, "{first:?}");
    app.clock.advance_ms(10 * 60_000);
    assert!(register(&app, "k", "hyperliquid").await.body == first.body);
    app.clock.advance_ms(1);
    let late = [
        register(&app, "k", "hyperliquid").await,
        post(&app, "webhook", "/api/webhooks", webhook).await,
    ];
    for late in late {
        assert_eq!((late.status, late.text("/code")), (410, "SECRET_NOT_SHOWN_AGAIN"), "{late:?}");
        assert!(late.text("/message").contains("rotate"), "{late:?}");
    }
    // A response without a secret is replayed for a day.
    let aster = register(&app, "a", "aster").await;
    app.clock.advance_ms(DAY_MS / 2);
    assert!(is_replay(&register(&app, "a", "aster").await), "{aster:?}");
}

/// A refusal is not replayed after the caller fixes its cause.
#[tokio::test(flavor = "multi_thread")]
async fn refusal_is_not_replayed_after_its_cause_is_fixed() {
    let app = TestApp::start_with(|options| options.require_deposit = true).await;
    let unknown = register(&app, "k", "hyperliquid").await;
    assert_eq!((unknown.status, unknown.text("/code")), (404, "WALLET_NOT_FOUND"));
    app.wallet("user_1").await;
    let poor = register(&app, "k", "hyperliquid").await;
    assert_eq!((poor.status, poor.text("/code")), (422, "DEPOSIT_REQUIRED"), "{poor:?}");
    app.stack.hyperliquid_sim.require_deposit(false);
    let made = register(&app, "k", "hyperliquid").await;
    assert_eq!(made.status, 200, "{made:?}");
    assert!(!is_replay(&made) && is_replay(&register(&app, "k", "hyperliquid").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_key_expires_after_a_day() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let first = register(&app, "k", "hyperliquid").await;
    let [item] = items(&app).await.try_into().unwrap();
    let end_s: u64 = item["expiresAtS"].as_n().unwrap().parse().unwrap();
    assert!(end_s * 1_000 >= app.clock.now_ms() + DAY_MS);
    app.clock.advance_ms(60_000);
    assert!(register(&app, "k", "hyperliquid").await.body == first.body);
    app.clock.advance_ms(DAY_MS - 60_000 - 1);
    assert_eq!(register(&app, "k", "hyperliquid").await.status, 410);
    // The expired item still exists but is ignored, so the request counts as new.
    app.clock.advance_ms(1);
    let late = register(&app, "k", "hyperliquid").await;
    assert_eq!((late.status, late.text("/code")), (409, "API_KEY_EXISTS"), "{late:?}");
    assert!(!is_replay(&late));
    let other = post(&app, "k2", "/api/wallets", json!({ "userId": "a" })).await;
    assert_eq!(other.status, 201);
    app.clock.advance_ms(DAY_MS);
    let other = post(&app, "k2", "/api/wallets", json!({ "userId": "b" })).await;
    assert_eq!(other.status, 201, "an expired key can be reused");
    assert_eq!(items(&app).await.len(), 2);
}

/// Sends a request to the API as this tenant.
async fn as_tenant(app: &TestApp, tenant: &str, body: &Value) -> (u16, bool, Value) {
    let tenant: Tenant = tenant.parse().unwrap();
    let custody = app.stack.custody.clone();
    let options = &app.options;
    let routes: Router = create_wallet::router(custody);
    let routes = shared::api::middleware::with_middleware(
        routes,
        options.clock.clone(),
        options.random.clone(),
    );
    let request = http::Request::post("/api/wallets")
        .header("content-type", "application/json")
        .header("idempotency-key", "k")
        .body(Body::from(body.to_string()));
    let access = Extension(app.endpoints().access(options));
    let routes = routes.layer(access).layer(Extension(Presented::Open(tenant)));
    let response = routes.oneshot(request.unwrap()).await.unwrap();
    let replay = response.headers().contains_key("idempotent-replay");
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, replay, serde_json::from_slice(&body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_key_is_scoped_to_its_tenant() {
    let app = TestApp::start().await;
    let body = json!({ "userId": "a" });
    let (status, replay, first) = as_tenant(&app, "t1", &body).await;
    assert!(status == 201 && !replay);
    // The other tenant's key neither replays a response nor causes a refusal.
    let (status, replay, second) = as_tenant(&app, "t2", &json!({ "userId": "b" })).await;
    assert!(status == 201 && !replay && second["walletId"] != first["walletId"]);
    let (status, replay, again) = as_tenant(&app, "t1", &body).await;
    assert!(status == 201 && replay && again == first);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_body_with_idempotency_key_returns_413() {
    let app = TestApp::start().await;
    let body = json!({ "message": "a".repeat(70_000) });
    assert_eq!(post(&app, "k", "/api/wallets/a/sign", body).await.status, 413);
    assert_eq!(items(&app).await.len(), 0);
}
