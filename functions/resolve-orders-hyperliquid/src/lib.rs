//! The scheduled job that finds the outcome of every order on Hyperliquid whose response was lost,
//! and of every payment at Hyperliquid that is due. It reports the payments' outcomes to the cosigner.

use std::time::Duration;

use platform::env::ConfigError;
use platform::items::StoreError;
use serde_json::{Value, json};
use shared::exchanges::budget::Spender;
use shared::money::{PaymentJob, Tracker};
use shared::orders::{ResolveLimits, Trader};
use shared::runtime::Runtime;

/// Maximum duration of a run: the function's timeout less the time for one order.
pub const RUN_TIME: Duration = Duration::from_secs(40);

/// The job's clients and limits.
#[derive(Clone, Debug)]
pub struct ResolveOrders {
    /// The orders.
    pub trader: Trader,
    /// The payments.
    pub payments: PaymentJob,
    /// The limits of a run.
    pub limits: ResolveLimits,
}

/// Makes the job with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn job_from_env(runtime: &Runtime<'_>) -> Result<ResolveOrders, ConfigError> {
    let trader = Trader::hyperliquid_from_env(runtime, Spender::Job)?;
    let payments = Tracker::hyperliquid_from_env(runtime, Spender::Job)?;
    let payments = PaymentJob::from_env(runtime, payments)?;
    let limits = ResolveLimits { limit: 200, run_time: RUN_TIME };
    Ok(ResolveOrders { trader, payments, limits })
}

impl lambda_entry::Job for ResolveOrders {
    type Error = StoreError;

    async fn run(&self) -> Result<Value, StoreError> {
        // At the same time, so that neither waits for the other.
        let (run, paid) = tokio::join!(
            self.trader.resolve_due(&self.limits),
            self.payments.resolve_due(RUN_TIME)
        );
        let (run, paid) = (run?, paid?);
        Ok(json!({
            "resolved": run.resolved,
            "unknown": run.unknown,
            "unresolvable": run.unresolvable,
            "failed": run.failed,
            "more": run.more,
            "budgetExhausted": run.exhausted,
            "payments": {
                "settled": paid.settled,
                "open": paid.open,
                "failed": paid.failed,
                "more": paid.more,
            },
        }))
    }
}
