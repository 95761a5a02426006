//! What the exchanges' clients need from the environment.

use std::net::Ipv4Addr;

use domain::intent::{HyperliquidChain, MAX_AGENT_VALIDITY_MS};
use platform::env::{ConfigError, Env};
use platform::networks::{Networks, aster_agent_chain_id};
use url::Url;

use super::networks::{aster_v1_url, check_network};

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
        let chain = Networks::from_env(env)?.hyperliquid;
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
        let chain = Networks::from_env(env)?.aster;
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
