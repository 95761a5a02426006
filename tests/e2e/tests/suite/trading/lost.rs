//! Orders whose response is lost, or that arrive late.

use domain::ids::Exchange;
use e2e::proxy::{Arrival, Fate, Rendezvous};
use exchange_sim::aster::{Noop, Rules};
use exchange_sim::faults::{Fault, Hostile};
use serde_json::json;
use shared::orders::TradeError;
use shared::store::OrderState;
use shared::trading::order::OrderStatus;

use super::{Desk, LEASE_MS, RESTING, symbol};

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
                // The same bytes are not sent again. An accepted noop proves only that they are
                // harmless, so the last lookup must wait.
                (Exchange::Aster, "reset") => {
                    let Err(TradeError::Unknown { retry_after_s, .. }) = placed else {
                        panic!("{placed:?}")
                    };
                    desk.app.clock.advance_ms(retry_after_s * 1_000);
                    let (order, is_replay) =
                        desk.place(&desk.process(), id, RESTING).await.unwrap();
                    assert_eq!((order.status, is_replay), (OrderStatus::Open, false));
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
        let state = desk.record("late").await.unwrap().state;
        match exchange {
            Exchange::Hyperliquid => {
                assert!(matches!(placed, Err(TradeError::NotPlaced { .. })), "{placed:?}");
                assert_eq!(state, OrderState::Dead);
            }
            Exchange::Lighter => unreachable!("no wallet is registered there"),
            Exchange::Aster => {
                assert!(matches!(placed, Err(TradeError::Unknown { .. })), "{placed:?}");
                assert_eq!(state, OrderState::Unknown);
            }
        }
        // The bytes arrive while they are still valid.
        desk.app.clock.advance_ms(8_000);
        desk.proxy.deliver_late().await;
        assert_eq!((desk.proxy.late_calls(), desk.accepted("late")), (0, 0));
        desk.app.clock.advance_ms(2_000);
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
            Exchange::Lighter => unreachable!("no wallet is registered there"),
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

/// The pessimistic reading of Aster's documents: a `noop` is accepted although its nonce was used,
/// because the order was ahead of it in a queue, or its nonce is not among the newest 100 any more.
#[tokio::test]
async fn acknowledged_noop_does_not_place_an_order_twice() {
    let desk = Desk::open(Exchange::Aster).await;
    let aster = &desk.app.stack.aster_sim;
    let rules = aster.rules();
    aster.set_rules(Rules { noop: Noop::Acknowledgement, reads_lag_ms: 8_000, ..rules });
    let process = desk.proxy.process_with(fail_first(desk.send_name(), 1, Fault::AppliedButLost));
    for _ in 0..2 {
        let placed = desk.place(&process, "ack", RESTING).await;
        assert!(matches!(placed, Err(TradeError::Unknown { .. })), "{placed:?}");
        assert_eq!(desk.accepted("ack"), 1);
    }
    desk.app.clock.advance_ms(10_000);
    let (order, is_replay) = desk.place(&process, "ack", RESTING).await.unwrap();
    assert_eq!((order.status, is_replay), (OrderStatus::Open, true));
    assert_eq!(desk.accepted("ack"), 1);
    assert_eq!(desk.record("ack").await.unwrap().generation, 0);
}

/// One order of a batch is found, so the nonce was used, whatever the exchange says to a `noop`.
#[tokio::test]
async fn accepted_noop_beside_an_executed_order_proves_nothing() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let ok = json!({ "status": "ok", "response": { "type": "default" } }).to_string();
    let process = desk.proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
        match (arrival.name, arrival.nth_of_name) {
            ("Hyperliquid.order", 1) => Fate::Fail(Fault::AppliedButLost),
            ("Hyperliquid.order", 2) => Fate::Fail(Fault::Reset),
            // The reads of one order lag.
            ("Hyperliquid.orderStatus", 2) => Fate::Fail(Fault::ReadsLag { ms: 8_000 }),
            ("Hyperliquid.noop", _) => Fate::Fail(Fault::Status(200, ok.clone())),
            _ => Fate::Pass,
        }
    }));
    let batch = [desk.order("a", RESTING), desk.order("b", RESTING)];
    let placing = desk.place_all(&process, &batch).await.unwrap();
    assert_eq!(placing.placed(), 2, "{placing:?}");
    assert!(process.calls().iter().any(|call| call == "Hyperliquid.noop"));
    assert_eq!((desk.accepted("a"), desk.accepted("b")), (1, 1));
}

/// A server in front of the exchange states a time that is decades ahead.
#[tokio::test]
async fn wrong_date_of_the_exchange_prolongs_no_order() {
    for desk in Desk::both().await {
        let process = desk.proxy.process_with(Box::new(|arrival: Arrival<'_>| {
            let is_question = matches!(arrival.name, "Hyperliquid.orderStatus" | "Aster.GET order");
            if !is_question {
                return Fate::Pass;
            }
            let date = "Fri, 01 Jan 2094 00:00:00 GMT";
            Fate::Fail(Fault::Hostile(Hostile::new(200, "no").header("Date", date)))
        }));
        let trader = desk.trader(&process);
        let place = async |id: &str| {
            let orders = [desk.order(id, RESTING)];
            trader.place(&Desk::caller(), &desk.wallet(), &orders, None).await.unwrap();
        };
        place("warm").await;
        let (name, symbol) = ("warm".parse().unwrap(), symbol("BTC"));
        let status = trader.status(&Desk::caller(), &desk.wallet(), &name, Some(&symbol)).await;
        assert!(status.is_err(), "{status:?}");
        let now_ms = desk.app.clock.now_ms();
        place("after").await;
        let record = desk.record("after").await.unwrap();
        let submission = record.submission.unwrap();
        let life_ms = match desk.exchange() {
            Exchange::Hyperliquid => 10_000,
            Exchange::Lighter => unreachable!("no wallet is registered there"),
            Exchange::Aster => 60_000,
        };
        assert!(submission.expires_at_ms <= now_ms + life_ms, "{submission:?}");
        assert!(submission.final_at_ms <= submission.expires_at_ms + 15_000, "{submission:?}");
    }
}

/// Questions about several orders are asked at the same time: a slow exchange does not make later
/// orders wait.
#[tokio::test]
async fn job_resolves_orders_at_the_same_time() {
    const ORDERS: usize = 6;
    for desk in Desk::both().await {
        let asks = desk.asks();
        for nth in 0..ORDERS {
            let process = desk.proxy.process_with(silent_after(&desk, Fault::AppliedButLost));
            let placed = desk.place(&process, &format!("order-{nth}"), RESTING).await;
            assert!(matches!(placed, Err(TradeError::Unknown { .. })), "{placed:?}");
            desk.app.clock.advance_ms(61_000);
        }
        // No question is answered before all orders have been asked about. One after the other,
        // every question but the last would time out. On a busy machine, single ones still do.
        let rendezvous = Rendezvous::of(ORDERS);
        let process = desk.proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
            let is_held = arrival.name == asks && arrival.nth_of_name <= ORDERS;
            if is_held { Fate::Hold(rendezvous.clone()) } else { Fate::Pass }
        }));
        let run = desk.resolve(&process).await;
        assert_eq!((run.resolved + run.unknown, run.failed), (6, 0), "{run:?}");
        assert!(run.resolved >= 3, "{run:?}");
    }
}

/// Aster answers questions only to a live agent, so orders are resolved while the key still works.
#[tokio::test]
async fn deleted_key_leaves_no_executed_order_unknown() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let process = desk.proxy.process_with(silent_after(&desk, Fault::AppliedButLost));
        let placed = desk.place(&process, "deleted", RESTING).await;
        assert!(matches!(placed, Err(TradeError::Unknown { .. })), "{exchange}: {placed:?}");
        desk.app.clock.advance_ms(1);
        let rotated = desk.app.rotate(exchange.as_str(), "trader").await;
        assert_eq!(rotated.status, 200, "{rotated:?}");
        assert_eq!(desk.record("deleted").await.unwrap().state, OrderState::Placed);
        desk.app.clock.advance_ms(61_000);

        let process = desk.proxy.process_with(silent_after(&desk, Fault::AppliedButLost));
        let placed = desk.place(&process, "again", RESTING).await;
        assert!(matches!(placed, Err(TradeError::Unknown { .. })), "{exchange}: {placed:?}");
        desk.app.clock.advance_ms(1);
        let deleted = desk.app.delete(exchange.as_str(), "trader").await;
        assert_eq!(deleted.status, 200, "{deleted:?}");
        assert_eq!(desk.record("again").await.unwrap().state, OrderState::Placed, "{exchange}");
        assert_eq!((desk.accepted("deleted"), desk.accepted("again")), (1, 1));
    }
}

/// A deletion does not wait for the outcome of an order for longer than five seconds.
#[tokio::test]
async fn deletion_is_not_blocked_by_an_order_of_unknown_outcome() {
    let desk = Desk::open(Exchange::Aster).await;
    let process = desk.proxy.process_with(silent_after(&desk, Fault::Reset));
    let placed = desk.place(&process, "open", RESTING).await;
    assert!(matches!(placed, Err(TradeError::Unknown { .. })), "{placed:?}");
    desk.app.clock.advance_ms(1);
    desk.app.stack.aster_sim.fail_next("orderStatus", Fault::Hang);
    let deleted = desk.app.delete("aster", "trader").await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
    let record = desk.record("open").await.unwrap();
    assert!(record.state.is_unresolved() && desk.accepted("open") == 0, "{record:?}");
}

/// Fails the first call that places an order with this fault, and every call after it that finds
/// out about it.
fn silent_after(desk: &Desk, fault: Fault) -> e2e::proxy::Plan {
    let (send, asks) = (desk.send_name(), desk.asks());
    Box::new(move |arrival: Arrival<'_>| match arrival.name {
        name if name == send && arrival.nth_of_name == 1 => Fate::Fail(fault.clone()),
        name if name == send || name == asks => Fate::Fail(Fault::Reset),
        "Hyperliquid.noop" | "Aster.POST noop" => Fate::Fail(Fault::Reset),
        _ => Fate::Pass,
    })
}
