//! The state of one run of the job: what is left to do, who may continue, and what was found.

use std::collections::{HashMap, VecDeque};

use domain::ids::Tenant;

use super::{Next, ResolveRun};
use crate::orders::TradeError;
use crate::store::{DueOrder, TradingAccount};

/// The result of one submission.
pub(in crate::orders) enum One {
    Resolved(u64),
    /// The outcome of bytes that were signed at this time, Unix milliseconds.
    Unknown {
        next: Next,
        signed_at_ms: u64,
    },
    /// It has an outcome, or another call is at work on it.
    NotDue,
}

/// Whether a run may try a submission.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Start {
    /// At this time, Unix milliseconds.
    At(u64),
    /// Not in this run, or not in this part of it.
    Later,
}

/// A submission to try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Task {
    pub(super) due: DueOrder,
    /// When its bytes were signed, or when its lease ended if it was not tried; Unix milliseconds.
    since_ms: u64,
    /// When its outcome can be found, Unix milliseconds.
    at_ms: u64,
}

/// Returns the tasks of submissions. Tenants take turns, and the longest overdue submission of each
/// tenant goes first.
pub(super) fn in_turns(mut due: Vec<DueOrder>) -> VecDeque<Task> {
    due.sort_by_key(|due| due.at_ms);
    let mut turns = HashMap::<Tenant, usize>::new();
    let numbered = due.into_iter().map(|due| {
        let turn = turns.entry(due.account.tenant.clone()).or_default();
        *turn += 1;
        (*turn, Task { since_ms: due.at_ms, at_ms: due.at_ms, due })
    });
    let mut tasks: Vec<_> = numbered.collect();
    tasks.sort_by_key(|(turn, _)| *turn);
    tasks.into_iter().map(|(_, task)| task).collect()
}

/// A run of the job.
pub(super) struct Run {
    pub(super) done: ResolveRun,
    /// When the oldest unknown submission was signed, or when its lease ended if it was not tried;
    /// Unix milliseconds.
    pub(super) oldest_ms: Option<u64>,
    /// Nothing starts from this time on, Unix milliseconds.
    pub(super) until_ms: u64,
    /// How many submissions can be started.
    left: u32,
    /// When the exchange's budget has room again, Unix milliseconds.
    closed_until_ms: u64,
    /// When the parts of tenants have room again, Unix milliseconds.
    limited_until_ms: HashMap<Tenant, u64>,
    waiting: Vec<Task>,
    /// Whether waiting is over: what must wait now is left to the next run.
    is_second: bool,
}

impl Run {
    pub(super) fn new(limit: u32, until_ms: u64) -> Self {
        Self {
            done: ResolveRun::default(),
            oldest_ms: None,
            until_ms,
            left: limit,
            closed_until_ms: 0,
            limited_until_ms: HashMap::new(),
            waiting: Vec::new(),
            is_second: false,
        }
    }

    /// Returns when a submission may be tried, and counts it as started.
    pub(super) fn start(&mut self, task: &Task, now_ms: u64) -> Start {
        let at_ms = self.free_at_ms(&task.due.account.tenant).max(now_ms);
        let must_wait = !self.is_second && (at_ms > now_ms || self.left == 0);
        if must_wait || at_ms >= self.until_ms {
            return Start::Later;
        }
        self.left = self.left.saturating_sub(1);
        Start::At(at_ms)
    }

    fn free_at_ms(&self, tenant: &Tenant) -> u64 {
        let limited = self.limited_until_ms.get(tenant).copied().unwrap_or_default();
        limited.max(self.closed_until_ms)
    }

    /// Leaves a submission that was not tried to the second part of the run, or to the next run.
    pub(super) fn leave(&mut self, task: Task) {
        let at_ms = self.free_at_ms(&task.due.account.tenant);
        self.done.exhausted |= self.closed_until_ms >= self.until_ms;
        if self.is_second || self.left == 0 || at_ms >= self.until_ms {
            self.done.more = true;
            self.note_open(task.since_ms);
        } else {
            self.waiting.push(Task { at_ms, ..task });
        }
    }

    /// Records what became of a submission.
    pub(super) fn note(&mut self, task: Task, tried: Result<One, TradeError>, now_ms: u64) {
        match tried {
            Ok(One::NotDue) => self.left = self.left.saturating_add(1),
            Ok(One::Resolved(orders)) => self.done.resolved += orders,
            Ok(One::Unknown { next, signed_at_ms }) => {
                self.note_unknown(Task { since_ms: signed_at_ms, ..task }, next, now_ms);
            }
            Err(error) => {
                self.done.failed += 1;
                self.note_open(task.since_ms);
                let TradingAccount { tenant, wallet_id, .. } = &task.due.account;
                tracing::warn!(%error, %tenant, walletId = %wallet_id, "order not resolved");
            }
        }
    }

    fn note_unknown(&mut self, task: Task, next: Next, now_ms: u64) {
        let after_s = |seconds: u64| now_ms.saturating_add(seconds.saturating_mul(1_000));
        let at_ms = match next {
            Next::At(at_ms) => Some(at_ms),
            Next::Budget { retry_after_s } => {
                self.closed_until_ms = self.closed_until_ms.max(after_s(retry_after_s));
                Some(self.closed_until_ms)
            }
            Next::TenantBudget { retry_after_s } => {
                let tenant = task.due.account.tenant.clone();
                let known = self.limited_until_ms.entry(tenant).or_default();
                *known = after_s(retry_after_s).max(*known);
                Some(*known)
            }
            Next::Later | Next::Help => None,
        };
        if let Some(at_ms) = at_ms.filter(|at_ms| !self.is_second && *at_ms < self.until_ms) {
            self.waiting.push(Task { at_ms, ..task });
            return;
        }
        self.done.unknown += 1;
        self.done.more |= at_ms.is_some();
        self.done.unresolvable += u64::from(next == Next::Help);
        self.done.exhausted |= matches!(next, Next::Budget { .. });
        self.note_open(task.since_ms);
    }

    /// Starts the second part of the run, and returns its submissions, the first to be ready first.
    pub(super) fn take_waiting(&mut self) -> VecDeque<Task> {
        self.is_second = true;
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|task| task.at_ms);
        waiting.into()
    }

    fn note_open(&mut self, at_ms: u64) {
        self.oldest_ms = Some(self.oldest_ms.map_or(at_ms, |oldest_ms| oldest_ms.min(at_ms)));
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::Exchange;
    use uuid::Uuid;

    use super::*;
    use crate::trading::ids::OrderKey;

    const NOW_MS: u64 = 1_000_000;
    const UNTIL_MS: u64 = NOW_MS + 40_000;

    fn due(tenant: &str, at_ms: u64) -> DueOrder {
        let (tenant, wallet_id) = (tenant.parse().unwrap(), Uuid::nil());
        let account = TradingAccount { tenant, wallet_id, exchange: Exchange::Aster };
        let key = OrderKey::from_hex("7c1f0a92d4e8b35566aa01f2").unwrap();
        DueOrder { account, key, at_ms }
    }

    fn tasks(tasks: &VecDeque<Task>) -> Vec<(&str, u64)> {
        tasks.iter().map(|task| (task.due.account.tenant.as_str(), task.due.at_ms)).collect()
    }

    fn unknown(next: Next) -> Result<One, TradeError> {
        Ok(One::Unknown { next, signed_at_ms: 7 })
    }

    #[test]
    fn tenants_take_turns_and_the_longest_overdue_goes_first() {
        let greedy = (0..300).map(|at_ms| due("greedy", at_ms));
        let others = [due("b", 900), due("a", 500), due("a", 400)];
        let turns = in_turns(greedy.chain(others).collect());
        let first = [("greedy", 0), ("a", 400), ("b", 900), ("greedy", 1), ("a", 500)];
        assert_eq!(tasks(&turns)[..5], first);
        assert_eq!(turns.len(), 303);
    }

    #[test]
    fn tenant_without_budget_holds_up_no_other_tenant() {
        let mut run = Run::new(10, UNTIL_MS);
        let [busy, other] = ["busy", "other"].map(|name| in_turns(vec![due(name, 5)])[0].clone());
        assert_eq!(run.start(&busy, NOW_MS), Start::At(NOW_MS));
        run.note(busy.clone(), unknown(Next::TenantBudget { retry_after_s: 10 }), NOW_MS);
        assert_eq!(run.start(&busy, NOW_MS), Start::Later);
        run.leave(busy.clone());
        assert_eq!(run.start(&other, NOW_MS), Start::At(NOW_MS));
        assert!(!run.done.exhausted && !run.done.more);
        // Both submissions of the tenant follow as soon as it has room.
        assert_eq!(run.take_waiting().len(), 2);
        assert_eq!(run.start(&busy, NOW_MS + 1_000), Start::At(NOW_MS + 10_000));
        run.note(busy, unknown(Next::TenantBudget { retry_after_s: 60 }), NOW_MS + 10_000);
        assert_eq!((run.done.unknown, run.done.more, run.done.exhausted), (1, true, false));
        assert_eq!(run.oldest_ms, Some(7));
    }

    #[test]
    fn empty_budget_pauses_the_run_for_every_tenant() {
        let mut run = Run::new(10, UNTIL_MS);
        let [first, other] = ["first", "other"].map(|name| in_turns(vec![due(name, 5)])[0].clone());
        run.note(first, unknown(Next::Budget { retry_after_s: 10 }), NOW_MS);
        assert_eq!(run.start(&other, NOW_MS), Start::Later);
        run.leave(other.clone());
        assert_eq!(run.take_waiting().len(), 2);
        assert_eq!(run.start(&other, NOW_MS), Start::At(NOW_MS + 10_000));
        run.note(other.clone(), unknown(Next::Budget { retry_after_s: 60 }), NOW_MS + 10_000);
        assert_eq!(run.start(&other, NOW_MS + 10_000), Start::Later);
        run.leave(other);
        assert_eq!((run.done.unknown, run.done.more, run.done.exhausted), (1, true, true));
    }

    #[test]
    fn run_starts_no_more_than_its_limit_and_nothing_late() {
        let mut run = Run::new(1, UNTIL_MS);
        let task = in_turns(vec![due("a", 5)])[0].clone();
        assert_eq!(run.start(&task, UNTIL_MS), Start::Later);
        assert_eq!(run.start(&task, NOW_MS), Start::At(NOW_MS));
        assert_eq!(run.start(&task, NOW_MS), Start::Later);
        run.leave(task.clone());
        assert!(run.done.more);
        // A submission that was not due takes no place.
        run.note(task.clone(), Ok(One::NotDue), NOW_MS);
        assert_eq!(run.start(&task, NOW_MS), Start::At(NOW_MS));
    }
}
