//! Tests the age of the oldest shares, which an alarm monitors.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::Tenant;
use e2e::{DAY_MS, TestApp, invariants};
use hyperdex_local::WALLETS_TABLE;
use shared::wallets::RefreshLimits;

const EVERY_DAYS: u64 = 90;

async fn days(app: &TestApp) -> u64 {
    app.stack.refresh.oldest_shares_days().await.unwrap()
}

async fn refresh_aged(app: &TestApp) -> u64 {
    let run_time = std::time::Duration::from_secs(240);
    let limits = RefreshLimits { every_ms: EVERY_DAYS * DAY_MS, limit: 10, run_time };
    app.stack.refresh.refresh_aged(&limits).await.unwrap().refreshed
}

async fn set_frozen(app: &TestApp, user: &str, frozen: bool) {
    let wallet = invariants::view(app, user).await.wallet;
    let client = app.stack.aws().dynamodb();
    let partition = format!("{}#W#{}", wallet.tenant, wallet.wallet_id);
    let update = client.update_item().table_name(WALLETS_TABLE);
    let update = update
        .key("pk", AttributeValue::S(partition))
        .key("sk", AttributeValue::S("record".to_owned()))
        .update_expression("SET frozen = :frozen")
        .expression_attribute_values(":frozen", AttributeValue::Bool(frozen));
    update.send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn oldest_shares_age_until_they_are_refreshed() {
    let app = TestApp::start().await;
    assert_eq!(days(&app).await, 0, "expected 0 without a wallet");
    app.create_wallet("user_1").await;
    // A new wallet counts as up to 30 days older than it is.
    assert!(days(&app).await < 30);
    app.clock.advance_ms(100 * DAY_MS);
    app.create_wallet("user_2").await;
    assert!((100..130).contains(&days(&app).await));
    assert_eq!(refresh_aged(&app).await, 1);
    assert!(days(&app).await < 30, "the new wallet has the oldest shares");
    app.clock.advance_ms(EVERY_DAYS * DAY_MS);
    assert_eq!(refresh_aged(&app).await, 2);
    assert_eq!(days(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn oldest_shares_exclude_frozen_wallets() {
    let app = TestApp::start().await;
    app.create_wallet("user_1").await;
    app.clock.advance_ms(200 * DAY_MS);
    app.create_wallet("user_2").await;
    assert!(days(&app).await >= 200);
    set_frozen(&app, "user_1", true).await;
    assert!(days(&app).await < 30, "a frozen wallet does not count");
    set_frozen(&app, "user_1", false).await;
    assert!(days(&app).await >= 200);
}

/// The replaced shares still exist at the cosigner.
#[tokio::test(flavor = "multi_thread")]
async fn oldest_shares_include_an_unfinished_refresh() {
    let app = TestApp::start().await;
    app.create_wallet("user_1").await;
    let wallet = invariants::view(&app, "user_1").await.wallet;
    let refresh = &app.stack.refresh;
    let refreshed = refresh.refresh(&Tenant::local(), wallet.wallet_id, None).await.unwrap();
    assert!(matches!(refreshed, shared::wallets::Refreshed::New(2)));
    let client = app.stack.aws().dynamodb();
    let partition = format!("local#W#{}", wallet.wallet_id);
    // Sets the record as it is right after the switch to new shares.
    let update = client.update_item().table_name(WALLETS_TABLE);
    let update = update
        .key("pk", AttributeValue::S(partition))
        .key("sk", AttributeValue::S("record".to_owned()))
        .update_expression("SET sharesAtMs = :oldest, #refresh.#retire = :true")
        .expression_attribute_names("#refresh", "refresh")
        .expression_attribute_names("#retire", "retire")
        .expression_attribute_values(":oldest", AttributeValue::N("0".to_owned()))
        .expression_attribute_values(":true", AttributeValue::Bool(true));
    update.send().await.unwrap();
    assert!(days(&app).await > 10_000);
    app.clock.advance_ms(61_000);
    let finished = refresh.refresh(&Tenant::local(), wallet.wallet_id, Some(0)).await;
    assert!(matches!(finished.unwrap(), shared::wallets::Refreshed::Finished(2)));
    assert_eq!(days(&app).await, 0);
}
