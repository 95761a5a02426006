//! The job that finds the outcome of every payment that is due.

use futures_util::future::BoxFuture;
use std::time::Duration;

use platform::items::{SHARDS, StoreError};

use super::MoneyError;
use super::track::Tracker;
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

impl Tracker {
    /// Runs the job once: looks at every due payment, the longest overdue of each shard first, until
    /// the time is up.
    ///
    /// # Errors
    /// Fails when the index cannot be read.
    pub fn resolve_due(&self, run_time: Duration) -> BoxFuture<'_, Result<PaymentRun, StoreError>> {
        Box::pin(async move {
            let started_ms = self.now_ms();
            let run_ms = u64::try_from(run_time.as_millis()).unwrap_or(u64::MAX);
            let until_ms = started_ms.saturating_add(run_ms);
            let mut run = PaymentRun::default();
            for shard in 0..SHARDS {
                let mut from = None;
                loop {
                    if self.now_ms() >= until_ms {
                        run.more = true;
                        return Ok(run);
                    }
                    let page =
                        self.store.due_payments(self.place(), shard, started_ms, from).await?;
                    for due in page.keys {
                        if self.now_ms() >= until_ms {
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
                tracing::warn!(%error, place = self.place().as_str(), "payment not resolved");
            }
        }
    }

    /// Looks at one payment. Returns whether its outcome is final.
    async fn resolve_one(&self, due: &DuePayment) -> Result<bool, MoneyError> {
        let record = self.store.payment(&due.account, &due.id).await?;
        // The index can lag behind the record.
        let Some(record) = record else { return Ok(true) };
        let now_ms = self.now_ms();
        if record.state.is_final() {
            return Ok(true);
        }
        if record.lease_until_ms > now_ms || record.due_at_ms().is_none_or(|at_ms| at_ms > now_ms) {
            return Ok(false);
        }
        let holder = self.holder_of(due.account.clone()).await?;
        Ok(self.resolve(&holder, record).await?.state.is_final())
    }
}
