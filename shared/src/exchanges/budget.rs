//! A budget of request weight for each exchange and egress address, and a circuit.
//!
//! The exchanges count weight for each IP address, and function instances share addresses. All of
//! them therefore draw from one budget in the wallets' table: the weight spent in the last minute,
//! in slots of ten seconds. Within a slot, a conditional update adds weight and lets any number of
//! instances through at once. The first instance in a new slot drops the slots older than a
//! minute. So no minute exceeds the configured weight, and all of it may be spent at once.
//!
//! The same item holds the circuit: after several failures in a row, or an exchange's own "too
//! many requests", nothing is sent until the stored time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::clock::Clock;
use domain::ids::{Exchange, PerExchange};
use domain::random::Random;
use platform::env::{ConfigError, Env};
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};

use super::profile::Profile;
use crate::store::{BudgetState, SLOTS, Spend, Store};

const SLOT_MS: u64 = 10_000;

/// Number of consecutive failures that opens the circuit.
const FAILURES: u32 = 5;

/// Initial and maximum time for which the circuit is open, in milliseconds.
const OPEN_MS: std::ops::RangeInclusive<u64> = 5_000..=60_000;

/// Settings of the budgets.
#[derive(Clone, Debug)]
pub struct BudgetConfig {
    /// `ASTER_WEIGHT_PER_MINUTE`, `HYPERLIQUID_WEIGHT_PER_MINUTE`: the exchange's weight to use;
    /// default [`Profile::weight_per_minute`].
    pub per_minute: PerExchange<u64>,
    /// `EGRESS_ADDRESS`: names the address that calls leave from; default `shared`.
    pub egress: String,
    /// `JOB_BUDGET_PERCENT`: share of the budget for unattended jobs; default 50.
    pub job_percent: u64,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self {
            per_minute: PerExchange::from_fn(|exchange| Profile::of(exchange).weight_per_minute),
            egress: "shared".to_owned(),
            job_percent: 50,
        }
    }
}

/// The initiator of the spending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spender {
    /// A waiting caller.
    Caller,
    /// An unattended job, which leaves a share to callers.
    Job,
}

/// Why nothing may be sent now.
#[derive(Debug, thiserror::Error)]
pub enum Busy {
    /// The budget is empty, or the exchange reports its limit.
    #[error("the exchange's request limit is reached")]
    Limited {
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

impl BudgetConfig {
    /// Reads the settings from the environment.
    ///
    /// # Errors
    /// Returns an error that names the invalid variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        // The most expensive call weighs 60, and must fit into half of the budget of a minute.
        let weight =
            |text: &str| text.parse().ok().filter(|weight| (200..=100_000).contains(weight));
        let percent = |text: &str| text.parse().ok().filter(|percent| (1..=100).contains(percent));
        let plain = |text: &str| {
            let fits = text.len() <= 64
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-_".contains(&byte));
            fits.then(|| text.to_owned())
        };
        let ours = Self::default();
        let mut per_minute = ours.per_minute;
        for exchange in Exchange::ALL {
            let name = Profile::of(exchange).weight_variable;
            if let Some(set) = env.parsed(name, "a number from 200 to 100000", weight)? {
                per_minute[exchange] = set;
            }
        }
        Ok(Self {
            per_minute,
            egress: env
                .parsed("EGRESS_ADDRESS", "at most 64 letters, digits, . : - _", plain)?
                .unwrap_or(ours.egress),
            job_percent: env
                .parsed("JOB_BUDGET_PERCENT", "a number from 1 to 100", percent)?
                .unwrap_or(ours.job_percent),
        })
    }
}

/// The budget of one exchange.
#[derive(Clone, Debug)]
pub struct Budget {
    store: Store,
    clock: Clock,
    random: Random,
    partition: String,
    exchange: Exchange,
    /// The limit for all spenders, and for this kind of spender.
    limit: u64,
    per_minute: u64,
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
        let per_minute = match spender {
            Spender::Caller => limit,
            Spender::Job => limit * config.job_percent.min(100) / 100,
        };
        Self {
            store,
            clock,
            random,
            // No tenant is empty, so no wallet's partition has this prefix.
            partition: format!("#budget#{exchange}#{}", config.egress),
            exchange,
            limit,
            per_minute,
            hints: Arc::default(),
        }
    }

    /// Takes weight for calls that are about to be sent. Writes the table once, or twice when
    /// another instance wrote in the meantime.
    ///
    /// # Errors
    /// Fails when nothing may be sent now, with the seconds to wait.
    pub async fn take(&self, weight: u64) -> Result<(), Busy> {
        let mut seen = *self.hints.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..6 {
            let now_ms = self.clock.now_ms();
            // An instance with a slow clock takes from the newest slot.
            let now = seen.at(now_ms / SLOT_MS);
            let spend = if now.slot == seen.slot || now.used + weight > self.per_minute {
                // The remembered state may be old, so only the table refuses.
                let max_used = self.per_minute.saturating_sub(weight);
                Spend::Add { slot: now.slot, cost: weight, max_used }
            } else {
                let mut next = now;
                next.slots[BudgetState::place(now.slot)] += weight;
                next.used += weight;
                Spend::Roll { seen, next }
            };
            let (taken, state) = match self.store.spend(&self.partition, now_ms, spend).await? {
                Ok(state) => (true, state),
                Err(state) => (false, state),
            };
            seen = state;
            *self.hints.seen.lock().unwrap_or_else(PoisonError::into_inner) = state;
            self.hints.failed.store(state.failures > 0, Ordering::Relaxed);
            self.hints.blocked.store(state.blocked, Ordering::Relaxed);
            if taken {
                let used = state.at(now_ms / SLOT_MS).used.saturating_mul(100);
                self.emit(Metric::ExchangeBudgetUsed, used.checked_div(self.limit).unwrap_or(100));
                return Ok(());
            }
            if let Err(busy) = self.refused(&state, now_ms, weight) {
                self.emit(Metric::ExchangeBudgetRefusals, 1);
                return Err(busy);
            }
        }
        Err(Busy::Limited { retry_after_s: 1 })
    }

    fn emit(&self, metric: Metric, value: u64) {
        metrics::emit(&self.clock, About::exchange(self.exchange), &[(metric, value)]);
    }

    /// Returns the weight spent now, and the circuit.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn state(&self) -> Result<BudgetState, StoreError> {
        let state = self.store.budget_state(&self.partition).await?;
        Ok(state.at(self.clock.now_ms() / SLOT_MS))
    }

    /// Returns the weight that may be spent in a minute.
    #[must_use]
    pub const fn per_minute(&self) -> u64 {
        self.per_minute
    }

    /// Returns why no weight was taken: circuit open or budget empty. `Ok` means that another
    /// instance wrote first.
    fn refused(&self, state: &BudgetState, now_ms: u64, weight: u64) -> Result<(), Busy> {
        if state.open_until_ms > now_ms {
            let retry_after_s = (state.open_until_ms - now_ms).div_ceil(1_000);
            return Err(if state.limited {
                Busy::Limited { retry_after_s }
            } else if state.blocked {
                Busy::Blocked { retry_after_s }
            } else {
                Busy::Down { retry_after_s }
            });
        }
        let now = state.at(now_ms / SLOT_MS);
        if now.used + weight <= self.per_minute {
            return Ok(());
        }
        // The first slot in which enough weight has expired.
        let free = |slot: &u64| now.at(*slot).used + weight <= self.per_minute;
        let slot = (now.slot..=now.slot + SLOTS as u64).find(free).unwrap_or(now.slot + 1);
        let wait_ms = (slot * SLOT_MS).saturating_sub(now_ms);
        Err(Busy::Limited { retry_after_s: wait_ms.div_ceil(1_000).max(1) })
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
    pub(super) fn jitter_ms(&self, bound: u64) -> u64 {
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
