//! Tests wrong clocks: the error names the wrong clock, and a wallet that was used meanwhile is not
//! locked afterwards.

use domain::ids::{Exchange, Tenant};
use e2e::TestApp;
use exchange_sim::faults::{Fault, Hostile};

const EXCHANGES: [&str; 2] = ["hyperliquid", "aster"];

/// A response of an exchange whose clock shows 2020.
fn of_2020(status: u16, body: &str) -> Fault {
    let date = "Wed, 01 Jan 2020 00:00:00 GMT";
    Fault::Hostile(Hostile::new(status, body).header("date", date))
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_with_clock_skew_returns_clock_skew() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let (hyperliquid, aster) = (&app.stack.hyperliquid_sim, &app.stack.aster_sim);
    let expired = r#"{"status":"err","response":"Agent valid_until already expired."}"#;
    hyperliquid.fail_next("approveAgent", of_2020(200, expired));
    let stale = r#"{"code":-4225,"msg":"Nonce Expired"}"#;
    aster.fail_next("registerAndApproveAgent", of_2020(400, stale));
    for _ in 0..2 {
        aster.fail_next("listAgents", of_2020(400, stale));
    }
    for exchange in ["hyperliquid", "aster", "aster"] {
        let reply = app.register(exchange, "user_1").await;
        assert_eq!((reply.status, reply.text("/code")), (500, "CLOCK_SKEW"), "{reply:?}");
        assert!(reply.text("/message").contains("seconds ahead of the exchange's clock"));
    }
    // With a correct clock, everything resumes.
    for exchange in EXCHANGES {
        assert_eq!(app.register(exchange, "user_1").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_without_clock_skew_returns_rejected() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let stale = r#"{"code":-4225,"msg":"Nonce Expired"}"#.to_owned();
    app.stack.aster_sim.fail_next("registerAndApproveAgent", Fault::Status(400, stale.clone()));
    // A question is retried twice with another nonce.
    for _ in 0..3 {
        app.stack.aster_sim.fail_next("listAgents", Fault::Status(400, stale.clone()));
    }
    let reply = app.register("aster", "user_1").await;
    assert_eq!((reply.status, reply.text("/code")), (502, "EXCHANGE_REJECTED"), "{reply:?}");
    assert_eq!(app.register("aster", "user_1").await.status, 200);
}

/// The clock of the whole stack was three hours ahead and is corrected. Every operation works at
/// once, with nonces of the present time.
#[tokio::test(flavor = "multi_thread")]
async fn wallet_works_after_a_clock_was_ahead() {
    const AHEAD_MS: u64 = 3 * 60 * 60 * 1_000;
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    for exchange in EXCHANGES {
        assert_eq!(app.register(exchange, "user_1").await.status, 200);
    }
    // The exchange's clock is correct, so it refuses.
    app.clock.advance_ms(AHEAD_MS);
    let (hyperliquid, aster) = (&app.stack.hyperliquid_sim, &app.stack.aster_sim);
    let full = r#"{"status":"err","response":"Too many extra agents"}"#;
    for _ in 0..2 {
        hyperliquid.fail_next("approveAgent", Fault::Status(200, full.to_owned()));
    }
    let full = r#"{"code":-1000,"msg":"Agent quantity over limit"}"#;
    aster.fail_next("registerAndApproveAgent", Fault::Status(400, full.to_owned()));
    for exchange in EXCHANGES {
        let refused = app.rotate(exchange, "user_1").await;
        assert_eq!((refused.status, refused.text("/code")), (422, "NO_AGENT_SLOT"));
    }
    app.clock.set_back_ms(AHEAD_MS);
    for exchange in [Exchange::Hyperliquid, Exchange::Aster] {
        let name = exchange.as_str();
        for _ in 0..2 {
            app.clock.advance_ms(10_000);
            let rotated = app.rotate(name, "user_1").await;
            assert_eq!(rotated.status, 200, "{rotated:?}");
            assert_eq!(rotated.body["data"]["previousAgentRevoked"], true, "{rotated:?}");
        }
        let (tenant, wallet) = (Tenant::local(), "user_1".parse().unwrap());
        let view = app.stack.custody.store.find(&tenant, &wallet).await.unwrap().unwrap();
        let unit = if exchange == Exchange::Aster { 1_000 } else { 1 };
        let ahead = view.nonces.last(exchange).saturating_sub(app.clock.now_ms() * unit);
        assert!(ahead <= 10 * unit, "{exchange}: {ahead}");
        assert_eq!(app.delete(name, "user_1").await.status, 200);
        app.clock.advance_ms(10_000);
        assert_eq!(app.register(name, "user_1").await.status, 200);
    }
}
