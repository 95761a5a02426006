//! The scheduled job that gives every wallet new shares before the old ones are too old. The event
//! `{"tenant": "…", "walletId": "…"}` refreshes one wallet at once. With `"keyVersion": N`, it
//! does so only if the shares of that version are in use.

use std::time::Duration;

use domain::ids::Tenant;
use platform::env::ConfigError;
use platform::items::StoreError;
use serde_json::{Value, json};
use shared::runtime::Runtime;
use shared::wallets::{Custody, RefreshError, RefreshLimits, Refreshed};
use uuid::Uuid;

/// Maximum duration of a run: the function's timeout less the time for one refresh.
pub const RUN_TIME: Duration = Duration::from_secs(240);

/// The job's clients and limits.
#[derive(Clone, Debug)]
pub struct RefreshShares {
    /// The wallets.
    pub custody: Custody,
    /// The limits of a run.
    pub limits: RefreshLimits,
}

/// Why a run failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The index cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The requested wallet was not refreshed. It signs with its current shares.
    #[error(transparent)]
    Refresh(#[from] RefreshError),
    /// The event names a wallet in an unknown form.
    #[error("invalid event: expected tenant and walletId, and optionally keyVersion as a number")]
    Event,
}

/// Makes the job with clients from the environment: `REFRESH_EVERY_DAYS` (90) and `REFRESH_LIMIT`
/// (200 wallets per run).
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn job_from_env(runtime: &Runtime<'_>) -> Result<RefreshShares, ConfigError> {
    let custody = Custody::from_env(runtime)?.with_recovery_from_env(&runtime.env)?;
    let days = runtime.env.number("REFRESH_EVERY_DAYS", 1..=365)?.unwrap_or(90);
    let limit = runtime.env.number("REFRESH_LIMIT", 1..=100_000)?.unwrap_or(200);
    let every_ms = u64::from(days) * 24 * 60 * 60 * 1_000;
    Ok(RefreshShares { custody, limits: RefreshLimits { every_ms, limit, run_time: RUN_TIME } })
}

/// Parses the wallet that an event names, and the version of its shares. `None` when it names no
/// wallet, so that all due wallets are refreshed.
fn named(event: &Value) -> Result<Option<(Tenant, Uuid, Option<u32>)>, RunError> {
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    if event.get("walletId").is_none() {
        return Ok(None);
    }
    let tenant = text("tenant").and_then(|tenant| tenant.parse().ok()).ok_or(RunError::Event)?;
    let wallet_id = text("walletId").and_then(|id| id.parse().ok()).ok_or(RunError::Event)?;
    let version =
        event.get("keyVersion").map(|version| version.as_u64().and_then(|it| it.try_into().ok()));
    match version {
        Some(None) => Err(RunError::Event),
        version => Ok(Some((tenant, wallet_id, version.flatten()))),
    }
}

impl lambda_entry::Job for RefreshShares {
    type Error = RunError;

    async fn run(&self) -> Result<Value, RunError> {
        let run = self.custody.refresh_aged(&self.limits).await?;
        self.custody.measure_oldest_shares().await;
        self.custody.measure_verification().await;
        Ok(json!({
            "refreshed": run.refreshed,
            "finished": run.finished,
            "failed": run.failed,
            "more": run.more,
        }))
    }

    async fn run_for(&self, event: &Value) -> Result<Value, RunError> {
        let Some((tenant, wallet_id, version)) = named(event)? else {
            return self.run().await;
        };
        let refreshed = match version {
            None => self.custody.refresh(&tenant, wallet_id, None).await,
            Some(version) => self.custody.refresh_version(&tenant, wallet_id, version).await,
        };
        let version = match refreshed {
            Ok(Refreshed::New(version) | Refreshed::Finished(version)) => Some(version),
            Ok(Refreshed::Young) => None,
            // The signing function waits and reads the wallet again, so this is not a failed run.
            Err(RefreshError::InProgress { .. }) if version.is_some() => None,
            Err(error) => return Err(error.into()),
        };
        Ok(json!({ "walletId": wallet_id.to_string(), "keyVersion": version }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_names_one_wallet_or_none() {
        assert!(named(&json!({ "source": "aws.scheduler" })).unwrap().is_none());
        let id = Uuid::nil().to_string();
        let one = named(&json!({ "tenant": "t", "walletId": id })).unwrap().unwrap();
        assert_eq!((one.0.as_str(), one.1, one.2), ("t", Uuid::nil(), None));
        let worn = json!({ "tenant": "t", "walletId": id, "keyVersion": 3 });
        assert_eq!(named(&worn).unwrap().unwrap().2, Some(3));
        for event in [
            json!({ "walletId": id }),
            json!({ "tenant": "t", "walletId": "x" }),
            json!({ "tenant": "a#b", "walletId": id }),
            json!({ "tenant": "t", "walletId": null }),
            json!({ "tenant": "t", "walletId": id, "keyVersion": "3" }),
            json!({ "tenant": "t", "walletId": id, "keyVersion": -1 }),
        ] {
            assert!(matches!(named(&event), Err(RunError::Event)), "{event}");
        }
    }
}
