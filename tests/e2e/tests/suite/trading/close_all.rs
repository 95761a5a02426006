//! Closing all positions of a wallet, and repeats of such a request.

use domain::ids::Exchange;
use e2e::proxy::{Arrival, Fate, Plan, Process, Side as Moment};
use exchange_sim::faults::Fault;
use shared::orders::{AllToClose, ClosedPosition, Closing, TradeError};
use shared::trading::order::{OrderFields, OrderStatus};
use shared::trading::policy::{PolicyFields, PolicyRule};

use super::close::{WHOLE, fail_first, is_flat};
use super::policy::set;
use super::{Desk, LEASE_MS, MARKET};

/// The call that stores the list of the positions.
const LISTS: &str = "DynamoDB.PutItem";

impl Desk {
    async fn close_all(&self, process: &Process, id: &str) -> Result<Closing, TradeError> {
        let all = AllToClose { client_order_id: Some(id.parse().unwrap()), slippage: None };
        self.trader(process).close_all(&Self::caller(), &self.wallet(), &all, None).await
    }

    /// Closes all positions in a process that dies on the way.
    async fn close_all_and_die(&self, process: &Process, id: &str) {
        let ended = tokio::select! {
            biased;
            () = process.died() => None,
            closed = self.close_all(process, id) => (!process.is_dead()).then_some(closed),
        };
        assert!(ended.is_none(), "{ended:?}");
        process.settled().await;
    }

    /// Repeats a request as an honest client until every position is closed.
    async fn finish_closing(&self, id: &str) -> Closing {
        for _ in 0..6 {
            let closing = self.close_all(&self.process(), id).await.unwrap();
            if closing.closed.iter().all(|closed| closed.order.result.is_ok()) {
                return closing;
            }
            self.app.clock.advance_ms(LEASE_MS);
        }
        panic!("{id} did not end")
    }

    /// Closes all positions. When the list is stored, a stop loss closes that of ETH.
    async fn close_all_while_a_stop_fills(&self, id: &str) -> Closing {
        let (order_type, trigger_price) = (Some("STOP_MARKET"), Some("2500"));
        let (symbol, side) = (Some("ETH"), Some("SELL"));
        let stop = OrderFields {
            symbol,
            side,
            order_type,
            trigger_price,
            quantity: Some("0.1"),
            reduce_only: true,
            ..MARKET
        };
        self.place(&self.process(), "stop", stop).await.unwrap();
        let (app, exchange) = (self.app.clone(), self.exchange());
        let process = self.proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
            if arrival.name == LISTS {
                let _ = match exchange {
                    Exchange::Aster => app.stack.aster_sim.set_price("ETHUSDT", "2400"),
                    Exchange::Hyperliquid => app.stack.hyperliquid_sim.set_price("ETH", "2400"),
                    Exchange::Lighter => unreachable!("no wallet is registered there"),
                };
            }
            Fate::Pass
        }));
        self.close_all(&process, id).await.unwrap()
    }

    /// Returns a third market, and a quantity.
    const fn third(&self) -> (&'static str, &'static str) {
        match self.exchange() {
            Exchange::Aster => ("DOGE", "1000"),
            Exchange::Hyperliquid => ("SOL", "10"),
            Exchange::Lighter => unreachable!(),
        }
    }

    /// Opens a position in two markets.
    async fn two_positions(&self) {
        self.long("btc", "BTC", "0.01").await;
        self.long("eth", "ETH", "0.1").await;
    }

    /// Sells a position, as a stop loss does.
    async fn stopped_out(&self, id: &str, symbol: &'static str, quantity: &'static str) {
        let side = Some("SELL");
        let (symbol, quantity) = (Some(symbol), Some(quantity));
        let sell = OrderFields { symbol, quantity, side, reduce_only: true, ..MARKET };
        self.place(&self.process(), id, sell).await.unwrap();
    }
}

/// Returns the result for a market.
fn of<'a>(closing: &'a Closing, market: &str) -> &'a ClosedPosition {
    let found = closing.closed.iter().find(|closed| closed.symbol.starts_with(market));
    found.unwrap_or_else(|| panic!("{market}: {closing:?}"))
}

fn is_gone(closing: &Closing, market: &str) -> bool {
    matches!(of(closing, market).order.result, Err(TradeError::NoPosition { .. }))
}

#[tokio::test]
async fn close_all_without_positions_sends_nothing() {
    for desk in Desk::both().await {
        let process = desk.process();
        let none = desk.close_all(&process, "none").await;
        assert!(matches!(none, Err(TradeError::NoPosition { symbol: None })), "{none:?}");
        assert!(!process.calls().iter().any(|call| call == desk.send_name() || call == LISTS));
    }
}

#[tokio::test]
async fn repeat_of_closing_all_closes_only_the_first_positions() {
    for desk in Desk::both().await {
        desk.two_positions().await;
        let closing = desk.close_all(&desk.process(), "all").await.unwrap();
        assert_eq!((closing.closed.len(), closing.is_replay), (2, false));
        assert!(closing.closed.iter().all(|closed| closed.order.result.is_ok()), "{closing:?}");
        assert!(is_flat(&desk.position("BTC")) && is_flat(&desk.position("ETH")));
        desk.long("btc-2", "BTC", "0.03").await;
        let (third, size) = desk.third();
        desk.long("third", third, size).await;
        let again = desk.close_all(&desk.process(), "all").await.unwrap();
        assert_eq!((again.closed.len(), again.is_replay), (2, true));
        assert_eq!((desk.position("BTC").as_str(), desk.position(third).as_str()), ("0.03", size));
        // The same id closes nothing else.
        let one = desk.close(&desk.process(), "all", WHOLE).await;
        assert!(matches!(one, Err(TradeError::IdReused { .. })), "{one:?}");
    }
}

#[tokio::test]
async fn id_of_another_order_closes_nothing() {
    for desk in Desk::both().await {
        desk.two_positions().await;
        let refused = desk.close_all(&desk.process(), "btc").await;
        assert!(matches!(refused, Err(TradeError::IdReused { .. })), "{refused:?}");
        assert_eq!(desk.position("ETH"), "0.1");
    }
}

#[tokio::test]
async fn close_all_with_a_lost_response_is_finished_by_a_repeat() {
    for desk in Desk::both().await {
        desk.two_positions().await;
        let send = desk.send_name();
        let plan: Plan = Box::new(move |arrival: Arrival<'_>| {
            let is_second = arrival.name == send && arrival.nth_of_name == 2;
            if is_second { Fate::Fail(Fault::AppliedButLost) } else { Fate::Pass }
        });
        let process = desk.proxy.process_with(plan);
        let first = desk.close_all(&process, "all").await.unwrap();
        assert_eq!(first.closed.len(), 2);
        let (third, size) = desk.third();
        desk.long("third", third, size).await;
        let again = desk.close_all(&desk.process(), "all").await.unwrap();
        assert_eq!(again.closed.len(), 2, "{again:?}");
        assert!(is_flat(&desk.position("BTC")) && is_flat(&desk.position("ETH")));
        assert_eq!(desk.position(third), size);
    }
}

/// The process dies after the list is stored, or before the first order is sent.
#[tokio::test]
async fn close_all_of_a_dead_process_is_finished_by_a_repeat() {
    for desk in Desk::both().await {
        let (third, size) = desk.third();
        for (id, name, moment) in [
            ("listed", LISTS, Moment::After),
            ("stored", desk.send_name(), Moment::Before),
            ("sent", desk.send_name(), Moment::After),
        ] {
            for (market, quantity) in [("BTC", "0.01"), ("ETH", "0.1")] {
                desk.long(&format!("{id}-{market}"), market, quantity).await;
            }
            let process = desk.proxy.process_with(Box::new(move |arrival| {
                if arrival.name == name { Fate::Die(moment) } else { Fate::Pass }
            }));
            desk.close_all_and_die(&process, id).await;
            desk.long(&format!("{id}-third"), third, size).await;
            desk.app.clock.advance_ms(LEASE_MS);
            let closing = desk.finish_closing(id).await;
            assert_eq!(closing.closed.len(), 2, "{id}: {closing:?}");
            assert!(is_flat(&desk.position("BTC")) && is_flat(&desk.position("ETH")), "{id}");
            assert_eq!((desk.accepted(id), desk.position(third).as_str()), (1, size), "{id}");
            desk.stopped_out(&format!("{id}-end"), third, size).await;
        }
    }
}

/// No order reaches the exchange. A stop loss then closes the first position.
#[tokio::test]
async fn repeat_closes_the_others_when_the_first_position_is_gone() {
    for desk in Desk::both().await {
        desk.two_positions().await;
        let process = desk.proxy.process_with(fail_first(desk.send_name(), 100, Fault::Reset));
        let first = desk.close_all(&process, "all").await.unwrap();
        assert!(first.closed.iter().all(|closed| closed.order.result.is_err()), "{first:?}");
        let (gone, quantity, rests) = if first.closed[0].symbol.starts_with("BTC") {
            ("BTC", "0.01", "ETH")
        } else {
            ("ETH", "0.1", "BTC")
        };
        desk.stopped_out("stop", gone, quantity).await;
        desk.app.clock.advance_ms(LEASE_MS);
        // The first repeat resolves the orders, and the second one signs them again.
        let mut again = desk.close_all(&desk.process(), "all").await.unwrap();
        for _ in 0..3 {
            desk.app.clock.advance_ms(LEASE_MS);
            again = desk.close_all(&desk.process(), "all").await.unwrap();
        }
        assert!(is_gone(&again, gone), "{again:?}");
        let closed = of(&again, rests).order.result.as_ref().unwrap();
        assert_eq!(closed.status, OrderStatus::Filled);
        assert!(is_flat(&desk.position(rests)));
        // A later position in the market is another one.
        desk.long("newer", gone, quantity).await;
        let last = desk.close_all(&desk.process(), "all").await.unwrap();
        assert!(is_gone(&last, gone) && last.is_replay, "{last:?}");
        assert_eq!(desk.position(gone), quantity);
    }
}

#[tokio::test]
async fn repeat_tries_a_position_again_that_the_policy_refused() {
    for desk in Desk::both().await {
        desk.two_positions().await;
        let limit = "500".parse().ok();
        set(&desk, PolicyFields { max_order_notional: limit, ..Default::default() }).await;
        for _ in 0..2 {
            let closing = desk.close_all(&desk.process(), "all").await.unwrap();
            assert!(!closing.is_replay && closing.closed.len() == 2, "{closing:?}");
            let refused = &of(&closing, "BTC").order.result;
            let Err(TradeError::Policy(refusal)) = refused else { panic!("{refused:?}") };
            assert_eq!(refusal.rule, PolicyRule::OrderNotional);
            assert!(of(&closing, "ETH").order.result.is_ok(), "{closing:?}");
        }
        let (third, size) = desk.third();
        set(&desk, PolicyFields::default()).await;
        desk.long("eth-2", "ETH", "0.2").await;
        desk.long("third", third, size).await;
        let closing = desk.close_all(&desk.process(), "all").await.unwrap();
        assert!(of(&closing, "BTC").order.result.is_ok(), "{closing:?}");
        assert!(is_flat(&desk.position("BTC")));
        assert_eq!((desk.position("ETH").as_str(), desk.position(third).as_str()), ("0.2", size));
        let replay = desk.close_all(&desk.process(), "all").await.unwrap();
        assert!(replay.is_replay && replay.closed.len() == 2, "{replay:?}");
    }
}

/// The list is also stored if no order is signed.
#[tokio::test]
async fn repeat_closes_no_others_when_the_policy_refused_all() {
    for desk in Desk::both().await {
        desk.long("btc", "BTC", "0.01").await;
        let limit = "1".parse().ok();
        set(&desk, PolicyFields { max_order_notional: limit, ..Default::default() }).await;
        let refused = desk.close_all(&desk.process(), "all").await.unwrap();
        assert!(matches!(of(&refused, "BTC").order.result, Err(TradeError::Policy(_))));
        set(&desk, PolicyFields::default()).await;
        desk.long("eth", "ETH", "0.1").await;
        let closing = desk.close_all(&desk.process(), "all").await.unwrap();
        assert_eq!((closing.closed.len(), desk.position("ETH").as_str()), (1, "0.1"));
        assert!(is_flat(&desk.position("BTC")));
    }
}

/// A stop loss closes a position after it is listed, and before its order is signed.
#[tokio::test]
async fn position_that_is_gone_when_its_order_is_signed_stays_gone() {
    for desk in Desk::both().await {
        desk.two_positions().await;
        let first = desk.close_all_while_a_stop_fills("all").await;
        assert!(is_gone(&first, "ETH") && of(&first, "BTC").order.result.is_ok(), "{first:?}");
        desk.app.clock.advance_ms(LEASE_MS);
        // The read of this repeat cannot lag behind the list.
        let noted = desk.close_all(&desk.process(), "all").await.unwrap();
        assert!(is_gone(&noted, "ETH"), "{noted:?}");
        desk.long("newer", "ETH", "0.1").await;
        let again = desk.close_all(&desk.process(), "all").await.unwrap();
        assert!(is_gone(&again, "ETH") && again.is_replay, "{again:?}");
        assert_eq!(desk.position("ETH"), "0.1");
    }
}

/// Right after the list, a node that lags misses a position that still exists. The service cannot
/// tell this from a position that is gone, so the first request notes nothing.
#[tokio::test]
async fn position_that_is_missed_right_after_the_list_is_closed_by_a_repeat() {
    for desk in Desk::both().await {
        desk.two_positions().await;
        let first = desk.close_all_while_a_stop_fills("all").await;
        assert!(is_gone(&first, "ETH") && !first.is_replay, "{first:?}");
        desk.long("seen-again", "ETH", "0.1").await;
        let again = desk.close_all(&desk.process(), "all").await.unwrap();
        assert!(of(&again, "ETH").order.result.is_ok(), "{again:?}");
        assert!(is_flat(&desk.position("ETH")));
    }
}

/// The position was long when it was listed.
#[tokio::test]
async fn position_of_the_other_direction_is_not_closed() {
    for desk in Desk::both().await {
        desk.two_positions().await;
        let process = desk.proxy.process_with(Box::new(|arrival: Arrival<'_>| {
            if arrival.name == LISTS { Fate::Die(Moment::After) } else { Fate::Pass }
        }));
        desk.close_all_and_die(&process, "all").await;
        let (side, quantity) = (Some("SELL"), Some("0.03"));
        let sell = OrderFields { side, quantity, ..MARKET };
        desk.place(&desk.process(), "reverse", sell).await.unwrap();
        let closing = desk.close_all(&desk.process(), "all").await.unwrap();
        assert!(is_gone(&closing, "BTC"), "{closing:?}");
        assert_eq!(desk.position("BTC"), "-0.02");
        assert!(is_flat(&desk.position("ETH")));
    }
}

#[tokio::test]
async fn equal_requests_at_the_same_time_close_each_position_once() {
    for desk in Desk::both().await {
        desk.two_positions().await;
        let processes: Vec<_> = (0..4).map(|_| desk.process()).collect();
        let closing = processes.iter().map(|process| desk.close_all(process, "all"));
        for closed in futures_util::future::join_all(closing).await {
            assert_eq!(closed.unwrap().closed.len(), 2);
        }
        desk.app.clock.advance_ms(LEASE_MS);
        let closing = desk.finish_closing("all").await;
        for closed in &closing.closed {
            assert_eq!(desk.accepted(closed.order.client_order_id.as_str()), 1, "{closing:?}");
        }
        assert!(is_flat(&desk.position("BTC")) && is_flat(&desk.position("ETH")));
    }
}
