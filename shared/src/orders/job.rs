//! The job that finds the outcome of every order whose response was lost.

mod run;

use futures_util::future::BoxFuture;
use std::collections::VecDeque;
use std::time::Duration;

use domain::ids::Exchange;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use platform::items::{SHARDS, StoreError};
use platform::metrics::Metric;

use super::resolve::{Case, Next, READ_LAG_MS, REQUEST_WAIT_MS, Resolution};
use super::{TradeError, Trader};
use crate::store::{DueOrder, OrderRecord};
pub(super) use run::One;
use run::{Run, Start, Task, in_turns};

/// The limits of a run.
#[derive(Clone, Debug)]
pub struct ResolveLimits {
    /// Maximum number of submissions in a run.
    pub limit: u32,
    /// Maximum duration of a run.
    pub run_time: Duration,
}

/// The result of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ResolveRun {
    /// Submissions whose outcome is known now.
    pub resolved: u64,
    /// Submissions whose outcome is still unknown. The next run tries again.
    pub unknown: u64,
    /// Submissions whose outcome no question can find any more, or for which no key exists.
    pub unresolvable: u64,
    /// Failed submissions; the log has the reasons.
    pub failed: u64,
    /// Whether submissions remain for the next run.
    pub more: bool,
    /// Whether the exchange's budget is used up.
    pub exhausted: bool,
}

/// Maximum duration of one submission, in milliseconds.
const ONE_MS: u64 = 20_000;

/// How long questions may begin after the end of a run, in milliseconds. With the time that the
/// last one takes, this is less than the function has after the run's end.
const LATEST_MS: u64 = 10_000;

/// The longest wait for the last lookup of one submission, in milliseconds. A run first tries all
/// submissions without this wait.
const MAX_WAIT_MS: u64 = READ_LAG_MS + 2_000;

/// How many submissions a run works on at the same time. A slow exchange holds up each of them for
/// several seconds.
const PARALLEL: usize = 16;

/// How many submissions of a shard a run looks at, so that tenants can take turns.
const MOST_OF_SHARD: usize = 2_000;

impl Trader {
    /// Runs the job once: tries every submission whose lease has ended. Tenants take turns, and each
    /// tenant's submissions that are the longest overdue go first.
    ///
    /// # Errors
    /// Fails when the index cannot be read.
    pub fn resolve_due<'a>(
        &'a self,
        limits: &'a ResolveLimits,
    ) -> BoxFuture<'a, Result<ResolveRun, StoreError>> {
        Box::pin(async move {
            let started_ms = self.now_ms();
            let run_ms = u64::try_from(limits.run_time.as_millis()).unwrap_or(u64::MAX);
            let mut run = Run::new(limits.limit, started_ms.saturating_add(run_ms));
            let due = in_turns(self.due(started_ms).await?);
            self.try_all(due, REQUEST_WAIT_MS, &mut run).await;
            // Those that had to wait, for their last lookup or for the budget.
            let waiting = run.take_waiting();
            self.try_all(waiting, MAX_WAIT_MS, &mut run).await;
            self.measure(&run, started_ms);
            Ok(run.done)
        })
    }

    /// Returns the submissions whose lease has ended.
    async fn due(&self, until_ms: u64) -> Result<Vec<DueOrder>, StoreError> {
        let mut due = Vec::new();
        for shard in 0..SHARDS {
            let (mut from, most) = (None, due.len() + MOST_OF_SHARD);
            while due.len() < most {
                let page = self.store.due_orders(self.exchange(), shard, until_ms, from).await?;
                due.extend(page.keys);
                match page.next {
                    Some(next) => from = Some(next),
                    None => break,
                }
            }
        }
        Ok(due)
    }

    /// Emits the metrics of every run, so that a missing job is noticed.
    fn measure(&self, run: &Run, started_ms: u64) {
        let oldest_ms = run.oldest_ms.map_or(0, |at_ms| started_ms.saturating_sub(at_ms));
        self.client.emit(Metric::OldestUnknownOrderMs, oldest_ms);
        self.client.emit(Metric::OrdersUnresolvable, run.done.unresolvable);
        if run.done.resolved > 0 {
            self.client.emit(Metric::OrdersResolved, run.done.resolved);
        }
    }

    /// Tries submissions, several at the same time.
    async fn try_all(&self, mut queue: VecDeque<Task>, max_wait_ms: u64, run: &mut Run) {
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < PARALLEL
                && let Some(task) = queue.pop_front()
            {
                match run.start(&task, self.now_ms()) {
                    Start::At(at_ms) => {
                        under_way.push(self.try_at(at_ms, task, max_wait_ms, run.until_ms));
                    }
                    Start::Later => run.leave(task),
                }
            }
            let Some((task, tried)) = under_way.next().await else { break };
            run.note(task, tried, self.now_ms());
        }
    }

    /// Tries a submission at a time, which may have passed.
    async fn try_at(
        &self,
        at_ms: u64,
        task: Task,
        max_wait_ms: u64,
        run_until_ms: u64,
    ) -> (Task, Result<One, TradeError>) {
        self.clock().sleep_ms(at_ms.saturating_sub(self.now_ms())).await;
        let until_ms = self.now_ms() + ONE_MS;
        let until_ms = until_ms.min(run_until_ms.saturating_add(LATEST_MS));
        let tried = self.try_due(&task.due, max_wait_ms, until_ms).await;
        (task, tried)
    }

    /// Reads a submission again, takes it over, and tries to find its outcome. No question begins
    /// from `until_ms` on.
    pub(super) async fn try_due(
        &self,
        due: &DueOrder,
        max_wait_ms: u64,
        until_ms: u64,
    ) -> Result<One, TradeError> {
        let DueOrder { account, key, .. } = due;
        let view = self.view(account, &[*key]).await?;
        let now_ms = self.now_ms();
        let is_due = |record: &&OrderRecord| {
            record.unresolved().is_some() && record.lease_until_ms <= now_ms
        };
        let Some(record) = view.orders.iter().find(is_due).cloned() else {
            return Ok(One::NotDue);
        };
        let nonce = record.unresolved().map_or(0, |submission| submission.nonce);
        let signed_at_ms = match account.exchange {
            Exchange::Aster => nonce / 1_000,
            Exchange::Hyperliquid | Exchange::Lighter => nonce,
        };
        let records = self.submission_of(account, record).await?;
        let Some(records) = self.take_over(account, records).await? else {
            return Ok(One::NotDue);
        };
        let case = Case { account, view: &view, records, until_ms, max_wait_ms };
        Ok(match self.resolve(case).await? {
            Resolution::Known(records) => One::Resolved(records.len() as u64),
            Resolution::Open { next, .. } => One::Unknown { next, signed_at_ms },
        })
    }
}
