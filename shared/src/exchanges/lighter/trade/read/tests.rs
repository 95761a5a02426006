use serde_json::json;

use super::*;
use crate::exchanges::http::Answer;

fn markets() -> Markets {
    let body = json!({
        "code": 200,
        "order_book_details": [{
            "symbol": "BTC", "market_id": 1, "market_type": "perp", "status": "active",
            "supported_size_decimals": 5, "supported_price_decimals": 1,
            "min_base_amount": "0.00007", "min_quote_amount": "10",
        }],
    });
    Markets::parse(&Answer::new(200, body.to_string())).unwrap()
}

fn stated() -> Value {
    json!({
        "order_index": 281_474_976_710_700_u64, "client_order_index": 77, "order_id": "281474976710700",
        "market_index": 1, "initial_base_amount": "0.00500", "remaining_base_amount": "0.00300",
        "filled_base_amount": "0.00200", "filled_quote_amount": "128.001000", "price": "64001.0",
        "is_ask": false, "type": "limit", "time_in_force": "good-till-time", "reduce_only": false,
        "trigger_price": "0.0", "status": "open", "updated_at": 1_795_902_789,
    })
}

#[test]
fn order_is_read_with_its_fills() {
    let read = order(&stated(), &markets()).unwrap();
    assert_eq!(
        (read.order_id.as_str(), read.client_id.as_deref()),
        ("281474976710700", Some("77"))
    );
    assert_eq!((read.symbol.as_str(), read.side), ("BTC", Side::Buy));
    assert_eq!(read.status, OrderStatus::PartiallyFilled);
    assert_eq!(read.average_price, Decimal::parse("64000.5").ok());
    assert_eq!((read.trigger_price, read.at_ms), (None, 1_795_902_789_000));
    assert_eq!(
        (read.order_type, read.time_in_force),
        (Some(OrderType::Limit), Some(TimeInForce::Gtc))
    );
}

#[test]
fn order_of_an_unknown_market_is_not_read() {
    let mut value = stated();
    value["market_index"] = 9.into();
    assert_eq!(order(&value, &markets()), None);
}

#[test]
fn word_of_a_cancellation_states_a_refusal() {
    for (word, rejection) in [
        ("canceled", None),
        ("canceled-expired", None),
        ("canceled-oco", None),
        ("canceled-post-only", Some(TradeCode::WouldCross)),
        ("canceled-margin-not-allowed", Some(TradeCode::InsufficientFunds)),
        ("canceled-too-much-slippage", Some(TradeCode::NoLiquidity)),
    ] {
        let mut value = stated();
        value["status"] = word.into();
        let read = order(&value, &markets()).unwrap();
        assert_eq!((read.status, read.rejection), (OrderStatus::Canceled, rejection), "{word}");
    }
    assert_eq!(status("executed", false), OrderStatus::Unknown);
}

#[test]
fn transaction_is_executed_pending_or_failed() {
    assert_eq!(executed(&json!({ "status": 1 })), Some(Executed::Pending));
    for status in [2, 3] {
        assert_eq!(executed(&json!({ "status": status })), Some(Executed::Done));
    }
    assert_eq!(executed(&json!({ "status": 9 })), None);
    assert_eq!(executed(&json!({})), None);
}

#[test]
fn reason_of_a_failed_transaction_is_read_in_each_form() {
    let of = |event: Value| match executed(&json!({ "status": 0, "event_info": event.to_string() }))
    {
        Some(Executed::Failed(refusal)) => (refusal.code, refusal.text),
        other => panic!("{other:?}"),
    };
    let error = json!({ "code": 21739, "message": "not enough order margin" });
    let expected = (TradeCode::InsufficientFunds, "not enough order margin".to_owned());
    assert_eq!(of(json!({ "ae": error.to_string() })), expected);
    assert_eq!(of(json!({ "ae": error })), expected);
    assert_eq!(
        of(json!({ "ae": "bad price" })),
        (TradeCode::OrderRejected, "bad price".to_owned())
    );
    assert_eq!(of(json!({})), (TradeCode::OrderRejected, "execution failed".to_owned()));
}

#[test]
fn newest_order_of_a_client_id_is_open_or_last() {
    let of = |index: u64, client: u64, status: &str| {
        let mut value = stated();
        value["order_index"] = index.into();
        value["client_order_index"] = client.into();
        value["status"] = status.into();
        order(&value, &markets()).unwrap()
    };
    let found = |orders: Vec<ExchangeOrder>| newest(orders, "77").map(|order| order.order_id);
    let (older, newer) = (of(1_000, 77, "canceled"), of(2_000, 77, "filled"));
    assert_eq!(found(vec![older.clone(), newer.clone()]).as_deref(), Some("2000"));
    assert_eq!(found(vec![newer.clone(), older]).as_deref(), Some("2000"));
    assert_eq!(found(vec![of(1_500, 77, "open"), newer]).as_deref(), Some("1500"));
    assert_eq!(found(vec![of(3_000, 78, "open")]), None);
}
