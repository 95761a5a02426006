//! Deaths of the process around the call that places an order, and requests at the same time. The
//! tests of crashes cover the other calls.

use e2e::proxy::{Fate, Process, Side};
use shared::orders::{OrderView, TradeError};
use shared::store::OrderState;

use super::{Desk, LEASE_MS, RESTING};

type Placed = Result<(OrderView, bool), TradeError>;

/// Places an order in a process until it ends or the process is killed.
async fn place(desk: &Desk, process: &Process, id: &str) -> Option<Placed> {
    tokio::select! {
        biased;
        () = process.died() => None,
        placed = desk.place(process, id, RESTING) => (!process.is_dead()).then_some(placed),
    }
}

/// Repeats an order as an honest client until it is placed.
async fn finish(desk: &Desk, id: &str) -> OrderView {
    for _ in 0..6 {
        match desk.place(&desk.process(), id, RESTING).await {
            Ok((order, _)) => return order,
            Err(TradeError::InProgress { .. } | TradeError::Unknown { .. }) => {
                desk.app.clock.advance_ms(LEASE_MS);
            }
            Err(TradeError::NotPlaced { .. }) => {}
            Err(other) => panic!("{id}: {other:?}"),
        }
    }
    panic!("{id} did not end")
}

#[tokio::test]
async fn order_of_a_dead_process_is_resolved_by_the_job() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let name = desk.send_name();
        for (id, side) in [("before", Side::Before), ("after", Side::After)] {
            let process = desk.proxy.process_with(Box::new(move |arrival| {
                if arrival.name == name { Fate::Die(side) } else { Fate::Pass }
            }));
            assert!(place(&desk, &process, id).await.is_none());
            process.settled().await;
            assert_eq!(desk.resolve(&desk.process()).await.resolved, 0, "its lease runs");
            let started_ms = desk.app.clock.now_ms();
            desk.app.clock.advance_ms(LEASE_MS);
            assert_eq!(desk.resolve(&desk.process()).await.resolved, 1, "{exchange} {id}");
            assert!(desk.app.clock.now_ms() - started_ms < 60_000);
            let state = desk.record(id).await.unwrap().state;
            let expected = if side == Side::After { OrderState::Placed } else { OrderState::Dead };
            assert_eq!(state, expected, "{exchange} {id}");
            finish(&desk, id).await;
            assert_eq!(desk.accepted(id), 1, "{exchange} {id}");
        }
    }
}

#[tokio::test]
async fn equal_orders_at_the_same_time_are_placed_once() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let processes: Vec<_> = (0..4).map(|_| desk.process()).collect();
        let placing = processes.iter().map(|process| desk.place(process, "same", RESTING));
        let placed = futures_util::future::join_all(placing).await;
        let mut ended = 0;
        for result in placed {
            match result {
                Ok((_, _)) => ended += 1,
                Err(TradeError::InProgress { .. }) => {}
                Err(other) => panic!("{exchange}: {other:?}"),
            }
        }
        assert!(ended >= 1);
        assert_eq!(desk.accepted("same"), 1);
    }
}

#[tokio::test]
async fn different_orders_at_the_same_time_are_all_placed() {
    for desk in Desk::both().await {
        let trader = desk.trader(&desk.process());
        let ids: Vec<_> = (0..8).map(|nth| format!("order-{nth}")).collect();
        let placing = ids.iter().map(|id| {
            let (trader, orders) = (&trader, [desk.order(id, RESTING)]);
            let wallet = desk.wallet();
            async move { trader.place(&Desk::caller(), &wallet, &orders, None).await }
        });
        for placed in futures_util::future::join_all(placing).await {
            placed.unwrap().single().unwrap();
        }
        assert!(ids.iter().all(|id| desk.accepted(id) == 1));
    }
}
