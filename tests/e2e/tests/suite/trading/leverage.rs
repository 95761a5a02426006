//! Changing the leverage and the margin mode of a market.

use domain::ids::Exchange;
use e2e::proxy::{Arrival, Fate, Plan, Process};
use exchange_sim::faults::Fault;
use shared::exchanges::account::{LeverageChange, MarginMode};
use shared::orders::{LeverageView, TradeError};
use shared::trading::ledger::READ_LAG_MS;
use shared::trading::policy::{PolicyFields, PolicyRule};

use super::policy::{rule, set};
use super::{Desk, LEASE_MS, symbol};

const fn to(leverage: u32) -> LeverageChange {
    LeverageChange { leverage: Some(leverage), margin_mode: None }
}

impl Desk {
    async fn set_leverage(
        &self,
        process: &Process,
        change: LeverageChange,
    ) -> Result<LeverageView, TradeError> {
        let trader = self.trader(process);
        trader.set_leverage(&Self::caller(), &self.wallet(), &symbol("BTC"), change).await
    }

    /// Returns the leverage that the exchange has.
    async fn leverage(&self) -> u32 {
        let nothing = LeverageChange { leverage: None, margin_mode: None };
        self.set_leverage(&self.process(), nothing).await.unwrap().state.leverage
    }

    /// Returns the name of the call that reads the leverage.
    const fn leverage_read(&self) -> &'static str {
        match self.exchange() {
            Exchange::Aster => "Aster.GET positionRisk",
            Exchange::Hyperliquid => "Hyperliquid.activeAssetData",
            Exchange::Lighter => unreachable!(),
        }
    }

    /// Returns the name of the call that sets the leverage.
    const fn leverage_name(&self) -> &'static str {
        match self.exchange() {
            Exchange::Aster => "Aster.POST leverage",
            Exchange::Hyperliquid => "Hyperliquid.updateLeverage",
            Exchange::Lighter => unreachable!(),
        }
    }
}

#[tokio::test]
async fn leverage_is_set_once_and_read_back() {
    for desk in Desk::both().await {
        let set = desk.set_leverage(&desk.process(), to(7)).await.unwrap();
        assert_eq!((set.state.leverage, set.symbol.as_str()), (7, "BTC"));
        desk.app.clock.advance_ms(READ_LAG_MS);
        let process = desk.process();
        let again = desk.set_leverage(&process, to(7)).await.unwrap();
        assert_eq!(again.state, set.state);
        assert!(!process.calls().iter().any(|call| call == desk.leverage_name()));
        let both = LeverageChange { leverage: Some(3), margin_mode: Some(MarginMode::Isolated) };
        let state = desk.set_leverage(&desk.process(), both).await.unwrap().state;
        assert_eq!((state.leverage, state.margin_mode), (3, MarginMode::Isolated));
        let cross = LeverageChange { leverage: None, margin_mode: Some(MarginMode::Cross) };
        let state = desk.set_leverage(&desk.process(), cross).await.unwrap().state;
        assert_eq!((state.leverage, state.margin_mode), (3, MarginMode::Cross));
    }
}

#[tokio::test]
async fn leverage_above_the_policy_is_refused_before_signing() {
    for desk in Desk::both().await {
        set(&desk, PolicyFields { max_leverage: Some(5), ..Default::default() }).await;
        let process = desk.process();
        let refused = desk.set_leverage(&process, to(6)).await;
        assert_eq!(rule(refused), PolicyRule::Leverage);
        assert!(!process.calls().iter().any(|call| call == desk.leverage_name()));
        assert_eq!(desk.set_leverage(&process, to(5)).await.unwrap().state.leverage, 5);
    }
}

/// Hyperliquid signs both values at once, so the present leverage is signed again.
#[tokio::test]
async fn margin_mode_is_not_signed_with_a_leverage_above_the_policy() {
    let desks = Desk::both().await;
    for desk in &desks {
        assert_eq!(desk.set_leverage(&desk.process(), to(9)).await.unwrap().state.leverage, 9);
    }
    for desk in &desks {
        set(desk, PolicyFields { max_leverage: Some(5), ..Default::default() }).await;
        let isolated = LeverageChange { leverage: None, margin_mode: Some(MarginMode::Isolated) };
        let process = desk.process();
        let changed = desk.set_leverage(&process, isolated).await;
        match desk.exchange() {
            Exchange::Aster => {
                assert_eq!(changed.unwrap().state.margin_mode, MarginMode::Isolated);
            }
            Exchange::Hyperliquid => {
                assert_eq!(rule(changed), PolicyRule::Leverage);
                assert!(!process.calls().iter().any(|call| call == desk.leverage_name()));
            }
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        }
    }
}

#[tokio::test]
async fn leverage_above_the_markets_is_refused() {
    for desk in Desk::both().await {
        let refused = desk.set_leverage(&desk.process(), to(900)).await;
        assert!(matches!(refused, Err(TradeError::Refused { .. })), "{refused:?}");
        assert_eq!(desk.set_leverage(&desk.process(), to(4)).await.unwrap().state.leverage, 4);
    }
}

fn fail_first(name: &'static str, times: usize, fault: Fault) -> Plan {
    Box::new(move |arrival: Arrival<'_>| {
        let is_it = arrival.name == name && arrival.nth_of_name <= times;
        if is_it { Fate::Fail(fault.clone()) } else { Fate::Pass }
    })
}

#[tokio::test]
async fn lost_response_to_a_change_is_repaired_within_the_request() {
    for desk in Desk::both().await {
        let name = desk.leverage_name();
        for (leverage, fault) in [(6, Fault::AppliedButLost), (7, Fault::Reset)] {
            let process = desk.proxy.process_with(fail_first(name, 1, fault));
            let set = desk.set_leverage(&process, to(leverage)).await.unwrap();
            assert_eq!(set.state.leverage, leverage);
            assert_eq!(desk.leverage().await, leverage);
        }
    }
}

/// An older change that arrives after a newer one must not replace it.
#[tokio::test]
async fn late_change_does_not_replace_a_newer_one() {
    for desk in Desk::both().await {
        let noop = match desk.exchange() {
            Exchange::Aster => "Aster.POST noop",
            Exchange::Hyperliquid => "Hyperliquid.noop",
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        let name = desk.leverage_name();
        let plan: Plan = Box::new(move |arrival: Arrival<'_>| {
            if arrival.name == name {
                Fate::Fail(Fault::Late { ms: 5_000 })
            } else if arrival.name == noop {
                Fate::Fail(Fault::Garbage)
            } else {
                Fate::Pass
            }
        });
        let process = desk.proxy.process_with(plan);
        let unknown = desk.set_leverage(&process, to(9)).await;
        assert!(matches!(unknown, Err(TradeError::LeverageUnknown { .. })), "{unknown:?}");
        // The lease of the change runs, so another one waits.
        let early = desk.set_leverage(&desk.process(), to(2)).await;
        assert!(matches!(early, Err(TradeError::LeverageInProgress { .. })), "{early:?}");
        desk.app.clock.advance_ms(LEASE_MS);
        let set = desk.set_leverage(&desk.process(), to(2)).await.unwrap();
        assert_eq!(set.state.leverage, 2);
        desk.proxy.deliver_late().await;
        assert_eq!(desk.leverage().await, 2, "{}", desk.exchange());
    }
}

#[tokio::test]
async fn change_after_a_repeat_of_an_unknown_one_is_made() {
    for desk in Desk::both().await {
        let fault = Fault::AppliedButLost;
        let plan = fail_first(desk.leverage_name(), 9, fault);
        let process = desk.proxy.process_with(plan);
        let unknown = desk.set_leverage(&process, to(9)).await;
        assert!(matches!(unknown, Err(TradeError::LeverageUnknown { .. })), "{unknown:?}");
        assert_eq!(desk.set_leverage(&desk.process(), to(9)).await.unwrap().state.leverage, 9);
        assert_eq!(desk.set_leverage(&desk.process(), to(8)).await.unwrap().state.leverage, 8);
    }
}

/// Another node of the exchange still states the values before the last change.
#[tokio::test]
async fn lagging_read_of_the_requested_values_does_not_end_a_change() {
    for desk in Desk::both().await {
        assert_eq!(desk.set_leverage(&desk.process(), to(3)).await.unwrap().state.leverage, 3);
        desk.app.clock.advance_ms(READ_LAG_MS);
        assert_eq!(desk.set_leverage(&desk.process(), to(12)).await.unwrap().state.leverage, 12);
        desk.app.clock.advance_ms(2_000);
        let lag = Fault::ReadsLag { ms: 8_000 };
        let process = desk.proxy.process_with(fail_first(desk.leverage_read(), 9, lag));
        assert_eq!(desk.set_leverage(&process, to(3)).await.unwrap().state.leverage, 3);
        assert!(process.calls().iter().any(|call| call == desk.leverage_name()));
        assert_eq!(desk.leverage().await, 3, "{}", desk.exchange());
    }
}

/// The value that a request leaves out must not come from a read that lags.
#[tokio::test]
async fn margin_mode_is_signed_with_the_last_set_leverage() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    assert_eq!(desk.set_leverage(&desk.process(), to(12)).await.unwrap().state.leverage, 12);
    desk.app.clock.advance_ms(READ_LAG_MS);
    assert_eq!(desk.set_leverage(&desk.process(), to(3)).await.unwrap().state.leverage, 3);
    desk.app.clock.advance_ms(1_000);
    // The first read after the change lags, and states 12 and CROSS.
    let lag = Fault::ReadsLag { ms: 5_000 };
    let process = desk.proxy.process_with(fail_first(desk.leverage_read(), 1, lag));
    let isolated = LeverageChange { leverage: None, margin_mode: Some(MarginMode::Isolated) };
    let state = desk.set_leverage(&process, isolated).await.unwrap().state;
    assert_eq!((state.leverage, state.margin_mode), (3, MarginMode::Isolated));
    assert_eq!(desk.leverage().await, 3);
}

#[tokio::test]
async fn refusal_after_a_lost_response_does_not_state_that_nothing_was_sent() {
    for desk in Desk::both().await {
        let name = desk.leverage_name();
        let plan: Plan = Box::new(move |arrival: Arrival<'_>| {
            if arrival.name != name {
                return Fate::Pass;
            }
            Fate::Fail(match arrival.nth_of_name {
                1 => Fault::AppliedButLost,
                _ => Fault::RateLimited { retry_after_s: 1 },
            })
        });
        let process = desk.proxy.process_with(plan);
        let unknown = desk.set_leverage(&process, to(6)).await;
        assert!(matches!(unknown, Err(TradeError::LeverageUnknown { .. })), "{unknown:?}");
        desk.app.clock.advance_ms(60_000);
        assert_eq!(desk.leverage().await, 6, "{}", desk.exchange());
    }
}

/// Aster has a call for each value.
#[tokio::test]
async fn second_call_that_fails_does_not_state_that_nothing_was_sent() {
    let desk = Desk::open(Exchange::Aster).await;
    let both = LeverageChange { leverage: Some(6), margin_mode: Some(MarginMode::Isolated) };
    let limited = Fault::RateLimited { retry_after_s: 1 };
    let process = desk.proxy.process_with(fail_first(desk.leverage_name(), 1, limited));
    let unknown = desk.set_leverage(&process, both).await;
    assert!(matches!(unknown, Err(TradeError::LeverageUnknown { .. })), "{unknown:?}");
    desk.app.clock.advance_ms(60_000);
    let state = desk.set_leverage(&desk.process(), both).await.unwrap().state;
    assert_eq!((state.leverage, state.margin_mode), (6, MarginMode::Isolated));
    // The exchange refuses the second value: the reason is stated.
    let refused = LeverageChange { leverage: Some(900), margin_mode: Some(MarginMode::Cross) };
    let refused = desk.set_leverage(&desk.process(), refused).await;
    assert!(matches!(refused, Err(TradeError::Refused { .. })), "{refused:?}");
}
