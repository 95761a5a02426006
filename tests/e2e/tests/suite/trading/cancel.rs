//! Cancellations whose response is lost.

use domain::ids::Exchange;
use e2e::proxy::{Arrival, Fate, Plan, Process, Side};
use exchange_sim::faults::Fault;
use shared::orders::{OrderView, TradeError};
use shared::trading::order::OrderStatus;

use super::{Desk, LEASE_MS, RESTING, symbol};

/// Returns the names of the calls that cancel and look up an order.
const fn names(exchange: Exchange) -> ([&'static str; 2], &'static str) {
    match exchange {
        Exchange::Aster => (["Aster.DELETE order"; 2], "Aster.GET order"),
        Exchange::Hyperliquid => {
            (["Hyperliquid.cancelByCloid", "Hyperliquid.cancel"], "Hyperliquid.orderStatus")
        }
        Exchange::Lighter => unreachable!(),
    }
}

/// The first cancellation has this fault, and the lookups after it another one.
fn plan(exchange: Exchange, first: Fault, looks_after: Option<Fault>) -> Plan {
    let (cancels, looks) = names(exchange);
    let sent = std::sync::atomic::AtomicBool::new(false);
    Box::new(move |arrival: Arrival<'_>| {
        use std::sync::atomic::Ordering::SeqCst;
        if cancels.contains(&arrival.name) && !sent.swap(true, SeqCst) {
            return Fate::Fail(first.clone());
        }
        match &looks_after {
            Some(fault) if arrival.name == looks && sent.load(SeqCst) => Fate::Fail(fault.clone()),
            _ => Fate::Pass,
        }
    })
}

#[tokio::test]
async fn lost_cancellation_is_unknown_if_nothing_can_be_asked() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let limited = Fault::RateLimited { retry_after_s: 3 };
        for (id, fault) in [("a", Fault::Garbage), ("b", Fault::Reset), ("c", limited)] {
            desk.place(&desk.process(), id, RESTING).await.unwrap();
            let plan = plan(exchange, Fault::AppliedButLost, Some(fault));
            let cancelled = desk.cancel_in(&desk.proxy.process_with(plan), id).await;
            let is_unknown = matches!(cancelled, Err(TradeError::CancelUnknown { .. }));
            assert!(is_unknown, "{exchange} {id}: {cancelled:?}");
            // The exchange's pause ends.
            desk.app.clock.advance_ms(120_000);
            let again = desk.cancel(id).await;
            assert!(matches!(again, Err(TradeError::NotOpen(_))), "{exchange} {id}: {again:?}");
        }
    }
}

#[tokio::test]
async fn lost_cancellation_is_found() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        for (id, fault) in [("made", Fault::AppliedButLost), ("lost", Fault::Reset)] {
            desk.place(&desk.process(), id, RESTING).await.unwrap();
            let process = desk.proxy.process_with(plan(exchange, fault, None));
            let cancelled = desk.cancel_in(&process, id).await.unwrap();
            assert_eq!(cancelled.status, OrderStatus::Canceled, "{exchange} {id}");
            assert!(desk.open_orders().await.is_empty(), "{exchange} {id}");
        }
    }
}

async fn cancel_all(desk: &Desk, process: &Process) -> Result<Vec<OrderView>, TradeError> {
    let trader = desk.trader(process);
    trader.cancel_all(&Desk::caller(), &desk.wallet(), &symbol("BTC")).await
}

#[tokio::test]
async fn order_of_unknown_outcome_is_settled_before_all_are_cancelled() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        desk.place(&desk.process(), "open", RESTING).await.unwrap();
        // The order arrives late, and the exchange answers nothing about it.
        let (sends, (_, looks)) = (desk.send_name(), names(exchange));
        let late: Plan = Box::new(move |arrival: Arrival<'_>| match arrival.name {
            name if name == sends => Fate::Fail(Fault::Late { ms: 8_000 }),
            name if name == looks || name.ends_with("noop") => Fate::Fail(Fault::Garbage),
            _ => Fate::Pass,
        });
        let placed = desk.place(&desk.proxy.process_with(late), "late", RESTING).await;
        assert!(matches!(placed, Err(TradeError::Unknown { .. })), "{exchange}: {placed:?}");
        // The exchange's pause after these failures ends.
        desk.app.clock.advance_ms(LEASE_MS - 14_000);
        let cancelled = cancel_all(&desk, &desk.process()).await;
        let is_claimed = cancelled.is_ok();
        assert!(
            matches!(cancelled, Ok(_) | Err(TradeError::CancelUnknown { .. })),
            "{exchange}: {cancelled:?}"
        );
        desk.app.clock.advance_ms(8_000);
        desk.proxy.deliver_late().await;
        assert_eq!(desk.accepted("late"), 0, "{exchange}");
        assert!(desk.open_orders().await.is_empty(), "{exchange}");
        if is_claimed {
            assert!(desk.record("late").await.unwrap().is_at_rest(), "{exchange}");
        }
        desk.app.clock.advance_ms(120_000);
        assert!(cancel_all(&desk, &desk.process()).await.unwrap().is_empty(), "{exchange}");
        assert!(desk.record("late").await.unwrap().is_at_rest(), "{exchange}");
    }
}

#[tokio::test]
async fn order_that_another_process_places_is_reported() {
    for desk in Desk::both().await {
        let (exchange, sends) = (desk.exchange(), desk.send_name());
        let dies: Plan =
            Box::new(
                move |arrival: Arrival<'_>| {
                    if arrival.name == sends { Fate::Die(Side::Before) } else { Fate::Pass }
                },
            );
        let process = desk.proxy.process_with(dies);
        let ended = tokio::select! {
            placed = desk.place(&process, "sending", RESTING) => Some(placed),
            () = process.died() => None,
        };
        assert!(!matches!(ended, Some(Ok(_))), "{exchange}: {ended:?}");
        let cancelled = cancel_all(&desk, &desk.process()).await;
        let is_unknown = matches!(cancelled, Err(TradeError::CancelUnknown { .. }));
        assert!(is_unknown, "{exchange}: {cancelled:?}");
        desk.app.clock.advance_ms(120_000);
        assert!(cancel_all(&desk, &desk.process()).await.unwrap().is_empty(), "{exchange}");
        assert!(desk.record("sending").await.unwrap().is_at_rest(), "{exchange}");
        assert_eq!(desk.accepted("sending"), 0, "{exchange}");
    }
}

#[tokio::test]
async fn many_orders_are_cancelled_in_batches() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    for batch in 0..6 {
        let orders = (0..20).map(|nth| desk.order(&format!("many-{batch}-{nth}"), RESTING));
        let orders: Vec<_> = orders.collect();
        let placed = desk.place_all(&desk.process(), &orders).await.unwrap();
        assert_eq!(placed.placed(), 20);
    }
    // The response to the first batch is lost.
    let process = desk.proxy.process_with(Box::new(|arrival| {
        let is_lost = arrival.name == "Hyperliquid.cancel" && arrival.nth_of_name == 1;
        if is_lost { Fate::Fail(Fault::AppliedButLost) } else { Fate::Pass }
    }));
    let cancelled = cancel_all(&desk, &process).await.unwrap();
    assert_eq!(cancelled.len(), 120);
    assert!(cancelled.iter().all(|order| order.status == OrderStatus::Canceled));
    let sent = process.calls().into_iter().filter(|call| call == "Hyperliquid.cancel");
    assert_eq!(sent.count(), 2);
    assert!(desk.open_orders().await.is_empty());
}
