use domain::ids::Exchange;
use proptest::prelude::*;

use super::fields::{AttachedFields, ChangeFields, OrderFault, OrderFields, check_batch};
use super::*;
use crate::trading::ids::ClientOrderId;

const MARKET: OrderFields<'_> = OrderFields {
    symbol: Some("BTCUSDT"),
    side: Some("BUY"),
    order_type: Some("MARKET"),
    quantity: Some("0.001"),
    price: None,
    trigger_price: None,
    stop_price: None,
    time_in_force: None,
    reduce_only: false,
    position_side: Some("BOTH"),
    take_profit: None,
    stop_loss: None,
    slippage: None,
};

const LIMIT: OrderFields<'_> =
    OrderFields { order_type: Some("LIMIT"), price: Some("60000"), ..MARKET };

const STOP_LIMIT: OrderFields<'_> =
    OrderFields { order_type: Some("STOP_LIMIT"), trigger_price: Some("59000"), ..LIMIT };

fn on_aster(fields: OrderFields<'_>) -> Result<OrderRequest, OrderFault> {
    fields.check(Exchange::Aster)
}

fn on_hyperliquid(fields: OrderFields<'_>) -> Result<OrderRequest, OrderFault> {
    fields.check(Exchange::Hyperliquid)
}

/// Returns the field that a request was refused for on every exchange.
fn field(fields: OrderFields<'_>) -> &'static str {
    let [aster, hyperliquid] = Exchange::ALL.map(|exchange| fields.check(exchange).unwrap_err());
    assert_eq!(aster, hyperliquid);
    match aster {
        OrderFault::Missing(field) | OrderFault::Invalid { field, .. } => field,
        OrderFault::NotOffered { what, .. } => panic!("{what}"),
    }
}

#[test]
fn published_sample_is_accepted() {
    for exchange in Exchange::ALL {
        let order = MARKET.check(exchange).unwrap();
        assert_eq!((order.side, order.order_type), (Side::Buy, OrderType::Market));
        assert_eq!((order.quantity.text(), order.time_in_force), ("0.001", None));
    }
}

#[test]
fn missing_field_is_named() {
    for (fields, name) in [
        (OrderFields { symbol: None, ..MARKET }, "symbol"),
        (OrderFields { symbol: Some(""), ..MARKET }, "symbol"),
        (OrderFields { side: None, ..MARKET }, "side"),
        (OrderFields { order_type: None, ..MARKET }, "type"),
        (OrderFields { quantity: None, ..MARKET }, "quantity"),
        (OrderFields { price: None, ..LIMIT }, "price"),
        (OrderFields { trigger_price: None, ..STOP_LIMIT }, "triggerPrice"),
    ] {
        assert_eq!(fields.check(Exchange::Aster), Err(OrderFault::Missing(name)));
        assert_eq!(field(fields), name);
    }
}

#[test]
fn field_of_another_type_is_refused() {
    let long = "B".repeat(41);
    let attached = AttachedFields { trigger_price: Some("0"), price: None };
    for (fields, name) in [
        (OrderFields { symbol: Some("BTC USDT"), ..MARKET }, "symbol"),
        (OrderFields { symbol: Some("BTC\u{a0}"), ..MARKET }, "symbol"),
        (OrderFields { symbol: Some(&long), ..MARKET }, "symbol"),
        (OrderFields { side: Some("buy"), ..MARKET }, "side"),
        (OrderFields { order_type: Some("TRAILING_STOP_MARKET"), ..MARKET }, "type"),
        (OrderFields { price: Some("1"), ..MARKET }, "price"),
        (OrderFields { price: Some("0.0"), ..LIMIT }, "price"),
        (OrderFields { trigger_price: Some("1"), ..LIMIT }, "triggerPrice"),
        (OrderFields { stop_price: Some("1"), ..MARKET }, "triggerPrice"),
        (OrderFields { stop_price: Some("59001"), ..STOP_LIMIT }, "stopPrice"),
        (OrderFields { time_in_force: Some("GTC"), ..MARKET }, "timeInForce"),
        (OrderFields { time_in_force: Some("GTX"), ..LIMIT }, "timeInForce"),
        (OrderFields { position_side: Some("both"), ..MARKET }, "positionSide"),
        (OrderFields { slippage: Some("0.01"), ..LIMIT }, "slippage"),
        (OrderFields { slippage: Some("1"), ..MARKET }, "slippage"),
        (OrderFields { quantity: Some("0"), ..MARKET }, "quantity"),
        (OrderFields { take_profit: Some(attached), ..LIMIT }, "takeProfit.triggerPrice"),
        (OrderFields { position_side: Some("LONG"), reduce_only: true, ..MARKET }, "reduceOnly"),
    ] {
        assert_eq!(field(fields), name, "{fields:?}");
    }
    for number in ["1e5", "-1", "+1", " 1", "1 ", "1.", ".5", "NaN", "１", "0x1", "1,5", ""] {
        let fields = OrderFields { quantity: Some(number), ..MARKET };
        assert_eq!(field(fields), "quantity", "{number}");
    }
    let long = "9".repeat(1_000_000);
    assert_eq!(field(OrderFields { quantity: Some(&long), ..MARKET }), "quantity");
}

#[test]
fn stop_price_is_another_name_of_trigger_price() {
    let stop = OrderFields {
        order_type: Some("STOP_MARKET"),
        trigger_price: None,
        stop_price: Some("59000.0"),
        price: None,
        ..LIMIT
    };
    let order = on_aster(stop).unwrap();
    assert_eq!(order.trigger_price.unwrap().text(), "59000.0");
    let both = OrderFields { stop_price: Some("59000.00"), ..STOP_LIMIT };
    assert_eq!(on_aster(both).unwrap().trigger_price.unwrap().text(), "59000");
}

#[test]
fn limit_order_defaults_to_gtc() {
    let given = OrderFields { time_in_force: Some("GTC"), ..LIMIT };
    for fields in [LIMIT, given, STOP_LIMIT] {
        assert_eq!(on_aster(fields).unwrap().time_in_force, Some(TimeInForce::Gtc));
    }
    assert_eq!(on_aster(LIMIT).unwrap().fingerprint(), on_aster(given).unwrap().fingerprint());
}

/// Each feature that only one exchange has.
#[test]
fn feature_that_an_exchange_lacks_is_refused() {
    let attached = Some(AttachedFields { trigger_price: Some("1"), price: None });
    let lacks = |result: Result<OrderRequest, OrderFault>| {
        assert!(matches!(result, Err(OrderFault::NotOffered { .. })), "{result:?}");
    };
    let close = OrderFields { quantity: Some("0"), reduce_only: true, ..MARKET };
    for fields in [
        OrderFields { take_profit: attached, ..LIMIT },
        OrderFields { stop_loss: attached, ..MARKET },
        OrderFields { slippage: Some("0.01"), ..MARKET },
        close,
    ] {
        lacks(on_aster(fields));
        assert!(on_hyperliquid(fields).is_ok(), "{fields:?}");
    }
    for fields in [
        OrderFields { position_side: Some("LONG"), ..MARKET },
        OrderFields { time_in_force: Some("FOK"), ..LIMIT },
        OrderFields { time_in_force: Some("IOC"), ..STOP_LIMIT },
    ] {
        lacks(on_hyperliquid(fields));
        assert!(on_aster(fields).is_ok(), "{fields:?}");
    }
}

#[test]
fn attached_orders_need_an_entry() {
    let attached = Some(AttachedFields { trigger_price: Some("1"), price: Some("2") });
    let order = on_hyperliquid(OrderFields { stop_loss: attached, ..LIMIT }).unwrap();
    assert_eq!(order.stop_loss.unwrap().price.unwrap().text(), "2");
    for fields in [
        OrderFields { stop_loss: attached, ..STOP_LIMIT },
        OrderFields { stop_loss: attached, reduce_only: true, ..LIMIT },
    ] {
        let fault = on_hyperliquid(fields).unwrap_err();
        assert!(matches!(fault, OrderFault::Invalid { field: "stopLoss", .. }), "{fault:?}");
    }
}

#[test]
fn hedge_order_reduces_by_its_direction() {
    for (side, position, reduces) in [
        ("SELL", "LONG", true),
        ("BUY", "SHORT", true),
        ("BUY", "LONG", false),
        ("SELL", "SHORT", false),
        ("SELL", "BOTH", false),
    ] {
        let fields = OrderFields { side: Some(side), position_side: Some(position), ..MARKET };
        assert_eq!(on_aster(fields).unwrap().is_reducing(), reduces, "{side} {position}");
    }
}

#[test]
fn batch_is_bounded_and_its_ids_differ() {
    let order = on_aster(LIMIT).unwrap();
    let of = |count: usize| -> Vec<_> {
        (0..count).map(|n| (format!("o{n}").parse().unwrap(), order.clone())).collect()
    };
    for (exchange, most) in [(Exchange::Aster, 5), (Exchange::Hyperliquid, 20)] {
        assert!(check_batch(exchange, &of(0)).is_err());
        assert!(check_batch(exchange, &of(1)).is_ok());
        assert!(check_batch(exchange, &of(most)).is_ok());
        assert!(check_batch(exchange, &of(most + 1)).is_err());
    }
    let mut twice = of(3);
    twice[2].0 = twice[0].0.clone();
    let fault = check_batch(Exchange::Aster, &twice).unwrap_err();
    assert!(matches!(fault, OrderFault::Invalid { field: "clientOrderId", .. }), "{fault:?}");
    let attached = Some(AttachedFields { trigger_price: Some("1"), price: None });
    let mut pair = of(2);
    pair[1].1 = on_hyperliquid(OrderFields { take_profit: attached, ..LIMIT }).unwrap();
    assert!(check_batch(Exchange::Hyperliquid, &pair).is_err());
    assert!(check_batch(Exchange::Hyperliquid, &pair[1..]).is_ok());
}

#[test]
fn change_requires_price_and_quantity() {
    let both = ChangeFields { price: Some("60001.0"), quantity: Some("0.002") };
    assert_eq!(both.check().unwrap().price.text(), "60001.0");
    for (fields, name) in [
        (ChangeFields { price: None, ..both }, "price"),
        (ChangeFields { quantity: None, ..both }, "quantity"),
    ] {
        assert_eq!(fields.check(), Err(OrderFault::Missing(name)));
    }
    assert!(ChangeFields { quantity: Some("0"), ..both }.check().is_err());
}

#[test]
fn stored_form_is_stable() {
    let stored = serde_json::json!({
        "symbol": "BTC", "side": "BUY", "type": "LIMIT", "quantity": "0.010", "price": "60000",
        "timeInForce": "POST_ONLY", "reduceOnly": false,
    });
    let order: OrderRequest = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(order.quantity.value().text(), "0.01");
    assert_eq!(serde_json::to_value(&order).unwrap(), stored);
    for (order_type, word) in OrderType::ALL.map(|it| (it, it.as_str())) {
        assert_eq!(serde_json::to_value(order_type).unwrap(), word);
    }
    for (value, word) in TimeInForce::ALL.map(|it| (it, it.as_str())) {
        assert_eq!(serde_json::to_value(value).unwrap(), word);
    }
}

#[test]
fn unit_of_one_order_is_its_fingerprint() {
    let order = on_aster(LIMIT).unwrap().fingerprint();
    let id = |text: &str| -> ClientOrderId { text.parse().unwrap() };
    let single = Fingerprint::of_unit(&[(id("a"), order.clone())]);
    assert_eq!((&single, single.as_str().len()), (&order, 64));
    let pair = |first, second| {
        Fingerprint::of_unit(&[(id(first), order.clone()), (id(second), order.clone())])
    };
    assert_ne!(pair("a", "b"), pair("b", "a"));
    assert_ne!(pair("a", "b"), order);
    assert_eq!(pair("a", "b"), pair("a", "b"));
}

fn number() -> impl Strategy<Value = String> {
    "[1-9][0-9]{0,3}(\\.[0-9]{1,3})?"
}

proptest! {
    /// Two orders have the same fingerprint exactly when they are equal in value.
    #[test]
    fn fingerprint_identifies_the_order(
        quantities in [number(), number()],
        prices in [number(), number()],
        sides in [any::<bool>(), any::<bool>()],
        flags in [any::<bool>(), any::<bool>()],
    ) {
        let of = |n: usize| {
            let side = if sides[n] { "BUY" } else { "SELL" };
            let fields = OrderFields {
                side: Some(side),
                quantity: Some(&quantities[n]),
                price: Some(&prices[n]),
                reduce_only: flags[n],
                ..LIMIT
            };
            on_aster(fields).unwrap()
        };
        let (one, other) = (of(0), of(1));
        let values = |order: &OrderRequest| {
            let price = order.price.as_ref().unwrap().value();
            (order.side, order.reduce_only, order.quantity.value(), price)
        };
        let is_equal = values(&one) == values(&other);
        prop_assert_eq!(one.fingerprint() == other.fingerprint(), is_equal);
        let padded = format!("{}{}", quantities[0], if quantities[0].contains('.') { "0" } else { ".0" });
        let mut same = of(0);
        same.quantity = padded.parse().unwrap();
        prop_assert_eq!(same.fingerprint(), one.fingerprint());
    }
}
