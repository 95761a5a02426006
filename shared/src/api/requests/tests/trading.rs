//! Tests of requests for orders and trading policies.

use domain::ids::Exchange;
use http::{HeaderMap, Uri};
use serde_json::{Value, json};

use crate::api::body::JsonBody;
use crate::api::error::ApiError;
use crate::api::requests::{ModifyOrder, PlaceOrderRequest, SetTradingPolicy, orders_in_query};

const BOTH: [Exchange; 2] = [Exchange::Hyperliquid, Exchange::Aster];

fn headers(wallet: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(wallet) = wallet {
        headers.insert("x-wallet-id", wallet.parse().unwrap());
    }
    headers
}

fn body(value: &Value) -> JsonBody {
    JsonBody::parse(&HeaderMap::new(), value.to_string().as_bytes()).unwrap()
}

fn place(exchange: Exchange, value: &Value) -> Result<PlaceOrderRequest, ApiError> {
    PlaceOrderRequest::read(exchange, &headers(Some("user_1")), &Uri::default(), &body(value))
}

/// The published sample of the contract, with a change.
fn sample(change: &Value) -> Value {
    let mut order = json!({
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "MARKET",
        "quantity": "0.001",
        "positionSide": "BOTH",
    });
    for (name, value) in change.as_object().unwrap() {
        order[name] = value.clone();
    }
    order
}

#[test]
fn published_sample_is_accepted() {
    for exchange in BOTH {
        let request = place(exchange, &sample(&json!({}))).unwrap();
        assert_eq!((request.orders.len(), request.is_batch), (1, false));
        let published = json!({
            "credentials": {"aster": {"apiKey": "k"}},
            "broker": 1000,
            "preferredExchange": "aster",
            "workingType": "MARK_PRICE",
        });
        let same = place(exchange, &sample(&published)).unwrap();
        assert_eq!(same.orders, request.orders);
    }
}

#[test]
fn every_field_of_an_order_is_read() {
    let limit = json!({
        "type": "STOP_LIMIT",
        "price": "49850.00",
        "triggerPrice": "49900",
        "stopPrice": "49900.0",
        "timeInForce": "GTC",
        "reduceOnly": true,
        "clientOrderId": "bot-17",
        "takeProfit": null,
    });
    let request = place(Exchange::Hyperliquid, &sample(&limit)).unwrap();
    let [order] = request.orders.as_slice() else { panic!() };
    assert_eq!(order.client_order_id, Some("bot-17".parse().unwrap()));
    assert_eq!(order.request.price.as_ref().unwrap().text(), "49850.00");
    assert!(order.request.reduce_only);
    let attached = json!({
        "slippage": "0.01",
        "takeProfit": {"triggerPrice": "60000"},
        "stopLoss": {"triggerPrice": "40000", "price": "39900"},
    });
    let request = place(Exchange::Hyperliquid, &sample(&attached)).unwrap();
    let order = &request.orders[0].request;
    assert!(order.take_profit.as_ref().unwrap().price.is_none());
    assert_eq!(order.stop_loss.as_ref().unwrap().price.as_ref().unwrap().text(), "39900");
    assert_eq!(order.slippage.as_ref().unwrap().text(), "0.01");
}

#[test]
fn invalid_order_names_its_field() {
    let deep = json!({"triggerPrice": "1", "other": "1"});
    for (change, error) in [
        (json!({"symbol": null}), "Missing required parameter: symbol"),
        (json!({"symbol": 1}), "symbol must be a string"),
        (json!({"symbol": "a b"}), "symbol must have 1 to 40 characters"),
        (json!({"side": "LONG"}), "side must be BUY or SELL"),
        (json!({"type": ""}), "Missing required parameter: type"),
        (json!({"type": "ICEBERG"}), "type must be MARKET, LIMIT"),
        (json!({"quantity": 0.001}), "quantity must be a string"),
        (json!({"quantity": "1e5"}), "quantity must be a decimal number"),
        (json!({"quantity": "-1"}), "quantity must be a decimal number"),
        (json!({"quantity": "0"}), "quantity must be above 0"),
        (json!({"price": "1"}), "price is for LIMIT and STOP_LIMIT only"),
        (json!({"type": "LIMIT"}), "Missing required parameter: price"),
        (json!({"type": "LIMIT", "price": "0"}), "price must be above 0"),
        (json!({"triggerPrice": "1"}), "triggerPrice is for STOP_MARKET"),
        (json!({"type": "STOP_MARKET"}), "Missing required parameter: triggerPrice"),
        (
            json!({"type": "STOP_MARKET", "triggerPrice": "1", "stopPrice": "2"}),
            "stopPrice must equal triggerPrice",
        ),
        (json!({"timeInForce": "GTC"}), "timeInForce is for LIMIT and STOP_LIMIT only"),
        (json!({"type": "LIMIT", "price": "1", "timeInForce": "GTD"}), "timeInForce must be GTC"),
        (json!({"reduceOnly": "yes"}), "reduceOnly must be true or false"),
        (json!({"positionSide": "NET"}), "positionSide must be BOTH, LONG or SHORT"),
        (
            json!({"positionSide": "LONG", "reduceOnly": true}),
            "reduceOnly contradicts positionSide",
        ),
        (json!({"clientOrderId": "12345"}), "clientOrderId must be 1 to 36 characters"),
        (json!({"clientOrderId": "a".repeat(37)}), "clientOrderId must be 1 to 36 characters"),
        (json!({"takeProfit": "1"}), "takeProfit must be an object"),
        (json!({"takeProfit": {}}), "Missing required parameter: takeProfit.triggerPrice"),
        (json!({"takeProfit": {"triggerPrice": 1}}), "takeProfit.triggerPrice must be a string"),
        (json!({"takeProfit": deep}), "Unknown field: takeProfit.other"),
        (json!({"slippage": "1"}), "slippage must be below 1"),
        (json!({"qty": "1"}), "Unknown field: qty"),
    ] {
        for exchange in BOTH {
            let refused = place(exchange, &sample(&change)).unwrap_err();
            assert_eq!(refused.status, 400, "{change}");
            assert!(refused.error.starts_with(error), "{change}: {}", refused.error);
        }
    }
}

#[test]
fn feature_of_another_exchange_returns_422() {
    let attached = json!({"takeProfit": {"triggerPrice": "60000"}});
    let limit = json!({"type": "LIMIT", "price": "1", "timeInForce": "FOK"});
    for (exchange, change, error) in [
        (Exchange::Aster, attached, "Aster does not offer takeProfit and stopLoss on an order"),
        (Exchange::Aster, json!({"slippage": "0.01"}), "Aster does not offer slippage"),
        (Exchange::Hyperliquid, limit, "Hyperliquid does not offer timeInForce FOK"),
        (
            Exchange::Hyperliquid,
            json!({"positionSide": "LONG"}),
            "Hyperliquid does not offer positionSide LONG and SHORT",
        ),
    ] {
        let refused = place(exchange, &sample(&change)).unwrap_err();
        assert_eq!((refused.status, refused.code), (422, "NOT_OFFERED_BY_EXCHANGE"));
        assert_eq!(refused.error, error);
        assert!(refused.message.ends_with('.'), "{}", refused.message);
    }
}

#[test]
fn batch_errors_name_the_order() {
    let order = |change: Value| sample(&change);
    let same = order(json!({"clientOrderId": "bot-17"}));
    let many = vec![order(json!({})); 21];
    for (orders, error) in [
        (json!(null), "Missing required parameter: orders"),
        (json!([]), "orders must have 1 to"),
        (json!(many), "orders must have 1 to"),
        (json!("a"), "orders must be a list of objects"),
        (json!([1]), "orders must be a list of objects"),
        (
            json!([order(json!({})), {"symbol": "BTC"}]),
            "Missing required parameter: orders[1].type",
        ),
        (json!([order(json!({"price": 1}))]), "orders[0].price must be a string"),
        (json!([order(json!({"quantity": "0"}))]), "orders[0].quantity must be above 0"),
        (json!([order(json!({"walletId": "a"}))]), "Unknown field: orders[0].walletId"),
        (json!([same, same]), "clientOrderId must differ for each order of a batch"),
    ] {
        for exchange in BOTH {
            let refused = place(exchange, &json!({ "orders": orders })).unwrap_err();
            assert_eq!(refused.status, 400, "{orders}");
            assert!(refused.error.starts_with(error), "{orders}: {}", refused.error);
        }
    }
    let mixed = json!({ "orders": [order(json!({}))], "symbol": "BTC" });
    let refused = place(Exchange::Aster, &mixed).unwrap_err();
    assert_eq!(refused.error, "Unknown field: symbol");
    let most = |count: usize| json!({ "orders": vec![order(json!({})); count] });
    assert!(place(Exchange::Hyperliquid, &most(20)).unwrap().is_batch);
    assert_eq!(place(Exchange::Aster, &most(5)).unwrap().orders.len(), 5);
    assert!(place(Exchange::Aster, &most(6)).is_err());
}

#[test]
fn wallet_is_named_in_header_query_or_body() {
    let read = |wallet: Option<&str>, uri: &str, named: Value| {
        let uri = uri.parse().unwrap();
        let body = body(&sample(&named));
        PlaceOrderRequest::read(Exchange::Aster, &headers(wallet), &uri, &body)
    };
    assert!(read(Some("user_1"), "/", json!({})).is_ok());
    assert!(read(None, "/?walletIdOrAddress=user_1", json!({})).is_ok());
    assert!(read(None, "/?walletId=29dd4dc0-1ff9-4df6-a19f-936f997cbc5a", json!({})).is_ok());
    for name in ["walletIdOrAddress", "userId", "walletId", "address"] {
        assert!(read(None, "/", json!({ name: "user_1" })).is_ok(), "{name}");
    }
    let none = read(None, "/", json!({})).unwrap_err();
    assert_eq!(none.error, "Missing required parameter: walletIdOrAddress");
    assert!(none.message.contains("x-wallet-id"), "{}", none.message);
    let wrong = read(Some("a b"), "/", json!({})).unwrap_err();
    assert_eq!((wrong.status, wrong.code), (400, "BAD_REQUEST"));
    assert!(wrong.error.contains("x-wallet-id"), "{}", wrong.error);
    let mut twice = headers(Some("user_1"));
    twice.append("x-wallet-id", "user_1".parse().unwrap());
    let twice = orders_in_query(&twice, &Uri::default()).unwrap_err();
    assert_eq!(twice.error, "x-wallet-id must be given once");
}

#[test]
fn modify_requires_price_and_quantity() {
    let read = |value: Value| {
        ModifyOrder::read(&headers(Some("user_1")), &Uri::default(), &body(&value))
            .map_err(|error| error.error.into_owned())
    };
    let good = read(json!({"price": "49850.00", "quantity": "1", "symbol": "BTC"})).unwrap();
    assert_eq!((good.price.text(), good.quantity.text()), ("49850.00", "1"));
    for (value, error) in [
        (json!({"price": "1"}), "Missing required parameter: quantity"),
        (json!({"quantity": "1"}), "Missing required parameter: price"),
        (json!({"price": "0", "quantity": "1"}), "price must be above 0"),
        (json!({"price": "1", "quantity": 1}), "quantity must be a string"),
        (
            json!({"price": "1", "quantity": "1", "symbol": ""}),
            "Missing required parameter: symbol",
        ),
        (json!({"price": "1", "quantity": "1", "side": "BUY"}), "Unknown field: side"),
    ] {
        assert_eq!(read(value).unwrap_err(), error);
    }
}

#[test]
fn policy_request_names_its_field() {
    let read = |value: Value| {
        let uri = Uri::default();
        SetTradingPolicy::read(&HeaderMap::new(), &uri, &body(&value))
    };
    let (names, fields) = read(json!({
        "symbols": ["BTC", "ETH"],
        "maxOrderNotional": "1000.50",
        "maxPositionNotional": null,
        "maxLeverage": 10,
        "ordersPerMinute": 0,
        "reduceOnly": false,
        "maxSlippage": "0.01",
        "builders": ["0x8c967e73e7b15087c42a10d344cff4c96d877f1d"],
        "maxBuilderFee": 0,
    }))
    .unwrap()
    .fields();
    assert!(names.is_none() && fields.max_position_notional.is_none());
    assert_eq!((fields.orders_per_minute, fields.reduce_only), (Some(0), Some(false)));
    assert_eq!(fields.max_order_notional.unwrap().text(), "1000.5");
    let builders: Vec<_> = fields.builders.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(builders, ["0x8c967E73E7B15087c42A10D344cFf4c96D877f1D"]);
    assert_eq!(fields.max_builder_fee, Some(0));
    for (value, error) in [
        (json!({"maxOrderNotional": 1}), "maxOrderNotional must be a string"),
        (json!({"maxOrderNotional": "1e3"}), "maxOrderNotional must be a decimal number"),
        (json!({"maxSlippage": "1"}), "maxSlippage must be below 1"),
        (json!({"maxLeverage": 0}), "maxLeverage must be a whole number from 1 to 1000"),
        (json!({"ordersPerMinute": "1"}), "ordersPerMinute must be a whole number from 0"),
        (json!({"symbols": vec!["BTC"; 101]}), "symbols must have at most 100 entries"),
        (json!({"symbols": [""]}), "symbols must have entries of 1 to 40 characters"),
        (json!({"reduceOnly": 1}), "reduceOnly must be true or false"),
        (json!({"builders": ["0x1"]}), "builders must have addresses: 0x and 40 hex digits"),
        (json!({"builders": vec!["0x1"; 11]}), "builders must have at most 10 entries"),
        (json!({"maxBuilderFee": 101}), "maxBuilderFee must be a whole number from 0 to 100"),
        (json!({"maxOrder": "1"}), "Unknown field: maxOrder"),
    ] {
        let refused = read(value).unwrap_err();
        assert!(refused.error.starts_with(error), "{}", refused.error);
        assert_eq!(refused.status, 400);
    }
}
