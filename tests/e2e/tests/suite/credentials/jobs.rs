//! Tests the scheduled jobs: renewal before expiry, completion of interrupted operations, and
//! drift.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use alloy_primitives::Address;
use domain::ids::Exchange;
use e2e::{DAY_MS, RECONCILE_LIMITS, RENEW_LIMITS, Reply, TestApp};
use exchange_sim::faults::Fault;
use serde_json::json;
use shared::credentials::{Drift, Life, Reconciled, RenewLimits, Renewed};

const EXCHANGES: [&str; 2] = ["hyperliquid", "aster"];

/// Runs the renewal job and adds the results of both exchanges.
async fn renew(app: &TestApp, limits: &RenewLimits) -> Renewed {
    let [(_, one), (_, two)] = app.stack.jobs.renew(limits).await.unwrap();
    Renewed {
        renewed: one.renewed + two.renewed,
        finished: one.finished + two.finished,
        failed: one.failed + two.failed,
        overdue: one.overdue + two.overdue,
        pending: one.pending + two.pending,
        expiring: one.expiring + two.expiring,
        backlog: one.backlog + two.backlog,
        suspended: one.suspended + two.suspended,
        exhausted: one.exhausted || two.exhausted,
    }
}

async fn reconcile(app: &TestApp, exchange: Exchange) -> Reconciled {
    let found = app.stack.jobs.reconcile(&RECONCILE_LIMITS).await.unwrap();
    found.into_iter().find(|(it, _)| *it == exchange).unwrap().1
}

fn master(wallet: &Reply) -> Address {
    wallet.text("/address").parse().unwrap()
}

async fn expiry(app: &TestApp, exchange: &str, user: &str) -> u64 {
    let seen = app.api_key(exchange, user).await;
    assert_eq!(seen.text("/data/state"), "active", "{seen:?}");
    seen.body["data"]["expiryTimestamp"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_job_renews_only_expiring_keys() {
    let app = TestApp::start().await;
    let wallet = app.wallet("soon").await;
    app.wallet("opted_out").await;
    for exchange in EXCHANGES {
        assert_eq!(app.register(exchange, "soon").await.status, 200);
        let path = format!("/api/trading/{exchange}/apikey");
        let body = json!({ "walletIdOrAddress": "opted_out", "autoRenew": false });
        assert_eq!(app.post(&path, body).await.status, 200);
    }
    let seen = app.api_key("aster", "opted_out").await;
    assert_eq!(seen.body["data"]["autoRenew"], false);
    assert_eq!(renew(&app, &RENEW_LIMITS).await, Renewed::default());
    // One day before the first wallet becomes due.
    app.clock.advance_ms(164 * DAY_MS);
    assert_eq!(renew(&app, &RENEW_LIMITS).await, Renewed::default());
    app.clock.advance_ms(2 * DAY_MS);
    app.wallet("later").await;
    assert_eq!(app.register("aster", "later").await.status, 200);
    let done = renew(&app, &RENEW_LIMITS).await;
    assert_eq!(done, Renewed { renewed: 2, ..Renewed::default() });
    for exchange in EXCHANGES {
        let expected = app.clock.now_ms() + 180 * DAY_MS - 60_000;
        let off = expiry(&app, exchange, "soon").await.abs_diff(expected);
        // Waiting for a removal advances the clock.
        assert!(off < 60_000, "{off}");
        assert!(expiry(&app, exchange, "opted_out").await < app.clock.now_ms() + 15 * DAY_MS);
    }
    assert_eq!(app.stack.hyperliquid_sim.agents_of(master(&wallet)).len(), 1);
    assert_eq!(app.stack.aster_sim.agents_of(master(&wallet)).len(), 1);
    assert_eq!(renew(&app, &RENEW_LIMITS).await, Renewed::default());
}

/// The caller has the delivered key, not the new one, so the delivered key works
/// until it expires.
#[tokio::test(flavor = "multi_thread")]
async fn renewal_keeps_a_delivered_key_until_it_expires() {
    let app = TestApp::start().await;
    let limits = RenewLimits { keys_are_handed_out: true, ..RENEW_LIMITS };
    let wallet = app.wallet("user_1").await;
    let agents = || app.stack.hyperliquid_sim.agents_of(master(&wallet));
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 200);
    let first = agents()[0].address;
    app.clock.advance_ms(167 * DAY_MS);
    // Without a free slot, the job waits for one while time remains.
    for (name, byte) in [("theirs", 1), ("others", 2)] {
        let expires = app.clock.now_ms() + 100 * DAY_MS;
        let stranger = Address::repeat_byte(byte);
        assert!(app.stack.hyperliquid_sim.add_agent(master(&wallet), name, stranger, expires));
    }
    assert_eq!(renew(&app, &limits).await.failed, 1);
    assert!(agents().iter().any(|agent| agent.address == first));
    assert!(app.stack.hyperliquid_sim.remove_agent(master(&wallet), Address::repeat_byte(1)));
    app.clock.advance_ms(DAY_MS);
    assert_eq!(renew(&app, &limits).await.renewed, 1);
    assert_eq!(agents().len(), 3);
    assert!(agents().iter().any(|agent| agent.address == first));
    assert_eq!(renew(&app, &limits).await, Renewed::default());
    // After its expiry, the old agent is removed.
    app.clock.advance_ms(13 * DAY_MS);
    assert_eq!(renew(&app, &limits).await.finished, 1);
    let seen = app.api_key("hyperliquid", "user_1").await;
    assert_eq!(seen.text("/data/state"), "active");
    assert!(seen.body["data"].get("retiringAgentAddresses").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_limit_leaves_the_rest_to_the_next_run() {
    let app = TestApp::start().await;
    for user in ["a", "b", "c"] {
        app.wallet(user).await;
        assert_eq!(app.register("hyperliquid", user).await.status, 200);
    }
    app.clock.advance_ms(170 * DAY_MS);
    let two = RenewLimits { limit: 2, ..RENEW_LIMITS };
    let done = renew(&app, &two).await;
    assert_eq!(done, Renewed { renewed: 2, backlog: 1, ..Renewed::default() });
    let done = renew(&app, &two).await;
    assert_eq!(done, Renewed { renewed: 1, ..Renewed::default() });
    assert_eq!(renew(&app, &two).await, Renewed::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_renewal_is_retried_after_a_wait() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    assert_eq!(app.register("aster", "user_1").await.status, 200);
    app.clock.advance_ms(170 * DAY_MS);
    let mut rules = app.stack.aster_sim.rules();
    let normal = rules.clone();
    rules.max_agents = 1;
    app.stack.aster_sim.set_rules(rules);
    assert_eq!(renew(&app, &RENEW_LIMITS).await, Renewed { failed: 1, ..Renewed::default() });
    // The job waits one hour before the second attempt, and two hours before the third.
    assert_eq!(renew(&app, &RENEW_LIMITS).await, Renewed::default());
    app.clock.advance_ms(61 * 60 * 1_000);
    assert_eq!(renew(&app, &RENEW_LIMITS).await.failed, 1);
    app.clock.advance_ms(61 * 60 * 1_000);
    assert_eq!(renew(&app, &RENEW_LIMITS).await, Renewed::default());
    // Less than seven days remain.
    app.clock.advance_ms(5 * DAY_MS);
    let done = renew(&app, &RENEW_LIMITS).await;
    assert_eq!(done, Renewed { failed: 1, expiring: 1, ..Renewed::default() });
    app.clock.advance_ms(6 * DAY_MS);
    app.stack.aster_sim.set_rules(normal);
    let done = renew(&app, &RENEW_LIMITS).await;
    assert_eq!(done, Renewed { renewed: 1, overdue: 1, ..Renewed::default() });
    expiry(&app, "aster", "user_1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_job_finishes_interrupted_operations() {
    let app = TestApp::start().await;
    for (user, exchange) in [("rotates", "hyperliquid"), ("goes", "aster"), ("retires", "aster")] {
        app.wallet(user).await;
        assert_eq!(app.register(exchange, user).await.status, 200);
    }
    let broken = || Fault::Status(500, String::new());
    let (hyperliquid, aster) = (&app.stack.hyperliquid_sim, &app.stack.aster_sim);
    hyperliquid.fail_next("approveAgent", Fault::AppliedButLost);
    hyperliquid.fail_next("userRole", broken());
    assert_eq!(app.rotate("hyperliquid", "rotates").await.status, 502);
    for _ in 0..2 {
        aster.fail_next("deleteAgent", broken());
        aster.fail_next("listAgents", broken());
    }
    assert_eq!(app.delete("aster", "goes").await.status, 502);
    assert_eq!(app.rotate("aster", "retires").await.body["data"]["previousAgentRevoked"], false);
    let done = renew(&app, &RENEW_LIMITS).await;
    assert_eq!(done, Renewed { finished: 3, ..Renewed::default() });
    assert_eq!(app.api_key("aster", "goes").await.status, 404);
    for (user, exchange) in [("rotates", "hyperliquid"), ("retires", "aster")] {
        let seen = app.api_key(exchange, user).await;
        assert_eq!(seen.text("/data/state"), "active");
        assert!(seen.body["data"].get("retiringAgentAddresses").is_none());
    }
}

/// The job leaves weight for callers: it stops before the budget is used up.
#[tokio::test(flavor = "multi_thread")]
async fn renewal_job_leaves_budget_to_callers() {
    let app = TestApp::start_with(|options| options.budget.per_minute[Exchange::Aster] = 400).await;
    for user in ["a", "b", "c", "d"] {
        app.wallet(user).await;
        app.clock.advance_ms(10_000);
        assert_eq!(app.register("aster", user).await.status, 200);
    }
    app.clock.advance_ms(170 * DAY_MS);
    // The budget is 400 a minute, of which the job may use 200. A rotation weighs 51.
    let done = renew(&app, &RENEW_LIMITS).await;
    assert!(done.exhausted);
    assert_eq!((done.renewed, done.failed), (3, 0));
    assert_eq!(app.rotate("aster", "a").await.status, 200);
    app.clock.advance_ms(70_000);
    assert!(renew(&app, &RENEW_LIMITS).await.renewed <= 1);
    assert_eq!(renew(&app, &RENEW_LIMITS).await, Renewed::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn reconcile_reports_drift_and_changes_nothing() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    for exchange in EXCHANGES {
        assert_eq!(app.register(exchange, "user_1").await.status, 200);
    }
    // The first comparison happens after one day.
    assert_eq!(reconcile(&app, Exchange::Aster).await, Reconciled::default());
    app.clock.advance_ms(2 * DAY_MS);
    for (_, found) in app.stack.jobs.reconcile(&RECONCILE_LIMITS).await.unwrap() {
        assert_eq!(found, Reconciled { checked: 1, ..Reconciled::default() });
    }
    // The next comparison happens after one week.
    assert_eq!(reconcile(&app, Exchange::Aster).await.checked, 0);
    app.clock.advance_ms(8 * DAY_MS);

    let (hyperliquid, aster) = (&app.stack.hyperliquid_sim, &app.stack.aster_sim);
    let stranger = Address::repeat_byte(7);
    let expires = app.clock.now_ms() + DAY_MS;
    assert!(hyperliquid.add_agent(master(&wallet), "theirs", stranger, expires));
    assert!(aster.add_agent(
        master(&wallet),
        "hdxleaked",
        stranger,
        app.clock.now_ms() + 9 * DAY_MS
    ));
    let own = hyperliquid.agents_of(master(&wallet))[0].address;
    assert!(hyperliquid.remove_agent(master(&wallet), own));

    for (exchange, found) in app.stack.jobs.reconcile(&RECONCILE_LIMITS).await.unwrap() {
        let drift: Vec<&Drift> = found.drift.iter().map(|(_, drift)| drift).collect();
        let stranger = stranger.to_string().parse().unwrap();
        if exchange == Exchange::Hyperliquid {
            let gone = own.to_string().parse().unwrap();
            let unknown = Drift::Unknown { agent: stranger, ours: false };
            assert_eq!(drift, [&unknown, &Drift::Gone { agent: gone }]);
        } else {
            assert_eq!(drift, [&Drift::Unknown { agent: stranger, ours: true }]);
        }
    }
    assert_eq!(app.api_key("hyperliquid", "user_1").await.text("/data/state"), "active");
    assert_eq!(aster.agents_of(master(&wallet)).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn abandoned_registration_is_reported() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    app.stack.hyperliquid_sim.fail_next("approveAgent", Fault::Hang);
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 504);
    let pending = Renewed { pending: 1, ..Renewed::default() };
    app.clock.advance_ms(4 * 60 * 1_000);
    assert_eq!(renew(&app, &RENEW_LIMITS).await, Renewed::default());
    app.clock.advance_ms(2 * 60 * 1_000);
    assert_eq!(renew(&app, &RENEW_LIMITS).await, pending);
    // The job waits and counts it again. After a week it stops counting.
    assert_eq!(renew(&app, &RENEW_LIMITS).await, Renewed::default());
    app.clock.advance_ms(2 * DAY_MS);
    assert_eq!(renew(&app, &RENEW_LIMITS).await, pending);
    let found = reconcile(&app, Exchange::Hyperliquid).await;
    let drift: Vec<&Drift> = found.drift.iter().map(|(_, drift)| drift).collect();
    assert_eq!(drift, [&Drift::Unfinished { life: Life::Pending }]);
    app.clock.advance_ms(6 * DAY_MS);
    renew(&app, &RENEW_LIMITS).await;
    app.clock.advance_ms(2 * DAY_MS);
    assert_eq!(renew(&app, &RENEW_LIMITS).await, Renewed::default());
    // The caller can still finish the registration.
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 200);
}
