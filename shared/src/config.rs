//! Configuration from environment variables: one struct for each concern, units in the names, and
//! a start that fails with the name of the variable.

mod networks;

use std::net::Ipv4Addr;

use url::{Host, Url};

use crate::exchanges::budget::BudgetConfig;
use crate::intent::{HyperliquidChain, MAX_AGENT_VALIDITY_MS};
pub use networks::{
    Networks, aster_agent_chain_id, aster_v1_url, check_network, network_of, resolve_aster_chain,
};

/// A setting is missing or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The variable is not set.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// The variable's value cannot be used. The value is not shown.
    #[error("{name} must be {want}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it must be.
        want: &'static str,
    },
}

/// A function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A setting is missing or cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Http(#[from] crate::http_client::HttpSetupError),
}

/// Where settings are read from.
#[derive(Clone, Copy)]
pub struct Env<'a>(pub &'a dyn Fn(&str) -> Option<String>);

impl std::fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Env")
    }
}

impl Env<'_> {
    /// A variable that may be absent; empty counts as absent.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// A variable that must be there.
    ///
    /// # Errors
    /// Names the variable.
    pub fn required(&self, name: &'static str) -> Result<String, ConfigError> {
        self.optional(name).ok_or(ConfigError::Missing(name))
    }

    fn parsed<T>(
        &self,
        name: &'static str,
        want: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        match self.optional(name) {
            None => Ok(None),
            Some(text) => parse(&text).map(Some).ok_or(ConfigError::Invalid { name, want }),
        }
    }

    /// A number within a range, if it is set.
    ///
    /// # Errors
    /// Names the variable.
    pub fn number(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Result<Option<u32>, ConfigError> {
        self.parsed(name, "a number within its range", |text| {
            text.parse().ok().filter(|number| range.contains(number))
        })
    }

    fn url(&self, name: &'static str) -> Result<Url, ConfigError> {
        parse_url(&self.required(name)?)
            .ok_or(ConfigError::Invalid { name, want: "an https URL, or http on loopback" })
    }
}

/// An exchange's base URL: https, or http on loopback, without a query.
#[must_use]
pub fn parse_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let safe = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    (safe && plain).then_some(url)
}

/// `Mainnet` or `Testnet`.
#[must_use]
pub fn parse_chain(text: &str) -> Option<HyperliquidChain> {
    match text {
        "Mainnet" => Some(HyperliquidChain::Mainnet),
        "Testnet" => Some(HyperliquidChain::Testnet),
        _ => None,
    }
}

/// The wallets' table and key.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// `WALLETS_TABLE`
    pub table: String,
}

impl StoreConfig {
    /// Reads it.
    ///
    /// # Errors
    /// Names the variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        Ok(Self { table: env.required("WALLETS_TABLE")? })
    }
}

/// What custody needs beside the table.
#[derive(Clone, Debug)]
pub struct CustodyConfig {
    /// `WALLETS_KEY_ID`: KMS key A, which seals party 1's shares and the credentials.
    pub kms_key_id: String,
    /// `COSIGNER_FUNCTION`: name or ARN.
    pub cosigner_function: String,
    /// `AWS_LAMBDA_FUNCTION_NAME`, which Lambda sets: who asks, for the cosigner's records.
    pub caller: String,
    /// Who refreshes a wallet's shares where they must be before they sign.
    pub refresh: RefreshBy,
}

/// Who refreshes a wallet's shares.
#[derive(Clone, Debug)]
pub enum RefreshBy {
    /// `REFRESH_FUNCTION`: the function with this name or ARN, the only one that the cosigner lets
    /// refresh.
    Function(String),
    /// This process, which invokes the cosigner by this name or ARN for it. `COSIGNER_FUNCTION`,
    /// when `REFRESH_FUNCTION` is not set.
    ThisProcess(String),
}

impl CustodyConfig {
    /// Reads it.
    ///
    /// # Errors
    /// Names the variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let cosigner_function = env.required("COSIGNER_FUNCTION")?;
        let refresh = match env.optional("REFRESH_FUNCTION") {
            Some(function) => RefreshBy::Function(function),
            None => RefreshBy::ThisProcess(cosigner_function.clone()),
        };
        Ok(Self {
            kms_key_id: env.required("WALLETS_KEY_ID")?,
            cosigner_function,
            refresh,
            caller: env.optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
        })
    }
}

/// What Hyperliquid registration needs.
#[derive(Clone, Debug)]
pub struct HyperliquidConfig {
    /// `HYPERLIQUID_URL`
    pub url: Url,
    /// `HYPERLIQUID_CHAIN`: `Mainnet` (default) or `Testnet`.
    pub chain: HyperliquidChain,
    /// `AGENT_VALIDITY_DAYS`, in milliseconds; 180 days when not set.
    pub validity_ms: u64,
    /// `EXCHANGE_TIMEOUT_MS`: how long a call of the exchange may take; 10,000 when not set.
    pub call_timeout_ms: u64,
    /// `RETURN_API_PRIVATE_KEY`: whether the one response hands the key out; `true` when not set.
    pub return_private_key: bool,
}

impl HyperliquidConfig {
    /// Reads it.
    ///
    /// # Errors
    /// Names the variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let url = env.url("HYPERLIQUID_URL")?;
        let chain = networks::hyperliquid_chain(env)?.unwrap_or(HyperliquidChain::Mainnet);
        check_network("HYPERLIQUID_URL", &url, chain)?;
        Ok(Self {
            url,
            chain,
            validity_ms: validity_ms(env)?,
            call_timeout_ms: call_timeout_ms(env)?,
            return_private_key: env
                .parsed("RETURN_API_PRIVATE_KEY", "true or false", |text| text.parse().ok())?
                .unwrap_or(true),
        })
    }
}

/// What Aster registration needs.
#[derive(Clone, Debug)]
pub struct AsterConfig {
    /// `ASTER_URL`
    pub url: Url,
    /// `ASTER_SIGNATURE_CHAIN_ID`: the chain of a wallet's approval; 56 when not set.
    pub signature_chain_id: u64,
    /// `ASTER_CHAIN`; `HYPERLIQUID_CHAIN` when not set.
    pub chain: HyperliquidChain,
    /// `ASTER_IP_WHITELIST`: the one address that agents may call from; any when not set.
    pub ip_whitelist: Option<Ipv4Addr>,
    /// `AGENT_VALIDITY_DAYS`, in milliseconds; 180 days when not set.
    pub validity_ms: u64,
    /// `EXCHANGE_TIMEOUT_MS`: how long a call of the exchange may take; 10,000 when not set.
    pub call_timeout_ms: u64,
    /// `ASTER_API=v1`: `ASTER_V1_URL`, where API keys of V1 are made; when it is not set, the host
    /// follows from `ASTER_URL`. `None` is V3, the default.
    pub v1_url: Option<Url>,
}

impl AsterConfig {
    /// Reads it.
    ///
    /// # Errors
    /// Names the variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let number = |text: &str| text.parse().ok();
        let is_v1 = |text: &str| match text {
            "v1" => Some(true),
            "v3" => Some(false),
            _ => None,
        };
        let v1 = env.parsed("ASTER_API", "v1 or v3", is_v1)?.unwrap_or(false);
        let url = env.url("ASTER_URL")?;
        let chain = networks::aster_chain(env)?;
        check_network("ASTER_URL", &url, chain)?;
        let v1_url = if !v1 {
            None
        } else if env.optional("ASTER_V1_URL").is_some() {
            let v1_url = env.url("ASTER_V1_URL")?;
            check_network("ASTER_V1_URL", &v1_url, chain)?;
            Some(v1_url)
        } else {
            Some(aster_v1_url(&url))
        };
        Ok(Self {
            v1_url,
            url,
            chain,
            signature_chain_id: env
                .parsed("ASTER_SIGNATURE_CHAIN_ID", "a number", number)?
                .unwrap_or(56),
            ip_whitelist: env
                .parsed("ASTER_IP_WHITELIST", "one IPv4 address", |text| text.parse().ok())?,
            validity_ms: validity_ms(env)?,
            call_timeout_ms: call_timeout_ms(env)?,
        })
    }
}

impl AsterConfig {
    /// The chain of calls that an agent signs.
    #[must_use]
    pub const fn agent_chain_id(&self) -> u64 {
        aster_agent_chain_id(self.chain)
    }
}

impl BudgetConfig {
    /// Reads it.
    ///
    /// # Errors
    /// Names the variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        // The dearest call weighs 60, and must fit into half of a minute's weight.
        let weight =
            |text: &str| text.parse().ok().filter(|weight| (200..=100_000).contains(weight));
        let percent = |text: &str| text.parse().ok().filter(|percent| (1..=100).contains(percent));
        let plain = |text: &str| {
            let fits = text.len() <= 64
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-_".contains(&byte));
            fits.then(|| text.to_owned())
        };
        let ours = Self::default();
        let a_weight = "a number from 200 to 100000";
        Ok(Self {
            hyperliquid_per_minute: env
                .parsed("HYPERLIQUID_WEIGHT_PER_MINUTE", a_weight, weight)?
                .unwrap_or(ours.hyperliquid_per_minute),
            aster_per_minute: env
                .parsed("ASTER_WEIGHT_PER_MINUTE", a_weight, weight)?
                .unwrap_or(ours.aster_per_minute),
            egress: env
                .parsed("EGRESS_ADDRESS", "at most 64 letters, digits, . : - _", plain)?
                .unwrap_or(ours.egress),
            job_percent: env
                .parsed("JOB_BUDGET_PERCENT", "a number from 1 to 100", percent)?
                .unwrap_or(ours.job_percent),
        })
    }
}

/// How long a call of an exchange may take when nothing else is said, in milliseconds.
pub const CALL_TIMEOUT_MS: u64 = 10_000;

/// Three calls must fit into the 29 seconds that API Gateway waits.
fn call_timeout_ms(env: &Env<'_>) -> Result<u64, ConfigError> {
    let timeout = env.parsed("EXCHANGE_TIMEOUT_MS", "a number from 100 to 10000", |text| {
        text.parse().ok().filter(|timeout| (100..=CALL_TIMEOUT_MS).contains(timeout))
    })?;
    Ok(timeout.unwrap_or(CALL_TIMEOUT_MS))
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// At least 8 days, because Aster refuses what ends within about 7.
fn validity_ms(env: &Env<'_>) -> Result<u64, ConfigError> {
    let days = env.parsed("AGENT_VALIDITY_DAYS", "a number of days from 8 to 180", |text| {
        text.parse::<u64>().ok().filter(|days| (8..=MAX_AGENT_VALIDITY_MS / DAY_MS).contains(days))
    })?;
    Ok(days.map_or(MAX_AGENT_VALIDITY_MS, |days| days * DAY_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        move |name| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn only_https_or_loopback_is_taken() {
        for (url, taken) in [
            ("https://api.hyperliquid.xyz", true),
            ("http://127.0.0.1:3001", true),
            ("http://localhost:3001/", true),
            ("http://[::1]:3001", true),
            ("http://api.hyperliquid.xyz", false),
            ("http://127.0.0.1.evil.example", false),
            ("https://user:secret@api.example", false),
            ("https://api.example?x=1", false),
            ("ftp://127.0.0.1", false),
            ("api.hyperliquid.xyz", false),
            ("", false),
        ] {
            assert_eq!(parse_url(url).is_some(), taken, "{url}");
        }
    }

    #[test]
    fn a_missing_or_bad_variable_is_named() {
        fn read(pairs: &[(&str, &str)]) -> Result<HyperliquidConfig, ConfigError> {
            HyperliquidConfig::from_env(&Env(&env(pairs)))
        }
        assert_eq!(read(&[]).unwrap_err().to_string(), "HYPERLIQUID_URL is not set");
        let url = ("HYPERLIQUID_URL", "https://x.example");
        let error = read(&[url, ("HYPERLIQUID_CHAIN", "mainnet")]).unwrap_err();
        assert_eq!(error.to_string(), "HYPERLIQUID_CHAIN must be Mainnet or Testnet");
        for days in ["0", "7", "181", "x"] {
            assert!(read(&[url, ("AGENT_VALIDITY_DAYS", days)]).is_err(), "{days}");
        }
        let config = read(&[url, ("RETURN_API_PRIVATE_KEY", "false")]).unwrap();
        assert!(!config.return_private_key);
        assert_eq!(config.validity_ms, MAX_AGENT_VALIDITY_MS);
    }
}
