//! Tests the trading policy over HTTP: scopes, the delay of a looser policy, and overrides of
//! wallets.

use e2e::{DAY_MS, Reply, TestApp};
use http::Method;
use serde_json::{Value, json};
use shared::tenancy::{Scope, Scopes};

const PATH: &str = "/api/trading/policy";

async fn key(app: &TestApp, scopes: &[Scope]) -> String {
    let scopes = scopes.iter().fold(Scopes::none(), |set, scope| set.with(*scope));
    app.key_with("acme", |key| key.scopes = scopes).await.1
}

async fn set(app: &TestApp, key: &str, path: &str, policy: Value) -> Reply {
    app.send_as(key, (Method::PUT, path), Some(&policy)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn tightening_is_immediate_and_loosening_waits_and_requires_admin() {
    let app = TestApp::start().await;
    let trade = key(&app, &[Scope::Trade]).await;
    let admin = key(&app, &[Scope::Trade, Scope::Admin]).await;
    let read = key(&app, &[Scope::Read]).await;

    let none = app.send_as(&read, (Method::GET, PATH), None).await;
    assert_eq!(none.status, 200, "{none:?}");
    assert_eq!(none.body["data"]["policy"], json!({}));
    assert_eq!(
        none.body["data"]["effective"],
        json!({
            "maxOrderNotional": "1000000",
            "ordersPerMinute": 300,
            "reduceOnly": false,
            "maxSlippage": "0.1",
        })
    );

    let tight = json!({ "maxOrderNotional": "1000", "symbols": ["BTC"] });
    let tightened = set(&app, &trade, PATH, tight.clone()).await;
    assert_eq!(tightened.status, 200, "{tightened:?}");
    assert_eq!(tightened.text("/data/effective/maxOrderNotional"), "1000");
    assert!(tightened.body["data"].get("pending").is_none());

    let loose = json!({ "maxOrderNotional": "2000", "symbols": ["BTC"] });
    let refused = set(&app, &trade, PATH, loose.clone()).await;
    assert_eq!((refused.status, refused.text("/code")), (403, "SCOPE_MISSING"), "{refused:?}");
    let pending = set(&app, &admin, PATH, loose).await;
    assert_eq!(pending.status, 200, "{pending:?}");
    assert_eq!(pending.text("/data/effective/maxOrderNotional"), "1000");
    assert_eq!(pending.text("/data/pending/policy/maxOrderNotional"), "2000");
    let from = pending.body["data"]["pending"]["from"].as_u64().unwrap();
    assert!(from >= app.clock.now_ms() + DAY_MS - 60_000);

    app.clock.advance_ms(DAY_MS + 1);
    let later = app.send_as(&read, (Method::GET, PATH), None).await;
    assert_eq!(later.text("/data/effective/maxOrderNotional"), "2000", "{later:?}");
    assert!(later.body["data"].get("pending").is_none());
}

/// A tenant may only lower the builder's fee. More requires an admin, and waits.
#[tokio::test(flavor = "multi_thread")]
async fn builder_is_tightened_at_once_and_loosened_by_an_admin_after_the_delay() {
    const BUILDER: &str = "0x8c967E73E7B15087c42A10D344cFf4c96D877f1D";
    let app = TestApp::start().await;
    let trade = key(&app, &[Scope::Trade]).await;
    let admin = key(&app, &[Scope::Trade, Scope::Admin]).await;
    let policy = |builders: &[&str], fee: u16| {
        let builders: Vec<_> = builders.iter().map(|address| address.to_lowercase()).collect();
        json!({ "builders": builders, "maxBuilderFee": fee })
    };
    let one = set(&app, &trade, PATH, policy(&[BUILDER], 50)).await;
    assert_eq!(one.status, 200, "{one:?}");
    assert_eq!(one.body["data"]["policy"], json!({ "builders": [BUILDER], "maxBuilderFee": 50 }));
    assert_eq!(one.body["data"]["effective"]["builders"], json!([BUILDER]));
    for wider in [json!({}), policy(&[BUILDER], 51), json!({ "maxBuilderFee": 50 })] {
        let refused = set(&app, &trade, PATH, wider).await;
        assert_eq!((refused.status, refused.text("/code")), (403, "SCOPE_MISSING"), "{refused:?}");
    }
    let none = set(&app, &trade, PATH, policy(&[], 0)).await;
    assert_eq!(none.body["data"]["effective"]["maxBuilderFee"], 0, "{none:?}");
    app.clock.advance_ms(DAY_MS + 1);
    let pending = set(&app, &admin, PATH, policy(&[BUILDER], 60)).await;
    assert_eq!(pending.body["data"]["effective"]["builders"], json!([]), "{pending:?}");
    assert_eq!(pending.body["data"]["pending"]["policy"]["maxBuilderFee"], 60);
    app.clock.advance_ms(DAY_MS + 1);
    let read = key(&app, &[Scope::Read]).await;
    let later = app.send_as(&read, (Method::GET, PATH), None).await;
    assert_eq!(later.body["data"]["effective"]["maxBuilderFee"], 60, "{later:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn override_of_a_wallet_tightens_single_fields() {
    let app = TestApp::start().await;
    let all = Scope::ALL;
    let key = key(&app, &all).await;
    let body = json!({ "userId": "trader" });
    let wallet = app.send_as(&key, (Method::POST, "/api/wallets"), Some(&body)).await;
    let named = format!("{PATH}?walletIdOrAddress=trader");
    let set_one = set(&app, &key, &named, json!({ "ordersPerMinute": 10 })).await;
    assert_eq!(set_one.status, 200, "{set_one:?}");
    assert_eq!(set_one.body["data"]["wallet"], json!({ "ordersPerMinute": 10 }));
    assert_eq!(set_one.body["data"]["effective"]["ordersPerMinute"], 10);
    set(&app, &key, PATH, json!({ "reduceOnly": true })).await;
    for name in ["trader", wallet.text("/walletId"), wallet.text("/address")] {
        let path = format!("{PATH}?walletIdOrAddress={name}");
        let read = app.send_as(&key, (Method::GET, &path), None).await;
        assert_eq!(read.body["data"]["effective"]["ordersPerMinute"], 10, "{read:?}");
        assert_eq!(read.body["data"]["effective"]["reduceOnly"], true);
        assert_eq!(read.body["data"]["policy"], json!({ "reduceOnly": true }));
    }
    let tenant = app.send_as(&key, (Method::GET, PATH), None).await;
    assert_eq!(tenant.body["data"]["effective"]["ordersPerMinute"], 300);
    assert!(tenant.body["data"].get("wallet").is_none());
    for name in ["nobody", "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a"] {
        let path = format!("{PATH}?walletIdOrAddress={name}");
        for (method, body) in [(Method::GET, None), (Method::PUT, Some(json!({})))] {
            let missing = app.send_as(&key, (method, &path), body.as_ref()).await;
            let seen = (missing.status, missing.text("/code"));
            assert_eq!(seen, (404, "WALLET_NOT_FOUND"), "{name}: {missing:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_refuses_an_order_with_its_rule_and_limit() {
    for exchange in ["aster", "hyperliquid"] {
        let app = TestApp::start().await;
        app.wallet("trader").await;
        assert_eq!(app.register(exchange, "trader").await.status, 200);
        let tight = json!({ "maxOrderNotional": "100" });
        let set = app.send(app.request(Method::PUT, PATH).json(&tight)).await;
        assert_eq!(set.status, 200, "{set:?}");
        let order = json!({
            "walletIdOrAddress": "trader",
            "symbol": "BTC",
            "side": "BUY",
            "type": "LIMIT",
            "quantity": "0.01",
            "price": "59000",
        });
        let refused = app.post(&format!("/api/trading/{exchange}/orders"), order).await;
        assert_eq!((refused.status, refused.text("/code")), (422, "POLICY_REFUSED"), "{refused:?}");
        assert_eq!(refused.text("/reason"), "ORDER_NOTIONAL");
        assert_eq!(refused.text("/limit"), "100");
    }
}

/// A leaked key with the scope trade stores the present limits for a wallet.
#[tokio::test(flavor = "multi_thread")]
async fn tenants_brake_applies_to_wallets_with_overrides() {
    let app = TestApp::start().await;
    let trade = key(&app, &[Scope::Read, Scope::Trade]).await;
    let admin = key(&app, &[Scope::Read, Scope::Trade, Scope::Admin, Scope::Wallets]).await;
    let body = json!({ "userId": "trader" });
    app.send_as(&admin, (Method::POST, "/api/wallets"), Some(&body)).await;
    let named = format!("{PATH}?walletIdOrAddress=trader");
    let pinned = json!({
        "maxOrderNotional": "999999",
        "ordersPerMinute": 300,
        "reduceOnly": false,
        "maxSlippage": "0.1",
    });
    let pin = set(&app, &trade, &named, pinned.clone()).await;
    assert_eq!(pin.status, 200, "{pin:?}");
    let brake = json!({ "maxOrderNotional": "100", "reduceOnly": true });
    let braked = set(&app, &trade, PATH, brake).await;
    assert_eq!(braked.status, 200, "{braked:?}");
    let read = app.send_as(&trade, (Method::GET, &named), None).await;
    assert_eq!(read.body["data"]["wallet"], pinned);
    assert_eq!(read.text("/data/effective/maxOrderNotional"), "100", "{read:?}");
    assert_eq!(read.body["data"]["effective"]["reduceOnly"], true);
    // The override is now looser than the tenant's policy, so stating more than it requires admin.
    let more = set(&app, &trade, &named, json!({ "maxOrderNotional": "101" })).await;
    assert_eq!((more.status, more.text("/code")), (403, "SCOPE_MISSING"), "{more:?}");
    let granted = set(&app, &admin, &named, json!({ "maxOrderNotional": "101" })).await;
    assert_eq!(granted.text("/data/pending/policy/maxOrderNotional"), "101", "{granted:?}");
    app.clock.advance_ms(DAY_MS + 1);
    let read = app.send_as(&trade, (Method::GET, &named), None).await;
    assert_eq!(read.text("/data/effective/maxOrderNotional"), "101", "{read:?}");
    let tighter = set(&app, &trade, PATH, json!({ "maxOrderNotional": "99", "reduceOnly": true }));
    assert_eq!(tighter.await.status, 200);
    let read = app.send_as(&trade, (Method::GET, &named), None).await;
    assert_eq!(read.text("/data/effective/maxOrderNotional"), "99", "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_undoes_a_lock_out_and_keeps_what_waited() {
    let app = TestApp::start().await;
    let trade = key(&app, &[Scope::Read, Scope::Trade]).await;
    let admin = key(&app, &[Scope::Read, Scope::Trade, Scope::Admin]).await;
    let loose = json!({ "ordersPerMinute": 600 });
    let waiting = set(&app, &admin, PATH, loose.clone()).await;
    let from = waiting.body["data"]["pending"]["from"].clone();
    // The present policy again, and a policy that stops all orders.
    let same = set(&app, &trade, PATH, json!({})).await;
    assert_eq!(same.body["data"]["pending"]["from"], from, "{same:?}");
    let stopped = set(&app, &trade, PATH, json!({ "ordersPerMinute": 0 })).await;
    assert_eq!(stopped.body["data"]["effective"]["ordersPerMinute"], 0, "{stopped:?}");
    let refused = set(&app, &trade, PATH, json!({})).await;
    assert_eq!((refused.status, refused.text("/code")), (403, "SCOPE_MISSING"), "{refused:?}");
    let undone = set(&app, &admin, PATH, json!({})).await;
    assert_eq!(undone.body["data"]["effective"]["ordersPerMinute"], 300, "{undone:?}");
    assert_eq!(undone.body["data"]["pending"]["from"], from);
    app.clock.advance_ms(DAY_MS + 1);
    let later = app.send_as(&admin, (Method::GET, PATH), None).await;
    assert_eq!(later.body["data"]["effective"]["ordersPerMinute"], 600, "{later:?}");
}
