//! Trading and reads on the simulated Lighter.

use exchange_sim::lighter::{Exchange, Network};
use lighter_signer::{
    Action, CancelAll, Grouping, MarginMode, Modify, Order, OrderGroup, OrderType, TimeInForce,
};
use serde_json::json;

use crate::support::lighter::{ACCOUNT, BTC, Lighter, SLOT, code, key, limit, market, owner};
use crate::support::{START, send};

/// Returns an exit of a long position: 60000 dollars is the price.
fn exit(client: u64, order_type: OrderType, trigger_price: u32) -> Order {
    Order {
        order_type,
        time_in_force: TimeInForce::ImmediateOrCancel,
        reduce_only: true,
        trigger_price,
        ..limit(client, true, 0, 4_000_000)
    }
}

#[tokio::test]
async fn market_order_opens_and_reduce_only_closes_position() {
    let lighter = Lighter::new();
    lighter.execute(Action::CreateOrder(market(1, false, 100, 6_100_000))).await;
    assert_eq!(lighter.status(1).await, "filled");
    assert_eq!(lighter.exchange.position_of(ACCOUNT, "BTC"), "0.01");
    let account = lighter.get(&format!("account?by=index&value={ACCOUNT}")).await.json();
    let rows = account["accounts"][0]["positions"].as_array().unwrap();
    let row = rows.iter().find(|row| row["symbol"] == "BTC").unwrap();
    assert_eq!((&row["position"], &row["sign"]), (&json!("0.0100"), &json!(1)));
    assert_eq!(row["initial_margin_fraction"], "5.00");
    assert!(lighter.exchange.set_price("BTC", "61000"));
    let close = Order { reduce_only: true, ..market(2, true, 0, 6_000_000) };
    lighter.execute(Action::CreateOrder(close)).await;
    assert_eq!(lighter.exchange.position_of(ACCOUNT, "BTC"), "0");
    assert_eq!(lighter.exchange.executions(ACCOUNT)["2"].filled, "0.01");
}

#[tokio::test]
async fn order_that_cannot_match_is_a_cancelled_order() {
    let lighter = Lighter::new();
    lighter.execute(Action::CreateOrder(market(1, false, 100, 5_900_000))).await;
    assert_eq!(lighter.status(1).await, "canceled-too-much-slippage");
    let crossing =
        Order { time_in_force: TimeInForce::PostOnly, ..limit(2, false, 100, 6_100_000) };
    lighter.execute(Action::CreateOrder(crossing)).await;
    assert_eq!(lighter.status(2).await, "canceled-post-only");
    let nothing = Order { reduce_only: true, ..market(3, true, 100, 5_900_000) };
    lighter.execute(Action::CreateOrder(nothing)).await;
    assert_eq!(lighter.status(3).await, "canceled-reduce-only");
    let large = Action::CreateOrder(limit(4, false, 1_000_000, 5_900_000));
    assert_eq!(lighter.failure(large).await, 21_739);
    assert_eq!(lighter.status(4).await, "canceled-margin-not-allowed");
    let path = format!("accountInactiveOrders?account_index={ACCOUNT}&limit=2");
    let inactive = lighter.get_signed(&path).await;
    assert_eq!(inactive["orders"][0]["client_order_index"], 4);
    assert_eq!(inactive["orders"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn client_order_index_is_unique_among_open_orders() {
    let lighter = Lighter::new();
    lighter.execute(Action::CreateOrder(limit(1, false, 100, 5_000_000))).await;
    let again = Action::CreateOrder(limit(1, false, 100, 5_000_001));
    let (code, _) = lighter.act(again).await;
    assert_eq!(code, 21_728);
}

#[tokio::test]
async fn order_is_changed_and_cancelled_by_either_number() {
    let lighter = Lighter::new();
    lighter.execute(Action::CreateOrder(limit(1, false, 100, 5_000_000))).await;
    let change = Modify {
        market_index: BTC,
        index: 1,
        base_amount: 200,
        price: 5_100_000,
        trigger_price: 0,
    };
    lighter.execute(Action::ModifyOrder(change)).await;
    let path = format!("accountActiveOrders?account_index={ACCOUNT}&market_id={BTC}");
    let orders = lighter.get_signed(&path).await;
    let order = &orders["orders"][0];
    assert_eq!(
        (&order["price"], &order["initial_base_amount"]),
        (&json!("51000.00"), &json!("0.0200"))
    );
    let index = order["order_index"].as_u64().unwrap();
    assert!(index >= 1 << 48);
    lighter.execute(Action::CancelOrder { market_index: BTC, index }).await;
    assert_eq!(lighter.status(1).await, "canceled");
    for (index, expected) in [(1, 21_709), (index, 21_709), (77, 21_708)] {
        let cancel = Action::CancelOrder { market_index: BTC, index };
        assert_eq!(lighter.failure(cancel).await, expected);
    }
    assert_eq!(lighter.failure(Action::ModifyOrder(change)).await, 21_709);
}

#[tokio::test]
async fn all_orders_are_cancelled_now_of_a_market_or_later() {
    let lighter = Lighter::new();
    let eth = Order { market_index: 0, base_amount: 1_000, ..limit(2, false, 0, 2_500_000) };
    lighter.execute(Action::CreateOrder(limit(1, false, 100, 5_000_000))).await;
    lighter.execute(Action::CreateOrder(eth)).await;
    let only = CancelAll::Now { market_index: Some(0) };
    lighter.execute(Action::CancelAllOrders(only)).await;
    assert_eq!(
        (lighter.status(1).await.as_str(), lighter.status(2).await.as_str()),
        ("open", "canceled")
    );
    lighter.execute(Action::CancelAllOrders(CancelAll::At(START + 400_000))).await;
    lighter.clock.advance(399_999);
    assert_eq!(lighter.status(1).await, "open");
    lighter.clock.advance(1);
    assert_eq!(lighter.status(1).await, "canceled");
    lighter.execute(Action::CreateOrder(limit(3, false, 100, 5_000_000))).await;
    lighter.execute(Action::CancelAllOrders(CancelAll::Now { market_index: None })).await;
    assert!(lighter.exchange.open_orders_of(ACCOUNT).is_empty());
}

#[tokio::test]
async fn entry_of_a_group_starts_exits_of_which_one_cancels_the_other() {
    let lighter = Lighter::new();
    let orders = vec![
        limit(1, false, 100, 5_900_000),
        exit(2, OrderType::TakeProfit, 6_500_000),
        exit(3, OrderType::StopLoss, 5_500_000),
    ];
    let group = OrderGroup { grouping: Grouping::OneTriggersOneCancelsOther, orders };
    lighter.execute(Action::CreateGroupedOrders(group)).await;
    let path = format!("accountOrders?account_index={ACCOUNT}&client_order_indexes=2,3");
    let exits = lighter.get_signed(&path).await;
    assert_eq!(exits["orders"][0]["trigger_status"], "parent-order");
    assert!(lighter.exchange.set_price("BTC", "58900"));
    assert_eq!(lighter.exchange.position_of(ACCOUNT, "BTC"), "0.01");
    assert_eq!(lighter.get_signed(&path).await["orders"][1]["trigger_status"], "mark-price");
    assert!(lighter.exchange.set_price("BTC", "66000"));
    assert_eq!(lighter.exchange.position_of(ACCOUNT, "BTC"), "0");
    assert_eq!(
        (lighter.status(2).await.as_str(), lighter.status(3).await.as_str()),
        ("filled", "canceled-oco")
    );
}

#[tokio::test]
async fn pair_of_exits_closes_the_position_once() {
    let lighter = Lighter::new();
    lighter.execute(Action::CreateOrder(market(1, false, 100, 6_100_000))).await;
    let pair = [
        Order { base_amount: 100, ..exit(2, OrderType::TakeProfit, 6_500_000) },
        Order { base_amount: 100, ..exit(3, OrderType::StopLoss, 5_500_000) },
    ];
    let group = OrderGroup { grouping: Grouping::OneCancelsOther, orders: pair.to_vec() };
    lighter.execute(Action::CreateGroupedOrders(group)).await;
    let trigger = Modify {
        market_index: BTC,
        index: 3,
        base_amount: 100,
        price: 4_000_000,
        trigger_price: 5_800_000,
    };
    lighter.execute(Action::ModifyOrder(trigger)).await;
    assert!(lighter.exchange.set_price("BTC", "57000"));
    assert_eq!(lighter.exchange.position_of(ACCOUNT, "BTC"), "0");
    assert_eq!(
        (lighter.status(2).await.as_str(), lighter.status(3).await.as_str()),
        ("canceled-oco", "filled")
    );
}

#[tokio::test]
async fn margin_mode_stays_while_an_order_is_open() {
    let lighter = Lighter::new();
    let leverage = |initial_margin_fraction, margin_mode| Action::UpdateLeverage {
        market_index: BTC,
        initial_margin_fraction,
        margin_mode,
    };
    lighter.execute(leverage(333, MarginMode::Isolated)).await;
    let account = lighter.get(&format!("account?by=index&value={ACCOUNT}")).await.json();
    let row = &account["accounts"][0]["positions"][1];
    assert_eq!((&row["symbol"], &row["margin_mode"]), (&json!("BTC"), &json!(1)));
    assert_eq!(row["initial_margin_fraction"], "3.33");
    lighter.execute(Action::CreateOrder(limit(1, false, 100, 5_000_000))).await;
    assert_eq!(lighter.failure(leverage(333, MarginMode::Cross)).await, 21_132);
    lighter.execute(leverage(1_000, MarginMode::Isolated)).await;
}

#[tokio::test]
async fn reads_of_orders_need_a_token_of_the_account() {
    let lighter = Lighter::new();
    let path = format!("accountActiveOrders?account_index={ACCOUNT}");
    let missing = lighter.get(&path).await;
    assert_eq!(code(&missing), 20_001);
    assert!(missing.body.contains("auth query param and Authorization header are empty"));
    let now_s = START / 1_000;
    let random = domain::random::Random::system();
    let token = |by: u8, account, deadline| {
        let token = key(by).auth_token((account, SLOT), deadline, deadline - 10, &random).unwrap();
        token.as_str().to_owned()
    };
    for (token, expected) in [
        (token(1, ACCOUNT, now_s + 60), 200),
        (token(2, ACCOUNT, now_s + 60), 20_013),
        (token(1, ACCOUNT + 1, now_s + 60), 20_013),
        (token(1, ACCOUNT, now_s), 20_013),
        (token(1, ACCOUNT, now_s + 8 * 3_600 + 1), 20_013),
        (token(1, ACCOUNT, now_s + 60).replacen(':', ":0", 1), 20_013),
    ] {
        assert_eq!(code(&lighter.get_with(&path, &token).await), expected, "{token}");
    }
    let token = token(1, ACCOUNT, now_s + 60);
    assert_eq!(code(&lighter.get(&format!("{path}&auth={token}")).await), 200);
}

#[tokio::test]
async fn keys_accounts_and_markets_are_public() {
    let lighter = Lighter::new();
    let keys = async |slot: u8| {
        let path = format!("apikeys?account_index={ACCOUNT}&api_key_index={slot}");
        lighter.get(&path).await.json()["api_keys"].clone()
    };
    let public = key(1).public_key().to_string();
    assert_eq!(keys(SLOT).await[0]["public_key"], public);
    assert_eq!(keys(255).await.as_array().unwrap().len(), 1);
    assert_eq!(keys(9).await[0]["public_key"], "0".repeat(80));
    assert!(!lighter.exchange.set_key(ACCOUNT, 255, &public));
    assert!(!lighter.exchange.set_key(ACCOUNT, 9, &"0".repeat(80)));
    let owned = lighter.get(&format!("accountsByL1Address?l1_address={:#x}", owner())).await.json();
    assert_eq!(owned["sub_accounts"][0]["index"], ACCOUNT);
    let unknown = format!("accountsByL1Address?l1_address=0x{}", "9".repeat(40));
    assert_eq!(code(&lighter.get(&unknown).await), 21_100);
    assert_eq!(code(&lighter.get("account?by=index&value=1").await), 29_404);
    let books = lighter.get("orderBooks").await.json();
    for book in books["order_books"].as_array().unwrap() {
        let places = ["supported_size_decimals", "supported_price_decimals"];
        let places: u64 = places.iter().map(|name| book[*name].as_u64().unwrap()).sum();
        assert_eq!(places, 6, "{book}");
    }
    let details = lighter.get(&format!("orderBookDetails?market_id={BTC}")).await.json();
    assert_eq!(details["order_book_details"][0]["min_initial_margin_fraction"], 250);
    assert_eq!(details["order_book_details"][0]["last_trade_price"], 60_000);
    let book = lighter.get(&format!("orderBookOrders?market_id={BTC}&limit=1")).await.json();
    assert_eq!(
        (&book["bids"][0]["price"], &book["asks"][0]["price"]),
        (&json!("59970.00"), &json!("60030.00"))
    );
}

#[tokio::test]
async fn restart_keeps_keys_nonces_transactions_and_orders() {
    let before = Lighter::new();
    before.execute(Action::CreateOrder(limit(1, false, 100, 5_000_000))).await;
    let (kind, info, hash) = before
        .sign(&before.transaction(Action::CreateOrder(market(2, false, 50, 6_100_000))), &key(1));
    assert_eq!(code(&before.send(kind, &info).await), 200);
    let mut after = Lighter::new();
    after.exchange = Exchange::new(Network::Mainnet, after.clock.reader());
    after.exchange.restore(&before.exchange.snapshot().unwrap()).unwrap();
    after.exchange.restore_market(&before.exchange.take_changes()).unwrap();
    assert_eq!(code(&after.send(kind, &info).await), 21_104);
    assert_eq!(after.tx(&hash).await["status"], 2);
    assert_eq!(after.status(1).await, "open");
    assert_eq!(after.exchange.position_of(ACCOUNT, "BTC"), "0.005");
    assert_eq!(after.exchange.executions(ACCOUNT), before.exchange.executions(ACCOUNT));
}

#[tokio::test]
async fn person_adds_a_key_and_steers_over_http() {
    let lighter = Lighter::new();
    let post = async |path: &str, body: serde_json::Value| {
        let request = http::Request::post(path).header("host", "localhost");
        let request = request.header("content-type", "application/json");
        let request = request.body(axum::body::Body::from(body.to_string())).unwrap();
        tower::ServiceExt::oneshot(lighter.exchange.router(), request).await.unwrap().status()
    };
    let public = key(3).public_key().to_string();
    let mut body = json!({"account": 55, "l1Address": format!("0x{}", "5".repeat(40)), "slot": 4, "publicKey": public});
    assert_eq!(post("/_sim/key", body.clone()).await, 200);
    let listed = lighter.get("apikeys?account_index=55&api_key_index=4").await.json();
    assert_eq!(listed["api_keys"][0]["public_key"], public);
    body["publicKey"] = json!("12");
    assert_eq!(post("/_sim/key", body).await, 400);
    assert_eq!(post("/_sim/rule", json!({"rule": "region", "value": "restricted"})).await, 200);
    assert_eq!(code(&lighter.get("orderBooks").await), 20_558);
    let foreign = send(lighter.exchange.router(), "POST", "/_sim/key", None).await;
    assert_eq!(foreign.status, 403);
}
