//! Tests how the service protects the exchanges: one shared budget for all instances,
//! `Retry-After`, a circuit breaker, and retries only where they are safe. Also tests Aster's V1.

use alloy_primitives::Address;
use domain::ids::{Exchange, Tenant};
use e2e::TestApp;
use exchange_sim::faults::Fault;
use serde_json::json;
use shared::credentials::CredentialError;
use shared::exchanges::budget::{Busy, Spender};

#[tokio::test(flavor = "multi_thread")]
async fn exhausted_budget_returns_429_on_all_instances() {
    // Of 250, the common pool has 200, and here one tenant may use all of it.
    let app = TestApp::start_with(|options| {
        options.budget.per_minute[Exchange::Aster] = 250;
        options.budget.tenant_percent = 100;
    })
    .await;
    for user in ["a", "b", "c", "d", "e"] {
        app.wallet(user).await;
    }
    // Two instances make four registrations of weight 50 in one minute.
    let other = app.endpoints().registrars(&app.options, Spender::Caller);
    let tenant = Tenant::local().into();
    for (user, other_user) in [("a", "b"), ("c", "d")] {
        assert_eq!(app.register("aster", user).await.status, 200);
        other.aster.register(&tenant, &other_user.parse().unwrap(), true).await.unwrap();
    }
    let sent = app.stack.aster_sim.requests().len();
    let refused = other.aster.register(&tenant, &"e".parse().unwrap(), true).await;
    assert!(matches!(refused, Err(CredentialError::Busy(Busy::Limited { .. }))), "{refused:?}");
    let refused = app.register("aster", "e").await;
    assert_eq!((refused.status, refused.text("/code")), (429, "EXCHANGE_RATE_LIMIT"));
    assert_eq!(app.stack.aster_sim.requests().len(), sent);
    assert_eq!(app.api_key("aster", "e").await.status, 404);
    // The other exchange has its own budget.
    assert_eq!(app.register("hyperliquid", "e").await.status, 200);
    // Spent weight expires after a minute, rounded up to ten seconds.
    let wait = refused.retry_after_s().unwrap();
    assert!((60..=70).contains(&wait), "{wait}");
    app.clock.advance_ms(wait * 1_000);
    assert_eq!(app.register("aster", "e").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_of_exchange_applies_to_all_callers() {
    let app = TestApp::start().await;
    for user in ["a", "b"] {
        app.wallet(user).await;
    }
    app.stack.hyperliquid_sim.fail_next("/exchange", Fault::RateLimited { retry_after_s: 17 });
    let limited = app.register("hyperliquid", "a").await;
    assert_eq!((limited.status, limited.retry_after_s()), (429, Some(17)));
    let sent = app.stack.hyperliquid_sim.requests().len();
    app.clock.advance_ms(7_000);
    let limited = app.register("hyperliquid", "b").await;
    assert_eq!((limited.status, limited.retry_after_s()), (429, Some(10)));
    assert_eq!(app.stack.hyperliquid_sim.requests().len(), sent);
    app.clock.advance_ms(10_000);
    for user in ["a", "b"] {
        assert_eq!(app.register("hyperliquid", user).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_failures_open_the_circuit() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    app.stack.hyperliquid_sim.fail_next("approveAgent", Fault::Status(503, String::new()));
    for _ in 0..6 {
        app.stack.hyperliquid_sim.fail_next("userRole", Fault::Status(503, String::new()));
    }
    let mut codes = Vec::new();
    let mut rested = 0;
    while rested == 0 && codes.len() < 10 {
        let before = app.stack.hyperliquid_sim.requests().len();
        let failed = app.register("hyperliquid", "user_1").await;
        assert_eq!(failed.status, 502, "{failed:?}");
        if app.stack.hyperliquid_sim.requests().len() == before {
            rested = failed.retry_after_s().unwrap();
        }
        codes.push(failed.status);
    }
    assert!((1..=61).contains(&rested), "{rested} after {codes:?}");
    app.clock.advance_ms(rested * 1_000);
    // The remaining faults occur first. Then the registration succeeds.
    for _ in 0..4 {
        let reply = app.register("hyperliquid", "user_1").await;
        match reply.status {
            200 | 409 => break,
            502 => app.clock.advance_ms(61_000),
            _ => unreachable!("{reply:?}"),
        }
    }
    assert_eq!(app.api_key("hyperliquid", "user_1").await.text("/data/state"), "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_exchange_is_tried_three_times() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let app = TestApp::start_with(|options| {
        options.hyperliquid.url = Some(closed.parse().unwrap());
    })
    .await;
    app.wallet("user_1").await;
    let before = app.clock.now_ms();
    let failed = app.register("hyperliquid", "user_1").await;
    assert_eq!((failed.status, failed.text("/code")), (502, "EXCHANGE_UNAVAILABLE"));
    // Two waits with jitter, 100 to 200 ms and 200 to 400 ms, on the test clock.
    let waited = app.clock.now_ms() - before;
    assert!((300..=600).contains(&waited), "{waited}");
    assert_eq!(app.api_key("hyperliquid", "user_1").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn aster_v1_registration_stores_a_working_key() {
    let app = TestApp::start_with(|options| options.aster.v1 = true).await;
    let wallet = app.wallet("user_1").await;
    let master: Address = wallet.text("/address").parse().unwrap();
    let made = app.register("aster", "user_1").await;
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!(made.fields("/data"), ["createdAt", "signerAddress"]);
    assert_eq!(made.text("/data/signerAddress"), wallet.text("/address"));
    let keys = app.stack.aster_sim.v1_keys_of(master);
    assert_eq!(keys.len(), 1);

    let (tenant, name) = (Tenant::local(), "user_1".parse().unwrap());
    let view = app.stack.custody.store.find(&tenant, &name).await.unwrap().unwrap();
    let record = view.credential(Exchange::Aster).unwrap();
    assert_eq!(record.api_key.as_deref(), Some(keys[0].api_key.as_str()));
    let context = shared::store::CredentialRecord::context(
        &view.wallet,
        Exchange::Aster,
        view.wallet.address,
    );
    let secret = app.stack.custody.envelope.open(&context, &record.sealed).await.unwrap();
    assert!(keys[0].api_secret == *std::str::from_utf8(&secret).unwrap());

    assert_eq!(app.register("aster", "user_1").await.text("/code"), "API_KEY_EXISTS");
    let seen = app.api_key("aster", "user_1").await;
    assert_eq!(seen.text("/data/state"), "active");
    assert!(seen.body["data"]["agentAddress"].is_null());
    assert!(seen.body["data"]["expiryTimestamp"].is_null());
    // V1 has no call that deletes or rotates a key.
    for reply in [app.rotate("aster", "user_1").await, app.delete("aster", "user_1").await] {
        assert_eq!((reply.status, reply.text("/code")), (422, "NOT_OFFERED_BY_EXCHANGE"));
    }
    let request = app.request(http::Method::DELETE, "/api/trading/aster/apikey");
    let body = json!({ "walletIdOrAddress": "user_1", "removedOnExchange": true });
    assert_eq!(app.send(request.json(&body)).await.status, 200);
    assert_eq!(app.api_key("aster", "user_1").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn aster_v1_lost_response_is_replaced_by_a_new_key() {
    let app = TestApp::start_with(|options| options.aster.v1 = true).await;
    app.wallet("user_1").await;
    let mut rules = app.stack.aster_sim.rules();
    rules.v1_closed = true;
    app.stack.aster_sim.set_rules(rules.clone());
    let refused = app.register("aster", "user_1").await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(app.api_key("aster", "user_1").await.status, 404);
    rules.v1_closed = false;
    app.stack.aster_sim.set_rules(rules);
    for fault in [Fault::AppliedButLost, Fault::Garbage, Fault::Hang] {
        app.stack.aster_sim.fail_next("createApiKey", fault);
        let failed = app.register("aster", "user_1").await;
        assert!(matches!(failed.status, 502 | 504), "{failed:?}");
        assert_eq!(app.api_key("aster", "user_1").await.text("/data/state"), "pending");
        app.clock.advance_ms(1_000);
    }
    assert_eq!(app.register("aster", "user_1").await.status, 200);
}
