//! The job that finds the outcome of every payment that is due, and reports it to the cosigner.

use futures_util::future::BoxFuture;
use std::time::Duration;

use platform::env::ConfigError;
use platform::items::{SHARDS, StoreError};

use super::MoneyError;
use super::track::Tracker;
use crate::mpc::CosignerClient;
use crate::runtime::Runtime;
use crate::store::DuePayment;

/// The result of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PaymentRun {
    /// Payments whose outcome is final now.
    pub settled: u64,
    /// Payments whose outcome is still open. A later run looks again.
    pub open: u64,
    /// Failed looks; the log has the reasons.
    pub failed: u64,
    /// Whether payments remain for the next run.
    pub more: bool,
}

impl PaymentRun {
    /// Returns the sum of two runs.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            settled: self.settled + other.settled,
            open: self.open + other.open,
            failed: self.failed + other.failed,
            more: self.more || other.more,
        }
    }
}

/// The payments of one place, with the cosigner that hears of their outcomes.
#[derive(Clone, Debug)]
pub struct PaymentJob {
    /// The payments.
    pub tracker: Tracker,
    /// The cosigner, which lists signed payments.
    pub cosigner: CosignerClient,
}

impl PaymentJob {
    /// Returns the job of a place, with the cosigner from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(runtime: &Runtime<'_>, tracker: Tracker) -> Result<Self, ConfigError> {
        Ok(Self { tracker, cosigner: CosignerClient::from_env(&runtime.env)? })
    }

    /// Runs the job once: looks at every due payment, the longest overdue of each shard first, until
    /// the time is up.
    ///
    /// # Errors
    /// Fails when the index cannot be read.
    pub fn resolve_due(&self, run_time: Duration) -> BoxFuture<'_, Result<PaymentRun, StoreError>> {
        Box::pin(async move {
            let tracker = &self.tracker;
            let started_ms = tracker.now_ms();
            let run_ms = u64::try_from(run_time.as_millis()).unwrap_or(u64::MAX);
            let until_ms = started_ms.saturating_add(run_ms);
            let mut run = PaymentRun::default();
            for shard in 0..SHARDS {
                let mut from = None;
                loop {
                    if tracker.now_ms() >= until_ms {
                        run.more = true;
                        return Ok(run);
                    }
                    let place = tracker.place();
                    let page = tracker.store.due_payments(place, shard, started_ms, from).await?;
                    for due in page.keys {
                        if tracker.now_ms() >= until_ms {
                            run.more = true;
                            return Ok(run);
                        }
                        self.note(&mut run, self.resolve_one(&due).await);
                    }
                    match page.next {
                        Some(next) => from = Some(next),
                        None => break,
                    }
                }
            }
            Ok(run)
        })
    }

    fn note(&self, run: &mut PaymentRun, looked: Result<bool, MoneyError>) {
        match looked {
            Ok(true) => run.settled += 1,
            Ok(false) => run.open += 1,
            Err(error) => {
                run.failed += 1;
                let place = self.tracker.place().as_str();
                tracing::warn!(%error, place, "payment not resolved");
            }
        }
    }

    /// Looks at one payment, and reports its outcome when it is final. Returns whether it is.
    async fn resolve_one(&self, due: &DuePayment) -> Result<bool, MoneyError> {
        let tracker = &self.tracker;
        let record = tracker.store.payment(&due.account, &due.id).await?;
        // The index can lag behind the record.
        let Some(record) = record else { return Ok(true) };
        let now_ms = tracker.now_ms();
        let is_final = record.state.is_final();
        if record.lease_until_ms > now_ms || record.due_at_ms().is_none_or(|at_ms| at_ms > now_ms) {
            return Ok(is_final);
        }
        let record = if is_final {
            record
        } else {
            let holder = tracker.holder_of(due.account.clone()).await?;
            tracker.resolve(&holder, record).await?
        };
        if !record.state.is_final() {
            return Ok(false);
        }
        if record.unreported {
            self.report(due.account.clone(), record).await?;
        }
        Ok(true)
    }
}
