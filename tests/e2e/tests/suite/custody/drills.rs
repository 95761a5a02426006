//! Runs the drills of `docs/guides/operations.md` as an operator would: tables restored from
//! different times, and a leaked share.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::collections::HashMap;

use domain::ids::Tenant;
use domain::intent::{Intent, PersonalMessage};
use e2e::attacker::Attacker;
use e2e::{TestApp, invariants};
use hyperdex_local::{COSIGNER_TABLE, WALLETS_TABLE};
use platform::items::Item;
use protocol::Refusal;
use serde_json::json;
use shared::store::{OperatorAction, OperatorActionKind};

/// Returns all items of a table.
async fn backup(app: &TestApp, table: &str) -> Vec<Item> {
    let mut all = Vec::new();
    let mut from = None;
    loop {
        let page = app.stack.aws().dynamodb().scan().table_name(table);
        let page = page.set_exclusive_start_key(from).send().await.unwrap();
        all.extend(page.items.unwrap_or_default());
        match page.last_evaluated_key {
            Some(next) => from = Some(next),
            None => return all,
        }
    }
}

async fn put(app: &TestApp, table: &str, items: &[Item]) {
    for item in items {
        let put = app.stack.aws().dynamodb().put_item().table_name(table);
        put.set_item(Some(item.clone())).send().await.unwrap();
    }
}

/// Replaces the content of the table with these items.
async fn restore(app: &TestApp, table: &str, items: &[Item]) {
    for item in backup(app, table).await {
        let key = HashMap::from(["pk", "sk"].map(|name| (name.to_owned(), item[name].clone())));
        let delete = app.stack.aws().dynamodb().delete_item().table_name(table);
        delete.set_key(Some(key)).send().await.unwrap();
    }
    put(app, table, items).await;
}

fn shares(items: &[Item]) -> Vec<Item> {
    let is_share = |item: &&Item| {
        item["sk"].as_s().unwrap().starts_with("share") && item.contains_key("sealed")
    };
    items.iter().filter(is_share).cloned().collect()
}

async fn signs(app: &TestApp) -> u16 {
    app.sign("user_1").await.status
}

async fn refresh(app: &TestApp) -> bool {
    let id = invariants::view(app, "user_1").await.wallet.wallet_id;
    app.stack.custody.refresh(&Tenant::local(), id, None).await.is_ok()
}

/// Refreshes the wallet until it succeeds. Versions that already exist are skipped.
async fn assert_refreshes_again(app: &TestApp) {
    let mut tries = 0;
    while !refresh(app).await {
        app.clock.advance_ms(24 * 60 * 60 * 1_000);
        tries += 1;
        assert!(tries < 4, "the refresh fails each time");
    }
    assert_eq!(signs(app).await, 200);
    let view = invariants::view(app, "user_1").await;
    assert!(invariants::cosigner_shares(app, &view).await.contains(&view.wallet.key_version));
}

/// The wallets table is restored from before a refresh. The wallet does not sign until the
/// cosigner's shares of that time are added to the current ones. Nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn wallets_table_restored_before_refresh_signs_again() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let address = invariants::view(&app, "user_1").await.wallet.address;
    let (wallets, cosigner) =
        (backup(&app, WALLETS_TABLE).await, backup(&app, COSIGNER_TABLE).await);
    assert!(refresh(&app).await);
    restore(&app, WALLETS_TABLE, &wallets).await;
    assert_eq!(invariants::view(&app, "user_1").await.wallet.key_version, 1);
    assert_ne!(signs(&app).await, 200);
    // The failure neither freezes nor bars the wallet.
    assert!(!invariants::view(&app, "user_1").await.wallet.frozen);
    put(&app, COSIGNER_TABLE, &shares(&cosigner)).await;
    assert_eq!(signs(&app).await, 200);
    assert_eq!(invariants::view(&app, "user_1").await.wallet.address, address);
    assert_refreshes_again(&app).await;
}

/// The cosigner's table is restored from before a refresh, so the wallets table is restored to the
/// same time.
#[tokio::test(flavor = "multi_thread")]
async fn cosigner_table_restored_before_refresh_signs_again() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let (wallets, cosigner) =
        (backup(&app, WALLETS_TABLE).await, backup(&app, COSIGNER_TABLE).await);
    assert!(refresh(&app).await);
    restore(&app, COSIGNER_TABLE, &cosigner).await;
    assert_ne!(signs(&app).await, 200);
    assert!(!invariants::view(&app, "user_1").await.wallet.frozen);
    restore(&app, WALLETS_TABLE, &wallets).await;
    assert_eq!(signs(&app).await, 200);
    assert_refreshes_again(&app).await;
}

/// Both tables are restored to the same time. Users who came later get a new wallet, and the other
/// wallets sign.
#[tokio::test(flavor = "multi_thread")]
async fn both_tables_restored_to_one_time_sign() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let (wallets, cosigner) =
        (backup(&app, WALLETS_TABLE).await, backup(&app, COSIGNER_TABLE).await);
    let later = app.create_wallet("user_2").await;
    assert!(refresh(&app).await);
    restore(&app, WALLETS_TABLE, &wallets).await;
    restore(&app, COSIGNER_TABLE, &cosigner).await;
    assert_eq!(signs(&app).await, 200);
    assert_eq!(app.get("/api/wallets/user_2").await.status, 404);
    assert_ne!(app.create_wallet("user_2").await.text("/address"), later.text("/address"));
    assert_refreshes_again(&app).await;
}

/// If a credential is newer than the restored table, its key is lost and a new one is registered.
#[tokio::test(flavor = "multi_thread")]
async fn credential_lost_by_restore_can_be_registered_again() {
    for exchange in ["hyperliquid", "aster"] {
        let app = TestApp::start().await;
        app.wallet("user_1").await;
        let wallets = backup(&app, WALLETS_TABLE).await;
        assert_eq!(app.register(exchange, "user_1").await.status, 200);
        restore(&app, WALLETS_TABLE, &wallets).await;
        assert_eq!(app.api_key(exchange, "user_1").await.status, 404);
        app.clock.advance_ms(60_000);
        let again = app.register(exchange, "user_1").await;
        assert_eq!(again.status, 200, "{again:?}");
    }
}

async fn operate(app: &TestApp, action: OperatorActionKind) {
    let (at_ms, by) = (app.clock.now_ms(), "arn:aws:iam::1:role/ops".to_owned());
    let action = OperatorAction { action, at_ms, by, reason: "a share has leaked".to_owned() };
    let name = "victim".parse().unwrap();
    app.stack.custody.store.operate(&Tenant::local(), &name, &action).await.unwrap();
}

/// After a share leaks, the operator refreshes the wallet, which makes the share useless, and
/// rotates the wallet's keys.
#[tokio::test(flavor = "multi_thread")]
async fn leaked_share_does_not_sign_after_the_drill() {
    let attacker = Attacker::new().await;
    let app = &attacker.app;
    assert_eq!(app.register("hyperliquid", "victim").await.status, 200);
    // A frozen wallet signs nothing, not even for its owner.
    operate(app, OperatorActionKind::Freeze).await;
    let message = json!({ "message": "hello" });
    let signed = app.post("/api/wallets/victim/sign", message).await;
    assert_eq!((signed.status, signed.text("/code")), (422, "WALLET_FROZEN"));
    // The refresh happens while the wallet is frozen, so the leaked share is useless before anyone
    // signs again.
    let (tenant, id) = (&attacker.key.tenant, attacker.key.wallet_id);
    app.stack.custody.refresh(tenant, id, None).await.unwrap();
    app.clock.advance_ms(60_000);
    assert_eq!(app.rotate("hyperliquid", "victim").await.status, 422);
    operate(app, OperatorActionKind::Unfreeze).await;
    assert_eq!(app.rotate("hyperliquid", "victim").await.status, 200);
    // The leaked share signs nothing.
    let intent = Intent::PersonalMessage(PersonalMessage::parse("hello").unwrap());
    let refused = attacker.open([7; 32], &intent).await.err();
    assert!(matches!(refused, Some(Refusal::Retired | Refusal::UnknownKey)), "{refused:?}");
    attacker.still_signs().await;
}
