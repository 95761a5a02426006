//! The scheduled job that renews credentials before they expire, and finishes what was begun and
//! not ended.

use std::time::Duration;

use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::{Env, HyperliquidConfig, SetupError};
use shared::credentials::{Registrars, RenewLimits};
use shared::exchanges::budget::Spender;
use shared::random::Random;
use shared::store::StoreError;

/// How long a run lasts at most: the function's own time, less one rotation.
pub const RUN_TIME: Duration = Duration::from_secs(240);

/// What the job needs.
#[derive(Clone, Debug)]
pub struct RenewApiKeys {
    /// The credentials.
    pub registrars: Registrars,
    /// What a run may do.
    pub limits: RenewLimits,
}

/// The job, with clients from the environment: `RENEW_WITHIN_DAYS` (14) and `RENEW_LIMIT` (500).
///
/// # Errors
/// Names the variable that is missing.
pub fn job_from_env(
    env: &Env<'_>,
    clock: Clock,
    random: Random,
) -> Result<RenewApiKeys, SetupError> {
    let registrars = Registrars::from_env(env, clock, random, Spender::Job)?;
    let days = env.number("RENEW_WITHIN_DAYS", 1..=90)?.unwrap_or(14);
    let limit = env.number("RENEW_LIMIT", 1..=100_000)?.unwrap_or(500);
    let within_ms = u64::from(days) * 24 * 60 * 60 * 1_000;
    // What a registration handed out stays in use until it expires.
    let keys_are_handed_out = HyperliquidConfig::from_env(env)?.return_private_key;
    let limits = RenewLimits { within_ms, limit, run_time: RUN_TIME, keys_are_handed_out };
    Ok(RenewApiKeys { registrars, limits })
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
