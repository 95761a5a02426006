use super::*;

const PRESENT: LeverageState = LeverageState { leverage: 20, margin_mode: MarginMode::Cross };

fn change(leverage: Option<u32>, margin_mode: Option<MarginMode>) -> LeverageChange {
    LeverageChange { leverage, margin_mode }
}

#[test]
fn hyperliquid_sets_both_values_in_one_step() {
    let steps = |change: LeverageChange| change.steps(Exchange::Hyperliquid, PRESENT);
    let both =
        |leverage, margin_mode| vec![LeverageStep::Both(LeverageState { leverage, margin_mode })];
    assert_eq!(steps(change(Some(5), None)), both(5, MarginMode::Cross));
    let isolated = change(None, Some(MarginMode::Isolated));
    assert_eq!(steps(isolated), both(20, MarginMode::Isolated));
}

#[test]
fn aster_sets_only_what_differs_and_the_mode_first() {
    let steps = |change: LeverageChange| change.steps(Exchange::Aster, PRESENT);
    let mode = LeverageStep::MarginMode(MarginMode::Isolated);
    let isolated = Some(MarginMode::Isolated);
    assert_eq!(steps(change(Some(5), None)), [LeverageStep::Leverage(5)]);
    assert_eq!(steps(change(Some(20), isolated)), [mode]);
    assert_eq!(steps(change(Some(5), isolated)), [mode, LeverageStep::Leverage(5)]);
}

#[test]
fn change_that_is_met_has_no_steps() {
    for exchange in [Exchange::Aster, Exchange::Hyperliquid] {
        for met in [
            change(None, None),
            change(Some(20), None),
            change(None, Some(MarginMode::Cross)),
            change(Some(20), Some(MarginMode::Cross)),
        ] {
            assert!(met.is_met_by(PRESENT));
            assert_eq!(met.steps(exchange, PRESENT), []);
        }
    }
    assert!(!change(Some(21), None).is_met_by(PRESENT));
}

#[test]
fn short_position_is_closed_by_a_purchase() {
    assert_eq!(Direction::Short.closing_side(), Side::Buy);
    assert_eq!(Direction::Long.closing_side(), Side::Sell);
}
