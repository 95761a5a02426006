//! The scheduled jobs, with the schedules of AWS or on request.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use hyperdex_cloud::error::chain;
use hyperdex_console::defaults::{REFRESH_EVERY_MS, RENEW_WITHIN_MS};
use lambda_entry::Job;
use reconcile_apikeys::ReconcileApiKeys;
use refresh_shares::RefreshShares;
use renew_apikeys::RenewApiKeys;
use seal_audit::SealAudit;
use serde_json::Value;
use shared::credentials::{ReconcileLimits, Registrars, RenewLimits};
use shared::orders::ResolveLimits;
use shared::wallets::{Custody, RefreshLimits};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::trading::Traders;

const RESOLVE_EVERY: Duration = Duration::from_secs(5);
const RESOLVE: ResolveLimits =
    ResolveLimits { limit: 200, run_time: resolve_orders_hyperliquid::RUN_TIME };
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Name of a job on the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum JobName {
    /// Renew expiring credentials and complete registrations
    Renew,
    /// Compare credentials with the exchanges' lists
    Reconcile,
    /// Refresh the key shares of wallets with old shares
    Refresh,
    /// Sign the heads of the audit log
    Seal,
    /// Find the outcome of orders whose response was lost
    Resolve,
}

impl JobName {
    /// Every job.
    pub const ALL: [Self; 5] =
        [Self::Renew, Self::Reconcile, Self::Refresh, Self::Seal, Self::Resolve];

    /// Returns the name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Renew => "renew",
            Self::Reconcile => "reconcile",
            Self::Refresh => "refresh",
            Self::Seal => "seal",
            Self::Resolve => "resolve",
        }
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The scheduled jobs of a stack.
#[derive(Clone, Debug)]
pub struct Jobs {
    renew: RenewApiKeys,
    reconcile: ReconcileApiKeys,
    refresh: RefreshShares,
    seal: SealAudit,
    traders: Traders,
}

impl Jobs {
    /// Returns the jobs with the template's default limits. `wallets` must be allowed to refresh
    /// shares.
    #[must_use]
    pub fn new(
        registrars: Registrars,
        traders: Traders,
        wallets: Custody,
        seal: SealAudit,
        keys_are_handed_out: bool,
    ) -> Self {
        let renew = RenewLimits {
            within_ms: RENEW_WITHIN_MS,
            limit: 500,
            run_time: renew_apikeys::RUN_TIME,
            keys_are_handed_out,
        };
        let reconcile = ReconcileLimits {
            every_ms: 7 * DAY_MS,
            limit: 500,
            run_time: reconcile_apikeys::RUN_TIME,
        };
        let refresh = RefreshLimits {
            every_ms: REFRESH_EVERY_MS,
            limit: 200,
            run_time: refresh_shares::RUN_TIME,
        };
        Self {
            renew: RenewApiKeys { registrars: registrars.clone(), limits: renew },
            reconcile: ReconcileApiKeys { registrars, limits: reconcile },
            refresh: RefreshShares { custody: wallets, limits: refresh },
            seal,
            traders,
        }
    }

    /// Returns the renewal job, which also removes a tenant's agents from the exchanges.
    #[must_use]
    pub fn renewal(&self) -> RenewApiKeys {
        self.renew.clone()
    }

    /// Runs a job once, and returns its summary.
    ///
    /// # Errors
    /// Returns the causes of a failure, in one line.
    pub async fn run(&self, job: JobName) -> Result<Value, String> {
        match job {
            JobName::Renew => self.renew.run().await.map_err(|error| chain(&error)),
            JobName::Reconcile => self.reconcile.run().await.map_err(|error| chain(&error)),
            JobName::Refresh => self.refresh.run().await.map_err(|error| chain(&error)),
            JobName::Seal => self.seal.run().await.map_err(|error| chain(&error)),
            JobName::Resolve => self.traders.resolve(&RESOLVE).await.map_err(|error| chain(&error)),
        }
    }

    /// Runs the jobs until the future is dropped: the orders' outcomes every five seconds, renewal,
    /// share refresh and audit seals each hour, reconciliation every six hours.
    pub async fn schedule(self) -> Infallible {
        tokio::select! {
            never = self.resolve_often() => never,
            never = self.run_seldom() => never,
        }
    }

    /// Runs the job of the orders' outcomes, which does not wait for the other jobs.
    async fn resolve_often(&self) -> Infallible {
        let mut often = interval_at(Instant::now() + RESOLVE_EVERY, RESOLVE_EVERY);
        often.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            often.tick().await;
            self.run_or_log(JobName::Resolve).await;
        }
    }

    async fn run_seldom(&self) -> Infallible {
        let mut hourly = interval_at(Instant::now() + HOUR, HOUR);
        let mut seldom = interval_at(Instant::now() + 6 * HOUR, 6 * HOUR);
        loop {
            tokio::select! {
                _ = hourly.tick() => {
                    for job in [JobName::Renew, JobName::Refresh, JobName::Seal] {
                        self.run_or_log(job).await;
                    }
                }
                _ = seldom.tick() => self.run_or_log(JobName::Reconcile).await,
            }
        }
    }

    /// Runs a job once, and logs a failure.
    pub(crate) async fn run_or_log(&self, job: JobName) {
        if let Err(error) = self.run(job).await {
            tracing::error!(%job, %error, "a job failed");
        }
    }
}
