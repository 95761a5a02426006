//! The settings of the budgets.

use domain::ids::{Exchange, PerExchange};
use platform::env::{ConfigError, Env};

use super::fair::{Fair, jobs_until, limit_of};
use crate::exchanges::lighter::profile::{LARGEST, cost};
use crate::exchanges::profile::Profile;
use crate::store::Pool;

/// The largest weight of a call to Aster and Hyperliquid: Hyperliquid's `userRole`.
const LARGEST_WEIGHT: u64 = 60;

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
    /// Names the variable. As [`BudgetConfig::check`].
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
            let least = match exchange {
                Exchange::Aster | Exchange::Hyperliquid => 200,
                Exchange::Lighter => 20,
            };
            if let Some(set) = env.parsed(name, usable(exchange), weight(least))? {
                per_minute[exchange] = set;
            }
        }
        let config = Self {
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
        };
        config.check()?;
        Ok(config)
    }

    /// Checks that every call fits into the weight of its exchange, and into the parts of it for one
    /// tenant and for jobs. A call that does not fit would always be refused.
    ///
    /// # Errors
    /// Names the variable to change.
    pub fn check(&self) -> Result<(), ConfigError> {
        let usual = Self { per_minute: self.per_minute, ..Self::default() };
        for exchange in Exchange::TRADED {
            let (name, want) = if !usual.fits_callers(exchange) || !usual.fits_jobs(exchange) {
                (Profile::of(exchange).weight_variable, usable(exchange))
            } else if !self.fits_callers(exchange) {
                ("TENANT_BUDGET_PERCENT", "so high that each request fits into a tenant's part")
            } else if !self.fits_jobs(exchange) {
                ("JOB_BUDGET_PERCENT", "so high that each request of a job fits into its part")
            } else {
                continue;
            };
            return Err(ConfigError::Invalid { name, want });
        }
        Ok(())
    }

    fn fits_callers(&self, exchange: Exchange) -> bool {
        let [weight, _] = largest(exchange, self.per_minute[exchange]);
        self.fits(exchange, Pool::Common, weight)
    }

    fn fits_jobs(&self, exchange: Exchange) -> bool {
        let limit = self.per_minute[exchange];
        let [_, weight] = largest(exchange, limit);
        self.fits(exchange, Pool::Jobs, weight)
            || (self.fits(exchange, Pool::Common, weight)
                && weight <= jobs_until(limit, self.job_percent))
    }

    /// Returns whether a call fits into a pool of which nothing is used.
    fn fits(&self, exchange: Exchange, pool: Pool, weight: u64) -> bool {
        let limit = limit_of(self.per_minute[exchange], pool);
        let fair = Fair { limit, percent: self.tenant_percent.clamp(1, 100) };
        fair.bounds(0, 0, weight).is_some()
    }
}

/// Returns the most that a call of a caller takes at once of a budget of `per_minute`, and the most that
/// one of a job does.
fn largest(exchange: Exchange, per_minute: u64) -> [u64; 2] {
    match exchange {
        Exchange::Aster | Exchange::Hyperliquid => [LARGEST_WEIGHT; 2],
        Exchange::Lighter => {
            let [caller, job] = LARGEST.map(|requests| cost(requests, per_minute));
            [caller.max(job), job]
        }
    }
}

/// Returns the usable weights of a minute with the default percentages, as an error states them.
const fn usable(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Aster | Exchange::Hyperliquid => "a number from 200 to 100000",
        Exchange::Lighter => "a number from 20 to 60, or from 1000 to 100000",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[(&str, &str)]) -> Result<BudgetConfig, ConfigError> {
        let get = |name: &str| {
            let found = values.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        BudgetConfig::from_env(&Env(&get))
    }

    #[test]
    fn weight_outside_the_usable_values_is_refused() {
        let [aster, hyperliquid, lighter] =
            [Exchange::Aster, Exchange::Hyperliquid, Exchange::Lighter];
        let others = "must be a number from 200 to 100000";
        let of_lighter = "must be a number from 20 to 60, or from 1000 to 100000";
        for (exchange, good, bad, want) in [
            (aster, vec![200, 100_000], vec![0, 199, 100_001], others),
            (hyperliquid, vec![200, 100_000], vec![0, 199, 100_001], others),
            (lighter, vec![20, 60, 1_000, 100_000], vec![0, 19, 100_001], of_lighter),
        ] {
            let name = Profile::of(exchange).weight_variable;
            for weight in good {
                let config = read(&[(name, &weight.to_string())]).unwrap();
                assert_eq!(config.per_minute[exchange], weight);
            }
            for weight in bad {
                let error = read(&[(name, &weight.to_string())]).unwrap_err();
                assert_eq!(error.to_string(), format!("{name} {want}"), "{weight}");
            }
        }
    }

    #[test]
    fn lighter_weight_from_61_to_999_is_refused() {
        for weight in 20..3_000 {
            let is_usable = weight <= 60 || weight >= 1_000;
            let read = read(&[("LIGHTER_WEIGHT_PER_MINUTE", &weight.to_string())]);
            assert_eq!(read.is_ok(), is_usable, "{weight}: {read:?}");
        }
    }

    #[test]
    fn percentage_without_room_for_a_call_is_refused() {
        let lighter = ("LIGHTER_WEIGHT_PER_MINUTE", "1000");
        read(&[lighter, ("TENANT_BUDGET_PERCENT", "75"), ("JOB_BUDGET_PERCENT", "50")]).unwrap();
        for percent in [("TENANT_BUDGET_PERCENT", "74"), ("JOB_BUDGET_PERCENT", "49")] {
            let error = read(&[lighter, percent]).unwrap_err().to_string();
            assert!(error.starts_with(percent.0), "{error}");
        }
        // The default weights leave more room.
        read(&[("TENANT_BUDGET_PERCENT", "20"), ("JOB_BUDGET_PERCENT", "10")]).unwrap();
        read(&[("JOB_BUDGET_PERCENT", "1")]).unwrap();
        assert!(read(&[("TENANT_BUDGET_PERCENT", "1")]).is_err());
    }
}
