//! Tests how callers learn which key they hold. GET, the 409 of a registration and webhooks show
//! whether the current key was delivered, when each key expires, and how to get a usable one.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use alloy_primitives::Address;
use e2e::{DAY_MS, RECONCILE_LIMITS, RENEW_LIMITS, Reply, TestApp};
use exchange_sim::faults::Fault;
use serde_json::{Value, json};
use shared::credentials::RenewLimits;

const FIXED: &str = "Use the existing key or delete it before creating a new one";

async fn renew(app: &TestApp) -> u64 {
    let limits = RenewLimits { keys_are_handed_out: true, ..RENEW_LIMITS };
    app.stack.jobs.renew(&limits).await.unwrap().iter().map(|(_, done)| done.renewed).sum()
}

async fn reconcile(app: &TestApp) {
    app.stack.jobs.reconcile(&RECONCILE_LIMITS).await.unwrap();
}

fn keys(seen: &Reply) -> Vec<(&str, bool, Option<bool>, u64)> {
    let rows = seen.body["data"]["keys"].as_array().unwrap().iter();
    let rows = rows.map(|row| {
        (
            row["agentAddress"].as_str().unwrap(),
            row["current"].as_bool().unwrap(),
            row.get("delivered").and_then(Value::as_bool),
            row["expiryTimestamp"].as_u64().unwrap(),
        )
    });
    rows.collect()
}

/// Registers again, checks the 409 and its fixed message, and returns the advice.
async fn conflict(app: &TestApp, exchange: &str) -> String {
    let refused = app.register(exchange, "user_1").await;
    assert_eq!((refused.status, refused.text("/code")), (409, "API_KEY_EXISTS"));
    assert_eq!(refused.text("/message"), FIXED);
    refused.text("/advice").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_key_is_shown_as_not_delivered() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let mine = app.register("hyperliquid", "user_1").await;
    let address = mine.text("/data/apiWalletAddress");
    let expiry = mine.body["data"]["expiryTimestamp"].as_u64().unwrap();
    let seen = app.api_key("hyperliquid", "user_1").await;
    assert_eq!(keys(&seen), [(address, true, Some(true), expiry)]);
    assert!(seen.body["data"].get("advice").is_none());
    let advice = conflict(&app, "hyperliquid").await;
    assert!(advice.contains("POST /api/trading/hyperliquid/apikey/rotate"), "{advice}");

    app.clock.advance_ms(167 * DAY_MS);
    assert_eq!(renew(&app).await, 1);
    let seen = app.api_key("hyperliquid", "user_1").await;
    let [current, earlier] = keys(&seen)[..] else { panic!("{seen:?}") };
    assert_eq!(earlier, (address, false, Some(true), expiry));
    assert_eq!((current.1, current.2), (true, Some(false)));
    assert_eq!(seen.body["data"]["expiryTimestamp"], current.3);
    for advice in [seen.text("/data/advice"), &conflict(&app, "hyperliquid").await] {
        assert!(advice.contains("not delivered") && advice.contains(address), "{advice}");
        assert!(advice.contains("apikey/rotate"), "{advice}");
    }

    // The delivered key has expired, so the caller has no usable key.
    app.clock.advance_ms(14 * DAY_MS);
    let seen = app.api_key("hyperliquid", "user_1").await;
    assert!(seen.text("/data/advice").contains("no delivered key is valid"), "{seen:?}");
    assert!(conflict(&app, "hyperliquid").await.contains("no delivered key is valid"));

    let rotated = app.rotate("hyperliquid", "user_1").await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let seen = app.api_key("hyperliquid", "user_1").await;
    let [(current, true, Some(true), _)] = keys(&seen)[..] else { panic!("{seen:?}") };
    assert_eq!(current, rotated.text("/data/apiWalletAddress"));
    assert!(seen.body["data"].get("advice").is_none(), "{seen:?}");
}

/// After a renewal the caller holds the earlier key. The job compares that key with the exchange as
/// well.
#[tokio::test(flavor = "multi_thread")]
async fn missing_delivered_key_is_shown_by_get_and_409() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    let master: Address = wallet.text("/address").parse().unwrap();
    let mine = app.register("hyperliquid", "user_1").await;
    let address = mine.text("/data/apiWalletAddress");
    app.clock.advance_ms(167 * DAY_MS);
    assert_eq!(renew(&app).await, 1);
    app.clock.advance_ms(2 * DAY_MS);
    reconcile(&app).await;
    let seen = app.api_key("hyperliquid", "user_1").await;
    assert!(seen.body["data"].get("drift").is_none(), "the exchange lists both agents: {seen:?}");

    let agent: Address = address.parse().unwrap();
    assert!(app.stack.hyperliquid_sim.remove_agent(master, agent));
    app.clock.advance_ms(7 * DAY_MS);
    reconcile(&app).await;
    let seen = app.api_key("hyperliquid", "user_1").await;
    let found = &seen.body["data"]["drift"]["found"];
    assert_eq!(*found, json!([{ "kind": "AGENT_GONE", "agentAddress": address }]));
    for advice in [seen.text("/data/advice"), &conflict(&app, "hyperliquid").await] {
        assert!(advice.contains("no longer lists the delivered key"), "{advice}");
        assert!(advice.contains(address) && advice.contains("apikey/rotate"), "{advice}");
    }
    app.clock.advance_ms(10_000);
    assert_eq!(app.rotate("hyperliquid", "user_1").await.status, 200);
    let seen = app.api_key("hyperliquid", "user_1").await;
    assert!(seen.body["data"].get("drift").is_none(), "{seen:?}");
    assert!(seen.body["data"].get("advice").is_none(), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_not_returned_have_no_delivery() {
    let app = TestApp::start_with(|options| options.return_private_key = false).await;
    app.wallet("user_1").await;
    for exchange in ["hyperliquid", "aster"] {
        assert_eq!(app.register(exchange, "user_1").await.status, 200);
        let seen = app.api_key(exchange, "user_1").await;
        assert!(matches!(keys(&seen)[..], [(_, true, None, _)]), "{seen:?}");
        assert!(conflict(&app, exchange).await.contains("apikey/rotate"));
    }
}

/// The job finishes an interrupted rotation. Its key is delivered only when the caller retries
/// the request.
#[tokio::test(flavor = "multi_thread")]
async fn retry_delivers_the_key_of_a_rotation_by_the_job() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 200);
    let rotate = || {
        let request = app.request(http::Method::POST, "/api/trading/hyperliquid/apikey/rotate");
        let request = request.header("Idempotency-Key", "one");
        app.send(request.json(&json!({ "walletIdOrAddress": "user_1" })))
    };
    app.stack.hyperliquid_sim.fail_next("approveAgent", Fault::AppliedButLost);
    app.stack.hyperliquid_sim.fail_next("userRole", Fault::Status(500, String::new()));
    assert_eq!(rotate().await.status, 502);
    renew(&app).await;
    let seen = app.api_key("hyperliquid", "user_1").await;
    assert_eq!(seen.text("/data/state"), "active", "{seen:?}");
    assert!(matches!(keys(&seen)[0], (_, true, Some(false), _)), "{seen:?}");
    // No response has shown the key, so the ten minutes start with this one.
    app.clock.advance_ms(60 * 60_000);
    let rotated = rotate().await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    assert!(rotated.body["data"].get("apiPrivateKey").is_some());
    let seen = app.api_key("hyperliquid", "user_1").await;
    let (current, true, Some(true), _) = keys(&seen)[0] else { panic!("{seen:?}") };
    assert_eq!(current, rotated.text("/data/apiWalletAddress"));
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_agent_is_shown_by_get_and_409() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    let master: Address = wallet.text("/address").parse().unwrap();
    for exchange in ["hyperliquid", "aster"] {
        let made = app.register(exchange, "user_1").await;
        assert_eq!(made.status, 200);
        assert!(app.api_key(exchange, "user_1").await.body["data"].get("drift").is_none());
        app.clock.advance_ms(8 * DAY_MS);
        let (hyperliquid, aster) = (&app.stack.hyperliquid_sim, &app.stack.aster_sim);
        let gone = if exchange == "aster" {
            let agent = aster.agents_of(master)[0].address;
            assert!(aster.remove_agent(master, agent));
            agent
        } else {
            let agent = hyperliquid.agents_of(master)[0].address;
            assert!(hyperliquid.remove_agent(master, agent));
            agent
        };
        reconcile(&app).await;
        let seen = app.api_key(exchange, "user_1").await;
        let found = &seen.body["data"]["drift"]["found"];
        assert_eq!(*found, json!([{ "kind": "AGENT_GONE", "agentAddress": gone.to_string() }]));
        for advice in [seen.text("/data/advice"), &conflict(&app, exchange).await] {
            assert!(advice.contains("no longer lists"), "{advice}");
        }
        app.clock.advance_ms(10_000);
        assert_eq!(app.rotate(exchange, "user_1").await.status, 200);
        let seen = app.api_key(exchange, "user_1").await;
        assert!(seen.body["data"].get("drift").is_none(), "{seen:?}");
        assert!(seen.body["data"].get("advice").is_none(), "{seen:?}");
    }
}
