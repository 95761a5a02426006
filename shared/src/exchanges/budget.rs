//! A budget of request weight for each exchange and egress address, and a circuit.
//!
//! The exchanges count weight for each IP address, and function instances share addresses, so all
//! of them draw from one budget in the wallets' table: what was spent in the last minute, in slots
//! of ten seconds. Within a slot weight is added by a conditional update that lets any number of
//! instances through at once; the first call in a new slot drops what has become older than a
//! minute. So no minute sees more than the configured weight.
//!
//! The budget has three pools: a reserve for removals, a reserve for jobs, and the common pool.
//! Within each pool a tenant may spend up to a multiple of what is left of it. A tenant that is
//! alone therefore uses at most [`BudgetConfig::tenant_percent`] of a pool, several busy tenants
//! get equal parts, and every other tenant finds room at once. `docs/decisions/0052-fair-exchange-budget.md` has
//! the rule.
//!
//! The same item holds the circuit: after several failures in a row, or an exchange's own "too
//! many requests", nothing is sent until the stored time.

mod config;
mod fair;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::clock::Clock;
use domain::ids::{Exchange, Tenant};
use domain::random::Random;
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};

pub use config::BudgetConfig;
use fair::{Fair, jobs_until, limit_of};

use crate::store::{BudgetState, Pool, SLOTS, Spend, Store};

const SLOT_MS: u64 = 10_000;

/// Number of consecutive failures that opens the circuit.
const FAILURES: u32 = 5;

/// Initial and maximum time for which the circuit is open, in milliseconds.
const OPEN_MS: std::ops::RangeInclusive<u64> = 5_000..=60_000;

/// The initiator of the spending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spender {
    /// A waiting caller.
    Caller,
    /// An unattended job: it has a reserve, and leaves a part to callers.
    Job,
}

/// A call's claim on the budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim<'a> {
    /// The tenant that the weight is spent for.
    pub tenant: &'a Tenant,
    /// The call removes an agent, or belongs to a removal.
    pub is_removal: bool,
}

impl<'a> Claim<'a> {
    /// Returns the claim of an approval, or of a question.
    #[must_use]
    pub const fn of(tenant: &'a Tenant) -> Self {
        Self { tenant, is_removal: false }
    }

    /// Returns the claim of a removal, and of a question that belongs to it.
    #[must_use]
    pub const fn removal(tenant: &'a Tenant) -> Self {
        Self { tenant, is_removal: true }
    }
}

/// Why nothing may be sent now.
#[derive(Debug, thiserror::Error)]
pub enum Busy {
    /// The budget is empty, or the exchange reports its limit.
    #[error("the exchange's request limit is reached")]
    Limited {
        /// How long to wait.
        retry_after_s: u64,
    },
    /// The tenant has used its part of the budget. Other tenants are served.
    #[error("the tenant's part of the exchange's request limit is used up")]
    TenantLimited {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// The exchange has failed repeatedly.
    #[error("the exchange keeps failing; calls to it are paused")]
    Down {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// The edge in front of the exchange has blocked calls repeatedly.
    #[error("the exchange's edge blocks this address; calls to it are paused")]
    Blocked {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The kind of call that an exchange has responded to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answered {
    /// An approval, a removal or another call that changes something.
    Send,
    /// A question. An edge may pass questions and block everything else.
    Question,
}

/// The budget of one exchange.
#[derive(Clone, Debug)]
pub struct Budget {
    store: Store,
    clock: Clock,
    random: Random,
    partition: String,
    exchange: Exchange,
    spender: Spender,
    /// The weight of a minute, for everybody.
    limit: u64,
    /// The most that jobs leave used of the common pool.
    jobs_until: u64,
    tenant_percent: u64,
    hints: Arc<Hints>,
}

/// The last state that this process saw; it only saves calls.
#[derive(Debug, Default)]
struct Hints {
    seen: Mutex<BudgetState>,
    failed: AtomicBool,
    blocked: AtomicBool,
}

impl Budget {
    /// Makes the budget of one exchange for one kind of spender.
    #[must_use]
    pub fn new(
        store: Store,
        exchange: Exchange,
        config: &BudgetConfig,
        spender: Spender,
        clock: Clock,
        random: Random,
    ) -> Self {
        let limit = config.per_minute[exchange];
        Self {
            store,
            clock,
            random,
            // No tenant is empty, so no wallet's partition has this prefix.
            partition: format!("#budget#{exchange}#{}", config.egress),
            exchange,
            spender,
            limit,
            jobs_until: jobs_until(limit, config.job_percent),
            tenant_percent: config.tenant_percent.clamp(1, 100),
            hints: Arc::default(),
        }
    }

    /// Returns an error when the last known state leaves no room for a claim. Others can only have
    /// spent more since, so no call is needed to know. It does not look at the circuit.
    ///
    /// # Errors
    /// As [`Budget::take`], when the budget is used up.
    pub fn check(&self, claim: Claim<'_>, weight: u64) -> Result<(), Busy> {
        let now_ms = self.clock.now_ms();
        let now = self.seen().at(now_ms / SLOT_MS);
        if self.room(&now, claim, weight).is_some() {
            return Ok(());
        }
        Err(self.used_up(&now, now_ms, claim, weight))
    }

    /// Takes weight for calls that are about to be sent. One write of the table; two when another
    /// instance wrote in the meantime; none when the last known state leaves no room.
    ///
    /// # Errors
    /// Fails when nothing may be sent now, with the seconds to wait.
    pub async fn take(&self, claim: Claim<'_>, weight: u64) -> Result<(), Busy> {
        for _ in 0..6 {
            let (seen, now_ms) = (self.seen(), self.clock.now_ms());
            // An instance with a slow clock takes from the newest slot.
            let now = seen.clone().at(now_ms / SLOT_MS);
            let Some(room) = self.room(&now, claim, weight) else {
                return Err(self.used_up(&now, now_ms, claim, weight));
            };
            let Room { pool, part, max_used, max_part } = room;
            let spend = if seen.takes_more(now.slot) {
                Spend::Add { slot: now.slot, cost: weight, pool, part, max_used, max_part }
            } else {
                Spend::Roll { seen, next: now.after(pool, &part, weight) }
            };
            let (taken, state) = match self.store.spend(&self.partition, now_ms, spend).await? {
                Ok(state) => (true, state),
                Err(state) => (false, state),
            };
            self.hints.failed.store(state.failures > 0, Ordering::Relaxed);
            self.hints.blocked.store(state.blocked, Ordering::Relaxed);
            *self.hints.seen.lock().unwrap_or_else(PoisonError::into_inner) = state.clone();
            if taken {
                let used = state.at(now_ms / SLOT_MS).used().saturating_mul(100);
                self.emit(Metric::ExchangeBudgetUsed, used.checked_div(self.limit).unwrap_or(100));
                return Ok(());
            }
            if let Some(busy) = closed(&state, now_ms) {
                self.emit(Metric::ExchangeBudgetRefusals, 1);
                return Err(busy);
            }
        }
        Err(Busy::Limited { retry_after_s: 1 })
    }

    fn seen(&self) -> BudgetState {
        self.hints.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the pools that a claim may use, the first choice first.
    fn pools(&self, claim: Claim<'_>) -> &'static [Pool] {
        match (self.spender, claim.is_removal) {
            (Spender::Caller, false) => &[Pool::Common],
            (Spender::Caller, true) => &[Pool::Removals, Pool::Common],
            (Spender::Job, false) => &[Pool::Jobs, Pool::Common],
            (Spender::Job, true) => &[Pool::Removals, Pool::Jobs, Pool::Common],
        }
    }

    /// Returns the bounds for taking weight from a pool, as [`Fair::bounds`] does.
    fn bounds(&self, pool: Pool, used: u64, part: u64, weight: u64) -> Option<(u64, u64)> {
        let fair = Fair { limit: limit_of(self.limit, pool), percent: self.tenant_percent };
        let (max_used, max_part) = fair.bounds(used, part, weight)?;
        let most = match (self.spender, pool) {
            (Spender::Job, Pool::Common) => self.jobs_until.checked_sub(weight)?,
            _ => max_used,
        };
        (used <= most).then_some((max_used.min(most), max_part))
    }

    /// Returns where a state has room for a claim.
    fn room(&self, now: &BudgetState, claim: Claim<'_>, weight: u64) -> Option<Room> {
        self.pools(claim).iter().find_map(|pool| {
            let (part, of_tenant) = now.tenant(*pool, claim.tenant);
            let bounds = self.bounds(*pool, now.used_of(*pool), of_tenant, weight);
            bounds.map(|(max_used, max_part)| Room { pool: *pool, part, max_used, max_part })
        })
    }

    /// Returns why a state has no room for a claim: until when, and whether others find room.
    fn used_up(&self, now: &BudgetState, now_ms: u64, claim: Claim<'_>, weight: u64) -> Busy {
        // The first slot in which enough is forgotten.
        let free = |slot: &u64| self.room(&now.clone().at(*slot), claim, weight).is_some();
        let slot = (now.slot..=now.slot + SLOTS as u64).find(free).unwrap_or(now.slot + 1);
        let retry_after_s = (slot * SLOT_MS).saturating_sub(now_ms).div_ceil(1_000).max(1);
        let other_finds_room = self
            .pools(claim)
            .iter()
            .any(|pool| self.bounds(*pool, now.used_of(*pool), 0, weight).is_some());
        if other_finds_room {
            self.emit(Metric::TenantBudgetRefusals, 1);
            Busy::TenantLimited { retry_after_s }
        } else {
            self.emit(Metric::ExchangeBudgetRefusals, 1);
            Busy::Limited { retry_after_s }
        }
    }

    fn emit(&self, metric: Metric, value: u64) {
        metrics::emit(&self.clock, About::exchange(self.exchange), &[(metric, value)]);
    }

    /// Returns what is spent of it now, and its circuit.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn state(&self) -> Result<BudgetState, StoreError> {
        let state = self.store.budget_state(&self.partition).await?;
        Ok(state.at(self.clock.now_ms() / SLOT_MS))
    }

    /// Returns the weight that may be spent in a minute, by everybody.
    #[must_use]
    pub const fn per_minute(&self) -> u64 {
        self.limit
    }

    /// Records a valid response of the exchange.
    pub async fn answered(&self, what: Answered) {
        if what == Answered::Question && self.hints.blocked.load(Ordering::Relaxed) {
            return;
        }
        if self.hints.failed.swap(false, Ordering::Relaxed) {
            self.note(self.store.close_circuit(&self.partition).await);
        }
    }

    /// Records a missing or invalid response.
    pub async fn failed(&self) {
        self.count(false).await;
    }

    /// Records that the edge in front of the exchange blocked a call.
    pub async fn blocked(&self) {
        self.hints.blocked.store(true, Ordering::Relaxed);
        self.count(true).await;
    }

    async fn count(&self, blocked: bool) {
        self.hints.failed.store(true, Ordering::Relaxed);
        match self.store.count_failure(&self.partition, blocked).await {
            Ok(failures) if failures >= FAILURES => {
                let doubled = OPEN_MS.start() << (failures - FAILURES).min(8);
                let open_ms = doubled.min(*OPEN_MS.end()) + self.jitter_ms(1_000);
                let until_ms = self.clock.now_ms() + open_ms;
                self.note(self.store.open_circuit(&self.partition, until_ms, false).await);
                tracing::warn!(failures, open_ms, "exchange keeps failing: circuit open");
            }
            Ok(_) => {}
            Err(error) => self.note(Err(error)),
        }
    }

    /// Records "too many requests": no instance sends anything for the stated time.
    pub async fn limited(&self, retry_after_s: u64) {
        let until_ms = self.clock.now_ms().saturating_add(retry_after_s.saturating_mul(1_000));
        self.note(self.store.open_circuit(&self.partition, until_ms, true).await);
    }

    /// Returns a random number from 0 to `bound` milliseconds.
    pub(crate) fn jitter_ms(&self, bound: u64) -> u64 {
        self.random.bytes().map(u64::from_le_bytes).unwrap_or_default() % bound
    }

    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Logs a failed write. The state of the exchange does not affect this call's result.
    fn note(&self, written: Result<(), StoreError>) {
        if let Err(error) = written {
            tracing::warn!(%error, partition = self.partition, "exchange health not recorded");
        }
    }
}

/// The room that a state has for a claim.
struct Room {
    pool: Pool,
    part: String,
    max_used: u64,
    max_part: u64,
}

/// Returns why a closed circuit lets nothing through.
fn closed(state: &BudgetState, now_ms: u64) -> Option<Busy> {
    if state.open_until_ms <= now_ms {
        return None;
    }
    let retry_after_s = (state.open_until_ms - now_ms).div_ceil(1_000);
    Some(if state.limited {
        Busy::Limited { retry_after_s }
    } else if state.blocked {
        Busy::Blocked { retry_after_s }
    } else {
        Busy::Down { retry_after_s }
    })
}
