//! The refresh of shares takes turns between tenants.

use e2e::{DAY_MS, TestApp};
use shared::wallets::RefreshLimits;

use super::Client;

#[tokio::test(flavor = "multi_thread")]
async fn tenant_with_many_wallets_does_not_delay_the_refresh_of_another() {
    let app = TestApp::start().await;
    let (many, one) = (Client::new(&app, "many"), Client::new(&app, "one"));
    for number in 0..6 {
        assert_eq!(many.create(&format!("user_{number}")).await.status, 201);
    }
    app.clock.advance_ms(DAY_MS);
    assert_eq!(one.create("user_1").await.status, 201);
    // Every wallet is due, those of the first tenant for longer.
    app.clock.advance_ms(100 * DAY_MS);
    let limits =
        RefreshLimits { every_ms: DAY_MS, limit: 4, run_time: std::time::Duration::from_secs(240) };
    let run = app.stack.custody.refresh_aged(&limits).await.unwrap();
    assert_eq!((run.refreshed, run.failed), (4, 0));
    let (tenant, user) = ("one".parse().unwrap(), "user_1".parse().unwrap());
    let view = app.stack.custody.store.find(&tenant, &user).await.unwrap().unwrap();
    assert_eq!(view.wallet.key_version, 2, "its shares are new after the first run");
    let run = app.stack.custody.refresh_aged(&limits).await.unwrap();
    assert_eq!((run.refreshed, run.failed), (3, 0));
}
