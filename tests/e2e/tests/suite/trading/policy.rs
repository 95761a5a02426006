//! The trading policy, which is checked before anything is signed.

use domain::clock::Clock;
use domain::ids::Exchange;
use domain::random::Random;
use e2e::proxy::{Arrival, Fate, Plan};
use exchange_sim::faults::Fault;
use shared::orders::TradeError;
use shared::store::PolicyChange;
use shared::trading::ledger::READ_LAG_MS;
use shared::trading::order::OrderFields;
use shared::trading::policy::{PolicyFields, PolicyRule};

use super::{Desk, MARKET, RESTING, STOP_LOSS, TAKE_PROFIT};

/// Sets the tenant's policy, which is in effect at once.
pub(super) async fn set(desk: &Desk, fields: PolicyFields) {
    let change = PolicyChange {
        tenant: desk.account.tenant.clone(),
        wallet_id: None,
        fields,
        may_loosen: true,
        delay_ms: 0,
    };
    let (clock, random) = (desk.app.clock.clock(), Random::system());
    desk.app.store().change_trading_policy(&change, &clock, &random).await.unwrap();
}

pub(super) fn rule<T: std::fmt::Debug>(refused: Result<T, TradeError>) -> PolicyRule {
    match refused {
        Err(TradeError::Policy(refusal)) => refusal.rule,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn order_above_a_limit_is_refused() {
    for desk in Desk::both().await {
        let limit = "600".parse().ok();
        set(&desk, PolicyFields { max_order_notional: limit, ..Default::default() }).await;
        let large = OrderFields { quantity: Some("0.02"), ..RESTING };
        let refused = desk.place(&desk.process(), "large", large).await;
        assert_eq!(rule(refused), PolicyRule::OrderNotional);
        desk.place(&desk.process(), "small", RESTING).await.unwrap();
        let changed = desk.modify(&desk.process(), "small", ("59000", "0.02")).await;
        assert_eq!(rule(changed), PolicyRule::OrderNotional);
        assert_eq!((desk.accepted("large"), desk.accepted("small")), (0, 1));
    }
}

#[tokio::test]
async fn parallel_orders_do_not_exceed_a_limit_of_positions() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        // Room for two orders of 590 each.
        let limit = "1300".parse().ok();
        set(&desk, PolicyFields { max_position_notional: limit, ..Default::default() }).await;
        let processes: Vec<_> = (0..5).map(|_| desk.process()).collect();
        let ids: Vec<_> = (0..5).map(|nth| format!("p-{nth}")).collect();
        let placing =
            processes.iter().zip(&ids).map(|(process, id)| desk.place(process, id, RESTING));
        let placed = futures_util::future::join_all(placing).await;
        let is_refused = |refused: &&Result<_, TradeError>| {
            matches!(refused, Err(TradeError::Policy(refusal))
                if refusal.rule == PolicyRule::PositionNotional)
        };
        let done = placed.iter().filter(|placed| placed.is_ok()).count();
        assert_eq!(placed.iter().filter(is_refused).count() + done, 5, "{placed:?}");
        assert_eq!(done, 2, "{exchange}: {placed:?}");
        let third = desk.place(&desk.process(), "third", RESTING).await;
        assert_eq!(rule(third), PolicyRule::PositionNotional);
        let reducing = OrderFields { side: Some("SELL"), price: Some("61000"), ..RESTING };
        desk.place(&desk.process(), "sell", reducing).await.unwrap();
    }
}

#[tokio::test]
async fn orders_above_the_rate_are_refused() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let orders_per_minute = Some(2);
    set(&desk, PolicyFields { orders_per_minute, ..Default::default() }).await;
    desk.place(&desk.process(), "a", RESTING).await.unwrap();
    desk.place(&desk.process(), "b", RESTING).await.unwrap();
    let refused = desk.place(&desk.process(), "c", RESTING).await;
    assert_eq!(rule(refused), PolicyRule::OrderRate);
    desk.app.clock.advance_ms(70_000);
    desk.place(&desk.process(), "c", RESTING).await.unwrap();
}

/// A sale executes at the best bid, however low its own price is.
#[tokio::test]
async fn sale_far_below_the_market_counts_at_the_market() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let limit = "600".parse().ok();
        set(&desk, PolicyFields { max_order_notional: limit, ..Default::default() }).await;
        // 210 at its own price, and 1,200 at the market's.
        let low = OrderFields { side: Some("SELL"), quantity: Some("0.02"), ..RESTING };
        let low = OrderFields { price: Some("10500"), time_in_force: Some("IOC"), ..low };
        let refused = desk.place(&desk.process(), "low", low).await;
        assert_eq!(rule(refused), PolicyRule::OrderNotional, "{exchange}");
        assert_eq!(desk.accepted("low"), 0);

        let limit = "700".parse().ok();
        set(&desk, PolicyFields { max_position_notional: limit, ..Default::default() }).await;
        let refused = desk.place(&desk.process(), "low", low).await;
        assert_eq!(rule(refused), PolicyRule::PositionNotional, "{exchange}");
        assert_eq!(desk.accepted("low"), 0);
    }
}

/// Aster executes a change that matches at once.
#[tokio::test]
async fn change_of_a_sale_counts_at_the_market() {
    let desk = Desk::open(Exchange::Aster).await;
    let limit = "630".parse().ok();
    set(&desk, PolicyFields { max_order_notional: limit, ..Default::default() }).await;
    let above = OrderFields { side: Some("SELL"), price: Some("62000"), ..RESTING };
    desk.place(&desk.process(), "above", above).await.unwrap();
    let changed = desk.modify(&desk.process(), "above", ("31000", "0.02")).await;
    assert_eq!(rule(changed), PolicyRule::OrderNotional);
    desk.modify(&desk.process(), "above", ("61000", "0.01")).await.unwrap();
}

/// Answers the reads of positions and open orders with the state of some time ago.
fn lagging(ms: u64) -> Plan {
    Box::new(move |arrival: Arrival<'_>| match arrival.name {
        "Hyperliquid.clearinghouseState"
        | "Hyperliquid.frontendOpenOrders"
        | "Aster.GET positionRisk"
        | "Aster.GET openOrders" => Fate::Fail(Fault::ReadsLag { ms }),
        _ => Fate::Pass,
    })
}

#[tokio::test]
async fn lagging_reads_do_not_exceed_a_limit_of_positions() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        // Room for two market orders of 630 each.
        let limit = "1300".parse().ok();
        set(&desk, PolicyFields { max_position_notional: limit, ..Default::default() }).await;
        let process = desk.proxy.process_with(lagging(READ_LAG_MS - 1_000));
        desk.app.clock.advance_ms(READ_LAG_MS);
        for id in ["one", "two"] {
            desk.place(&process, id, MARKET).await.unwrap();
        }
        let third = desk.place(&process, "three", MARKET).await;
        assert_eq!(rule(third), PolicyRule::PositionNotional, "{exchange}");
        // Another process reads no ledger but the table's.
        let other = desk.proxy.process_with(lagging(READ_LAG_MS - 1_000));
        let third = desk.place(&other, "three", MARKET).await;
        assert_eq!(rule(third), PolicyRule::PositionNotional, "{exchange}");
        // Then the reads show both.
        desk.app.clock.advance_ms(READ_LAG_MS);
        let third = desk.place(&process, "three", MARKET).await;
        assert_eq!(rule(third), PolicyRule::PositionNotional, "{exchange}");
        assert_eq!(desk.accepted("three"), 0);
    }
}

/// Reads that show an order at once must not make it count twice.
#[tokio::test]
async fn successive_orders_use_a_limit_of_positions_once() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let limit = "1300".parse().ok();
        set(&desk, PolicyFields { max_position_notional: limit, ..Default::default() }).await;
        let process = desk.process();
        desk.place(&process, "one", MARKET).await.unwrap();
        desk.place(&process, "two", RESTING).await.unwrap();
        let third = desk.place(&process, "three", RESTING).await;
        assert_eq!(rule(third), PolicyRule::PositionNotional, "{exchange}");
        // The change replaces the order's own value.
        desk.modify(&process, "two", ("58000", "0.01")).await.unwrap();
        let larger = desk.modify(&process, "two", ("58000", "0.02")).await;
        assert_eq!(rule(larger), PolicyRule::PositionNotional, "{exchange}");
    }
}

#[tokio::test]
async fn limit_of_slippage_applies_to_triggered_market_orders() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let limit = "0.02".parse().ok();
        set(&desk, PolicyFields { max_slippage: limit, ..Default::default() }).await;
        let stop = OrderFields { order_type: Some("STOP_MARKET"), ..MARKET };
        let stop = OrderFields { trigger_price: Some("61000"), ..stop };
        let refused = desk.place(&desk.process(), "stop", stop).await;
        assert_eq!(rule(refused), PolicyRule::Slippage, "{exchange}");
        let limited = OrderFields { order_type: Some("STOP_LIMIT"), price: Some("61500"), ..stop };
        desk.place(&desk.process(), "limited", limited).await.unwrap();
        if exchange == Exchange::Hyperliquid {
            let attached = OrderFields { stop_loss: Some(STOP_LOSS), ..RESTING };
            let refused = desk.place(&desk.process(), "attached", attached).await;
            assert_eq!(rule(refused), PolicyRule::Slippage);
        }
    }
}

/// Hyperliquid signs a triggered purchase with a price 10 percent above the trigger. On Aster the
/// value of a market order includes 5 percent.
#[tokio::test]
async fn triggered_market_order_counts_with_its_slippage() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let stop = OrderFields { order_type: Some("STOP_MARKET"), ..MARKET };
        let stop = OrderFields { trigger_price: Some("61000"), ..stop };
        let (below, exact) = match exchange {
            Exchange::Hyperliquid => ("670", "671"),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
            Exchange::Aster => ("640", "640.5"),
        };
        let limit = |text: &str| PolicyFields {
            max_order_notional: text.parse().ok(),
            ..PolicyFields::default()
        };
        set(&desk, limit(below)).await;
        let refused = desk.place(&desk.process(), "stop", stop).await;
        assert_eq!(rule(refused), PolicyRule::OrderNotional, "{exchange}");
        set(&desk, limit(exact)).await;
        desk.place(&desk.process(), "stop", stop).await.unwrap();
    }
}

#[tokio::test]
async fn attached_orders_count_for_the_rate() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let orders_per_minute = Some(3);
    set(&desk, PolicyFields { orders_per_minute, ..Default::default() }).await;
    let (take_profit, stop_loss) = (Some(TAKE_PROFIT), Some(STOP_LOSS));
    let bracket = OrderFields { take_profit, stop_loss, ..RESTING };
    desk.place(&desk.process(), "bracket", bracket).await.unwrap();
    let refused = desk.place(&desk.process(), "next", RESTING).await;
    assert_eq!(rule(refused), PolicyRule::OrderRate);
}

#[tokio::test]
async fn nonce_of_a_wrong_clock_does_not_stop_the_wallet() {
    const HOUR_MS: u64 = 3_600_000;
    for desk in Desk::both().await {
        let store = desk.app.store();
        let clock = desk.app.clock.clock();
        let ahead_us = clock.now_us() + HOUR_MS * 1_000;
        let ahead = Clock::from_micros(move || ahead_us);
        let wrong = store.take_trading_nonce(&desk.account, &ahead).await.unwrap();
        let next = store.take_trading_nonce(&desk.account, &clock).await.unwrap();
        assert!(next < wrong, "{next} {wrong}");
        store.take_trading_nonce(&desk.account, &ahead).await.unwrap();
        desk.place(&desk.process(), "order", RESTING).await.unwrap();
        assert_eq!(desk.accepted("order"), 1, "{}", desk.exchange());
        desk.cancel("order").await.unwrap();
    }
}
