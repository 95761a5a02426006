//! Orders on Lighter with a key that the caller brings, over HTTP.

mod keys;
mod limits;
mod lost;

use aws_sdk_dynamodb::types::AttributeValue;
use e2e::lighter::{
    ACCOUNT, OWNER, SLOT, accepted, index_of, open_account, record, send, store_key,
};
use e2e::{Reply, TestApp};
use exchange_sim::faults::Fault;
use exchange_sim::lighter::Rules;
use futures_util::future::join_all;
use http::Method;
use hyperdex_local::WALLETS_TABLE;
use serde_json::{Value, json};
use shared::trading::ids::Leg;

async fn start() -> TestApp {
    let app = TestApp::start_with(|options| {
        options.budget.per_minute = domain::ids::PerExchange::from_fn(|_| 1_000_000);
    })
    .await;
    open_account(&app);
    app
}

/// Starts a stack whose key is stored.
async fn start_stored() -> TestApp {
    let app = start().await;
    assert_eq!(store_key(&app).await.status, 200);
    app
}

/// A limit order that rests.
fn limit(id: &str) -> Value {
    json!({
        "clientOrderId": id, "symbol": "BTC", "side": "BUY", "type": "LIMIT", "quantity": "0.01",
        "price": "59000",
    })
}

fn market(id: &str, side: &str) -> Value {
    json!({
        "clientOrderId": id, "symbol": "BTC", "side": side, "type": "MARKET", "quantity": "0.01",
    })
}

async fn place(app: &TestApp, order: Value) -> Reply {
    send(app, Method::POST, "orders", Some(order)).await
}

fn with(mut order: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        order[name] = value.clone();
    }
    order
}

#[tokio::test]
async fn market_order_fills_and_the_account_shows_it() {
    let app = start_stored().await;
    let reply = place(&app, market("buy", "BUY")).await;
    assert_eq!((reply.status, reply.text("/data/status")), (200, "FILLED"), "{reply:?}");
    assert_eq!(reply.text("/data/filledQuantity"), "0.01");
    let status = send(&app, Method::GET, "orders/buy/status", None).await;
    assert_eq!(status.text("/data/status"), "FILLED");
    for name in [ACCOUNT.to_string(), OWNER.to_owned()] {
        let positions = app.get(&format!("/api/trading/lighter/positions/{name}")).await;
        assert_eq!(positions.body["totalPositions"], 1, "{positions:?}");
        assert_eq!(positions.text("/positions/0/symbol"), "BTC");
        assert_eq!(positions.text("/positions/0/size"), "0.01");
    }
    for query in [format!("accountIndex={ACCOUNT}"), format!("walletAddress={OWNER}")] {
        let balances = app.get(&format!("/api/trading/lighter/balances?{query}")).await;
        assert_eq!(balances.status, 200, "{balances:?}");
        for (row, pocket) in [(0, "PERPS"), (1, "SPOT")] {
            assert_eq!(balances.text(&format!("/data/balances/{row}/asset")), "USDC");
            let stated = balances.text(&format!("/data/balances/{row}/accountType"));
            assert_eq!(stated, pocket, "{balances:?}");
        }
        assert_eq!(balances.text("/data/address").to_lowercase(), OWNER);
    }
    // The whole position, with the quantity zero.
    let close = with(market("close", "SELL"), &json!({ "quantity": "0", "reduceOnly": true }));
    let closed = place(&app, close).await;
    assert_eq!((closed.status, closed.text("/data/status")), (200, "FILLED"), "{closed:?}");
    assert_eq!(app.stack.lighter_sim.position_of(ACCOUNT, "BTC"), "0");
}

#[tokio::test]
async fn market_order_is_bounded_from_the_book() {
    let app = start_stored().await;
    let quote = |price: &str| (price.to_owned(), "1".to_owned());
    // The last trade was at 60000.
    let (bid, ask) = (quote("50000"), quote("70000"));
    assert!(app.stack.lighter_sim.set_liquidity("BTC", &[bid], &[ask]));
    let reply = place(&app, market("far", "BUY")).await;
    assert_eq!((reply.status, reply.text("/data/status")), (200, "FILLED"), "{reply:?}");
}

#[tokio::test]
async fn each_type_of_order_is_placed() {
    let app = start_stored().await;
    assert_eq!(place(&app, market("position", "BUY")).await.status, 200);
    let stop = json!({
        "type": "STOP_MARKET", "side": "SELL", "triggerPrice": "50000", "reduceOnly": true,
        "price": null,
    });
    let take =
        with(stop.clone(), &json!({ "type": "TAKE_PROFIT_MARKET", "triggerPrice": "70000" }));
    let stop_limit = with(stop.clone(), &json!({ "type": "STOP_LIMIT", "price": "49000" }));
    for (id, change) in [
        ("post-only", json!({ "timeInForce": "POST_ONLY" })),
        ("stop", stop),
        ("take", take),
        ("stop-limit", stop_limit),
    ] {
        let reply = place(&app, with(limit(id), &change)).await;
        assert_eq!((reply.status, reply.text("/data/status")), (200, "OPEN"), "{id}: {reply:?}");
    }
    let ioc = place(&app, with(limit("ioc"), &json!({ "timeInForce": "IOC" }))).await;
    assert!(matches!(ioc.status, 200 | 422), "{ioc:?}");
    let crossing = json!({ "timeInForce": "POST_ONLY", "price": "61000" });
    let refused = place(&app, with(limit("crossing"), &crossing)).await;
    assert_eq!((refused.status, refused.text("/code")), (422, "WOULD_CROSS"), "{refused:?}");
    let fok = place(&app, with(limit("fok"), &json!({ "timeInForce": "FOK" }))).await;
    assert_eq!((fok.status, fok.text("/code")), (422, "NOT_OFFERED_BY_EXCHANGE"));
}

#[tokio::test]
async fn attached_orders_are_placed_as_a_group() {
    let app = start_stored().await;
    let attached = json!({
        "takeProfit": { "triggerPrice": "66000" },
        "stopLoss": { "triggerPrice": "50000", "price": "49900" },
    });
    let reply = place(&app, with(limit("group"), &attached)).await;
    assert_eq!((reply.status, reply.text("/data/status")), (200, "OPEN"), "{reply:?}");
    let take = index_of("group", Leg::TakeProfit);
    assert_eq!(reply.text("/data/takeProfit/clientOrderId"), take);
    // The attached orders start when the first one is filled.
    assert!(app.stack.lighter_sim.set_price("BTC", "58000"));
    let open = app.stack.lighter_sim.open_orders_of(ACCOUNT);
    let ids: Vec<_> = open.iter().filter_map(|order| order.client_order_id.clone()).collect();
    assert!(ids.contains(&take) && ids.contains(&index_of("group", Leg::StopLoss)), "{ids:?}");
    let listed = send(&app, Method::GET, "orders?symbol=BTC", None).await;
    assert_eq!(listed.body["count"], 2, "{listed:?}");
}

#[tokio::test]
async fn number_with_a_remainder_is_refused_before_it_is_sent() {
    let app = start_stored().await;
    for (change, code) in [
        (json!({ "quantity": "0.01001" }), "LOT_SIZE"),
        (json!({ "price": "59000.123" }), "TICK_SIZE"),
        (json!({ "price": "99999999999" }), "PRICE_OUT_OF_RANGE"),
        (json!({ "quantity": "0.0001" }), "BELOW_MINIMUM"),
        (json!({ "symbol": "USDC" }), "MARKET_UNKNOWN"),
        (json!({ "symbol": "OLD" }), "MARKET_UNKNOWN"),
    ] {
        let reply = place(&app, with(limit("remainder"), &change)).await;
        assert_eq!((reply.status, reply.text("/code")), (422, code), "{reply:?}");
    }
    assert!(record(&app, "remainder").await.is_none());
    let far = place(&app, with(limit("far"), &json!({ "price": "99999999999" }))).await;
    assert!(far.text("/message").contains("Use a price of"), "{far:?}");
}

#[tokio::test]
async fn open_order_is_changed_cancelled_and_listed() {
    let app = start_stored().await;
    for id in ["a", "b", "c"] {
        assert_eq!(place(&app, limit(id)).await.status, 200);
    }
    let change = json!({ "price": "58000", "quantity": "0.02" });
    let changed = send(&app, Method::PUT, "orders/a", Some(change)).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!((changed.text("/data/price"), changed.text("/data/quantity")), ("58000", "0.02"));
    let canceled = send(&app, Method::DELETE, "orders/a", None).await;
    assert_eq!((canceled.status, canceled.text("/data/status")), (200, "CANCELED"));
    let again = send(&app, Method::DELETE, "orders/a", None).await;
    assert_eq!((again.status, again.text("/code")), (409, "ORDER_NOT_OPEN"), "{again:?}");
    let listed = send(&app, Method::GET, "orders", None).await;
    assert_eq!(listed.body["count"], 2, "{listed:?}");
    let all = send(&app, Method::DELETE, "orders?symbol=BTC", None).await;
    assert_eq!(all.status, 200, "{all:?}");
    assert!(app.stack.lighter_sim.open_orders_of(ACCOUNT).is_empty());
}

/// Deletes the record of an order.
async fn forget(app: &TestApp, id: &str) {
    let db = app.stack.aws().dynamodb();
    let scan = db.scan().table_name(WALLETS_TABLE).consistent_read(true);
    let items: Vec<_> =
        scan.into_paginator().items().send().collect::<Result<_, _>>().await.unwrap();
    let is_its = |item: &std::collections::HashMap<String, AttributeValue>| {
        item.get("clientOrderId").and_then(|it| it.as_s().ok()).is_some_and(|it| it == id)
    };
    let mut deleted = 0;
    for mut item in items.into_iter().filter(is_its) {
        item.retain(|name, _| name == "pk" || name == "sk");
        db.delete_item().table_name(WALLETS_TABLE).set_key(Some(item)).send().await.unwrap();
        deleted += 1;
    }
    assert!(deleted > 0, "no record of {id}");
}

#[tokio::test]
async fn changed_order_of_another_client_keeps_its_id() {
    let app = start_stored().await;
    let placed = place(&app, limit("theirs")).await;
    assert_eq!(placed.status, 200, "{placed:?}");
    // Without its record, the order is as one of another client.
    forget(&app, "theirs").await;
    let index = index_of("theirs", Leg::Entry);
    let id = placed.text("/data/orderId");
    let change = json!({ "price": "58000", "quantity": "0.02" });
    let changed = send(&app, Method::PUT, &format!("orders/{id}"), Some(change)).await;
    assert_eq!((changed.status, changed.text("/data/price")), (200, "58000"), "{changed:?}");
    let status = send(&app, Method::GET, &format!("orders/{id}/status"), None).await;
    let listed = send(&app, Method::GET, "orders", None).await;
    assert_eq!(listed.text("/data/orders/0/clientOrderId"), index, "{listed:?}");
    for reply in [changed, status] {
        assert_eq!(reply.text("/data/clientOrderId"), index, "{reply:?}");
    }
    // So do errors: they have the id of the request.
    for name in [id, index.as_str()] {
        let high = r#"{"code":21733,"message":"order price flagged as an accidental price"}"#;
        app.stack.lighter_sim.fail_next("modifyOrder", Fault::Status(400, high.into()));
        let change = json!({ "price": "58500", "quantity": "0.02" });
        let refused = send(&app, Method::PUT, &format!("orders/{name}"), Some(change)).await;
        assert_eq!((refused.status, refused.text("/clientOrderId")), (422, name), "{refused:?}");
    }
}

#[tokio::test]
async fn overtaken_change_and_cancellation_are_signed_again() {
    let app = start_stored().await;
    let simulator = &app.stack.lighter_sim;
    assert_eq!(place(&app, limit("a")).await.status, 200);
    let overtaken = || Fault::Status(400, r#"{"code":21104,"message":"invalid nonce"}"#.into());
    simulator.fail_next("modifyOrder", overtaken());
    let change = json!({ "price": "58000", "quantity": "0.02" });
    let changed = send(&app, Method::PUT, "orders/a", Some(change)).await;
    assert_eq!((changed.status, changed.text("/data/price")), (200, "58000"), "{changed:?}");
    for _ in 0..2 {
        simulator.fail_next("cancelAllOrders", overtaken());
    }
    let all = send(&app, Method::DELETE, "orders?symbol=BTC", None).await;
    assert_eq!(all.status, 200, "{all:?}");
    assert!(simulator.open_orders_of(ACCOUNT).is_empty());
}

#[tokio::test]
async fn refusal_about_the_moment_can_be_retried() {
    let app = start_stored().await;
    let simulator = &app.stack.lighter_sim;
    for (number, refusal) in
        ["21506 too many pending", "21601 order book is full", "21605 invalid market status"]
            .into_iter()
            .enumerate()
    {
        let id = format!("later-{number}");
        assert!(simulator.set_rule("refuseNext", refusal));
        let refused = place(&app, limit(&id)).await;
        assert_eq!((refused.status, refused.text("/code")), (502, "EXCHANGE_REJECTED"));
        assert_eq!(refused.retry_after_s(), Some(5), "{refused:?}");
        let placed = place(&app, limit(&id)).await;
        assert_eq!((placed.status, accepted(&app, &id)), (200, 1), "{placed:?}");
    }
}

#[tokio::test]
async fn leverage_is_set_within_the_limit_of_the_market() {
    let app = start_stored().await;
    let set = async |leverage: u32, mode: &str| {
        let body = json!({ "symbol": "BTC", "leverage": leverage, "marginMode": mode });
        send(&app, Method::POST, "leverage", Some(body)).await
    };
    let reply = set(15, "ISOLATED").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        (&reply.body["data"]["leverage"], reply.text("/data/marginMode")),
        (&json!(15), "ISOLATED")
    );
    let refused = set(41, "CROSS").await;
    assert_eq!(
        (refused.status, refused.text("/code")),
        (422, "LEVERAGE_OUT_OF_RANGE"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn inactive_market_can_be_listed_and_emptied() {
    let app = start_stored().await;
    let listed = send(&app, Method::GET, "orders?symbol=OLD", None).await;
    assert_eq!((listed.status, &listed.body["count"]), (200, &json!(0)), "{listed:?}");
    let positions = format!("/api/trading/lighter/positions/{ACCOUNT}?symbol=OLD");
    let positions = app.get(&positions).await;
    assert_eq!((positions.status, &positions.body["totalPositions"]), (200, &json!(0)));
    let cancelled = send(&app, Method::DELETE, "orders?symbol=OLD", None).await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    let body = json!({ "symbol": "OLD", "leverage": 2, "marginMode": "CROSS" });
    let refused = send(&app, Method::POST, "leverage", Some(body)).await;
    assert_eq!((refused.status, refused.text("/code")), (422, "MARKET_UNKNOWN"), "{refused:?}");
}

#[tokio::test]
async fn repeat_returns_the_first_order_and_another_body_is_refused() {
    let app = start_stored().await;
    assert_eq!(place(&app, limit("once")).await.status, 200);
    let again = place(&app, limit("once")).await;
    assert_eq!(
        (again.status, &again.headers["idempotent-replay"].to_str().unwrap()),
        (200, &"true")
    );
    let other = place(&app, with(limit("once"), &json!({ "quantity": "0.02" }))).await;
    assert_eq!((other.status, other.text("/code")), (422, "CLIENT_ORDER_ID_REUSED"));
    assert_eq!(accepted(&app, "once"), 1);
}

#[tokio::test]
async fn parallel_orders_of_an_account_are_each_executed_once() {
    let app = start_stored().await;
    // Their nonces can reach the exchange in another sequence. Each that is overtaken is signed again.
    let ids: Vec<_> = (0..6).map(|number| format!("parallel-{number}")).collect();
    let replies = join_all(ids.iter().map(|id| place(&app, limit(id)))).await;
    for (id, reply) in ids.iter().zip(&replies) {
        assert!(matches!(reply.status, 200 | 504), "{reply:?}");
        let repeated = place(&app, limit(id)).await;
        assert_eq!((repeated.status, accepted(&app, id)), (200, 1), "{id}: {repeated:?}");
    }
    assert_eq!(app.stack.lighter_sim.open_orders_of(ACCOUNT).len(), ids.len());
}

#[tokio::test]
async fn request_limit_of_a_standard_account_returns_429() {
    let app = start_stored().await;
    assert!(app.stack.lighter_sim.set_rule("tier", "standard"));
    let path = format!("/api/trading/lighter/balances?accountIndex={ACCOUNT}");
    let mut asked = 0;
    let limited = loop {
        let reply = app.get(&path).await;
        asked += 1;
        if reply.status != 200 || asked > 70 {
            break reply;
        }
    };
    assert_eq!(
        (limited.status, limited.text("/code")),
        (429, "EXCHANGE_RATE_LIMIT"),
        "{limited:?}"
    );
    assert!(limited.retry_after_s().is_some_and(|wait_s| wait_s > 0));
    let order = place(&app, limit("limited")).await;
    assert_eq!((order.status, accepted(&app, "limited")), (429, 0), "{order:?}");
}

#[tokio::test]
async fn refusal_of_the_exchange_has_its_meaning() {
    let app = start_stored().await;
    let simulator = &app.stack.lighter_sim;
    assert!(simulator.set_rule("refuseNext", "21739 not enough margin"));
    let margin = place(&app, limit("margin")).await;
    assert_eq!((margin.status, margin.text("/code")), (422, "INSUFFICIENT_FUNDS"), "{margin:?}");
    for (rules, status, code) in [
        (Rules { restricted: true, ..Rules::default() }, 403, "EXCHANGE_REGION_BLOCKED"),
        (Rules { outdated: true, ..Rules::default() }, 502, "EXCHANGE_UPGRADE_REQUIRED"),
    ] {
        simulator.set_rules(rules);
        let reply = place(&app, limit(code)).await;
        assert_eq!((reply.status, reply.text("/code")), (status, code), "{reply:?}");
        simulator.set_rules(Rules::default());
        // The breaker of a blocked exchange opens again after its time.
        app.clock.advance_ms(10 * 60_000);
    }
    assert!(simulator.remove_key(ACCOUNT, SLOT));
    let unknown = place(&app, limit("unknown-key")).await;
    assert_eq!((unknown.status, unknown.text("/code")), (404, "API_KEY_NOT_FOUND"), "{unknown:?}");
}

#[tokio::test]
async fn guidance_names_the_new_routes() {
    let app = start().await;
    let reply = app.post("/api/trading/lighter/apikey", json!({ "walletIdOrAddress": "u" })).await;
    assert_eq!((reply.status, reply.text("/code")), (400, "EXCHANGE_NOT_SUPPORTED"));
    assert!(reply.text("/message").contains("PUT /api/trading/lighter/credentials"));
    let close = app.post("/api/trading/lighter/positions/close", json!({})).await;
    assert_eq!((close.status, close.text("/code")), (422, "NOT_OFFERED_BY_EXCHANGE"));
}
