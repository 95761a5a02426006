//! Trigger orders, attached orders and orders that only reduce a position.

use serde_json::{Value, json};

use super::{ask, cloid, limit, place, place_one, position, status_of, statuses, with, with_agent};

fn trigger(price: &str, tpsl: &str, is_market: bool) -> Value {
    json!({"trigger": {"isMarket": is_market, "triggerPx": price, "tpsl": tpsl}})
}

#[tokio::test]
async fn children_become_active_when_the_entry_is_filled() {
    let hyperliquid = with_agent().await;
    let child = |price: &str, tpsl: &str, number| {
        let order = limit(1, false, (price, "0.1"), "Gtc");
        let order = with(with(order, "r", true), "t", trigger(price, tpsl, true));
        with(order, "c", cloid(number))
    };
    let entry = with(limit(1, true, ("2900", "0.1"), "Gtc"), "c", cloid(1));
    let orders = [entry, child("3300", "tp", 2), child("2800", "sl", 3)];
    let placed = place(&hyperliquid, &orders, "normalTpsl").await;
    assert!(placed[0]["resting"].is_object());
    assert_eq!(placed[1..], [json!("waitingForFill"), json!("waitingForFill")]);
    assert_eq!(status_of(&hyperliquid, cloid(2)).await["order"]["status"], "open");
    hyperliquid.exchange.set_price("ETH", "2850");
    assert_eq!(position(&hyperliquid, "ETH").await, "0.1");
    hyperliquid.exchange.set_price("ETH", "3400");
    assert_eq!(position(&hyperliquid, "ETH").await, "0");
    assert_eq!(status_of(&hyperliquid, cloid(2)).await["order"]["status"], "filled");
    let sibling = status_of(&hyperliquid, cloid(3)).await;
    assert_eq!(sibling["order"]["status"], "siblingFilledCanceled");
    // An entry that is filled at once has active children.
    let entry = limit(1, true, ("3500", "0.1"), "Ioc");
    let placed = place(&hyperliquid, &[entry, child("3800", "tp", 4)], "normalTpsl").await;
    assert!(placed[0]["filled"].is_object());
    assert_eq!(placed[1], "waitingForTrigger");
    let alone = place(&hyperliquid, &[limit(1, true, ("3300", "0.1"), "Gtc")], "normalTpsl").await;
    assert_eq!(alone, [json!({"error": "Unexpected number of trigger orders"})]);
}

#[tokio::test]
async fn cancelled_entry_cancels_its_children() {
    let hyperliquid = with_agent().await;
    let entry = limit(1, true, ("2900", "0.1"), "Gtc");
    let child = with(limit(1, false, ("2800", "0.1"), "Gtc"), "r", true);
    let child = with(with(child, "t", trigger("2800", "sl", true)), "c", cloid(2));
    let placed = place(&hyperliquid, &[entry, child], "normalTpsl").await;
    let cancel = json!({
        "type": "cancel", "cancels": [{"a": 1, "o": placed[0]["resting"]["oid"]}],
    });
    assert_eq!(statuses(&hyperliquid, &cancel).await, [json!("success")]);
    assert_eq!(status_of(&hyperliquid, cloid(2)).await["order"]["status"], "canceled");
}

#[tokio::test]
async fn stop_order_opens_when_the_mark_passes_it() {
    let hyperliquid = with_agent().await;
    let stop = with(limit(1, true, ("3300", "0.1"), "Gtc"), "t", trigger("3100", "sl", true));
    assert!(place_one(&hyperliquid, stop.clone()).await["resting"].is_object());
    let open = ask(&hyperliquid, json!({"type": "frontendOpenOrders"})).await;
    assert_eq!(
        (&open[0]["isTrigger"], &open[0]["orderType"], &open[0]["triggerCondition"]),
        (&json!(true), &json!("Stop Market"), &json!("Price above 3100"))
    );
    assert!(hyperliquid.exchange.set_price("ETH", "3099"));
    assert_eq!(position(&hyperliquid, "ETH").await, "0");
    assert!(hyperliquid.exchange.set_price("ETH", "3101"));
    assert_eq!(position(&hyperliquid, "ETH").await, "0.1");
    let refused = place_one(&hyperliquid, stop).await;
    assert_eq!(refused["error"], "Invalid TP/SL price asset=1");
}

#[tokio::test]
async fn reduce_only_order_is_capped_and_zero_closes_all() {
    let hyperliquid = with_agent().await;
    place_one(&hyperliquid, limit(1, true, ("3100", "1"), "Ioc")).await;
    let reduce = |price, size, tif| with(limit(1, false, (price, size), tif), "r", true);
    let part = place_one(&hyperliquid, reduce("2900", "0.4", "Ioc")).await;
    assert_eq!(part["filled"]["totalSz"], "0.4");
    // A second order that exceeds the position together with the first cancels the first.
    let first = place_one(&hyperliquid, reduce("3200", "0.4", "Gtc")).await;
    let second = place_one(&hyperliquid, reduce("3300", "5", "Gtc")).await;
    let word = |status: Value| status["order"]["status"].clone();
    let first = first["resting"]["oid"].clone();
    assert_eq!(word(status_of(&hyperliquid, first).await), "reduceOnlyCanceled");
    let second = second["resting"]["oid"].clone();
    let shown = status_of(&hyperliquid, second.clone()).await;
    assert_eq!(shown["order"]["order"]["origSz"], "0.6");
    let closed = place_one(&hyperliquid, reduce("2900", "0", "Ioc")).await;
    assert_eq!(closed["filled"]["totalSz"], "0.6");
    assert_eq!(position(&hyperliquid, "ETH").await, "0");
    assert_eq!(word(status_of(&hyperliquid, second).await), "reduceOnlyCanceled");
}
