//! Tests the list of a tenant's wallets: each wallet appears once, a page costs only its own
//! queries, and no other tenant's wallet appears.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::collections::BTreeSet;

use axum::body::Body;
use domain::ids::{Tenant, UserId};
use e2e::{Reply, TestApp};
use http::Method;
use hyperdex_local::{Stack, WALLETS_TABLE};
use platform::items::{SCHEMA, SHARDS};
use platform::telemetry::RemoteCalls;
use serde_json::{Value, json};
use shared::api::cursor::{from_cursor, to_cursor};
use shared::store::{ShareRecord, WalletCount, WalletRecord};
use tower::ServiceExt;
use uuid::Uuid;

/// Stores wallets without real keys, because the list does not read keys. `shard` puts all of them
/// into one shard.
async fn store(app: &TestApp, tenant: &str, from: u32, count: u32, shard: Option<u8>) -> Vec<Uuid> {
    let mut ids = Vec::new();
    let mut sealed = None;
    for number in from..from + count {
        let mut id = *Uuid::from_bytes(app.options.random.bytes().unwrap()).as_bytes();
        if let Some(shard) = shard {
            id[15] = shard;
        }
        // Each wallet has its own address, even if the ids end in the same byte.
        let address = format!("0x{}{}", hex::encode(id), hex::encode(number.to_be_bytes()));
        let wallet = WalletRecord {
            schema: SCHEMA,
            tenant: tenant.parse().unwrap(),
            user_id: UserId::for_creation(&format!("user_{number}")).unwrap(),
            wallet_id: Uuid::from_bytes(id),
            address: address.parse().unwrap(),
            public_key: format!("04{}", "ab".repeat(64)),
            key_version: 1,
            created_at_ms: app.clock.now_ms() + u64::from(number % 3),
            frozen: false,
            shares_at_ms: None,
            refresh: None,
            made_by: None,
            exported: None,
            operator_freeze: None,
            operator_actions: Vec::new(),
        };
        if sealed.is_none() {
            let context = ShareRecord::context(&wallet.key());
            sealed = Some(app.stack.custody.envelope.seal(context, b"share").await.unwrap());
        }
        let share = ShareRecord { schema: SCHEMA, key_version: 1, sealed: sealed.clone().unwrap() };
        let counted = WalletCount::unlimited().room(wallet.wallet_id.as_bytes()[15]).unwrap();
        app.stack.custody.store.create(&wallet, &share, counted).await.unwrap();
        ids.push(wallet.wallet_id);
    }
    ids
}

async fn page(app: &TestApp, key: &str, query: &str) -> Reply {
    app.send_as(key, (Method::GET, &format!("/api/wallets{query}")), None).await
}

fn ids(page: &Reply) -> Vec<Uuid> {
    let wallets = page.body["wallets"].as_array().unwrap().iter();
    wallets.map(|wallet| wallet["walletId"].as_str().unwrap().parse().unwrap()).collect()
}

/// Reads a list to its end and runs `between` between the pages.
async fn walk(
    app: &TestApp,
    key: &str,
    limit: usize,
    mut between: impl AsyncFnMut(usize),
) -> Vec<Uuid> {
    let (mut seen, mut query) = (Vec::new(), format!("?limit={limit}"));
    for pages in 0.. {
        let reply = page(app, key, &query).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let found = ids(&reply);
        assert!(found.len() <= limit);
        seen.extend(found);
        let Some(cursor) = reply.body["nextCursor"].as_str() else { break };
        query = format!("?limit={limit}&cursor={cursor}");
        between(pages).await;
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn wallet_list_returns_wallet_fields() {
    let app = TestApp::start().await;
    let empty = app.get("/api/wallets").await;
    assert_eq!(
        (empty.status, &empty.body),
        (200, &json!({ "success": true, "wallets": [], "nextCursor": null }))
    );
    let made = app.create_wallet("user_1").await;
    let listed = app.get("/api/wallets").await;
    assert_eq!(listed.fields(""), ["nextCursor", "success", "wallets"]);
    assert_eq!(
        listed.fields("/wallets/0"),
        ["address", "createdAt", "publicKey", "userId", "walletId"]
    );
    let seconds = domain::time::rfc3339_seconds(app.clock.now_ms());
    assert_eq!(listed.text("/wallets/0/createdAt"), seconds);
    for field in ["address", "publicKey", "userId", "walletId"] {
        assert_eq!(listed.body["wallets"][0][field], made.body[field], "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wallet_list_has_each_wallet_once_during_creations() {
    let app = TestApp::start().await;
    let (one, two) = (app.key("one"), app.key("two"));
    let foreign: BTreeSet<Uuid> = store(&app, "two", 0, 40, None).await.into_iter().collect();
    let mut before = store(&app, "one", 0, 90, None).await;
    // The list must pass an empty shard and a full shard.
    before.extend(store(&app, "one", 200, 12, Some(3)).await);
    let before: BTreeSet<Uuid> = before.into_iter().collect();
    for limit in [1, 7, 25, 100] {
        let seen = walk(&app, &one, limit, async |_| {}).await;
        let set: BTreeSet<Uuid> = seen.iter().copied().collect();
        assert_eq!((seen.len(), &set), (before.len(), &before), "limit {limit}");
    }
    let seen = walk(&app, &one, 9, async |pages| {
        app.clock.advance_ms(5);
        store(&app, "one", 1_000 + u32::try_from(pages).unwrap() * 10, 3, None).await;
    })
    .await;
    let set: BTreeSet<Uuid> = seen.iter().copied().collect();
    assert_eq!(seen.len(), set.len(), "a wallet is listed twice");
    assert!(before.is_subset(&set), "a wallet is missing from the list");
    assert!(foreign.is_disjoint(&set));
    let other: BTreeSet<Uuid> = walk(&app, &two, 25, async |_| {}).await.into_iter().collect();
    assert_eq!(other, foreign);
}

async fn cost(app: &TestApp, query: &str) -> (usize, u32) {
    let request = http::Request::get(format!("/api/wallets{query}")).body(Body::empty()).unwrap();
    let response = app.stack.router.clone().oneshot(request).await.unwrap();
    let calls = response.extensions().get::<RemoteCalls>().unwrap().counts();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(calls.keys().collect::<Vec<_>>(), ["DynamoDB.Query"]);
    (body["wallets"].as_array().unwrap().len(), calls["DynamoDB.Query"])
}

#[tokio::test(flavor = "multi_thread")]
async fn list_page_costs_one_query_or_sixteen() {
    let app = TestApp::start().await;
    assert_eq!(cost(&app, "").await, (0, u32::from(SHARDS)));
    store(&app, "local", 0, 3, None).await;
    assert_eq!(cost(&app, "").await, (3, u32::from(SHARDS)));
    // The tenant is so large that a page does not reach the end of a shard.
    store(&app, "local", 100, 30, Some(0)).await;
    store(&app, "local", 200, 10, Some(2)).await;
    assert_eq!(cost(&app, "?limit=25").await, (25, 1));
    // At the end of a shard, the page continues with the next three shards.
    let first = app.get("/api/wallets?limit=25").await;
    let query = format!("?limit=8&cursor={}", first.text("/nextCursor"));
    assert_eq!(cost(&app, &query).await, (8, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn cursor_of_another_tenant_returns_400() {
    let app = TestApp::start().await;
    let (one, two) = (app.key("one"), app.key("two"));
    let own: BTreeSet<Uuid> = store(&app, "one", 0, 30, None).await.into_iter().collect();
    store(&app, "two", 0, 30, None).await;
    let foreign = page(&app, &two, "?limit=5").await.text("/nextCursor").to_owned();
    assert_eq!(page(&app, &two, &format!("?cursor={foreign}")).await.status, 200);
    let altered = foreign.replace(&foreign[10..12], "__");
    let mut bodies = BTreeSet::new();
    for cursor in
        [foreign.as_str(), &altered, &foreign[1..], "x", "", "%F0%9F%92%A9", &"A".repeat(56)]
    {
        let mut reply = page(&app, &one, &format!("?cursor={cursor}")).await;
        assert_eq!((reply.status, reply.text("/code")), (400, "BAD_REQUEST"), "{reply:?}");
        reply.body["timestamp"] = Value::Null;
        bodies.insert(reply.body.to_string());
    }
    assert_eq!(bodies.len(), 1, "errors reveal why a cursor is invalid: {bodies:?}");
    // A forged cursor with the other tenant's position skips some of the tenant's own wallets and
    // shows no other wallets.
    let [one_t, two_t]: [Tenant; 2] = ["one", "two"].map(|name| name.parse().unwrap());
    let forged = to_cursor(&one_t, from_cursor(&two_t, &foreign).unwrap());
    let reply = page(&app, &one, &format!("?limit=100&cursor={forged}")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(ids(&reply).iter().all(|id| own.contains(id)));
    for limit in ["0", "101", "many"] {
        assert_eq!(page(&app, &one, &format!("?limit={limit}")).await.status, 400);
    }
}

/// A local stack of an earlier version has a table without the index. At start, the stack creates
/// the index and fills it from the table.
#[tokio::test(flavor = "multi_thread")]
async fn table_without_the_index_is_migrated_at_start() {
    let app = TestApp::start().await;
    let made = app.create_wallet("user_1").await;
    let db = app.stack.aws().dynamodb();
    let delete = aws_sdk_dynamodb::types::DeleteGlobalSecondaryIndexAction::builder()
        .index_name("wallets")
        .build()
        .unwrap();
    let update = aws_sdk_dynamodb::types::GlobalSecondaryIndexUpdate::builder().delete(delete);
    db.update_table()
        .table_name(WALLETS_TABLE)
        .global_secondary_index_updates(update.build())
        .send()
        .await
        .unwrap();
    let TestApp { stack, options, data: _data, .. } = app;
    stack.stop().await;
    let again = Stack::start(options).await.unwrap();
    let page = again.custody.store.list(&Tenant::local(), Default::default(), 25).await.unwrap();
    assert_eq!(page.0.len(), 1);
    assert_eq!(page.0[0].wallet_id.to_string(), made.text("/walletId"));
    again.stop().await;
}
