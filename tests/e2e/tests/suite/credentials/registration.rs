//! Tests registrations with faults: nothing is lost, and nothing happens twice.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

use std::time::Duration;

use domain::ids::{Exchange, Tenant};
use e2e::{DAY_MS, Reply, TestApp};
use exchange_sim::faults::Fault;
use shared::store::{CredentialRecord, CredentialState};

const EXCHANGES: [&str; 2] = ["hyperliquid", "aster"];
const SEND: [&str; 2] = ["/exchange", "/fapi/v3/registerAndApproveAgent"];

fn fail_send(app: &TestApp, fault: &Fault) {
    app.stack.hyperliquid_sim.fail_next(SEND[0], fault.clone());
    app.stack.aster_sim.fail_next(SEND[1], fault.clone());
}

/// Returns the stored credential.
async fn stored(app: &TestApp, user: &str, exchange: &str) -> Option<CredentialRecord> {
    let exchange = if exchange == "aster" { Exchange::Aster } else { Exchange::Hyperliquid };
    let store = &app.stack.custody.store;
    let view = store.find(&Tenant::local(), &user.parse().unwrap()).await.unwrap().unwrap();
    view.credential(exchange).cloned()
}

/// Checks that exactly one agent exists at the exchange, that one active credential is stored, and
/// that they match.
async fn settled(app: &TestApp, wallet: &Reply, user: &str, exchange: &str, reply: &Reply) {
    assert_eq!(reply.status, 200, "{exchange}: {reply:?}");
    let agents = app.agents(exchange, wallet.text("/address"));
    let [(name, address)] = agents.as_slice() else { panic!("{exchange}: {agents:?}") };
    let record = stored(app, user, exchange).await.unwrap();
    assert_eq!(record.state, CredentialState::Active);
    assert_eq!(record.agent.to_string(), *address);
    assert_eq!(&record.agent_name, name);
    assert_eq!(reply.agent(exchange), address);
}

#[tokio::test(flavor = "multi_thread")]
async fn register_with_lost_response_succeeds() {
    let app = TestApp::start().await;
    for (user, fault) in [("lost", Fault::AppliedButLost), ("late", Fault::AppliedThenHang)] {
        let wallet = app.wallet(user).await;
        fail_send(&app, &fault);
        for exchange in EXCHANGES {
            let reply = app.register(exchange, user).await;
            settled(&app, &wallet, user, exchange, &reply).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn register_retry_after_unknown_outcome_keeps_agent() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    fail_send(&app, &Fault::AppliedButLost);
    // The lookup of the outcome fails too.
    app.stack.hyperliquid_sim.fail_next("userRole", Fault::Status(500, String::new()));
    app.stack.aster_sim.fail_next("listAgents", Fault::Status(500, String::new()));
    for exchange in EXCHANGES {
        let reply = app.register(exchange, "user_1").await;
        assert_eq!(reply.status, 502, "{reply:?}");
        let pending = stored(&app, "user_1", exchange).await.unwrap();
        assert_eq!(pending.state, CredentialState::Pending);

        let reply = app.register(exchange, "user_1").await;
        settled(&app, &wallet, "user_1", exchange, &reply).await;
        assert_eq!(reply.agent(exchange), pending.agent.to_string());
        assert_eq!(reply.body["data"]["expiryTimestamp"], pending.expires_at_ms);
    }
    // The approval was sent once. The second call only looked up the outcome.
    let sent = app.stack.hyperliquid_sim.requests();
    assert_eq!(sent.iter().filter(|request| request.kind == "approveAgent").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn register_retry_sends_the_approval_with_a_new_nonce() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    fail_send(&app, &Fault::Hang);
    for exchange in EXCHANGES {
        let reply = app.register(exchange, "user_1").await;
        assert_eq!(reply.status, 504, "{reply:?}");
        let pending = stored(&app, "user_1", exchange).await.unwrap();
        let reply = app.register(exchange, "user_1").await;
        settled(&app, &wallet, "user_1", exchange, &reply).await;
        assert_eq!(reply.agent(exchange), pending.agent.to_string());
    }
}

/// A call is killed while the exchange processes it. Its lease blocks other calls until it expires,
/// and the next call finishes the registration.
#[tokio::test(flavor = "multi_thread")]
async fn register_retry_after_crash_waits_for_the_lease() {
    let app = TestApp::start_with(|options| options.exchange_timeout_ms = 10_000).await;
    let wallet = app.wallet("user_1").await;
    fail_send(&app, &Fault::AppliedThenHang);
    for exchange in EXCHANGES {
        let mut dying = Box::pin(register_without_socket(&app, exchange, "user_1"));
        loop {
            tokio::select! {
                () = &mut dying => panic!("the call must not return"),
                () = tokio::task::yield_now() => {}
            }
            if !app.agents(exchange, wallet.text("/address")).is_empty() {
                break;
            }
        }
        drop(dying);
        let pending = stored(&app, "user_1", exchange).await.unwrap();
        assert_eq!(pending.state, CredentialState::Pending);

        let waits = app.register(exchange, "user_1").await;
        assert_eq!((waits.status, waits.text("/code")), (409, "REGISTRATION_IN_PROGRESS"));
        let wait = |reply: &Reply| reply.retry_after_s().unwrap();
        assert_eq!(wait(&waits), 1, "expected a wait of one second for a call that has just begun");

        // A client that obeys `Retry-After` finishes the registration after a few calls.
        let mut reply = waits;
        for _ in 0..6 {
            app.clock.advance_ms(wait(&reply) * 1_000 + 100);
            reply = app.register(exchange, "user_1").await;
            if reply.status == 200 {
                break;
            }
        }
        settled(&app, &wallet, "user_1", exchange, &reply).await;
        assert_eq!(reply.agent(exchange), pending.agent.to_string());
    }
}

async fn register_without_socket(app: &TestApp, exchange: &str, user: &str) {
    use tower::ServiceExt;
    let body = serde_json::json!({ "walletIdOrAddress": user }).to_string();
    let request = http::Request::post(format!("/api/trading/{exchange}/apikey"))
        .header("content-type", "application/json")
        .body(axum::body::Body::from(body))
        .unwrap();
    let _ = app.stack.router.clone().oneshot(request).await;
    // Stays pending if the exchange responds, so that the caller sees the call as still running.
    tokio::time::timeout(Duration::from_secs(60), std::future::pending::<()>()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn register_after_expiry_succeeds() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    for exchange in EXCHANGES {
        let first = app.register(exchange, "user_1").await;
        assert_eq!(first.status, 200);
        app.clock.advance_ms(181 * DAY_MS);
        let second = app.register(exchange, "user_1").await;
        assert_eq!(second.status, 200, "{second:?}");
        assert_ne!(first.agent(exchange), second.agent(exchange));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_registrations_do_not_reuse_nonces() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    let mut nonces = Vec::new();
    // The clock does not advance. Each registration but the last is refused after it was sent.
    for round in 0..3 {
        if round < 2 {
            let full = r#"{"status":"err","response":"Too many extra agents"}"#;
            app.stack.hyperliquid_sim.fail_next("/exchange", Fault::Status(200, full.into()));
            assert_eq!(app.register("hyperliquid", "user_1").await.status, 422);
            assert!(stored(&app, "user_1", "hyperliquid").await.is_none());
        } else {
            assert_eq!(app.register("hyperliquid", "user_1").await.status, 200);
        }
        let (tenant, name) = (Tenant::local(), "user_1".parse().unwrap());
        let view = app.stack.custody.store.find(&tenant, &name).await.unwrap().unwrap();
        nonces.push(view.nonces.hyperliquid);
    }
    assert!(nonces[0] < nonces[1] && nonces[1] < nonces[2], "{nonces:?}");
    assert_eq!(app.agents("hyperliquid", wallet.text("/address")).len(), 1);
}

/// A retry of an old pending record requests the full validity again.
#[tokio::test(flavor = "multi_thread")]
async fn register_retry_after_days_gets_a_new_expiry() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    fail_send(&app, &Fault::Hang);
    for exchange in EXCHANGES {
        assert_eq!(app.register(exchange, "user_1").await.status, 504);
        let pending = stored(&app, "user_1", exchange).await.unwrap();
        app.clock.advance_ms(3 * DAY_MS);
        let reply = app.register(exchange, "user_1").await;
        settled(&app, &wallet, "user_1", exchange, &reply).await;
        let expiry = app.clock.now_ms() + 180 * DAY_MS - 60_000;
        assert_eq!(reply.body["data"]["expiryTimestamp"], expiry);
        assert_ne!(pending.expires_at_ms, expiry);
        assert_eq!(stored(&app, "user_1", exchange).await.unwrap().expires_at_ms, expiry);
    }
}
