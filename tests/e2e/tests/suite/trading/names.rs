//! The names of an order: the caller's id, and the exchange's ids before and after a change.

use domain::ids::Exchange;
use e2e::proxy::{Arrival, Fate, Plan, Process, Side};
use exchange_sim::faults::Fault;
use serde_json::{Value, json};
use shared::orders::{OrderView, TradeError};
use shared::store::{ORDER_KEPT_MS, OrderRecord, OrderState};
use shared::trading::ids::{ClientOrderId, Leg};
use shared::trading::order::{OrderFields, OrderStatus};

use super::{Desk, LEASE_MS, RESTING};

const fn change_name(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Aster => "Aster.PUT order",
        Exchange::Hyperliquid => "Hyperliquid.batchModify",
        Exchange::Lighter => unreachable!(),
    }
}

fn at_change(exchange: Exchange, fate: Fate) -> Plan {
    let name = change_name(exchange);
    Box::new(move |arrival| if arrival.name == name { fate.clone() } else { Fate::Pass })
}

/// Changes an order in a process that dies after the exchange has made the change.
async fn change_and_die(desk: &Desk, name: &str, values: (&str, &str)) {
    let process = desk.proxy.process_with(at_change(desk.exchange(), Fate::Die(Side::After)));
    let ended = tokio::select! {
        changed = desk.modify(&process, name, values) => Some(changed),
        () = process.died() => None,
    };
    assert!(!matches!(ended, Some(Ok(_))), "{ended:?}");
    process.settled().await;
}

fn order_id(order: &OrderView) -> String {
    order.order_id.clone().unwrap()
}

/// Drops the record of an order, so that the order is one that the service did not place.
async fn forget(desk: &Desk, id: &str) {
    let account = &desk.account;
    let id: ClientOrderId = id.parse().unwrap();
    let pk = format!("{}#O#{}#{}", account.tenant, account.wallet_id, account.exchange);
    let sk = format!("order#{}", account.order_key(&id).to_hex());
    let text = aws_sdk_dynamodb::types::AttributeValue::S;
    let dropped = desk
        .app
        .stack
        .aws()
        .dynamodb()
        .delete_item()
        .table_name(hyperdex_local::WALLETS_TABLE)
        .key("pk", text(pk))
        .key("sk", text(sk))
        .send();
    dropped.await.unwrap();
}

#[tokio::test]
async fn exchange_id_before_a_change_names_the_order() {
    for desk in Desk::both().await {
        let (first, _) = desk.place(&desk.process(), "m", RESTING).await.unwrap();
        let old = order_id(&first);
        let changed = desk.modify(&desk.process(), "m", ("58900", "0.01")).await.unwrap();
        let present = order_id(&changed);
        let status = desk.status(&old).await.unwrap();
        assert_eq!((status.status, order_id(&status)), (OrderStatus::Open, present));
        assert_eq!(status.client_order_id.as_deref(), Some("m"));
        let changed = desk.modify(&desk.process(), &old, ("58800", "0.02")).await.unwrap();
        assert_eq!((changed.price.as_str(), changed.quantity.as_str()), ("58800", "0.02"));
        let cancelled = desk.cancel(&old).await.unwrap();
        assert_eq!(cancelled.status, OrderStatus::Canceled);
        assert!(desk.open_orders().await.is_empty(), "{}", desk.exchange());
        let again = desk.cancel(&old).await;
        assert!(matches!(again, Err(TradeError::NotOpen(_))), "{again:?}");
    }
}

#[tokio::test]
async fn cancelling_by_the_exchange_id_sees_a_change_under_way() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let (first, _) = desk.place(&desk.process(), "m", RESTING).await.unwrap();
    let old = order_id(&first);
    change_and_die(&desk, "m", ("58900", "0.01")).await;
    let refused = desk.cancel(&old).await;
    assert!(matches!(refused, Err(TradeError::InProgress { .. })), "{refused:?}");
    let status = desk.status(&old).await.unwrap();
    assert_eq!((status.status, status.price.as_str()), (OrderStatus::Open, "58900"));
    desk.app.clock.advance_ms(LEASE_MS);
    let cancelled = desk.cancel(&old).await.unwrap();
    assert_eq!(cancelled.status, OrderStatus::Canceled);
    assert!(desk.open_orders().await.is_empty());
}

#[tokio::test]
async fn order_of_others_has_one_change_at_a_time() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let (placed, _) = desk.place(&desk.process(), "m", RESTING).await.unwrap();
        forget(&desk, "m").await;
        let id = order_id(&placed);
        change_and_die(&desk, &id, ("58900", "0.01")).await;
        let process = desk.process();
        let second = desk.modify(&process, &id, ("58800", "0.02")).await;
        assert!(matches!(second, Err(TradeError::InProgress { .. })), "{exchange}: {second:?}");
        assert!(!process.calls().iter().any(|call| call == change_name(exchange)));
        // Once the first change is resolved, the next one follows it.
        desk.app.clock.advance_ms(LEASE_MS);
        let second = desk.modify(&desk.process(), &id, ("58800", "0.02")).await.unwrap();
        assert_eq!((second.price.as_str(), second.quantity.as_str()), ("58800", "0.02"));
        let name = second.client_order_id.clone().unwrap();
        let record = desk.record(&name).await.unwrap();
        assert!(record.is_at_rest() && record.generation == 2, "{exchange}: {record:?}");
        // Every name leads to the order.
        for name in [id, order_id(&second), name] {
            let status = desk.status(&name).await.unwrap();
            assert_eq!((status.status, status.price.as_str()), (OrderStatus::Open, "58800"));
        }
        assert_eq!(desk.open_orders().await.len(), 1, "{exchange}");
    }
}

#[tokio::test]
async fn late_change_of_an_order_of_others_is_fenced_first() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let (placed, _) = desk.place(&desk.process(), "m", RESTING).await.unwrap();
        forget(&desk, "m").await;
        let id = order_id(&placed);
        let late = at_change(exchange, Fate::Fail(Fault::Late { ms: 8_000 }));
        let first = desk.modify(&desk.proxy.process_with(late), &id, ("58900", "0.01")).await;
        assert!(first.is_err(), "{exchange}: {first:?}");
        desk.app.clock.advance_ms(LEASE_MS);
        desk.resolve(&desk.process()).await;
        let second = desk.modify(&desk.process(), &id, ("58800", "0.02")).await.unwrap();
        assert_eq!(second.price, "58800");
        desk.proxy.deliver_late().await;
        let status = desk.status(&id).await.unwrap();
        assert_eq!((status.price.as_str(), status.quantity.as_str()), ("58800", "0.02"));
        assert_eq!(desk.open_orders().await.len(), 1, "{exchange}");
    }
}

#[tokio::test]
async fn id_of_another_order_is_refused() {
    for desk in Desk::both().await {
        desk.place(&desk.process(), "m", RESTING).await.unwrap();
        let record = desk.record("m").await.unwrap();
        let own = desk.account.exchange_id(&record, 0, Leg::Entry);
        let others = ClientOrderId::of_exchange_order("BTCUSDT", 7).to_string();
        let ids = Exchange::ALL.map(|exchange| own.text(exchange));
        for id in ids.iter().chain([&others]) {
            let refused = desk.place(&desk.process(), id, RESTING).await;
            assert!(matches!(refused, Err(TradeError::Fault(_))), "{id}: {refused:?}");
        }
        assert_eq!(desk.open_orders().await.len(), 1);
    }
}

/// Returns an exchange's answer about an order that has our id, and sells instead of buying.
fn order_of_somebody(exchange: Exchange, record: &OrderRecord, desk: &Desk) -> Value {
    let id = desk.account.exchange_id(record, record.generation, Leg::Entry).text(exchange);
    match exchange {
        Exchange::Hyperliquid => json!({"status": "order", "order": {
            "order": {
                "coin": "BTC", "side": "A", "limitPx": "59000", "sz": "0.01", "oid": 77,
                "timestamp": 1, "triggerCondition": "N/A", "isTrigger": false, "triggerPx": "0.0",
                "children": [], "isPositionTpsl": false, "reduceOnly": false,
                "orderType": "Limit", "origSz": "0.01", "tif": "Gtc", "cloid": id,
            },
            "status": "open", "statusTimestamp": 1,
        }}),
        Exchange::Lighter => unreachable!("no wallet is registered there"),
        Exchange::Aster => json!({
            "orderId": 77, "symbol": "BTCUSDT", "status": "NEW", "clientOrderId": id,
            "price": "59000", "avgPrice": "0", "origQty": "0.01", "executedQty": "0",
            "cumQuote": "0", "timeInForce": "GTC", "type": "LIMIT", "origType": "LIMIT",
            "reduceOnly": false, "closePosition": false, "side": "SELL", "positionSide": "BOTH",
            "stopPrice": "0", "workingType": "CONTRACT_PRICE", "priceProtect": false,
            "updateTime": 1, "time": 1,
        }),
    }
}

fn look_up_name(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Aster => "Aster.GET order",
        Exchange::Hyperliquid => "Hyperliquid.orderStatus",
        Exchange::Lighter => unreachable!("no wallet is registered there"),
    }
}

#[tokio::test]
async fn order_of_somebody_else_with_our_id_is_not_adopted() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let (sends, looks) = (desk.send_name(), look_up_name(exchange));
        // The order never arrives, and the exchange does not answer questions about it.
        let silent: Plan = Box::new(move |arrival: Arrival<'_>| match arrival.name {
            name if name == sends => Fate::Fail(Fault::Reset),
            name if name == looks => Fate::Fail(Fault::Garbage),
            _ => Fate::Pass,
        });
        let placed = desk.place(&desk.proxy.process_with(silent), "m", RESTING).await;
        assert!(matches!(placed, Err(TradeError::Unknown { .. })), "{exchange}: {placed:?}");
        let record = desk.record("m").await.unwrap();
        let answer = order_of_somebody(exchange, &record, &desk).to_string();
        let answers = move || -> Plan {
            let answer = answer.clone();
            Box::new(move |arrival: Arrival<'_>| {
                if arrival.name == looks {
                    Fate::Fail(Fault::Status(200, answer.clone()))
                } else {
                    Fate::Pass
                }
            })
        };
        desk.app.clock.advance_ms(120_000);
        let process: std::sync::Arc<Process> = desk.proxy.process_with(answers());
        let run = desk.resolve(&process).await;
        assert_eq!((run.unresolvable, run.resolved), (1, 0), "{exchange}: {run:?}");
        let record = desk.record("m").await.unwrap();
        assert_eq!((record.state, record.outcome), (OrderState::Unknown, None), "{exchange}");
        let repeat = desk.place(&desk.proxy.process_with(answers()), "m", RESTING).await;
        assert!(matches!(repeat, Err(TradeError::Unknown { .. })), "{exchange}: {repeat:?}");
    }
}

/// The record of an id ends a week after its outcome, and the order can still rest at the exchange.
#[tokio::test]
async fn list_shows_an_old_order_without_the_record_of_a_later_one() {
    for desk in Desk::both().await {
        let (exchange, process) = (desk.exchange(), desk.process());
        let (old, _) = desk.place(&process, "a", RESTING).await.unwrap();
        desk.app.clock.advance_ms(ORDER_KEPT_MS + 60_000);
        let (order_type, trigger_price) = (Some("STOP_MARKET"), Some("70000"));
        let stop = OrderFields { order_type, trigger_price, price: None, ..RESTING };
        let (new, is_replay) = desk.place(&desk.process(), "a", stop).await.unwrap();
        assert!(!is_replay && new.order_id != old.order_id, "{exchange}: {new:?}");
        let listed = desk.open_orders().await;
        let of = |id: &Option<String>| listed.iter().find(|order| order.order_id == *id).unwrap();
        let (was, is) = (of(&old.order_id), of(&new.order_id));
        assert_eq!((was.order_type.as_str(), was.trigger_price.as_deref()), ("LIMIT", None));
        assert_eq!((was.price.as_str(), was.exchange), ("59000", exchange));
        assert_ne!(was.client_order_id.as_deref(), Some("a"));
        assert_eq!(
            (is.order_type.as_str(), is.client_order_id.as_deref()),
            ("STOP_MARKET", Some("a"))
        );
    }
}
