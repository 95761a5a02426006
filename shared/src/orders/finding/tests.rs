use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::trading::order::{Side, TimeInForce};

fn record() -> OrderRecord {
    serde_json::from_value(json!({
        "schema": 1, "exchange": "hyperliquid", "walletId": Uuid::nil(),
        "clientOrderId": "a", "fingerprint": "00", "unit": "00", "generation": 0,
        "revision": Uuid::nil(), "state": "unknown",
        "request": {
            "symbol": "BTC", "side": "BUY", "type": "LIMIT", "quantity": "0.010",
            "price": "60000", "timeInForce": "GTC", "reduceOnly": false,
        },
        "symbol": { "name": "BTC", "asset": 3, "dex": "" },
        "createdAtMs": 1, "leaseUntilMs": 1,
    }))
    .unwrap()
}

fn order() -> ExchangeOrder {
    ExchangeOrder {
        order_id: "7".to_owned(),
        client_id: Some("0x48".to_owned()),
        symbol: "BTC".to_owned(),
        side: Side::Buy,
        order_type: Some(OrderType::Limit),
        exchange_type: "Limit".to_owned(),
        time_in_force: Some(TimeInForce::Gtc),
        reduce_only: false,
        position_side: PositionSide::Both,
        status: OrderStatus::Open,
        exchange_status: "open".to_owned(),
        rejection: None,
        price: Decimal::parse("60000").unwrap(),
        trigger_price: None,
        quantity: Decimal::parse("0.01").unwrap(),
        filled: Decimal::ZERO,
        average_price: None,
        at_ms: 1,
        children: Vec::new(),
    }
}

fn differs(record: &OrderRecord, order: &ExchangeOrder) -> Option<&'static str> {
    match ensure_own(record, record.request.quantity.value(), order) {
        Err(FindFault::OtherOrder { what, .. }) => Some(what),
        _ => None,
    }
}

#[test]
fn order_with_another_property_is_another_order() {
    let record = record();
    assert_eq!(differs(&record, &order()), None);
    let quantity = Decimal::parse("0.02").unwrap();
    let less = Decimal::parse("0.005").unwrap();
    for (what, other) in [
        ("market", ExchangeOrder { symbol: "ETH".to_owned(), ..order() }),
        ("side", ExchangeOrder { side: Side::Sell, ..order() }),
        ("position side", ExchangeOrder { position_side: PositionSide::Long, ..order() }),
        ("reduce-only flag", ExchangeOrder { reduce_only: true, ..order() }),
        ("quantity", ExchangeOrder { quantity, ..order() }),
        ("quantity", ExchangeOrder { quantity: less, ..order() }),
    ] {
        assert_eq!(differs(&record, &other), Some(what));
    }
}

#[test]
fn order_that_reduces_may_have_less_than_its_quantity() {
    let mut record = record();
    record.request.reduce_only = true;
    let capped = Decimal::parse("0.005").unwrap();
    let order = ExchangeOrder { reduce_only: true, quantity: capped, ..order() };
    assert_eq!(differs(&record, &order), None);
    let more = Decimal::parse("0.02").unwrap();
    assert_eq!(differs(&record, &ExchangeOrder { quantity: more, ..order }), Some("quantity"));
}
