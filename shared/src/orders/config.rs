//! Settings and dependencies.

use std::sync::Arc;

use domain::clock::Clock;
use domain::ids::Exchange;
use domain::random::Random;
use platform::env::ConfigError;
use platform::envelope::{Envelope, KeyCache};

use crate::exchanges::budget::{Budget, BudgetConfig, Spender};
use crate::exchanges::{ORDER_TIMEOUT_MS, order_timeout_ms};
use crate::runtime::Runtime;
use crate::store::Store;
use crate::wallets::envelope_from_env;

/// The settings of trading.
#[derive(Clone, Debug)]
pub struct TradeConfig {
    /// `ORDER_TIMEOUT_MS`: timeout of a call that changes orders.
    pub order_timeout_ms: u64,
    /// The data keys of agents' keys, with the time of `DATA_KEY_CACHE_SECONDS`.
    pub keys: KeyCache,
}

/// Default time of a data key in memory, in milliseconds.
const DATA_KEY_CACHE_MS: u64 = 60_000;

impl Default for TradeConfig {
    fn default() -> Self {
        Self { order_timeout_ms: ORDER_TIMEOUT_MS, keys: KeyCache::new(DATA_KEY_CACHE_MS) }
    }
}

/// The dependencies of a [`Trader`](super::Trader).
#[derive(Clone, Debug)]
pub struct TraderParts {
    /// The wallets' table.
    pub store: Store,
    /// KMS key A, which seals the agents' keys.
    pub envelope: Envelope,
    /// The clock.
    pub clock: Clock,
    /// The source of randomness.
    pub random: Random,
    /// The sizes of the exchange's budget.
    pub budget: BudgetConfig,
    /// The initiator of the spending.
    pub spender: Spender,
    /// The settings.
    pub config: TradeConfig,
}

impl TraderParts {
    /// Makes the dependencies from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(runtime: &Runtime<'_>, spender: Spender) -> Result<Self, ConfigError> {
        let env = &runtime.env;
        Ok(Self {
            store: Store::from_env(env)?,
            envelope: envelope_from_env(runtime)?,
            clock: runtime.clock.clone(),
            random: runtime.random.clone(),
            budget: BudgetConfig::from_env(env)?,
            spender,
            config: TradeConfig {
                order_timeout_ms: order_timeout_ms(env)?,
                keys: KeyCache::from_env(env)?,
            },
        })
    }
}

/// The parts from which a budget is made.
#[derive(Clone, Debug)]
pub(super) struct BudgetParts {
    pub(super) config: Arc<BudgetConfig>,
    pub(super) exchange: Exchange,
}

impl BudgetParts {
    pub(super) fn make(
        &self,
        store: &Store,
        spender: Spender,
        clock: &Clock,
        random: &Random,
    ) -> Budget {
        let (clock, random) = (clock.clone(), random.clone());
        Budget::new(store.clone(), self.exchange, &self.config, spender, clock, random)
    }
}
