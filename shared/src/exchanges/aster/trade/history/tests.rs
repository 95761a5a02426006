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
}

/// Returns the last millisecond of the window after `window`, if these times are listed.
fn shortened(window: Window, times: &[u64], is_first: bool) -> Option<u64> {
    let rows: Vec<_> = (1..).zip(times).map(|(id, time)| sample(id, *time)).collect();
    let shorter = window.shortened(&read(&rows).unwrap(), is_first)?;
    assert_eq!(shorter.from_ms, window.from_ms);
    Some(shorter.to_ms)
}

#[test]
fn window_is_shortened_to_half_or_to_the_middle_execution() {
    // The exchange lists the oldest: nothing is before them, and fewer are in the next window.
    assert_eq!(shortened(WINDOW, &[27, 28, 29], true), Some(26));
    assert_eq!(shortened(WINDOW, &[11, 12, 14, 29], true), Some(14));
    assert_eq!(shortened(WINDOW, &[10, 10, 10], true), Some(10));
    // The exchange lists others: the window is halved.
    assert_eq!(shortened(WINDOW, &[27, 28, 29], false), Some(20));
    assert_eq!(shortened(Window { from_ms: 10, to_ms: 11 }, &[11], true), Some(10));
    assert_eq!(shortened(Window { from_ms: 10, to_ms: 10 }, &[10], true), None);
    assert_eq!(shortened(Window { from_ms: 9, to_ms: 8 }, &[], true), None);
}

#[test]
fn seven_days_are_a_millisecond_after_thirty_steps() {
    let mut window = Window::starting(0, u64::MAX);
    let mut steps = 0;
    while let Some(shorter) = window.shortened(&[], false) {
        (window, steps) = (shorter, steps + 1);
    }
    assert_eq!(window, Window { from_ms: 0, to_ms: 0 });
    assert!(steps <= 30, "{steps}");
}

#[test]
fn trades_from_an_id_are_of_the_market_and_not_earlier() {
    let read =
        |rows: &[Value]| trades_from(&Answer::new(200, json!(rows).to_string()), "BTCUSDT", 5);
    let ids = |fills: Vec<Fill>| fills.iter().map(|fill| fill.id).collect::<Vec<_>>();
    assert_eq!(ids(read(&[sample(5, 1), sample(6, 99)]).unwrap()), [5, 6]);
    assert!(read(&[sample(4, 1)]).is_err());
    assert_eq!(params_from("BTCUSDT", 5).text(), "symbol=BTCUSDT&fromId=5&limit=1000");
}

#[test]
fn page_is_sorted_and_continues_after_its_window() {
    let fills = read(&[sample(3, 20), sample(1, 20), sample(2, 12)]).unwrap();
    let page = WINDOW.page(fills.clone(), 1_000);
    let ids: Vec<_> = page.fills.iter().map(|fill| fill.id).collect();
    assert_eq!((ids, page.next_ms), (vec![2, 1, 3], Some(31)));
    assert_eq!(WINDOW.page(fills, 30).next_ms, None);
}
