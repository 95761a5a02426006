//! Reading positions, balances, executions and past orders.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::ids::Exchange;
use e2e::proxy::{Arrival, Fate, Plan, Process};
use exchange_sim::faults::Fault;
use shared::exchanges::account::{Direction, Pocket};
use shared::orders::{FillsView, TradeError};
use shared::trading::decimal::Decimal;
use shared::trading::order::OrderFields;

use super::{Desk, MARKET, RESTING, symbol};

#[tokio::test]
async fn open_positions_are_listed_and_closed_ones_are_not() {
    for desk in Desk::both().await {
        let trader = desk.trader(&desk.process());
        let list = async || {
            let listed = trader.positions(&Desk::caller(), &desk.wallet(), None).await.unwrap();
            listed.positions
        };
        assert!(list().await.is_empty());
        desk.place(&desk.process(), "long", MARKET).await.unwrap();
        let short = OrderFields {
            symbol: Some("ETH"),
            side: Some("SELL"),
            quantity: Some("0.1"),
            ..MARKET
        };
        desk.place(&desk.process(), "short", short).await.unwrap();
        let positions = list().await;
        assert_eq!(positions.len(), 2, "{positions:?}");
        let long = positions.iter().find(|it| it.direction == Direction::Long).unwrap();
        assert!(long.symbol.starts_with("BTC"));
        assert_eq!(long.size.text(), "0.01");
        assert!(long.margin > Decimal::ZERO && long.leverage > 0);
        let only = Some(symbol("ETH"));
        let of_market = trader.positions(&Desk::caller(), &desk.wallet(), only.as_ref()).await;
        assert_eq!(of_market.unwrap().positions[0].direction, Direction::Short);
        let sell = OrderFields { side: Some("SELL"), reduce_only: true, ..MARKET };
        desk.place(&desk.process(), "closed", sell).await.unwrap();
        assert_eq!(list().await.len(), 1);
    }
}

#[tokio::test]
async fn balances_state_the_value_of_the_account() {
    for desk in Desk::both().await {
        let trader = desk.trader(&desk.process());
        let view = trader.balances(&Desk::caller(), &desk.wallet()).await.unwrap();
        let first = &view.balances.rows[0];
        let asset = match desk.exchange() {
            Exchange::Aster => "USDT",
            Exchange::Hyperliquid => "USDC",
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        assert_eq!(first.asset, asset, "{view:?}");
        assert!(!first.total.is_zero() && first.total == view.balances.account_value);
    }
}

#[tokio::test]
async fn executions_are_listed_with_the_callers_ids() {
    for desk in Desk::both().await {
        let from = desk.app.clock.clock().now_ms();
        desk.place(&desk.process(), "one", MARKET).await.unwrap();
        let sell = OrderFields { side: Some("SELL"), ..MARKET };
        desk.place(&desk.process(), "two", sell).await.unwrap();
        let trader = desk.trader(&desk.process());
        let (wallet, btc) = (desk.wallet(), symbol("BTC"));
        let page = trader.fills(&Desk::caller(), &wallet, Some(&btc), from).await.unwrap();
        let ids: Vec<_> = page.fills.iter().map(|it| it.client_order_id.as_deref()).collect();
        match desk.exchange() {
            // Aster's list has no client's id.
            Exchange::Aster => assert_eq!(page.fills.len(), 2, "{ids:?}"),
            Exchange::Hyperliquid => assert_eq!(ids, [Some("one"), Some("two")]),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        }
        let all = trader.fills(&Desk::caller(), &wallet, None, from).await;
        match desk.exchange() {
            Exchange::Aster => assert!(matches!(all, Err(TradeError::Fault(_))), "{all:?}"),
            Exchange::Hyperliquid => assert_eq!(all.unwrap().fills.len(), 2),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        }
    }
}

impl Desk {
    async fn fills_from(&self, process: &Process, from: u64) -> Result<FillsView, TradeError> {
        let (wallet, btc) = (self.wallet(), symbol("BTC"));
        self.trader(process).fills(&Self::caller(), &wallet, Some(&btc), from).await
    }

    /// Buys in this number of executions, all of them in one millisecond.
    async fn buy_in_pieces(&self, id: &str, pieces: usize) {
        let asks: Vec<_> =
            (0..pieces).map(|_| ("60000.0".to_owned(), "0.001".to_owned())).collect();
        assert!(self.app.stack.aster_sim.set_liquidity("BTCUSDT", &[], &asks));
        let quantity = format!("{}.{:03}", pieces / 1_000, pieces % 1_000);
        let buy = OrderFields { quantity: Some(&quantity), ..MARKET };
        self.place(&self.process(), id, buy).await.unwrap();
    }

    /// Follows the pages to the present. Returns the executions' ids and the number of pages.
    async fn all_fills_from(&self, mut from: u64) -> (BTreeSet<u64>, usize) {
        let (mut ids, mut pages) = (BTreeSet::new(), 0);
        loop {
            let page = self.fills_from(&self.process(), from).await.unwrap();
            pages += 1;
            for fill in &page.fills {
                assert!(ids.insert(fill.fill.id), "{} is in two pages", fill.fill.id);
            }
            match page.next_ms {
                Some(next) => {
                    assert!(next > from, "the page after {from} starts at {next}");
                    from = next;
                }
                None => return (ids, pages),
            }
        }
    }
}

#[tokio::test]
async fn more_executions_in_a_minute_than_a_response_holds_are_all_listed() {
    let desk = Desk::open(Exchange::Aster).await;
    let from = desk.app.clock.now_ms();
    for id in ["one", "two", "three"] {
        desk.app.clock.advance_ms(15_000);
        desk.buy_in_pieces(id, 700).await;
    }
    desk.app.clock.advance_ms(15_000);
    let (ids, pages) = desk.all_fills_from(from).await;
    assert_eq!(ids.len(), 2_100);
    assert!(pages <= 5, "{pages}");
}

#[tokio::test]
async fn more_executions_in_a_millisecond_than_a_response_holds_are_all_listed() {
    let desk = Desk::open(Exchange::Aster).await;
    let from = desk.app.clock.now_ms();
    desk.app.clock.advance_ms(1_000);
    desk.buy_in_pieces("one", 2_300).await;
    desk.app.clock.advance_ms(1_000);
    desk.buy_in_pieces("two", 3).await;
    desk.app.clock.advance_ms(1_000);
    assert_eq!(desk.all_fills_from(from).await.0.len(), 2_303);
}

/// Returns a plan under which each call of this name takes a time.
fn slow(desk: &Desk, name: &'static str, ms: u64) -> Plan {
    let app = desk.app.clone();
    Box::new(move |arrival: Arrival<'_>| {
        if arrival.name == name {
            app.clock.advance_ms(ms);
        }
        Fate::Pass
    })
}

#[tokio::test]
async fn slow_pages_end_with_what_is_read() {
    let desk = Desk::open(Exchange::Aster).await;
    let from = desk.app.clock.now_ms();
    // Five empty windows of seven days, then an execution.
    desk.app.clock.advance_ms(40 * 24 * 3_600_000);
    desk.place(&desk.process(), "one", MARKET).await.unwrap();
    let process = desk.proxy.process_with(slow(&desk, "Aster.GET userTrades", 9_000));
    let page = desk.fills_from(&process, from).await.unwrap();
    assert!(page.fills.is_empty() && page.next_ms.is_some_and(|next| next > from), "{page:?}");
    assert_eq!(process.calls().iter().filter(|call| *call == "Aster.GET userTrades").count(), 3);
    assert_eq!(desk.all_fills_from(page.next_ms.unwrap()).await.0.len(), 1);
}

#[tokio::test]
async fn read_without_time_left_is_a_timeout() {
    let desk = Desk::open(Exchange::Aster).await;
    let from = desk.app.clock.now_ms();
    let process = desk.proxy.process_with(slow(&desk, "Aster.GET exchangeInfo", 25_000));
    let late = desk.fills_from(&process, from).await;
    assert!(matches!(late, Err(TradeError::OutOfTime)), "{late:?}");
    assert!(!process.calls().iter().any(|call| call == "Aster.GET userTrades"));
}

#[tokio::test]
async fn spot_balances_of_aster_are_listed_after_the_futures() {
    let desk = Desk::open(Exchange::Aster).await;
    assert!(desk.app.stack.aster_sim.deposit_spot(desk.address, "ASTER", "12.5"));
    let balances = async |process: Arc<Process>| {
        let trader = desk.trader(&process);
        trader.balances(&Desk::caller(), &desk.wallet()).await.unwrap().balances
    };
    let listed = balances(desk.process()).await;
    let rows: Vec<_> = listed.rows.iter().map(|row| (row.asset.as_str(), row.pocket)).collect();
    assert_eq!(rows, [("USDT", Pocket::Perps), ("ASTER", Pocket::Spot)]);
    assert_eq!(listed.rows[1].total.text(), "12.5");
    assert!(listed.unread.is_empty());
    // The futures account is listed without the spot API, and says so.
    for fault in [Fault::Status(500, "<html>".to_owned()), Fault::Garbage, Fault::Reset] {
        let plan: Plan = Box::new(move |arrival: Arrival<'_>| match arrival.name {
            "Aster.GET account" => Fate::Fail(fault.clone()),
            _ => Fate::Pass,
        });
        let listed = balances(desk.proxy.process_with(plan)).await;
        assert_eq!((listed.rows.len(), listed.unread), (1, vec![Pocket::Spot]));
    }
    // The failures of the spot API do not pause trading.
    desk.place(&desk.process(), "still", MARKET).await.unwrap();
}

#[tokio::test]
async fn past_orders_include_ended_ones() {
    for desk in Desk::both().await {
        desk.place(&desk.process(), "filled", MARKET).await.unwrap();
        desk.place(&desk.process(), "gone", RESTING).await.unwrap();
        desk.cancel("gone").await.unwrap();
        let trader = desk.trader(&desk.process());
        let past = trader.past_orders(&Desk::caller(), &desk.wallet()).await;
        match desk.exchange() {
            Exchange::Aster => assert!(matches!(past, Err(TradeError::Refused { .. }))),
            Exchange::Hyperliquid => {
                let past = past.unwrap();
                let ids: Vec<_> =
                    past.iter().filter_map(|it| it.client_order_id.as_deref()).collect();
                assert!(ids.contains(&"filled") && ids.contains(&"gone"), "{ids:?}");
            }
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        }
    }
}
