//! The closed lists of error texts, as published by the exchange and its users.

use crate::exchanges::trade::TradeCode;

/// Default wait, in seconds, when a response does not state one.
pub(super) const RETRY_AFTER_S: u64 = 10;

/// One line of a closed list: the start of a text, and its meaning.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Start of the text.
    pub text: &'static str,
    /// The meaning.
    pub code: TradeCode,
}

const fn known(text: &'static str, code: TradeCode) -> Known {
    Known { text, code }
}

/// The closed list of refusals of one order. The exchange also uses them for a whole call, before
/// it looks at the single orders. Any other text for one order is [`TradeCode::OrderRejected`]; any
/// other text for a whole call proves nothing.
pub const ORDER_TEXTS: &[Known] = &[
    known("Price must be divisible by tick size", TradeCode::TickSize),
    known("Order has invalid price", TradeCode::TickSize),
    known("Order has invalid size", TradeCode::LotSize),
    known("Order has zero size", TradeCode::LotSize),
    known("Order must have minimum value", TradeCode::BelowMinimum),
    known("Insufficient margin", TradeCode::InsufficientFunds),
    known("Order would cause position to exceed margin tier", TradeCode::InsufficientFunds),
    known("Order has insufficient spot balance", TradeCode::InsufficientFunds),
    known("Insufficient spot balance", TradeCode::InsufficientFunds),
    known("Reduce only order would increase", TradeCode::ReduceOnlyRefused),
    known("Post only order would have", TradeCode::WouldCross),
    known("Order could not immediately match", TradeCode::NoLiquidity),
    known("No liquidity available", TradeCode::NoLiquidity),
    known("Invalid TP/SL price", TradeCode::PriceOutOfRange),
    known("Price too far from oracle", TradeCode::PriceOutOfRange),
    known("Order price cannot be more than", TradeCode::PriceOutOfRange),
    known("Order would increase open interest", TradeCode::OpenInterestCap),
    known("Order rejected due to price more aggressive than oracle", TradeCode::OpenInterestCap),
    known("Unexpected number of trigger orders", TradeCode::OrderRejected),
    known("Builder fee has not been approved", TradeCode::BuilderNotApproved),
    known("Order was never placed, already canceled, or filled", TradeCode::OrderNotOpen),
    known("Cannot modify canceled or filled order", TradeCode::OrderNotOpen),
];

/// The closed list of refusals of a whole call. The line about the nonce that was used is
/// [`NONCE_USED`], because it refuses nothing.
pub const CALL_TEXTS: &[Known] = &[
    known("Action already expired", TradeCode::Expired),
    known("Too many cumulative requests", TradeCode::RateLimited { retry_after_s: RETRY_AFTER_S }),
    known("Must deposit before performing actions", TradeCode::DepositRequired),
    known("User or API Wallet ", TradeCode::AgentUnknown),
    known("Invalid nonce: nonce too low", TradeCode::NonceTooLow),
    known("Unable to recover signer", TradeCode::SignatureFault),
];

/// The closed list of refusals of a change of leverage. Another text of such a refusal is
/// [`TradeCode::OrderRejected`]: the action sets absolute values, so a wrong reading does no harm.
pub const LEVERAGE_TEXTS: &[Known] = &[
    known("Invalid leverage", TradeCode::LeverageOutOfRange),
    known("Cross position does not have sufficient margin", TradeCode::InsufficientFunds),
    known("Isolated position does not have sufficient margin", TradeCode::InsufficientFunds),
    known("Cannot switch leverage type with open position", TradeCode::MarginModeLocked),
    known("Cross margin is not allowed", TradeCode::MarginModeLocked),
];

/// The nonce was used: an earlier request with these bytes, or another request, has arrived.
pub const NONCE_USED: &str = "Invalid nonce: duplicate nonce";

/// The new order of a modification was refused after the old one had been removed.
pub(super) const MODIFY_LOST: &str = "Error placing new order during modify: ";

/// HTTP 422 in plain text: the request's form was invalid, and it was not processed.
pub(super) const MALFORMED: &str = "Failed to deserialize";

/// Returns the meaning of the refusal of one order.
pub(super) fn order_code(text: &str) -> TradeCode {
    listed(ORDER_TEXTS, without_prefix(text)).unwrap_or(TradeCode::OrderRejected)
}

/// Returns the meaning of the refusal of a whole call.
pub(super) fn call_code(text: &str) -> Option<TradeCode> {
    listed(CALL_TEXTS, text)
}

pub(super) fn listed(list: &[Known], text: &str) -> Option<TradeCode> {
    list.iter().find(|known| text.starts_with(known.text)).map(|known| known.code)
}

/// Removes the prefix that some texts have.
pub(super) fn without_prefix(text: &str) -> &str {
    text.strip_prefix("L1 error: ").unwrap_or(text)
}
