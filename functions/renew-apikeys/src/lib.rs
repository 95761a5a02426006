//! The scheduled job that renews credentials before they expire, and finishes operations that were
//! begun and not finished.

use std::time::Duration;

use platform::env::ConfigError;
use platform::items::StoreError;
use serde_json::{Value, json};
use shared::credentials::{Registrars, RenewLimits};
use shared::exchanges::HyperliquidConfig;
use shared::exchanges::budget::Spender;
use shared::runtime::Runtime;

/// Maximum duration of a run: the function's timeout less the time for one rotation.
pub const RUN_TIME: Duration = Duration::from_secs(240);

/// The job's clients and limits.
#[derive(Clone, Debug)]
pub struct RenewApiKeys {
    /// The credentials.
    pub registrars: Registrars,
    /// The limits of a run.
    pub limits: RenewLimits,
}

/// Makes the job with clients from the environment: `RENEW_WITHIN_DAYS` (14) and `RENEW_LIMIT`
/// (500).
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn job_from_env(runtime: &Runtime<'_>) -> Result<RenewApiKeys, ConfigError> {
    let registrars = Registrars::from_env(runtime, Spender::Job)?;
    let days = runtime.env.number("RENEW_WITHIN_DAYS", 1..=90)?.unwrap_or(14);
    let limit = runtime.env.number("RENEW_LIMIT", 1..=100_000)?.unwrap_or(500);
    let hyperliquid = HyperliquidConfig::from_env(&runtime.env)?;
    let within_ms = within_ms(days, hyperliquid.validity_ms);
    // A key that a registration has returned stays in use until it expires.
    let keys_are_handed_out = hyperliquid.return_private_key;
    let limits = RenewLimits { within_ms, limit, run_time: RUN_TIME, keys_are_handed_out };
    Ok(RenewApiKeys { registrars, limits })
}

/// Returns how long before their expiry keys are renewed, but never in the first half of their
/// life. Otherwise every run would renew a short-lived key again.
fn within_ms(days: u32, validity_ms: u64) -> u64 {
    (u64::from(days) * 24 * 60 * 60 * 1_000).min(validity_ms / 2)
}

impl lambda_entry::Job for RenewApiKeys {
    type Error = StoreError;

    async fn run(&self) -> Result<Value, StoreError> {
        let mut summary = json!({});
        for (exchange, done) in self.registrars.renew(&self.limits).await? {
            summary[exchange.as_str()] = json!({
                "renewed": done.renewed,
                "finished": done.finished,
                "failed": done.failed,
                "overdue": done.overdue,
                "pending": done.pending,
                "expiring": done.expiring,
                "backlog": done.backlog,
                "budgetExhausted": done.exhausted,
            });
        }
        Ok(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::within_ms;

    #[test]
    fn key_in_the_first_half_of_its_life_is_not_renewed() {
        const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
        assert_eq!(within_ms(14, 180 * DAY_MS), 14 * DAY_MS);
        assert_eq!(within_ms(90, 180 * DAY_MS), 90 * DAY_MS);
        assert_eq!(within_ms(14, 8 * DAY_MS), 4 * DAY_MS);
    }
}
