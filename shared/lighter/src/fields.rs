//! The fields of transactions and tokens: their names and values, and the checks that several share.

use crate::field::Gl;

/// Names and values of a transaction, in the order that is hashed and written.
pub(crate) type Fields = Vec<(&'static str, u64)>;

/// Number of the index that means no market.
const NO_MARKET: u16 = 255;

const MAX_ACCOUNT_INDEX: u64 = (1 << 48) - 2;
const MAX_API_KEY_INDEX: u8 = 254;

/// The longest time in force in milliseconds: 30 days.
pub(crate) const MAX_EXPIRY_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// The shortest time in force in milliseconds: 5 minutes.
const MIN_EXPIRY_MS: u64 = 5 * 60 * 1_000;

/// A field of a transaction or token is invalid. Nothing was signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid {field}: expected {expected}")]
pub struct TransactionError {
    /// Lighter's name of the field.
    pub field: &'static str,
    /// The expectation.
    pub expected: &'static str,
}

impl TransactionError {
    pub(crate) const fn new(field: &'static str, expected: &'static str) -> Self {
        Self { field, expected }
    }
}

pub(crate) fn require(
    fits: bool,
    field: &'static str,
    expected: &'static str,
) -> Result<(), TransactionError> {
    if fits { Ok(()) } else { Err(TransactionError::new(field, expected)) }
}

pub(crate) fn check_sender(account: u64, slot: u8) -> Result<(), TransactionError> {
    require(account <= MAX_ACCOUNT_INDEX, "AccountIndex", "at most 2^48 - 2")?;
    require(slot <= MAX_API_KEY_INDEX, "ApiKeyIndex", "0 to 254")
}

pub(crate) fn check_market(index: u16) -> Result<(), TransactionError> {
    require(index != NO_MARKET, "MarketIndex", "a number other than 255")
}

/// Checks a time that must be at least 5 minutes ahead.
pub(crate) fn check_future(
    time_ms: u64,
    now_ms: u64,
    max_ms: u64,
    field: &'static str,
) -> Result<(), TransactionError> {
    let ahead_ms = time_ms.saturating_sub(now_ms);
    let fits = (MIN_EXPIRY_MS..=max_ms).contains(&ahead_ms);
    let expected = if max_ms == MAX_EXPIRY_MS {
        "5 minutes to 30 days ahead"
    } else {
        "5 minutes to 15 days ahead"
    };
    require(fits, field, expected)
}

/// Returns the values as elements. Every value of a checked transaction is below p.
pub(crate) fn elements(fields: &Fields) -> Vec<Gl> {
    fields.iter().map(|(_, value)| Gl(*value)).collect()
}
