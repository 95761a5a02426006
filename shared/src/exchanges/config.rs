//! The settings that all exchanges share. Each exchange's folder has its own in `config`.

use domain::intent::MAX_AGENT_VALIDITY_MS;
use platform::env::{ConfigError, Env};

/// Default timeout of a call to an exchange, in milliseconds.
pub const CALL_TIMEOUT_MS: u64 = 10_000;

/// Reads the timeout. Three calls must fit into API Gateway's 29 seconds.
pub(super) fn call_timeout_ms(env: &Env<'_>) -> Result<u64, ConfigError> {
    let timeout = env.parsed("EXCHANGE_TIMEOUT_MS", "a number from 100 to 10000", |text| {
        text.parse().ok().filter(|timeout| (100..=CALL_TIMEOUT_MS).contains(timeout))
    })?;
    Ok(timeout.unwrap_or(CALL_TIMEOUT_MS))
}

/// Default timeout of a call that places, changes or cancels an order, in milliseconds.
pub const ORDER_TIMEOUT_MS: u64 = 6_000;

/// Reads `ORDER_TIMEOUT_MS`: the timeout of a call that changes orders. It is shorter than that of
/// other calls, because a lost response is resolved in the same request.
///
/// # Errors
/// Returns an error that names the variable.
pub fn order_timeout_ms(env: &Env<'_>) -> Result<u64, ConfigError> {
    let timeout = env.parsed("ORDER_TIMEOUT_MS", "a number from 100 to 6000", |text| {
        text.parse().ok().filter(|timeout| (100..=ORDER_TIMEOUT_MS).contains(timeout))
    })?;
    Ok(timeout.unwrap_or(ORDER_TIMEOUT_MS))
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Reads the validity. At least 8 days, because Aster refuses less than about 7.
pub(super) fn validity_ms(env: &Env<'_>) -> Result<u64, ConfigError> {
    let days = env.parsed("AGENT_VALIDITY_DAYS", "a number of days from 8 to 180", |text| {
        text.parse::<u64>().ok().filter(|days| (8..=MAX_AGENT_VALIDITY_MS / DAY_MS).contains(days))
    })?;
    Ok(days.map_or(MAX_AGENT_VALIDITY_MS, |days| days * DAY_MS))
}
