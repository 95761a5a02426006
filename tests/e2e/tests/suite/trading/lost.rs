//! Orders whose response is lost, or that arrive late.

use domain::ids::Exchange;
use e2e::proxy::{Arrival, Fate};
use exchange_sim::faults::Fault;
use shared::orders::TradeError;
use shared::store::OrderState;
use shared::trading::order::OrderStatus;

use super::{Desk, LEASE_MS, RESTING};

/// Fails the first calls of a name.
fn fail_first(name: &'static str, times: usize, fault: Fault) -> e2e::proxy::Plan {
    Box::new(move |arrival: Arrival<'_>| {
        if arrival.name == name && arrival.nth_of_name <= times {
            Fate::Fail(fault.clone())
        } else {
            Fate::Pass
        }
    })
}

#[tokio::test]
async fn lost_response_is_found_within_the_request() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let name = desk.send_name();
        for (id, fault) in [("lost", Fault::AppliedButLost), ("reset", Fault::Reset)] {
            let process = desk.proxy.process_with(fail_first(name, 1, fault));
            let placed = desk.place(&process, id, RESTING).await;
            match (exchange, id) {
                // The same bytes are not sent again, so the order is known to be dead.
                (Exchange::Aster, "reset") => {
                    assert!(matches!(placed, Err(TradeError::NotPlaced { .. })), "{placed:?}");
                    desk.place(&desk.process(), id, RESTING).await.unwrap();
                }
                _ => assert_eq!(placed.unwrap().0.status, OrderStatus::Open),
            }
            assert_eq!(desk.accepted(id), 1, "{exchange} {id}");
            assert_eq!(desk.record(id).await.unwrap().state, OrderState::Placed);
        }
    }
}

#[tokio::test]
async fn late_order_is_fenced_and_never_executes() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let late = fail_first(desk.send_name(), 2, Fault::Late { ms: 8_000 });
        let process = desk.proxy.process_with(late);
        let placed = desk.place(&process, "late", RESTING).await;
        assert!(matches!(placed, Err(TradeError::NotPlaced { .. })), "{exchange}: {placed:?}");
        assert_eq!(desk.record("late").await.unwrap().state, OrderState::Dead);
        // The bytes arrive while they are still valid.
        desk.app.clock.advance_ms(8_000);
        desk.proxy.deliver_late().await;
        assert_eq!((desk.proxy.late_calls(), desk.accepted("late")), (0, 0));
        let (order, is_replay) = desk.place(&desk.process(), "late", RESTING).await.unwrap();
        assert_eq!((order.status, is_replay), (OrderStatus::Open, false));
        assert_eq!(desk.accepted("late"), 1);
        assert_eq!(desk.record("late").await.unwrap().generation, 1);
    }
}

#[tokio::test]
async fn unknown_order_is_resolved_by_the_job() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let name = desk.send_name();
        // The order is executed, its response is lost, and no question is answered.
        let plan: e2e::proxy::Plan = Box::new(move |arrival: Arrival<'_>| {
            let exchange = arrival.name.starts_with("Hyperliquid.orderStatus")
                || arrival.name == "Aster.GET order"
                || arrival.name == "Hyperliquid.noop"
                || (arrival.name == name && arrival.nth_of_name > 1);
            if arrival.name == name && arrival.nth_of_name == 1 {
                Fate::Fail(Fault::AppliedButLost)
            } else if exchange {
                Fate::Fail(Fault::Garbage)
            } else {
                Fate::Pass
            }
        });
        let process = desk.proxy.process_with(plan);
        let placed = desk.place(&process, "job", RESTING).await;
        assert!(matches!(placed, Err(TradeError::Unknown { .. })), "{exchange}: {placed:?}");
        assert_eq!(desk.record("job").await.unwrap().state, OrderState::Unknown);
        desk.app.clock.advance_ms(LEASE_MS);
        let run = desk.resolve(&desk.process()).await;
        assert_eq!((run.resolved, run.unknown, run.failed), (1, 0, 0));
        assert_eq!(desk.record("job").await.unwrap().state, OrderState::Placed);
        let (_, is_replay) = desk.place(&desk.process(), "job", RESTING).await.unwrap();
        assert!(is_replay);
        assert_eq!(desk.accepted("job"), 1);
        assert_eq!(desk.resolve(&desk.process()).await.resolved, 0);
    }
}

#[tokio::test]
async fn no_connection_places_nothing_and_repeat_places() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    // Nothing listens there: no connection.
    let process = desk.process();
    let mut endpoints = process.endpoints();
    endpoints.hyperliquid = "http://127.0.0.1:1/".parse().unwrap();
    let spender = shared::exchanges::budget::Spender::Caller;
    let trader = desk.trader(&process);
    let cut = endpoints.traders(&desk.app.options, spender).hyperliquid;
    let orders = [desk.order("cut", RESTING)];
    let refused = cut.place(&Desk::caller(), &desk.wallet(), &orders, None).await;
    assert!(matches!(refused, Err(TradeError::Unavailable(_))), "{refused:?}");
    let placing = trader.place(&Desk::caller(), &desk.wallet(), &orders, None).await.unwrap();
    assert_eq!(placing.placed(), 1);
    assert_eq!(desk.accepted("cut"), 1);
}

#[tokio::test]
async fn lost_response_to_a_batch_is_found() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let name = match exchange {
            Exchange::Aster => "Aster.POST batchOrders",
            Exchange::Hyperliquid => "Hyperliquid.order",
        };
        let process = desk.proxy.process_with(fail_first(name, 1, Fault::AppliedButLost));
        let batch = [desk.order("a", RESTING), desk.order("b", RESTING)];
        let placing = desk.place_all(&process, &batch).await.unwrap();
        assert_eq!(placing.placed(), 2, "{placing:?}");
        assert_eq!((desk.accepted("a"), desk.accepted("b")), (1, 1));
    }
}

/// An executed order whose response is lost, while every read shows the state of eight seconds ago.
#[tokio::test]
async fn lagging_reads_do_not_place_an_order_twice() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let send = desk.send_name();
        let plan: e2e::proxy::Plan = Box::new(move |arrival: Arrival<'_>| {
            if arrival.name == send && arrival.nth_of_name == 1 {
                Fate::Fail(Fault::AppliedButLost)
            } else if matches!(arrival.name, "Hyperliquid.orderStatus" | "Aster.GET order") {
                Fate::Fail(Fault::ReadsLag { ms: 8_000 })
            } else {
                Fate::Pass
            }
        });
        let process = desk.proxy.process_with(plan);
        let placed = desk.place(&process, "lag", RESTING).await;
        let Err(TradeError::Unknown { retry_after_s, .. }) = placed else {
            panic!("{exchange}: {placed:?}")
        };
        assert!((5..=10).contains(&retry_after_s), "{retry_after_s}");
        assert_eq!(desk.record("lag").await.unwrap().state, OrderState::Unknown);
        // A repeat within the lag does not decide.
        let again = desk.place(&process, "lag", RESTING).await;
        assert!(matches!(again, Err(TradeError::Unknown { .. })), "{exchange}: {again:?}");
        desk.app.clock.advance_ms(retry_after_s * 1_000);
        let (order, is_replay) = desk.place(&process, "lag", RESTING).await.unwrap();
        assert_eq!((order.status, is_replay), (OrderStatus::Open, true));
        assert_eq!(desk.accepted("lag"), 1);
        assert_eq!(desk.record("lag").await.unwrap().generation, 0);
    }
}
