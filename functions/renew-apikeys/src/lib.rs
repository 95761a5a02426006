//! The scheduled job that renews credentials before they expire, and finishes operations that were
//! begun and not finished.
//!
//! The event `{"revokeTradingKeysOf": "TENANT"}` makes it remove a tenant's agents from the exchanges
//! instead, with `"cursor": "…"` from where an earlier run stopped. An operator invokes it with
//! `hyperdex tenants revoke-trading-keys`.

use std::time::Duration;

use domain::ids::Tenant;
use platform::env::ConfigError;
use platform::items::StoreError;
use serde_json::{Value, json};
use shared::credentials::{ContainCursor, ContainLimits, Contained, Registrars, RenewLimits};
use shared::exchanges::HyperliquidConfig;
use shared::exchanges::budget::Spender;
use shared::runtime::Runtime;

/// Maximum duration of a run: the function's timeout less the time for one rotation.
pub const RUN_TIME: Duration = Duration::from_secs(240);

/// How long an operator waits for its response: a little longer than the function may
/// run.
pub const INVOKE_TIMEOUT: Duration = Duration::from_secs(310);

/// The job's clients and limits.
#[derive(Clone, Debug)]
pub struct RenewApiKeys {
    /// The credentials.
    pub registrars: Registrars,
    /// The limits of a run.
    pub limits: RenewLimits,
}

/// Why a run failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Reading the index or the list of wallets failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The event has an invalid tenant or cursor.
    #[error(
        "invalid event: expected revokeTradingKeysOf as a tenant, and cursor as an earlier run \
         returned it"
    )]
    Event,
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

impl RenewApiKeys {
    /// Removes a tenant's agents from the exchanges, beginning at a cursor.
    ///
    /// # Errors
    /// When the list of wallets cannot be read.
    pub async fn contain(
        &self,
        tenant: &Tenant,
        from: ContainCursor,
    ) -> Result<Contained, StoreError> {
        let limits = ContainLimits { run_time: RUN_TIME, limit: self.limits.limit };
        self.registrars.contain(tenant, from, limits).await
    }
}

/// Returns the tenant that an event names and the cursor at which its removal resumes. Without a
/// tenant, returns `None`, and the job renews due keys.
fn contained(event: &Value) -> Result<Option<(Tenant, ContainCursor)>, RunError> {
    let Some(tenant) = event.get("revokeTradingKeysOf") else { return Ok(None) };
    let tenant = tenant.as_str().and_then(|text| text.parse().ok()).ok_or(RunError::Event)?;
    let from = match event.get("cursor") {
        None | Some(Value::Null) => ContainCursor::default(),
        Some(cursor) => {
            cursor.as_str().and_then(|text| text.parse().ok()).ok_or(RunError::Event)?
        }
    };
    Ok(Some((tenant, from)))
}

impl lambda_entry::Job for RenewApiKeys {
    type Error = RunError;

    async fn run_for(&self, event: &Value) -> Result<Value, RunError> {
        match contained(event)? {
            Some((tenant, from)) => Ok(json!(self.contain(&tenant, from).await?)),
            None => self.run().await,
        }
    }

    async fn run(&self) -> Result<Value, RunError> {
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
                "suspended": done.suspended,
                "budgetExhausted": done.exhausted,
            });
        }
        Ok(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_of_schedule_renews_and_event_with_tenant_contains() {
        assert!(contained(&json!({ "source": "aws.events" })).unwrap().is_none());
        let named = contained(&json!({ "revokeTradingKeysOf": "acme" })).unwrap().unwrap();
        assert_eq!((named.0.as_str(), named.1), ("acme", ContainCursor::default()));
        let cursor = ContainCursor::default().to_string();
        let event = json!({ "revokeTradingKeysOf": "acme", "cursor": cursor });
        assert!(contained(&event).unwrap().is_some());
        for event in [
            json!({ "revokeTradingKeysOf": null }),
            json!({ "revokeTradingKeysOf": "a#b" }),
            json!({ "revokeTradingKeysOf": "acme", "cursor": "x" }),
            json!({ "revokeTradingKeysOf": "acme", "cursor": 7 }),
        ] {
            assert!(matches!(contained(&event), Err(RunError::Event)), "{event}");
        }
    }

    #[test]
    fn key_in_the_first_half_of_its_life_is_not_renewed() {
        const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
        assert_eq!(within_ms(14, 180 * DAY_MS), 14 * DAY_MS);
        assert_eq!(within_ms(90, 180 * DAY_MS), 90 * DAY_MS);
        assert_eq!(within_ms(14, 8 * DAY_MS), 4 * DAY_MS);
    }
}
