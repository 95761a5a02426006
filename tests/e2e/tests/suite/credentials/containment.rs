//! Containment of a tenant: all its agents are removed from the exchanges, and none is renewed while
//! the tenant is suspended.

#![expect(clippy::unwrap_used, reason = "a test says what it found")]

use std::time::Duration;

use alloy_primitives::Address;
use domain::ids::{Exchange, Tenant};
use domain::random::Random;
use e2e::kill::{Call, Harness, ended};
use e2e::{DAY_MS, RENEW_LIMITS, TestApp, invariants};
use exchange_sim::faults::Fault;
use http::Method;
use serde_json::json;
use shared::credentials::{ContainCursor, ContainLimits, Contained};
use shared::tenancy::TenantState;

const LIMITS: ContainLimits = ContainLimits { run_time: Duration::from_secs(240), limit: 500 };
const EXCHANGES: [&str; 2] = ["hyperliquid", "aster"];

/// A tenant with so many wallets, each registered with both exchanges: their addresses.
async fn tenant(app: &TestApp, name: &str, wallets: usize) -> (String, Vec<String>) {
    let (_, key) = app.key_with(name, |_| {}).await;
    let mut addresses = Vec::new();
    for number in 0..wallets {
        let user = format!("user_{number}");
        let body = json!({ "userId": user });
        let made = app.send_as(&key, (Method::POST, "/api/wallets"), Some(&body)).await;
        assert_eq!(made.status, 201, "{made:?}");
        addresses.push(made.text("/address").to_owned());
        for exchange in EXCHANGES {
            let path = format!("/api/trading/{exchange}/apikey");
            let body = json!({ "walletIdOrAddress": user });
            let registered = app.send_as(&key, (Method::POST, &path), Some(&body)).await;
            assert_eq!(registered.status, 200, "{registered:?}");
        }
        app.clock.advance_ms(60_000);
    }
    (key, addresses)
}

async fn contain(app: &TestApp, name: &str, from: ContainCursor) -> Contained {
    let tenant: Tenant = name.parse().unwrap();
    app.stack.jobs.contain(&tenant, from, LIMITS).await.unwrap()
}

/// How many agents the exchanges have for these wallets.
fn agents(app: &TestApp, addresses: &[String]) -> usize {
    let of = |address: &String| EXCHANGES.map(|exchange| app.agents(exchange, address).len());
    addresses.iter().flat_map(of).sum()
}

fn fail(app: &TestApp, exchange: &str, fault: Fault) {
    match exchange {
        "aster" => app.stack.aster_sim.fail_next("deleteAgent", fault),
        _ => app.stack.hyperliquid_sim.fail_next("approveAgent", fault),
    }
}

async fn set_state(app: &TestApp, name: &str, state: TenantState) {
    let (store, change) = (app.store(), app.change("a key has leaked"));
    let tenant = name.parse().unwrap();
    store.set_tenant_state(&tenant, state, &change, &Random::system()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_agents_of_the_tenant_are_removed_and_no_others() {
    let app = TestApp::start().await;
    let (key, own) = tenant(&app, "acme", 3).await;
    let (_, theirs) = tenant(&app, "other", 1).await;
    // An agent that a late approval has left, and one that another party made.
    let expires = app.clock.now_ms() + 100 * DAY_MS;
    for (number, name) in [(0x11, "hdxlost"), (0x12, "theirs")] {
        let (master, agent): (Address, _) = (own[0].parse().unwrap(), Address::repeat_byte(number));
        assert!(app.stack.hyperliquid_sim.add_agent(master, name, agent, expires));
        let agent = Address::repeat_byte(number + 0x10);
        assert!(app.stack.aster_sim.add_agent(master, name, agent, expires));
    }
    set_state(&app, "acme", TenantState::Suspended).await;
    assert_eq!((agents(&app, &own), agents(&app, &theirs)), (10, 2));
    let run = contain(&app, "acme", ContainCursor::default()).await;
    assert_eq!(
        (run.revoked, run.removed, run.failed, run.next.as_ref()),
        (6, 2, 0, None),
        "{run:?}"
    );
    // Only the agents of the other party are left, and named.
    assert_eq!((run.manual, run.not_removed.len(), agents(&app, &own)), (2, 2, 2), "{run:?}");
    assert_eq!(agents(&app, &theirs), 2);
    for exchange in EXCHANGES {
        let path = format!("/api/trading/{exchange}/apikey?walletIdOrAddress=user_0");
        let found = app.send_as(&key, (Method::GET, &path), None).await;
        assert_eq!((found.status, found.text("/code")), (404, "API_KEY_NOT_FOUND"));
    }
    // A second run finds nothing to revoke.
    let again = contain(&app, "acme", ContainCursor::default()).await;
    assert_eq!((again.revoked, again.removed, again.failed), (0, 0, 0), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_at_once_revoke_each_key_once() {
    let app = TestApp::start().await;
    let (_, own) = tenant(&app, "acme", 3).await;
    let run = || contain(&app, "acme", ContainCursor::default());
    let (one, two) = tokio::join!(run(), run());
    println!("{one:?} {two:?}");
    assert_eq!(agents(&app, &own), 0);
    // A key that the other run worked on may be counted as failed: the next run finds it gone.
    let last = run().await;
    assert_eq!((last.revoked, last.failed, last.manual), (0, 0, 0), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_removal_is_named_and_the_next_run_finishes_it() {
    let app = TestApp::start().await;
    let (_, own) = tenant(&app, "acme", 2).await;
    for exchange in EXCHANGES {
        fail(&app, exchange, Fault::Status(503, String::new()));
    }
    let run = contain(&app, "acme", ContainCursor::default()).await;
    assert_eq!((run.revoked, run.failed, run.next), (2, 2, None), "{:?}", run.not_removed);
    assert_eq!((run.not_removed.len(), run.retry_after_seconds), (2, Some(30)));
    assert_eq!(agents(&app, &own), 2);
    app.clock.advance_ms(60_000);
    // The response of a removal that took effect is lost.
    for exchange in EXCHANGES {
        fail(&app, exchange, Fault::AppliedButLost);
    }
    let run = contain(&app, "acme", ContainCursor::default()).await;
    assert_eq!((run.revoked, run.failed, agents(&app, &own)), (2, 0, 0), "{:?}", run.not_removed);
}

/// The budget of a minute holds a few of the calls: the run ends, says how long to wait, and resumes.
#[tokio::test(flavor = "multi_thread")]
async fn run_stays_within_the_budget_and_resumes() {
    let app = TestApp::start_with(|options| {
        options.budget.per_minute = domain::ids::PerExchange::from_fn(|_| 200);
        options.budget.job_percent = 20;
    })
    .await;
    let (_, own) = tenant(&app, "acme", 4).await;
    let (mut from, mut waits, mut revoked) = (ContainCursor::default(), 0, 0);
    loop {
        let run = contain(&app, "acme", from).await;
        revoked += run.revoked;
        assert_eq!((run.failed, run.manual), (0, 0), "{:?}", run.not_removed);
        let Some(next) = run.next else { break };
        // What is left of the budget is left alone, and the exchange has not complained.
        waits += 1;
        assert!(waits < 20, "it does not end");
        app.clock.advance_ms(run.retry_after_seconds.unwrap() * 1_000);
        from = next.parse().unwrap();
    }
    assert_eq!((revoked, agents(&app, &own)), (8, 0));
    assert!(waits > 0, "the budget was never used up");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_with_a_limit_resumes_where_it_stopped() {
    let app = TestApp::start().await;
    let (_, own) = tenant(&app, "acme", 3).await;
    let acme: Tenant = "acme".parse().unwrap();
    let limits = ContainLimits { limit: 1, ..LIMITS };
    let (mut from, mut runs) = (ContainCursor::default(), 0);
    loop {
        let run = app.stack.jobs.contain(&acme, from, limits).await.unwrap();
        runs += 1;
        assert!(runs < 10 && run.failed == 0, "{run:?}");
        let Some(next) = run.next else { break };
        from = next.parse().unwrap();
    }
    assert_eq!(agents(&app, &own), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_tenant_gets_no_renewal_until_it_is_resumed() {
    let app = TestApp::start().await;
    let (_, own) = tenant(&app, "acme", 1).await;
    app.clock.advance_ms(170 * DAY_MS);
    set_state(&app, "acme", TenantState::Suspended).await;
    for (exchange, done) in app.stack.jobs.renew(&RENEW_LIMITS).await.unwrap() {
        assert_eq!((done.renewed, done.suspended, done.failed), (0, 1, 0), "{exchange}: {done:?}");
    }
    set_state(&app, "acme", TenantState::Active).await;
    for (exchange, done) in app.stack.jobs.renew(&RENEW_LIMITS).await.unwrap() {
        assert_eq!((done.renewed, done.suspended), (1, 0), "{exchange}: {done:?}");
    }
    // A revocation that was begun is finished for a suspended tenant as well.
    set_state(&app, "acme", TenantState::Suspended).await;
    for exchange in EXCHANGES {
        fail(&app, exchange, Fault::Status(503, String::new()));
    }
    let run = contain(&app, "acme", ContainCursor::default()).await;
    assert_eq!((run.revoked, run.failed), (0, 2), "{run:?}");
    app.clock.advance_ms(60_000);
    for (exchange, done) in app.stack.jobs.renew(&RENEW_LIMITS).await.unwrap() {
        assert_eq!((done.finished, done.suspended), (1, 0), "{exchange}: {done:?}");
    }
    assert_eq!(agents(&app, &own), 0);
}

/// A run that dies at any of its remote calls is finished by the next one.
#[tokio::test(flavor = "multi_thread")]
async fn run_that_dies_is_finished_by_the_next_one() {
    const USER: &str = "user_1";
    let h = Harness::start().await;
    h.app.wallet(USER).await;
    let prepare = async || {
        for exchange in Exchange::ALL {
            h.finish(&Call::register(exchange, USER), ended::registered).await;
        }
        Call::containment(USER)
    };
    let check = async |_: &Call| {
        let view = invariants::view(&h.app, USER).await;
        assert!(Exchange::ALL.into_iter().all(|exchange| view.credential(exchange).is_none()));
        let address = view.wallet.address.to_string();
        assert_eq!(agents(&h.app, &[address]), 0);
        h.app.clock.advance_ms(120_000);
    };
    let row = h.drive("contain a tenant", prepare, ended::contained, check).await;
    println!("{row}");
}
