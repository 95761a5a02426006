//! What is known of a market's leverage and margin mode while reads of the exchange can lag behind
//! a change.

use domain::ids::Exchange;

use crate::exchanges::account::{LeverageChange, LeverageState, LeverageStep, MarginMode};
use crate::store::LastLeverage;

/// The values of a market. `None` means that a value depends on a call of unknown outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Known {
    leverage: Option<u32>,
    margin_mode: Option<MarginMode>,
}

impl From<LeverageState> for Known {
    fn from(LeverageState { leverage, margin_mode }: LeverageState) -> Self {
        Self { leverage: Some(leverage), margin_mode: Some(margin_mode) }
    }
}

impl From<LastLeverage> for Known {
    fn from(last: LastLeverage) -> Self {
        let mode = |is_cross| if is_cross { MarginMode::Cross } else { MarginMode::Isolated };
        Self { leverage: last.leverage, margin_mode: last.is_cross.map(mode) }
    }
}

impl Known {
    /// Returns the form that is stored. `at_ms` is when the exchange can have made the last change,
    /// Unix milliseconds.
    pub(super) fn stored(self, at_ms: u64) -> LastLeverage {
        let is_cross = self.margin_mode.map(|mode| mode == MarginMode::Cross);
        LastLeverage { at_ms, leverage: self.leverage, is_cross }
    }

    /// Returns what is known after a call that the exchange accepted.
    pub(super) fn after(self, step: LeverageStep) -> Self {
        match step {
            LeverageStep::Both(state) => state.into(),
            LeverageStep::MarginMode(mode) => Self { margin_mode: Some(mode), ..self },
            LeverageStep::Leverage(leverage) => Self { leverage: Some(leverage), ..self },
        }
    }

    /// Returns what is known whether the exchange executes a call or not: the values that the call
    /// does not change.
    pub(super) fn with_or_without(self, step: LeverageStep) -> Self {
        let after = self.after(step);
        Self {
            leverage: self.leverage.filter(|_| self.leverage == after.leverage),
            margin_mode: self.margin_mode.filter(|_| self.margin_mode == after.margin_mode),
        }
    }

    /// Returns the calls that set every requested value, whatever the present ones are. `None` means
    /// that a call must also have a value that is not known.
    pub(super) fn all_steps(
        self,
        exchange: Exchange,
        change: LeverageChange,
    ) -> Option<Vec<LeverageStep>> {
        if change.leverage.is_none() && change.margin_mode.is_none() {
            return Some(Vec::new());
        }
        match exchange {
            Exchange::Hyperliquid | Exchange::Lighter => {
                Some(vec![LeverageStep::Both(LeverageState {
                    leverage: change.leverage.or(self.leverage)?,
                    margin_mode: change.margin_mode.or(self.margin_mode)?,
                })])
            }
            Exchange::Aster => {
                let mode = change.margin_mode.map(LeverageStep::MarginMode);
                Some(mode.into_iter().chain(change.leverage.map(LeverageStep::Leverage)).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CROSS_AT_5: LeverageState = LeverageState { leverage: 5, margin_mode: MarginMode::Cross };

    fn to(leverage: Option<u32>, margin_mode: Option<MarginMode>) -> LeverageChange {
        LeverageChange { leverage, margin_mode }
    }

    #[test]
    fn unknown_outcome_leaves_only_unchanged_values_known() {
        let step = LeverageStep::Both(LeverageState { leverage: 9, ..CROSS_AT_5 });
        let known = Known::from(CROSS_AT_5).with_or_without(step);
        assert_eq!(known, Known { leverage: None, margin_mode: Some(MarginMode::Cross) });
        // A second attempt does not make the first outcome known; its acceptance does.
        assert_eq!(known.with_or_without(step), known);
        assert_eq!(known.after(step).leverage, Some(9));
    }

    #[test]
    fn missing_value_is_taken_from_the_record_or_not_signed() {
        let isolated = to(None, Some(MarginMode::Isolated));
        let both =
            LeverageStep::Both(LeverageState { leverage: 5, margin_mode: MarginMode::Isolated });
        let known = Known::from(CROSS_AT_5);
        assert_eq!(known.all_steps(Exchange::Hyperliquid, isolated), Some(vec![both]));
        assert_eq!(Known::default().all_steps(Exchange::Hyperliquid, isolated), None);
        let mode = vec![LeverageStep::MarginMode(MarginMode::Isolated)];
        assert_eq!(Known::default().all_steps(Exchange::Aster, isolated), Some(mode));
        assert_eq!(Known::default().all_steps(Exchange::Hyperliquid, to(None, None)), Some(vec![]));
    }

    #[test]
    fn stored_form_has_the_same_values() {
        for known in [Known::from(CROSS_AT_5), Known { leverage: Some(3), margin_mode: None }] {
            assert_eq!(Known::from(known.stored(7)), known);
        }
    }
}
