//! Reads of everything that decides about an order.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::post;
use domain::ids::{Exchange, UserId, WalletRef};
use hyperdex_cloud::names::WALLETS_TABLE;
use hyperdex_listen::Stop;
use platform::aws::Aws;
use platform::items::StoreError;
use serde_json::{Value, json};
use shared::store::{OrderState, PolicyChange, Settling, Store};
use shared::trading::ids::OrderKey;
use shared::trading::ledger::Ledger;
use shared::trading::policy::PolicyFields;
use tokio::sync::watch;

use crate::table::{NOW_MS, Table, WALLET, WEEK_MS, account, new, placed, record, uuid};

#[tokio::test]
async fn view_of_unknown_wallet_is_none() {
    let table = Table::new().await;
    let account = account(Exchange::Aster);
    table.sent(&account, "bot-17").await;
    let view = table.store.trading_view(&account, &[], &table.clock()).await.unwrap();
    assert!(view.is_none());
}

#[tokio::test]
async fn view_has_everything_that_decides() {
    let table = Table::new().await;
    table.put_wallet().await;
    table.put(include_str!("../../../../shared/tests/samples/credential-aster.v1.json")).await;
    let hyperliquid =
        include_str!("../../../../shared/tests/samples/credential-hyperliquid.v1.json");
    table.put(hyperliquid).await;
    for exchange in Exchange::ALL {
        let account = account(exchange);
        let view = table.store.trading_view(&account, &[], &table.clock()).await.unwrap();
        let view = view.unwrap();
        assert_eq!(view.wallet.as_ref().unwrap().wallet_id, WALLET);
        assert_eq!(view.credential.as_ref().unwrap().exchange, exchange);
        assert_eq!((&view.ledger, view.orders.len()), (&Ledger::default(), 0));
        assert_eq!(view.policy(NOW_MS), PolicyFields::default().effective());
    }
    let account = account(Exchange::Aster);
    for wallet_id in [None, Some(WALLET)] {
        let orders_per_minute = Some(if wallet_id.is_none() { 9 } else { 7 });
        let change = PolicyChange {
            tenant: account.tenant.clone(),
            wallet_id,
            fields: PolicyFields { orders_per_minute, ..PolicyFields::default() },
            may_loosen: false,
            delay_ms: 1,
        };
        let random = domain::random::Random::system();
        table.store.change_trading_policy(&change, &table.clock(), &random).await.unwrap();
    }
    let sent = table.sent(&account, "bot-17").await;
    let keys = ["bot-17", "bot-18"].map(|id| account.order_key(&id.parse().unwrap()));
    let view = table.store.trading_view(&account, &keys, &table.clock()).await.unwrap().unwrap();
    assert_eq!((view.ledger.rev, view.orders.as_slice()), (1, [sent.clone()].as_slice()));
    assert_eq!(view.order(&sent.client_order_id, u64::MAX), Some(&sent));
    assert_eq!(view.order(&"bot-18".parse().unwrap(), NOW_MS), None);
    assert_eq!(view.policy(NOW_MS).orders_per_minute, 7);
    // The other exchange has a ledger of its own.
    let other = crate::table::account(Exchange::Hyperliquid);
    let view = table.store.trading_view(&other, &[], &table.clock()).await.unwrap().unwrap();
    assert_eq!((view.ledger.rev, view.policy(NOW_MS).orders_per_minute), (0, 7));
}

#[tokio::test]
async fn expired_order_in_a_view_is_not_found() {
    let table = Table::new().await;
    table.put_wallet().await;
    let account = account(Exchange::Aster);
    let sent = table.sent(&account, "bot-17").await;
    let record = sent.settled(OrderState::Placed, Some(placed("1")), uuid(), NOW_MS);
    let settling = Settling { known: sent.revision, record };
    table.store.settle(&account, vec![settling]).await.unwrap();
    let keys = [account.order_key(&sent.client_order_id)];
    let view = table.store.trading_view(&account, &keys, &table.clock()).await.unwrap().unwrap();
    assert!(view.order(&sent.client_order_id, NOW_MS + WEEK_MS - 1).is_some());
    assert!(view.order(&sent.client_order_id, NOW_MS + WEEK_MS).is_none());
}

#[tokio::test]
async fn orders_are_read_by_hundreds_and_without_repetition() {
    let table = Table::new().await;
    let account = account(Exchange::Hyperliquid);
    let ids: Vec<_> = (0..130).map(|at| format!("bot-{at}")).collect();
    for ids in ids.chunks(65) {
        let reserving: Vec<_> = ids.iter().map(|id| new(&record(&account, id))).collect();
        table.reserve(&account, &reserving).await.unwrap();
    }
    let key = |id: &String| account.order_key(&id.parse().unwrap());
    let mut keys: Vec<OrderKey> = ids.iter().map(key).collect();
    keys.extend((0..120).map(|at| key(&format!("unknown-{at}"))));
    keys.extend(ids.iter().take(20).map(key));
    let found = table.store.orders_by_keys(&account, &keys, &table.clock()).await.unwrap();
    let mut found: Vec<_> = found.iter().map(|record| record.client_order_id.to_string()).collect();
    found.sort();
    let mut expected = ids;
    expected.sort();
    assert_eq!(found, expected);
}

/// A DynamoDB that leaves all keys out of its first responses.
async fn throttled(responses: usize) -> (Store, Arc<AtomicUsize>, watch::Sender<bool>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let handle = move |body: String| async move {
        let body: Value = serde_json::from_str(&body).unwrap();
        let asked = &body["RequestItems"];
        assert_eq!(asked[WALLETS_TABLE]["ConsistentRead"], true);
        if counted.fetch_add(1, Ordering::SeqCst) < responses {
            return json!({ "Responses": {}, "UnprocessedKeys": asked }).to_string();
        }
        json!({ "Responses": { WALLETS_TABLE: [] }, "UnprocessedKeys": {} }).to_string()
    };
    let ip = Ipv4Addr::LOCALHOST.into();
    let listener = hyperdex_listen::bind("DynamoDB", ip, 0).await.unwrap();
    let url = hyperdex_listen::url(&listener);
    let (sender, stop) = Stop::new();
    hyperdex_listen::serve(listener, Router::new().route("/", post(handle)), stop);
    let db = Aws::local(&url, &url, &url).dynamodb();
    (Store::new(db, WALLETS_TABLE), calls, sender)
}

#[tokio::test]
async fn unprocessed_keys_are_read_again_and_then_reported() {
    let table = Table::new().await;
    let account = account(Exchange::Aster);
    let keys = [account.order_key(&"bot-17".parse().unwrap())];
    let (store, calls, _stop) = throttled(3).await;
    let found = store.orders_by_keys(&account, &keys, &table.clock()).await.unwrap();
    assert_eq!((found.len(), calls.load(Ordering::SeqCst)), (0, 4));
    let waited_ms = table.clock().now_ms() - NOW_MS;
    assert!((280..560).contains(&waited_ms), "{waited_ms}");
    let (store, calls, _stop) = throttled(4).await;
    let read = store.orders_by_keys(&account, &keys, &table.clock()).await;
    assert!(matches!(read, Err(StoreError::Busy(_))), "{read:?}");
    assert_eq!(calls.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn wallet_name_is_resolved_without_reading_the_wallet() {
    let table = Table::new().await;
    table.put(include_str!("../../../../shared/tests/samples/pointer.v1.json")).await;
    let tenant = account(Exchange::Aster).tenant;
    let user: UserId = "user_123".to_owned().try_into().unwrap();
    let resolved = table.store.resolve(&tenant, &WalletRef::User(user)).await.unwrap();
    assert_eq!(resolved, Some(WALLET));
    let wallet = WalletRef::Wallet(WALLET);
    assert_eq!(table.store.resolve(&tenant, &wallet).await.unwrap(), Some(WALLET));
}
