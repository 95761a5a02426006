//! The drills of `docs/guides/operations.md`, as an operator performs them: tables brought back from
//! different moments, a share that has leaked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

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

/// All items of a table at this moment.
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

/// The table is as it was.
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

/// The wallet can be refreshed again: versions that are taken are passed over.
async fn refreshes_again(app: &TestApp) {
    let mut tries = 0;
    while !refresh(app).await {
        app.clock.advance_ms(24 * 60 * 60 * 1_000);
        tries += 1;
        assert!(tries < 4, "it is never refreshed again");
    }
    assert_eq!(signs(app).await, 200);
    let view = invariants::view(app, "user_1").await;
    assert!(invariants::cosigner_shares(app, &view).await.contains(&view.wallet.key_version));
}

/// The wallets' table comes back from before a refresh. The wallet does not sign until the
/// cosigner's shares of that moment are put beside the others; nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn wallets_restored_to_before_a_refresh_sign_again() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let address = invariants::view(&app, "user_1").await.wallet.address;
    let (wallets, cosigner) =
        (backup(&app, WALLETS_TABLE).await, backup(&app, COSIGNER_TABLE).await);
    assert!(refresh(&app).await);
    restore(&app, WALLETS_TABLE, &wallets).await;
    assert_eq!(invariants::view(&app, "user_1").await.wallet.key_version, 1);
    assert_ne!(signs(&app).await, 200);
    // It is not frozen by that, and not barred.
    assert!(!invariants::view(&app, "user_1").await.wallet.frozen);
    put(&app, COSIGNER_TABLE, &shares(&cosigner)).await;
    assert_eq!(signs(&app).await, 200);
    assert_eq!(invariants::view(&app, "user_1").await.wallet.address, address);
    refreshes_again(&app).await;
}

/// The cosigner's table comes back from before a refresh: the wallets' table follows it.
#[tokio::test(flavor = "multi_thread")]
async fn a_cosigner_restored_to_before_a_refresh_signs_again() {
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
    refreshes_again(&app).await;
}

/// Both tables from one moment, with everything that came later gone: a user who came later gets
/// a new wallet, the others sign.
#[tokio::test(flavor = "multi_thread")]
async fn both_tables_restored_to_one_moment_go_on() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let (wallets, cosigner) =
        (backup(&app, WALLETS_TABLE).await, backup(&app, COSIGNER_TABLE).await);
    let later = app.wallet("user_2").await;
    assert!(refresh(&app).await);
    restore(&app, WALLETS_TABLE, &wallets).await;
    restore(&app, COSIGNER_TABLE, &cosigner).await;
    assert_eq!(signs(&app).await, 200);
    assert_eq!(app.get("/api/wallets/user_2").await.status, 404);
    assert_ne!(app.wallet("user_2").await.text("/address"), later.text("/address"));
    refreshes_again(&app).await;
}

/// A credential that is newer than the restored table: its key is lost, and a new one is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_newer_than_the_restore_is_registered_anew() {
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

/// A share that has leaked: the wallet is refreshed, and the share is dead; its keys are rotated.
#[tokio::test(flavor = "multi_thread")]
async fn a_leaked_share_is_dead_after_the_drill() {
    let attacker = Attacker::new().await;
    let app = &attacker.app;
    assert_eq!(app.register("hyperliquid", "victim").await.status, 200);
    // Frozen: nobody signs with it, not even its owner.
    operate(app, OperatorActionKind::Freeze).await;
    let message = json!({ "message": "hello" });
    let signed = app.post("/api/wallets/victim/sign", message).await;
    assert_eq!((signed.status, signed.text("/code")), (422, "WALLET_FROZEN"));
    // Refreshed while it is frozen, so that the leaked share is dead before anyone signs again.
    let (tenant, id) = (&attacker.key.tenant, attacker.key.wallet_id);
    app.stack.custody.refresh(tenant, id, None).await.unwrap();
    app.clock.advance_ms(60_000);
    assert_eq!(app.rotate("hyperliquid", "victim").await.status, 422);
    operate(app, OperatorActionKind::Unfreeze).await;
    assert_eq!(app.rotate("hyperliquid", "victim").await.status, 200);
    // What has leaked signs nothing more.
    let intent = Intent::PersonalMessage(PersonalMessage::parse("hello").unwrap());
    let refused = attacker.open([7; 32], &intent).await.err();
    assert!(matches!(refused, Some(Refusal::Retired | Refusal::UnknownKey)), "{refused:?}");
    attacker.still_signs().await;
}
