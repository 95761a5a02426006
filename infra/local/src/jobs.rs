//! The scheduled jobs, as the cloud's schedules run them.

use std::convert::Infallible;
use std::time::Duration;

use seal_audit::SealAudit;
use shared::credentials::{ReconcileLimits, Registrars, RenewLimits};
use shared::wallets::{Custody, RefreshLimits};
use tokio::time::{Instant, interval_at};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Credentials that expire within this are renewed, in milliseconds.
pub(crate) const RENEW_WITHIN_MS: u64 = 14 * DAY_MS;
/// How old a wallet's shares become, in milliseconds.
pub(crate) const REFRESH_EVERY_MS: u64 = 90 * DAY_MS;
const RUN_TIME: Duration = Duration::from_secs(240);

/// Renews, refreshes shares and seals the audit log each hour, and reconciles every six, until it is dropped.
pub async fn run(
    jobs: Registrars,
    wallets: Custody,
    seal: SealAudit,
    keys_are_handed_out: bool,
) -> Infallible {
    let renew = RenewLimits {
        within_ms: RENEW_WITHIN_MS,
        limit: 500,
        run_time: RUN_TIME,
        keys_are_handed_out,
    };
    let refresh = RefreshLimits { every_ms: REFRESH_EVERY_MS, limit: 200, run_time: RUN_TIME };
    let reconcile = ReconcileLimits { every_ms: 7 * DAY_MS, limit: 500, run_time: RUN_TIME };
    let mut hourly = interval_at(Instant::now() + HOUR, HOUR);
    let mut seldom = interval_at(Instant::now() + 6 * HOUR, 6 * HOUR);
    loop {
        tokio::select! {
            _ = hourly.tick() => {
                if let Err(error) = jobs.renew(&renew).await {
                    tracing::error!(%error, "renewal failed");
                }
                if let Err(error) = wallets.refresh_aged(&refresh).await {
                    tracing::error!(%error, "refresh of shares failed");
                }
                if let Err(error) = seal.seal().await {
                    tracing::error!(%error, "sealing the audit log failed");
                }
            }
            _ = seldom.tick() => {
                if let Err(error) = jobs.reconcile(&reconcile).await {
                    tracing::error!(%error, "reconciliation failed");
                }
            }
        }
    }
}
