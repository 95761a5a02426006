//! Closing one position, or a part of it.

use domain::ids::Exchange;
use e2e::proxy::{Arrival, Fate, Plan, Process};
use exchange_sim::faults::Fault;
use shared::exchanges::trade::TradeCode;
use shared::orders::{OrderView, PositionToClose, TradeError};
use shared::trading::order::{CloseFields, OrderFields, OrderStatus, Side};
use shared::trading::policy::{PolicyFields, PolicyRule};

use super::policy::{rule, set};
use super::{Desk, MARKET};

pub(super) const WHOLE: CloseFields<'static> = CloseFields {
    symbol: Some("BTC"),
    side: None,
    order_type: None,
    quantity: None,
    price: None,
    time_in_force: None,
    position_side: None,
    slippage: None,
    reduce_only: None,
};

impl Desk {
    /// Opens a long position in a market.
    pub(super) async fn long(&self, id: &str, symbol: &'static str, quantity: &'static str) {
        let fields = OrderFields { symbol: Some(symbol), quantity: Some(quantity), ..MARKET };
        let (order, _) = self.place(&self.process(), id, fields).await.unwrap();
        assert_eq!(order.status, OrderStatus::Filled, "{order:?}");
    }

    pub(super) async fn close(
        &self,
        process: &Process,
        id: &str,
        fields: CloseFields<'_>,
    ) -> Result<(OrderView, bool), TradeError> {
        let request = fields.check(self.exchange()).unwrap();
        let close = PositionToClose { client_order_id: Some(id.parse().unwrap()), request };
        let trader = self.trader(process);
        trader.close(&Self::caller(), &self.wallet(), &close, None).await?.single()
    }

    /// Returns the size of the position, as the exchange has it.
    pub(super) fn position(&self, symbol: &str) -> String {
        let (aster, hyperliquid) = (&self.app.stack.aster_sim, &self.app.stack.hyperliquid_sim);
        match self.exchange() {
            Exchange::Aster => aster.position_of(self.address, &format!("{symbol}USDT")),
            Exchange::Hyperliquid => hyperliquid.position_of(self.address, symbol),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        }
    }
}

pub(super) fn is_flat(size: &str) -> bool {
    size.bytes().all(|byte| b"0.".contains(&byte))
}

#[tokio::test]
async fn repeat_of_a_close_returns_the_first_outcome_and_closes_no_more() {
    for desk in Desk::both().await {
        desk.long("open-1", "BTC", "0.01").await;
        let (order, is_replay) = desk.close(&desk.process(), "close", WHOLE).await.unwrap();
        assert_eq!((order.status, is_replay), (OrderStatus::Filled, false));
        assert_eq!((order.side, order.quantity.as_str()), (Side::Sell, "0.01"));
        assert!(order.reduce_only && is_flat(&desk.position("BTC")));
        // The position is open again, and larger.
        desk.long("open-2", "BTC", "0.02").await;
        let (again, is_replay) = desk.close(&desk.process(), "close", WHOLE).await.unwrap();
        assert!(is_replay);
        assert_eq!((again.order_id, again.quantity.as_str()), (order.order_id, "0.01"));
        assert_eq!(desk.position("BTC"), "0.02");
        let part = CloseFields { quantity: Some("0.01"), ..WHOLE };
        let other = desk.close(&desk.process(), "close", part).await;
        assert!(matches!(other, Err(TradeError::IdReused { .. })), "{other:?}");
        assert_eq!(desk.accepted("close"), 1);
    }
}

#[tokio::test]
async fn part_of_a_short_position_is_bought_back() {
    for desk in Desk::both().await {
        let sell = OrderFields { side: Some("SELL"), ..MARKET };
        desk.place(&desk.process(), "short", sell).await.unwrap();
        let part = CloseFields { quantity: Some("0.004"), side: Some("BUY"), ..WHOLE };
        let (order, _) = desk.close(&desk.process(), "part", part).await.unwrap();
        assert_eq!((order.side, order.filled_quantity.as_str()), (Side::Buy, "0.004"));
        assert_eq!(desk.position("BTC"), "-0.006");
        let limit = CloseFields { order_type: Some("LIMIT"), price: Some("59000"), ..WHOLE };
        let (order, _) = desk.close(&desk.process(), "limit", limit).await.unwrap();
        assert_eq!((order.status, order.quantity.as_str()), (OrderStatus::Open, "0.006"));
        assert!(order.reduce_only);
    }
}

#[tokio::test]
async fn close_without_a_fitting_position_sends_nothing() {
    for desk in Desk::both().await {
        let process = desk.process();
        let none = desk.close(&process, "none", WHOLE).await;
        assert!(matches!(none, Err(TradeError::NoPosition { .. })), "{none:?}");
        desk.long("open", "BTC", "0.01").await;
        let wrong = CloseFields { side: Some("BUY"), ..WHOLE };
        let wrong = desk.close(&process, "wrong", wrong).await;
        assert!(matches!(wrong, Err(TradeError::NoPosition { .. })), "{wrong:?}");
        let large = CloseFields { quantity: Some("0.011"), ..WHOLE };
        let Err(TradeError::Rule(large)) = desk.close(&process, "large", large).await else {
            panic!("a close that is larger than the position")
        };
        assert_eq!(large.code, TradeCode::ReduceOnlyRefused);
        assert_eq!(large.limit.as_deref(), Some("0.01"));
        assert!(!process.calls().iter().any(|call| call == desk.send_name()));
    }
}

/// The rest is below the exchange's minimum value of an order.
#[tokio::test]
async fn rest_below_the_minimum_is_closed() {
    for desk in Desk::both().await {
        let (open, part) = match desk.exchange() {
            Exchange::Aster => ("0.002", "0.001"),
            Exchange::Hyperliquid => ("0.0011", "0.001"),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        desk.long("open", "BTC", open).await;
        let part = CloseFields { quantity: Some(part), ..WHOLE };
        desk.close(&desk.process(), "part", part).await.unwrap();
        let (order, _) = desk.close(&desk.process(), "rest", WHOLE).await.unwrap();
        assert_eq!(order.status, OrderStatus::Filled, "{order:?}");
        assert!(is_flat(&desk.position("BTC")), "{}", desk.position("BTC"));
        let size = if desk.exchange() == Exchange::Aster { "0.001" } else { "0.0001" };
        for order in [order, desk.status("rest").await.unwrap()] {
            assert_eq!((order.quantity.as_str(), order.filled_quantity.as_str()), (size, size));
        }
    }
}

/// Opens a position and closes all but a rest that is below the minimum of an order.
async fn rest_of(desk: &Desk) {
    desk.long("open", "BTC", "0.0011").await;
    let part = CloseFields { quantity: Some("0.001"), ..WHOLE };
    desk.close(&desk.process(), "part", part).await.unwrap();
}

#[tokio::test]
async fn rest_that_is_closed_in_part_is_not_filled() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    desk.long("open", "BTC", "0.0011").await;
    // One bid that is smaller than the position. The mark price makes the position a rest.
    let simulator = &desk.app.stack.hyperliquid_sim;
    assert!(simulator.set_price("BTC", "9000"));
    let quote = |price: &str, size: &str| (price.to_owned(), size.to_owned());
    let (bid, ask) = (quote("8990", "0.0005"), quote("9010", "1"));
    assert!(simulator.set_liquidity("BTC", &[bid], &[ask]));
    let (order, _) = desk.close(&desk.process(), "rest", WHOLE).await.unwrap();
    assert_eq!(order.status, OrderStatus::Canceled, "{order:?}");
    assert_eq!((order.quantity.as_str(), order.filled_quantity.as_str()), ("0.0011", "0.0005"));
    assert_eq!(desk.position("BTC"), "0.0006");
}

#[tokio::test]
async fn quantity_zero_counts_as_the_whole_position() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    rest_of(&desk).await;
    let limit = "5".parse().ok();
    set(&desk, PolicyFields { max_order_notional: limit, ..Default::default() }).await;
    let refused = desk.close(&desk.process(), "close", WHOLE).await;
    assert_eq!(rule(refused), PolicyRule::OrderNotional);
    let zero = OrderFields { quantity: Some("0"), side: Some("SELL"), reduce_only: true, ..MARKET };
    let refused = desk.place(&desk.process(), "zero", zero).await;
    assert_eq!(rule(refused), PolicyRule::OrderNotional);
    let (order_type, trigger_price) = (Some("STOP_MARKET"), Some("50000"));
    let stop = OrderFields { order_type, trigger_price, ..zero };
    let refused = desk.place(&desk.process(), "stop", stop).await;
    assert_eq!(rule(refused), PolicyRule::OrderNotional);
    set(&desk, PolicyFields::default()).await;
    let (waits, _) = desk.place(&desk.process(), "stop", stop).await.unwrap();
    assert_eq!((waits.status, waits.quantity.as_str()), (OrderStatus::Open, "0"));
    let (order, _) = desk.place(&desk.process(), "zero", zero).await.unwrap();
    assert_eq!((order.status, order.quantity.as_str()), (OrderStatus::Filled, "0.0001"));
    assert!(is_flat(&desk.position("BTC")));
    // The position has changed, and the request has not.
    let (_, is_replay) = desk.place(&desk.process(), "zero", zero).await.unwrap();
    assert!(is_replay);
}

pub(super) fn fail_first(name: &'static str, times: usize, fault: Fault) -> Plan {
    Box::new(move |arrival: Arrival<'_>| {
        let is_it = arrival.name == name && arrival.nth_of_name <= times;
        if is_it { Fate::Fail(fault.clone()) } else { Fate::Pass }
    })
}

#[tokio::test]
async fn close_with_a_lost_response_executes_once() {
    for desk in Desk::both().await {
        desk.long("open", "BTC", "0.02").await;
        let lost = fail_first(desk.send_name(), 1, Fault::AppliedButLost);
        let part = CloseFields { quantity: Some("0.005"), ..WHOLE };
        let process = desk.proxy.process_with(lost);
        let (order, _) = desk.close(&process, "lost", part).await.unwrap();
        assert_eq!(order.filled_quantity, "0.005");
        let (_, is_replay) = desk.close(&desk.process(), "lost", part).await.unwrap();
        assert!(is_replay);
        assert_eq!((desk.accepted("lost"), desk.position("BTC").as_str()), (1, "0.015"));
    }
}

#[tokio::test]
async fn late_close_is_fenced_and_signed_again_for_the_present_position() {
    for desk in Desk::both().await {
        desk.long("open-1", "BTC", "0.01").await;
        let late = fail_first(desk.send_name(), 2, Fault::Late { ms: 8_000 });
        let process = desk.proxy.process_with(late);
        let closed = desk.close(&process, "late", WHOLE).await;
        let is_open =
            matches!(closed, Err(TradeError::NotPlaced { .. } | TradeError::Unknown { .. }));
        assert!(is_open, "{closed:?}");
        desk.long("open-2", "BTC", "0.01").await;
        desk.app.clock.advance_ms(8_000);
        desk.proxy.deliver_late().await;
        assert_eq!(desk.position("BTC"), "0.02");
        desk.app.clock.advance_ms(2_000);
        let (order, is_replay) = desk.close(&desk.process(), "late", WHOLE).await.unwrap();
        assert_eq!((order.quantity.as_str(), is_replay), ("0.02", false));
        assert_eq!(desk.accepted("late"), 1);
        assert!(is_flat(&desk.position("BTC")));
    }
}

#[tokio::test]
async fn hedge_mode_closes_the_named_side() {
    let desk = Desk::open(Exchange::Aster).await;
    desk.app.stack.aster_sim.set_mode(desk.address, true);
    let long = OrderFields { position_side: Some("LONG"), ..MARKET };
    let short = OrderFields { side: Some("SELL"), position_side: Some("SHORT"), ..MARKET };
    desk.place(&desk.process(), "long", long).await.unwrap();
    desk.place(&desk.process(), "short", short).await.unwrap();
    let both = desk.close(&desk.process(), "both", WHOLE).await;
    assert!(matches!(both, Err(TradeError::PositionSideRequired { .. })), "{both:?}");
    let named = CloseFields { position_side: Some("SHORT"), ..WHOLE };
    let (order, _) = desk.close(&desk.process(), "short-closed", named).await.unwrap();
    assert_eq!((order.side, order.status), (Side::Buy, OrderStatus::Filled));
    // Only the long position is left, so the side follows.
    let (order, _) = desk.close(&desk.process(), "rest", WHOLE).await.unwrap();
    assert_eq!((order.side, order.position_side.as_str()), (Side::Sell, "LONG"));
    let none = desk.close(&desk.process(), "none", WHOLE).await;
    assert!(matches!(none, Err(TradeError::NoPosition { .. })), "{none:?}");
}

#[tokio::test]
async fn policy_checks_a_close_as_an_order() {
    for exchange in Exchange::ALL {
        let desk = Desk::open(exchange).await;
        desk.long("open", "BTC", "0.02").await;
        let limit = "700".parse().ok();
        set(&desk, PolicyFields { max_order_notional: limit, ..Default::default() }).await;
        let refused = desk.close(&desk.process(), "large", WHOLE).await;
        assert_eq!(rule(refused), PolicyRule::OrderNotional);
        let part = CloseFields { quantity: Some("0.01"), ..WHOLE };
        desk.close(&desk.process(), "part", part).await.unwrap();
        set(&desk, PolicyFields { reduce_only: Some(true), ..Default::default() }).await;
        desk.close(&desk.process(), "rest", WHOLE).await.unwrap();
        assert_eq!((desk.accepted("large"), desk.accepted("rest")), (0, 1));
    }
}
