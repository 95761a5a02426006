//! The scheduled job that finds the outcome of every order on Lighter whose response was lost.

use std::time::Duration;

use platform::env::ConfigError;
use platform::items::StoreError;
use serde_json::{Value, json};
use shared::exchanges::budget::Spender;
use shared::orders::{ResolveLimits, Trader};
use shared::runtime::Runtime;

/// Maximum duration of a run: the function's timeout less the time for one order.
pub const RUN_TIME: Duration = Duration::from_secs(40);

/// The job's clients and limits.
#[derive(Clone, Debug)]
pub struct ResolveOrders {
    /// The orders.
    pub trader: Trader,
    /// The limits of a run.
    pub limits: ResolveLimits,
}

/// Makes the job with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn job_from_env(runtime: &Runtime<'_>) -> Result<ResolveOrders, ConfigError> {
    let trader = Trader::lighter_from_env(runtime, Spender::Job)?;
    Ok(ResolveOrders { trader, limits: ResolveLimits { limit: 200, run_time: RUN_TIME } })
}

impl lambda_entry::Job for ResolveOrders {
    type Error = StoreError;

    async fn run(&self) -> Result<Value, StoreError> {
        let run = self.trader.resolve_due(&self.limits).await?;
        Ok(json!({
            "resolved": run.resolved,
            "unknown": run.unknown,
            "unresolvable": run.unresolvable,
            "failed": run.failed,
            "more": run.more,
            "budgetExhausted": run.exhausted,
        }))
    }
}
