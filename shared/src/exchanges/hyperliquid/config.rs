//! The settings of Hyperliquid.

use domain::builder::Builder;
use domain::ids::Exchange;
use domain::intent::HyperliquidChain;
use platform::env::{ConfigError, Env};
use platform::networks::hyperliquid_chain;
use url::Url;

use crate::exchanges::builder::builder_from_env;
use crate::exchanges::config::{call_timeout_ms, validity_ms};
use crate::exchanges::networks::check_network;

/// Settings for registration with Hyperliquid.
#[derive(Clone, Debug)]
pub struct HyperliquidConfig {
    /// `HYPERLIQUID_URL`
    pub url: Url,
    /// `HYPERLIQUID_CHAIN`: `Mainnet` (default) or `Testnet`.
    pub chain: HyperliquidChain,
    /// `AGENT_VALIDITY_DAYS`, in milliseconds; default 180 days.
    pub validity_ms: u64,
    /// `EXCHANGE_TIMEOUT_MS`: timeout of a call to the exchange; default 10,000.
    pub call_timeout_ms: u64,
    /// `RETURN_API_PRIVATE_KEY`: whether responses return the private key; default `true`.
    pub return_private_key: bool,
    /// `HYPERLIQUID_BUILDER` and `HYPERLIQUID_BUILDER_FEE` (in tenths of a basis point): the builder
    /// that wallets approve and that orders carry; none when not set.
    pub builder: Option<Builder>,
}

impl HyperliquidConfig {
    /// Reads the settings from the environment.
    ///
    /// # Errors
    /// Returns an error that names the invalid variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let url = env.url("HYPERLIQUID_URL")?;
        let chain = hyperliquid_chain(env)?;
        check_network(Exchange::Hyperliquid, "HYPERLIQUID_URL", &url, chain)?;
        Ok(Self {
            url,
            chain,
            validity_ms: validity_ms(env)?,
            call_timeout_ms: call_timeout_ms(env)?,
            return_private_key: env
                .parsed("RETURN_API_PRIVATE_KEY", "true or false", |text| text.parse().ok())?
                .unwrap_or(true),
            builder: builder_from_env(env, "HYPERLIQUID_BUILDER", "HYPERLIQUID_BUILDER_FEE")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::intent::MAX_AGENT_VALIDITY_MS;

    use super::*;

    fn env(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        move |name| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn missing_or_invalid_variable_is_named() {
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
