//! The scheduled job that compares credentials with the exchanges' lists, and reports drift. It
//! changes nothing on the exchanges.

use std::time::Duration;

use platform::env::ConfigError;
use platform::items::StoreError;
use serde_json::{Value, json};
use shared::credentials::{ReconcileLimits, Registrars};
use shared::exchanges::budget::Spender;
use shared::runtime::Runtime;

/// Maximum duration of a run: the function's timeout less the time for one comparison.
pub const RUN_TIME: Duration = Duration::from_secs(240);

/// The job's clients and limits.
#[derive(Clone, Debug)]
pub struct ReconcileApiKeys {
    /// The credentials.
    pub registrars: Registrars,
    /// The limits of a run.
    pub limits: ReconcileLimits,
}

/// Makes the job with clients from the environment: `RECONCILE_EVERY_DAYS` (7) and
/// `RECONCILE_LIMIT` (500).
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn job_from_env(runtime: &Runtime<'_>) -> Result<ReconcileApiKeys, ConfigError> {
    let registrars = Registrars::from_env(runtime, Spender::Job)?;
    let days = runtime.env.number("RECONCILE_EVERY_DAYS", 1..=90)?.unwrap_or(7);
    let limit = runtime.env.number("RECONCILE_LIMIT", 1..=100_000)?.unwrap_or(500);
    let every_ms = u64::from(days) * 24 * 60 * 60 * 1_000;
    let limits = ReconcileLimits { every_ms, limit, run_time: RUN_TIME };
    Ok(ReconcileApiKeys { registrars, limits })
}

impl lambda_entry::Job for ReconcileApiKeys {
    type Error = StoreError;

    async fn run(&self) -> Result<Value, StoreError> {
        let mut summary = json!({});
        for (exchange, found) in self.registrars.reconcile(&self.limits).await? {
            summary[exchange.as_str()] = json!({
                "checked": found.checked,
                "drift": found.drift.len(),
                "failed": found.failed,
                "budgetExhausted": found.exhausted,
            });
        }
        Ok(summary)
    }
}
