use super::*;
use crate::exchanges::hyperliquid::trade::action::Cloid;
use crate::trading::order::{OrderStatus, Side};

const CLOID: &str = "0x1234567890abcdef1234567890abcdef";

/// A response of the info endpoint document.
fn sample(tid: u64, time: u64) -> Value {
    json!({
        "closedPnl": "-4.5", "coin": "AVAX", "crossed": false, "dir": "Open Long",
        "hash": "0xa166e3fa63c25663024b03f2e0da011a00307e4017465df020210d3d432e7cb8",
        "oid": 90_542_681, "px": "18.435", "side": "B", "startPosition": "26.86", "sz": "93.53",
        "time": time, "fee": "-0.01", "feeToken": "USDC", "builderFee": "0.02", "tid": tid,
        "cloid": CLOID, "twapId": null, "liquidation": null,
    })
}

fn page(fills_body: &Value, from_ms: u64) -> FillPage {
    fills(&Answer::new(200, fills_body.to_string()), from_ms).unwrap()
}

#[test]
fn fill_is_read_exactly() {
    let body = json!([sample(118_906_512_037_719, 1_681_222_254_710)]);
    let page = page(&body, 0);
    let expected = Fill {
        id: 118_906_512_037_719,
        order_id: "90542681".to_owned(),
        client_id: Some(CLOID.to_owned()),
        symbol: "AVAX".to_owned(),
        side: Side::Buy,
        position_side: PositionSide::Both,
        price: Decimal::parse("18.435").unwrap(),
        quantity: Decimal::parse("93.53").unwrap(),
        fee: Signed::parse("-0.01").unwrap(),
        fee_asset: "USDC".to_owned(),
        builder_fee: Some(Decimal::parse("0.02").unwrap()),
        realized_pnl: Signed::parse("-4.5").unwrap(),
        is_maker: true,
        is_liquidation: false,
        at_ms: 1_681_222_254_710,
    };
    assert_eq!(page, FillPage { fills: vec![expected], next_ms: None });
    assert!(Cloid::parse(CLOID).is_some());
}

#[test]
fn liquidation_is_marked() {
    let mut body = json!([sample(1, 1)]);
    body[0]["liquidation"] = json!({ "liquidatedUser": "0x", "markPx": "1.0", "method": "market" });
    assert!(page(&body, 0).fills[0].is_liquidation);
}

#[test]
fn page_is_sorted() {
    let body = json!([sample(3, 20), sample(9, 10), sample(2, 20), sample(7, 20)]);
    let page = page(&body, 10);
    let ids: Vec<_> = page.fills.iter().map(|fill| fill.id).collect();
    assert_eq!((ids, page.next_ms), (vec![9, 2, 3, 7], None));
    let earlier = fills(&Answer::new(200, body.to_string()), 11);
    assert!(earlier.is_err(), "an execution of before");
}

/// Ids do not increase with time, so a page that ends within a millisecond cannot be continued by
/// an id.
#[test]
fn full_page_ends_with_a_whole_millisecond() {
    let many = |time: &dyn Fn(u64) -> u64| -> Value {
        let ids = 0..u64::try_from(MAX_FILLS).unwrap();
        ids.map(|id| sample(10_000 - id, time(id))).collect()
    };
    let full = page(&many(&|id| 10 + id / 100), 10);
    assert_eq!((full.fills.len(), full.next_ms), (1_900, Some(29)));
    assert!(full.fills.iter().all(|fill| fill.at_ms < 29));
    // All of one millisecond: the next page starts after it, instead of repeating it.
    let same = page(&many(&|_| 10), 10);
    assert_eq!((same.fills.len(), same.next_ms), (2_000, Some(11)));
}

#[test]
fn unreadable_fill_fails_the_page() {
    for (field, value) in [
        ("px", json!("-1")),
        ("sz", json!(1)),
        ("side", json!("X")),
        ("tid", json!("1")),
        ("fee", json!("?")),
        ("closedPnl", Value::Null),
        ("builderFee", json!("x")),
    ] {
        let mut body = json!([sample(1, 1), sample(2, 2)]);
        body[1][field] = value;
        let read = fills(&Answer::new(200, body.to_string()), 0);
        assert!(read.is_err(), "{field}");
    }
    for (status, body) in [(200, "{}"), (200, "null"), (500, "[]")] {
        assert!(fills(&Answer::new(status, body), 0).is_err());
        assert!(orders(&Answer::new(status, body)).is_err());
    }
}

fn tracked(oid: u64, timestamp: u64, word: &str) -> Value {
    json!({
        "order": {
            "coin": "ETH", "side": "A", "limitPx": "2412.7", "sz": "0.0", "oid": oid,
            "timestamp": timestamp, "triggerCondition": "N/A", "isTrigger": false,
            "triggerPx": "0.0", "children": [], "isPositionTpsl": false, "reduceOnly": true,
            "orderType": "Market", "origSz": "0.0076", "tif": "FrontendMarket", "cloid": null,
        },
        "status": word, "statusTimestamp": timestamp,
    })
}

#[test]
fn historical_orders_are_the_newest_first() {
    let body =
        json!([tracked(1, 10, "filled"), tracked(3, 30, "marginCanceled"), tracked(2, 20, "x")]);
    let orders = orders(&Answer::new(200, body.to_string())).unwrap();
    let seen: Vec<_> = orders.iter().map(|order| (order.order_id.as_str(), order.status)).collect();
    let expected =
        [("3", OrderStatus::Canceled), ("2", OrderStatus::Unknown), ("1", OrderStatus::Filled)];
    assert_eq!(seen, expected);
    assert_eq!(orders[0].exchange_status, "marginCanceled");
}

#[test]
fn question_has_the_start_and_the_wallet() {
    let wallet: Address = "0xe58B8D324dfbaC31E4c344a92100C75d7f9a2d81".parse().unwrap();
    let user = wallet.to_lower_hex();
    let parsed = |question: &Question| serde_json::from_str::<Value>(&question.body).unwrap();
    let expected = json!({ "type": "userFillsByTime", "user": user, "startTime": 7 });
    assert_eq!(parsed(&Question::fills(wallet, 7)), expected);
    let expected = json!({ "type": "historicalOrders", "user": user });
    assert_eq!(parsed(&Question::historical_orders(wallet)), expected);
}
