//! The job that finds the outcome of every order whose response was lost.

use std::time::Duration;

use domain::ids::Exchange;
use platform::items::{SHARDS, StoreError};
use platform::metrics::Metric;

use super::resolve::{Case, Next, READ_LAG_MS, REQUEST_WAIT_MS, Resolution};
use super::{TradeError, Trader};
use crate::store::{DueOrder, OrderRecord, TradingAccount};
use crate::trading::ids::OrderKey;
use crate::turns::Turns;

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

/// The longest wait for the last lookup of one submission, in milliseconds. A run first tries all
/// submissions without this wait.
const MAX_WAIT_MS: u64 = READ_LAG_MS + 2_000;

/// How many submissions a run defers at most, so that other tenants go first.
const MOST_DEFERRED: usize = 10_000;

/// The result of one submission.
enum One {
    Resolved(u64),
    /// The outcome of bytes that were signed at this time, Unix milliseconds.
    Unknown {
        next: Next,
        signed_at_ms: u64,
    },
    /// It has an outcome, or another call is at work on it.
    NotDue,
}

impl Trader {
    /// Runs the job once: tries every submission whose lease has ended, the longest overdue first
    /// in each shard. Tenants take turns.
    ///
    /// # Errors
    /// Fails when the index cannot be read.
    pub async fn resolve_due(&self, limits: &ResolveLimits) -> Result<ResolveRun, StoreError> {
        let started_ms = self.now_ms();
        let run_ms = u64::try_from(limits.run_time.as_millis()).unwrap_or(u64::MAX);
        let until_ms = started_ms.saturating_add(run_ms);
        let mut run = Run {
            done: ResolveRun::default(),
            oldest_ms: None,
            until_ms,
            turns: Turns::new(limits.limit),
            waiting: Vec::new(),
        };
        let mut deferred = Vec::new();
        // The first shard is random, so that no shard is always last.
        let first = self.random.bytes().map_or(0, |[byte]: [u8; 1]| byte);
        for shard in (0..SHARDS).map(|shard| shard.wrapping_add(first) % SHARDS) {
            let mut from = None;
            while deferred.len() < MOST_DEFERRED {
                let page = self.store.due_orders(self.exchange(), shard, started_ms, from).await?;
                for due in page.keys {
                    if !run.turns.admits(&due.account.tenant) {
                        deferred.push(due);
                    } else {
                        self.resolve_one(&due, &mut run).await;
                    }
                }
                match page.next {
                    Some(next) => from = Some(next),
                    None => break,
                }
            }
        }
        for due in deferred {
            self.resolve_one(&due, &mut run).await;
        }
        self.resolve_waiting(&mut run).await;
        self.measure(&run, started_ms);
        Ok(run.done)
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

    /// Tries one submission, if it is still due.
    async fn resolve_one(&self, due: &DueOrder, run: &mut Run) {
        if run.turns.is_over() || self.now_ms() >= run.until_ms || run.done.exhausted {
            run.done.more = true;
            run.note_open(due.at_ms);
            return;
        }
        let DueOrder { account, key, at_ms } = due;
        match self.try_due(account, *key, REQUEST_WAIT_MS).await {
            Ok(One::NotDue) => return,
            Ok(One::Unknown { next: Next::At(next_ms), .. }) => {
                run.waiting.push((next_ms, due.clone()));
            }
            tried => self.note(tried, account, *at_ms, run),
        }
        run.turns.take(&account.tenant);
    }

    /// Tries the submissions again whose last lookup had to wait.
    async fn resolve_waiting(&self, run: &mut Run) {
        let mut waiting = std::mem::take(&mut run.waiting);
        waiting.sort_by_key(|(next_ms, _)| *next_ms);
        for (next_ms, due) in waiting {
            if next_ms >= run.until_ms {
                run.done.unknown += 1;
                run.done.more = true;
                run.note_open(due.at_ms);
                continue;
            }
            // The first of the two lookups can start before the wait is over.
            let DueOrder { account, key, at_ms } = &due;
            let tried = self.try_due(account, *key, MAX_WAIT_MS).await;
            self.note(tried, account, *at_ms, run);
        }
    }

    fn note(
        &self,
        tried: Result<One, TradeError>,
        account: &TradingAccount,
        at_ms: u64,
        run: &mut Run,
    ) {
        match tried {
            Ok(One::NotDue) => {}
            Ok(One::Resolved(orders)) => run.done.resolved += orders,
            Ok(One::Unknown { next, signed_at_ms }) => {
                run.done.unknown += 1;
                run.done.unresolvable += u64::from(next == Next::Help);
                run.done.exhausted |= next == Next::Budget;
                run.note_open(signed_at_ms);
            }
            Err(error) => {
                run.done.failed += 1;
                run.note_open(at_ms);
                let (tenant, wallet_id) = (&account.tenant, account.wallet_id);
                tracing::warn!(%error, %tenant, walletId = %wallet_id, "order not resolved");
            }
        }
    }

    /// Reads a submission again, takes it over, and tries to find its outcome.
    async fn try_due(
        &self,
        account: &TradingAccount,
        key: OrderKey,
        max_wait_ms: u64,
    ) -> Result<One, TradeError> {
        let view = self.view(account, &[key]).await?;
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
            Exchange::Hyperliquid => nonce,
        };
        let records = self.submission_of(account, record).await?;
        let Some(records) = self.take_over(account, records).await? else {
            return Ok(One::NotDue);
        };
        let (view, until_ms) = (&view, now_ms + ONE_MS);
        let case = Case { account, view, records, until_ms, max_wait_ms };
        Ok(match self.resolve(case).await? {
            Resolution::Known(records) => One::Resolved(records.len() as u64),
            Resolution::Open { next, .. } => One::Unknown { next, signed_at_ms },
        })
    }
}

/// A run of the job.
struct Run {
    done: ResolveRun,
    /// When the oldest unknown submission was signed, or when its lease ended if it was not tried;
    /// Unix milliseconds.
    oldest_ms: Option<u64>,
    until_ms: u64,
    turns: Turns,
    /// Submissions whose last lookup had to wait, with its time.
    waiting: Vec<(u64, DueOrder)>,
}

impl Run {
    fn note_open(&mut self, at_ms: u64) {
        self.oldest_ms = Some(self.oldest_ms.map_or(at_ms, |oldest_ms| oldest_ms.min(at_ms)));
    }
}
