use serde_json::json;

use super::*;
use crate::trading::order::{PositionSide, Side};

const WINDOW: Window = Window { from_ms: 10, to_ms: 30 };

/// A row of the futures API V3 document.
fn sample(id: u64, time: u64) -> Value {
    json!({
        "buyer": false, "commission": "-0.07819010", "commissionAsset": "USDT", "id": id,
        "maker": false, "orderId": u64::MAX, "price": "7819.01", "qty": "0.002",
        "quoteQty": "15.63802", "realizedPnl": "-0.91539999", "side": "SELL",
        "positionSide": "SHORT", "symbol": "BTCUSDT", "time": time,
    })
}

fn read(rows: &[Value]) -> Result<Vec<Fill>, AskError> {
    trades(&Answer::new(200, json!(rows).to_string()), "BTCUSDT", WINDOW)
}

#[test]
fn trade_is_read_exactly() {
    let fills = read(&[sample(698_759, 20)]).unwrap();
    let [fill] = fills.as_slice() else { panic!("{fills:?}") };
    assert_eq!((fill.id, fill.order_id.as_str()), (698_759, "18446744073709551615"));
    assert_eq!((fill.side, fill.position_side), (Side::Sell, PositionSide::Short));
    assert_eq!((fill.price.text(), fill.quantity.text()), ("7819.01".into(), "0.002".into()));
    assert_eq!((fill.fee.text(), fill.fee_asset.as_str()), ("-0.0781901".into(), "USDT"));
    assert_eq!((fill.realized_pnl.text(), fill.is_maker), ("-0.91539999".into(), false));
}

#[test]
fn trade_of_another_market_or_time_is_refused() {
    for (field, value) in [
        ("symbol", json!("ETHUSDT")),
        ("time", json!(31)),
        ("time", json!(9)),
        ("id", json!("1")),
        ("qty", json!(0.002)),
        ("side", json!("HOLD")),
        ("maker", Value::Null),
    ] {
        let mut row = sample(1, 20);
        row[field] = value;
        assert!(read(&[sample(2, 20), row]).is_err(), "{field}");
    }
}

#[test]
fn window_is_at_most_seven_days_and_not_in_the_future() {
    let week = 7 * 24 * 3_600_000;
    assert_eq!(Window::starting(5, 100), Window { from_ms: 5, to_ms: 100 });
    assert_eq!(Window::starting(5, week * 2), Window { from_ms: 5, to_ms: week + 4 });
    assert_eq!(Window::starting(200, 100), Window { from_ms: 200, to_ms: 200 });
    assert_eq!(Window::starting(u64::MAX, 1), Window { from_ms: u64::MAX, to_ms: u64::MAX });
    assert_eq!(WINDOW.first_half(), Some(Window { from_ms: 10, to_ms: 20 }));
    assert_eq!(Window { from_ms: 3, to_ms: 4 }.first_half(), Some(Window { from_ms: 3, to_ms: 3 }));
    assert_eq!(Window { from_ms: 3, to_ms: 3 }.first_half(), None);
}

#[test]
fn page_is_sorted_and_continues_after_its_window() {
    let fills = read(&[sample(3, 20), sample(1, 20), sample(2, 12)]).unwrap();
    let page = WINDOW.page(fills.clone(), 1_000);
    let ids: Vec<_> = page.fills.iter().map(|fill| fill.id).collect();
    assert_eq!((ids, page.next_ms), (vec![2, 1, 3], Some(31)));
    assert_eq!(WINDOW.page(fills, 30).next_ms, None);
}
