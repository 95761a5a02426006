//! The states of orders that are attached to another one, which only Hyperliquid offers.

use domain::ids::Exchange;
use e2e::proxy::{Arrival, Fate};
use exchange_sim::faults::Fault;
use shared::orders::OrderView;
use shared::trading::order::{OrderFields, OrderStatus};

use super::{Desk, MARKET, RESTING, STOP_LOSS, TAKE_PROFIT};

/// Returns the fields of an order with a take profit and a stop loss.
const fn bracket(order: OrderFields<'static>) -> OrderFields<'static> {
    OrderFields { take_profit: Some(TAKE_PROFIT), stop_loss: Some(STOP_LOSS), ..order }
}

/// Returns the states of the take profit and of the stop loss.
fn states(order: &OrderView) -> (OrderStatus, OrderStatus) {
    let (take_profit, stop_loss) = (order.take_profit.as_ref(), order.stop_loss.as_ref());
    (take_profit.unwrap().status, stop_loss.unwrap().status)
}

impl Desk {
    /// Returns an order of the list of past orders.
    async fn past(&self, id: &str) -> OrderView {
        let trader = self.trader(&self.process());
        let orders = trader.past_orders(&Self::caller(), &self.wallet()).await.unwrap();
        let mut orders = orders.into_iter();
        orders.find(|order| order.client_order_id.as_deref() == Some(id)).unwrap()
    }
}

#[tokio::test]
async fn attached_order_that_executed_is_filled() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let simulator = &desk.app.stack.hyperliquid_sim;
    for (id, price, states_after) in [
        ("profit", "67000", (OrderStatus::Filled, OrderStatus::Canceled)),
        ("stop", "49000", (OrderStatus::Canceled, OrderStatus::Filled)),
    ] {
        let (placed, _) = desk.place(&desk.process(), id, bracket(MARKET)).await.unwrap();
        let both_open = (OrderStatus::Open, OrderStatus::Open);
        assert_eq!((placed.status, states(&placed)), (OrderStatus::Filled, both_open));
        let waits = desk.status(id).await.unwrap();
        assert_eq!(states(&waits), both_open);
        assert!(simulator.set_price("BTC", price));
        for order in [desk.status(id).await.unwrap(), desk.past(id).await] {
            assert_eq!(order.status, OrderStatus::Filled);
            assert_eq!(states(&order), states_after, "{id}");
            let leg = order.take_profit.unwrap();
            assert_eq!(desk.status(&leg.client_order_id).await.unwrap().status, states_after.0);
            assert!(leg.order_id.is_some());
        }
        // A repeat still returns the first outcome.
        let (again, is_replay) = desk.place(&desk.process(), id, bracket(MARKET)).await.unwrap();
        assert_eq!((states(&again), is_replay), (both_open, true));
        assert!(simulator.set_price("BTC", "60000"));
    }
}

#[tokio::test]
async fn attached_orders_end_with_an_entry_that_is_cancelled() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    desk.place(&desk.process(), "entry", bracket(RESTING)).await.unwrap();
    let both_open = (OrderStatus::Open, OrderStatus::Open);
    let open = desk.open_orders().await;
    let listed = open.iter().find(|order| order.client_order_id.as_deref() == Some("entry"));
    assert_eq!(states(listed.unwrap()), both_open);
    assert_eq!(states(&desk.status("entry").await.unwrap()), both_open);
    let cancelled = desk.cancel("entry").await.unwrap();
    let both_ended = (OrderStatus::Canceled, OrderStatus::Canceled);
    assert_eq!((cancelled.status, states(&cancelled)), (OrderStatus::Canceled, both_ended));
    for order in [desk.status("entry").await.unwrap(), desk.past("entry").await] {
        assert_eq!(states(&order), both_ended);
    }
}

#[tokio::test]
async fn attached_order_that_is_cancelled_alone_is_not_open() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let (placed, _) = desk.place(&desk.process(), "entry", bracket(RESTING)).await.unwrap();
    let stop = placed.stop_loss.unwrap().client_order_id;
    desk.cancel(&stop).await.unwrap();
    let order = desk.status("entry").await.unwrap();
    assert_eq!(states(&order), (OrderStatus::Open, OrderStatus::Canceled));
    let open = desk.open_orders().await;
    let listed = open.iter().find(|order| order.client_order_id.as_deref() == Some("entry"));
    assert_eq!(states(listed.unwrap()), (OrderStatus::Open, OrderStatus::Unknown));
}

#[tokio::test]
async fn attached_order_that_is_not_found_is_unknown() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    desk.place(&desk.process(), "entry", bracket(MARKET)).await.unwrap();
    let asks = desk.asks();
    // The entry is found, and the lookups of its attached orders fail.
    let process = desk.proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
        let is_it = arrival.name == asks && arrival.nth_of_name > 1;
        if is_it { Fate::Fail(Fault::Status(500, String::new())) } else { Fate::Pass }
    }));
    let (name, trader) = ("entry".parse().unwrap(), desk.trader(&process));
    let order = trader.status(&Desk::caller(), &desk.wallet(), &name, None).await.unwrap();
    assert_eq!(order.status, OrderStatus::Filled);
    assert_eq!(states(&order), (OrderStatus::Unknown, OrderStatus::Unknown));
}
