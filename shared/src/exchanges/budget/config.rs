//! The settings of the budgets.

use domain::ids::{Exchange, PerExchange};
use platform::env::{ConfigError, Env};

use crate::exchanges::profile::Profile;

/// What the budgets are sized by.
#[derive(Clone, Debug)]
pub struct BudgetConfig {
    /// `ASTER_WEIGHT_PER_MINUTE`, `HYPERLIQUID_WEIGHT_PER_MINUTE`, `LIGHTER_WEIGHT_PER_MINUTE`: how much of an exchange's weight
    /// may be used; see [`Profile::weight_per_minute`] when not set.
    pub per_minute: PerExchange<u64>,
    /// `EGRESS_ADDRESS`: names the address that calls leave from; `shared` when not set.
    pub egress: String,
    /// `JOB_BUDGET_PERCENT`: what part of it unattended jobs may use; 50 when not set.
    pub job_percent: u64,
    /// `TENANT_BUDGET_PERCENT`: the part of a pool that one tenant may use while it is alone; 75
    /// when not set. With 100, one tenant can leave nothing to others.
    pub tenant_percent: u64,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self {
            per_minute: PerExchange::from_fn(|exchange| Profile::of(exchange).weight_per_minute),
            egress: "shared".to_owned(),
            job_percent: 50,
            tenant_percent: 75,
        }
    }
}

impl BudgetConfig {
    /// Reads it.
    ///
    /// # Errors
    /// Names the variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let weight = |least: u64| {
            move |text: &str| text.parse().ok().filter(|weight| (least..=100_000).contains(weight))
        };
        let percent = |text: &str| text.parse().ok().filter(|percent| (1..=100).contains(percent));
        let plain = |text: &str| {
            let fits = text.len() <= 64
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-_".contains(&byte));
            fits.then(|| text.to_owned())
        };
        let ours = Self::default();
        let mut per_minute = ours.per_minute;
        for exchange in Exchange::TRADED {
            let name = Profile::of(exchange).weight_variable;
            let (least, want) = match exchange {
                // The dearest call weighs 60, and must fit into half of a minute's weight.
                Exchange::Aster | Exchange::Hyperliquid => (200, "a number from 200 to 100000"),
                Exchange::Lighter => (20, "a number from 20 to 100000"),
            };
            if let Some(set) = env.parsed(name, want, weight(least))? {
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
            tenant_percent: env
                .parsed("TENANT_BUDGET_PERCENT", "a number from 1 to 100", percent)?
                .unwrap_or(ours.tenant_percent),
        })
    }
}
