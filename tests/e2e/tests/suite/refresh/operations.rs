//! Tests refreshes of a wallet's shares: the address does not change, old shares stop working, and
//! the wallet signs at every moment.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::sync::atomic::{AtomicUsize, Ordering};

use domain::ids::Tenant;
use e2e::kill::{Call, Harness, Row, ended};
use e2e::proxy::{Arrival, Fate};
use e2e::{DAY_MS, Reply, TestApp, invariants};
use exchange_sim::faults::Fault;
use shared::wallets::{RefreshError, RefreshLimits, RefreshRun, Refreshed};

async fn wallet(app: &TestApp, user: &str) -> uuid::Uuid {
    app.wallet(user).await.text("/walletId").parse().unwrap()
}

async fn signs(app: &TestApp, user: &str) -> Reply {
    let reply = app.sign(user).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_keeps_the_address_and_the_wallet_signs() {
    let app = TestApp::start().await;
    let id = wallet(&app, "user_1").await;
    let before = signs(&app, "user_1").await;
    for version in 2..5 {
        let done = app.stack.custody.refresh(&Tenant::local(), id, None).await.unwrap();
        assert_eq!(done, Refreshed::New(version));
        assert_eq!(signs(&app, "user_1").await.text("/address"), before.text("/address"));
        let view = invariants::view(&app, "user_1").await;
        assert_eq!(view.wallet.key_version, version);
        assert_eq!(invariants::cosigner_shares(&app, &view).await, [version]);
    }
    let before = app.clock.now_ms() - 1;
    let again = app.stack.custody.refresh(&Tenant::local(), id, Some(before)).await;
    assert_eq!(again.unwrap(), Refreshed::Young);
}

/// After each death, the wallet signs before anything is finished. After the refresh is finished,
/// each side has one share.
#[tokio::test(flavor = "multi_thread")]
async fn refresh_killed_at_any_call_leaves_a_signing_wallet() {
    let h = Harness::start().await;
    let id = wallet(&h.app, "user_1").await;
    let row = h.drive_watched(
        "refresh the shares",
        async || Call::refresh("user_1", id),
        async |call| {
            signs(&h.app, &call.user).await;
        },
        ended::done,
        async |call| {
            signs(&h.app, &call.user).await;
            let view = invariants::view(&h.app, &call.user).await;
            assert!(view.wallet.key_version > 1);
            let refresh = view.wallet.refresh.unwrap();
            assert!(!refresh.retire && refresh.lease_until_ms == 0, "{refresh:?}");
            let left = invariants::cosigner_shares(&h.app, &view).await;
            assert_eq!(left, [view.wallet.key_version]);
        },
    );
    let table = format!("{}\n{}\n", Row::HEAD, row.await);
    println!("{table}");
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("kill-points-refresh.md");
    std::fs::write(path, table).unwrap();
}

/// A refresh that fails without dying leaves no lease, so a retry does not have to wait.
#[tokio::test(flavor = "multi_thread")]
async fn failed_refresh_can_be_retried_at_once() {
    let h = Harness::start().await;
    let id = wallet(&h.app, "user_1").await;
    // Four invocations make and try new shares, and the fifth retires the old ones.
    for nth in 1..=5 {
        let process = h.proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
            let here = arrival.name == "Lambda.Invoke" && arrival.nth_of_name == nth;
            if here { Fate::Fail(Fault::Reset) } else { Fate::Pass }
        }));
        let failed = h.call(&process, &Call::refresh("user_1", id)).await.unwrap();
        assert_eq!(failed.status, 500, "{nth}: {failed:?}");
        signs(&h.app, "user_1").await;
        let process = h.proxy.process();
        let done = h.call(&process, &Call::refresh("user_1", id)).await.unwrap();
        assert_eq!(done.status, 200, "{nth}: {done:?}");
    }
}

fn limits() -> RefreshLimits {
    let run_time = std::time::Duration::from_secs(240);
    RefreshLimits { every_ms: 90 * DAY_MS, limit: 500, run_time }
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_job_refreshes_each_wallet_once_per_period() {
    let app = TestApp::start().await;
    let custody = &app.stack.custody;
    for user in ["a", "b", "c"] {
        wallet(&app, user).await;
    }
    app.clock.advance_ms(59 * DAY_MS);
    assert_eq!(custody.refresh_aged(&limits()).await.unwrap(), RefreshRun::default());
    app.clock.advance_ms(31 * DAY_MS + 1);
    let two = RefreshLimits { limit: 2, ..limits() };
    let done = custody.refresh_aged(&two).await.unwrap();
    assert_eq!(done, RefreshRun { refreshed: 2, more: true, ..RefreshRun::default() });
    let done = custody.refresh_aged(&limits()).await.unwrap();
    assert_eq!(done, RefreshRun { refreshed: 1, ..RefreshRun::default() });
    assert_eq!(custody.refresh_aged(&limits()).await.unwrap(), RefreshRun::default());
    for user in ["a", "b", "c"] {
        signs(&app, user).await;
    }
    app.clock.advance_ms(90 * DAY_MS);
    assert_eq!(custody.refresh_aged(&limits()).await.unwrap().refreshed, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn wallet_signs_during_refresh() {
    let app = TestApp::start().await;
    let id = wallet(&app, "user_1").await;
    let (over, signed) = (std::sync::atomic::AtomicBool::new(false), AtomicUsize::new(0));
    let refreshes = async {
        for _ in 0..3 {
            app.stack.custody.refresh(&Tenant::local(), id, None).await.unwrap();
        }
        over.store(true, Ordering::SeqCst);
    };
    let sign = async || {
        while !over.load(Ordering::SeqCst) {
            signs(&app, "user_1").await;
            signed.fetch_add(1, Ordering::SeqCst);
        }
    };
    tokio::join!(refreshes, sign(), sign());
    assert!(signed.load(Ordering::SeqCst) > 5);
    assert_eq!(invariants::view(&app, "user_1").await.wallet.key_version, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_refresh_returns_in_progress() {
    let app = TestApp::start().await;
    let id = wallet(&app, "user_1").await;
    let (tenant, custody) = (Tenant::local(), &app.stack.custody);
    let (one, two) =
        tokio::join!(custody.refresh(&tenant, id, None), custody.refresh(&tenant, id, None));
    let in_progress = |it: &Result<_, _>| matches!(it, Err(RefreshError::InProgress { .. }));
    assert!(
        one.is_ok() != two.is_ok() && in_progress(&one) != in_progress(&two),
        "{one:?} {two:?}"
    );
    signs(&app, "user_1").await;
}
