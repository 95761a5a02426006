//! Tests every row of the contract's error table.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use e2e::{Reply, TestApp};
use exchange_sim::faults::Fault;
use http::Method;
use serde_json::{Value, json};

fn expect(reply: &Reply, status: u16, error: &str) {
    assert_eq!((reply.status, reply.text("/error")), (status, error), "{reply:?}");
    assert_eq!(reply.body["success"], false);
    assert!(reply.body["timestamp"].is_u64(), "{reply:?}");
    let code = reply.text("/code");
    assert!(!code.is_empty() && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'));
    assert_eq!(reply.headers["content-type"], "application/json");
    assert!(!reply.text("/message").is_empty(), "{reply:?}");
    let wait = reply.headers.get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
    let in_body = reply.body.get("retryAfterSeconds").map(Value::to_string);
    assert_eq!(in_body, wait, "{reply:?}");
}

const ROUTES: [(&str, &str); 4] = [
    ("/api/wallets", "userId"),
    ("/api/wallets/user_1/sign", "message"),
    ("/api/trading/aster/apikey", "walletIdOrAddress"),
    ("/api/trading/hyperliquid/apikey", "walletIdOrAddress"),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_returns_4xx_and_names_the_field() {
    let app = TestApp::start().await;
    for (path, field) in ROUTES {
        let missing = format!("Missing required parameter: {field}");
        for body in [json!({}), json!({ field: null }), json!({ field: "" })] {
            expect(&app.post(path, body).await, 400, &missing);
        }
        expect(&app.send(app.request(Method::POST, path)).await, 400, &missing);
        for value in [json!(1), json!(true), json!(["a"]), json!({ "a": 1 })] {
            let reply = app.post(path, json!({ field: value })).await;
            expect(&reply, 400, &format!("{field} must be a string"));
        }
        for text in ["{", "[]", "\"x\"", "{\"a\":1}}", &"[".repeat(20_000)] {
            let request = app.request(Method::POST, path);
            let request = request.header("content-type", "application/json").body(text.to_owned());
            let reply = app.send(request).await;
            assert_eq!((reply.status, reply.text("/code")), (400, "BAD_REQUEST"), "{reply:?}");
        }
        let text = app.request(Method::POST, path).header("content-type", "text/plain").body("{}");
        expect(&app.send(text).await, 415, "Content-Type must be application/json");
        let large = json!({ field: "a".repeat(64 * 1024) });
        expect(&app.post(path, large).await, 413, "Request body is larger than 64 KiB");
        let method = app.request(Method::PUT, path).json(&json!({}));
        expect(&app.send(method).await, 405, "Method not allowed");
    }
    expect(&app.get("/api/nothing").await, 404, "No such route");
    expect(&app.get("/nothing").await, 404, "No such route");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_identifiers_and_messages_return_400() {
    let app = TestApp::start().await;
    let long = "a".repeat(129);
    for user in ["a b", "user/1", "naïve", "user#1", &long] {
        let reply = app.post("/api/wallets", json!({ "userId": user })).await;
        assert_eq!((reply.status, reply.text("/code")), (400, "BAD_REQUEST"), "{reply:?}");
        let reply = app.register("aster", user).await;
        assert_eq!((reply.status, reply.text("/code")), (400, "BAD_REQUEST"), "{reply:?}");
    }
    let uuid = json!({ "userId": "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a" });
    expect(&app.post("/api/wallets", uuid).await, 400, "userId must not be a UUID");
    let address = json!({ "userId": "0x173404aaaa4d6539e2c7dbcc1931cf41b3a3d5c7" });
    expect(&app.post("/api/wallets", address).await, 400, "userId must not be an address");
    assert_eq!(app.get("/api/wallets/bad%20id").await.status, 400);

    app.wallet("user_1").await;
    for message in [
        "You are signing into Astherus 501182",
        "You are signing into Aster DEX 501182",
        " you are  signing into Astherus 1",
        "Register Lighter Account\n\npubkey: 0x00",
        &"x".repeat(8 * 1024 + 1),
    ] {
        let reply = app.post("/api/wallets/user_1/sign", json!({ "message": message })).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(reply.text("/error").starts_with("message "), "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_wallet_returns_404() {
    let app = TestApp::start().await;
    for name in [
        "nobody",
        "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a",
        "0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7",
    ] {
        expect(&app.get(&format!("/api/wallets/{name}")).await, 404, "Wallet not found");
        let path = format!("/api/wallets/{name}/sign");
        expect(&app.post(&path, json!({ "message": "hi" })).await, 404, "Wallet not found");
        for exchange in ["aster", "hyperliquid"] {
            expect(&app.register(exchange, name).await, 404, "Wallet not found");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_exchanges_return_guidance() {
    let app = TestApp::start().await;
    let lighter = app.register("lighter", "user_1").await;
    expect(&lighter, 400, "Lighter API keys are not registered through HyperDEX");
    assert_eq!(
        lighter.text("/message"),
        "Create an account on Lighter, deposit USDC there, generate an API key in its account settings, and keep apiKeyPrivateKey (hex), apiKeyIndex and accountIndex. Then trade with them: POST /api/trading/lighter/orders, or store them with PUT /api/trading/lighter/credentials."
    );
    let binance = app.register("binance", "user_1").await;
    expect(&binance, 400, "Unsupported exchange: binance");
    assert!(binance.text("/message").contains("aster, hyperliquid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn second_registration_returns_409() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    for exchange in ["aster", "hyperliquid"] {
        assert_eq!(app.register(exchange, "user_1").await.status, 200);
        let reply = app.register(exchange, "user_1").await;
        expect(&reply, 409, "API key already exists for this wallet");
        assert_eq!(
            reply.text("/message"),
            "Use the existing key or delete it before creating a new one"
        );
        assert!(reply.body.get("data").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_registrations_make_one_key() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let racing = (0..4).map(|_| app.register("hyperliquid", "user_1"));
    let replies = futures_util::future::join_all(racing).await;
    let succeeded = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(succeeded, 1, "{replies:?}");
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!(reply.status, 409, "{reply:?}");
        if reply.text("/code") == "REGISTRATION_IN_PROGRESS" {
            expect(reply, 409, "API key registration already in progress");
            assert!(reply.headers.contains_key("retry-after"), "{reply:?}");
        }
    }
}

async fn refused_by_hyperliquid(text: &str) -> Reply {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let body = json!({ "status": "err", "response": text }).to_string();
    app.stack.hyperliquid_sim.fail_next("/exchange", Fault::Status(200, body));
    let reply = app.register("hyperliquid", "user_1").await;
    assert_eq!(reply.text("/error").is_empty(), reply.status < 400);
    // A definite refusal leaves no record behind, so the next call starts from the beginning.
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 200);
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn register_without_agent_slot_returns_422() {
    let text = "Too many extra agents for cumulative volume traded. Current limit is 3";
    let reply = refused_by_hyperliquid(text).await;
    expect(&reply, 422, "Failed to generate API key");
    assert_eq!(reply.text("/code"), "NO_AGENT_SLOT");
    assert!(reply.text("/message").contains(text));
}

#[tokio::test(flavor = "multi_thread")]
async fn register_without_deposit_returns_422() {
    let app = TestApp::start_with(|options| options.require_deposit = true).await;
    app.wallet("user_1").await;
    let reply = app.register("hyperliquid", "user_1").await;
    expect(&reply, 422, "Failed to generate API key");
    assert_eq!(reply.text("/code"), "DEPOSIT_REQUIRED");

    let stranger =
        "Must deposit before performing actions. User: 0x000000000000000000000000000000000000dead";
    let body = json!({ "status": "err", "response": stranger }).to_string();
    app.stack.hyperliquid_sim.fail_next("/exchange", Fault::Status(200, body));
    let reply = app.register("hyperliquid", "user_1").await;
    expect(&reply, 500, "Failed to generate API key");
    assert!(!reply.body.to_string().contains("dead"), "the response must not show the cause");
}

#[tokio::test(flavor = "multi_thread")]
async fn exchange_rate_limit_returns_429() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    app.stack.hyperliquid_sim.fail_next("/exchange", Fault::RateLimited { retry_after_s: 17 });
    let limited = app.register("hyperliquid", "user_1").await;
    expect(&limited, 429, "Too many requests");
    assert_eq!(limited.headers["retry-after"], "17");
    let route = "/fapi/v3/registerAndApproveAgent";
    app.stack.aster_sim.fail_next(route, Fault::RateLimited { retry_after_s: 9 });
    let limited = app.register("aster", "user_1").await;
    expect(&limited, 429, "Too many requests");
    assert_eq!(limited.headers["retry-after"], "9");
}

/// An exchange that is down gives a 502, an exchange that times out gives a 504, and a retry
/// succeeds.
#[tokio::test(flavor = "multi_thread")]
async fn failed_exchange_returns_502_or_504_and_is_retryable() {
    let app = TestApp::start().await;
    let advice = "Retry the call";
    for (index, (fault, status)) in [
        (Fault::Status(502, "Bad Gateway".into()), 502),
        (Fault::Status(500, String::new()), 502),
        (Fault::Garbage, 502),
        (Fault::Reset, 502),
        (Fault::Hang, 504),
    ]
    .into_iter()
    .enumerate()
    {
        let user = format!("user_{index}");
        app.wallet(&user).await;
        app.stack.hyperliquid_sim.fail_next("/exchange", fault.clone());
        app.stack.aster_sim.fail_next("/fapi/v3/registerAndApproveAgent", fault);
        for exchange in ["hyperliquid", "aster"] {
            let reply = app.register(exchange, &user).await;
            expect(&reply, status, "Failed to generate API key");
            assert!(reply.text("/message").contains(advice), "{reply:?}");
            assert_eq!(app.register(exchange, &user).await.status, 200, "{user} {exchange}");
        }
        // The queries about unknown outcomes weigh much.
        app.clock.advance_ms(70_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_rotation_error_names_the_rotation() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    for exchange in ["hyperliquid", "aster"] {
        assert_eq!(app.register(exchange, "user_1").await.status, 200);
    }
    let fault = Fault::Status(502, "Bad Gateway".into());
    app.stack.hyperliquid_sim.fail_next("/exchange", fault.clone());
    app.stack.aster_sim.fail_next("/fapi/v3/registerAndApproveAgent", fault);
    app.clock.advance_ms(10_000);
    for exchange in ["hyperliquid", "aster"] {
        expect(&app.rotate(exchange, "user_1").await, 502, "Failed to rotate API key");
        assert_eq!(app.rotate(exchange, "user_1").await.status, 200, "{exchange}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_exchange_returns_502() {
    // A port that was just closed, so nothing listens on it.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let app = TestApp::start_with(|options| {
        options.hyperliquid.url = Some(url.parse().unwrap());
        options.aster.url = Some(url.parse().unwrap());
    })
    .await;
    app.wallet("user_1").await;
    for exchange in ["hyperliquid", "aster"] {
        let reply = app.register(exchange, "user_1").await;
        expect(&reply, 502, "Failed to generate API key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn error_does_not_contain_a_key() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    app.stack.hyperliquid_sim.fail_next("/exchange", Fault::Garbage);
    let reply = app.register("hyperliquid", "user_1").await;
    let body: &Value = &reply.body;
    assert!(body.get("data").is_none() && !body.to_string().contains("0x"), "{body}");
}
