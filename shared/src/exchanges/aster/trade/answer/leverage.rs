//! The responses to changes of leverage and margin mode.

use serde_json::Value;

use super::{Known, all_refused, failure, refused, success};
use crate::exchanges::account::LeverageSet;
use crate::exchanges::aster::answer::parse;
use crate::exchanges::http::Answer;
use crate::exchanges::trade::{Sent, TradeCode};

/// The lines for a change of leverage or margin mode. -4046 means that nothing had to change.
pub const ANSWERS_OF_LEVERAGE: &[Known] = &[
    refused(-2027, TradeCode::LeverageOutOfRange),
    refused(-2028, TradeCode::InsufficientFunds),
    refused(-4028, TradeCode::LeverageOutOfRange),
    // Open orders, and an open position.
    all_refused(-4048..=-4047, TradeCode::MarginModeLocked),
    // The leverage of an isolated position may only rise.
    refused(-4161, TradeCode::MarginModeLocked),
    // Isolated margin is refused in multi-asset mode.
    refused(-4168, TradeCode::MarginModeLocked),
];

/// The code for a margin mode that is set already.
const NO_CHANGE: i64 = -4046;

/// Interprets the response to a change of leverage (the new leverage) or of margin mode (code 200).
#[must_use]
pub fn leverage_set(answer: &Answer) -> Sent<LeverageSet> {
    let code = parse(&answer.body).map(|(code, _)| code);
    if code == Some(NO_CHANGE) && answer.status < 500 {
        return Sent::Accepted(LeverageSet::Already);
    }
    let is_leverage = |body: &Value| body.get("leverage").is_some_and(Value::is_u64);
    let is_done = |body: Value| code == Some(200) || is_leverage(&body);
    if success(answer).is_some_and(is_done) {
        return Sent::Accepted(LeverageSet::Changed);
    }
    failure(answer, ANSWERS_OF_LEVERAGE).into()
}

#[cfg(test)]
mod tests;
