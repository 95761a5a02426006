//! The settings of Lighter.

use domain::ids::Exchange;
use domain::intent::HyperliquidChain;
use platform::env::{ConfigError, Env};
use url::Url;

use crate::exchanges::config::call_timeout_ms;
use crate::exchanges::networks::check_network;

/// The chain id of the main network, which every signature covers.
pub const MAINNET: u32 = 304;

/// The chain id of the test network.
pub const TESTNET: u32 = 300;

/// Returns the kind of network that has a chain id.
#[must_use]
pub const fn network_of_chain(chain_id: u32) -> HyperliquidChain {
    match chain_id {
        TESTNET => HyperliquidChain::Testnet,
        _ => HyperliquidChain::Mainnet,
    }
}

/// Settings for orders on Lighter.
#[derive(Clone, Debug)]
pub struct LighterConfig {
    /// `LIGHTER_URL`
    pub url: Url,
    /// `LIGHTER_CHAIN_ID`: 304 (default), 300 for the test network, or that of another deployment of
    /// the exchange.
    pub chain_id: u32,
    /// `EXCHANGE_TIMEOUT_MS`: timeout of a call to the exchange; default 10,000.
    pub call_timeout_ms: u64,
    /// `LIGHTER_KEYS_IN_QUERY`: whether the published form with the key in the query is accepted;
    /// default `true`.
    pub keys_in_query: bool,
}

impl LighterConfig {
    /// Reads the settings from the environment.
    ///
    /// # Errors
    /// Returns an error that names the invalid variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let url = env.url("LIGHTER_URL")?;
        let chain_id = env.parsed("LIGHTER_CHAIN_ID", "a number above 0", |text| {
            text.parse().ok().filter(|id| *id > 0)
        })?;
        let chain_id = chain_id.unwrap_or(MAINNET);
        check_network(Exchange::Lighter, "LIGHTER_URL", &url, network_of_chain(chain_id))?;
        Ok(Self {
            url,
            chain_id,
            call_timeout_ms: call_timeout_ms(env)?,
            keys_in_query: env
                .parsed("LIGHTER_KEYS_IN_QUERY", "true or false", |text| text.parse().ok())?
                .unwrap_or(true),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<LighterConfig, ConfigError> {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let env = move |name: &str| {
            pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        LighterConfig::from_env(&Env(&env))
    }

    #[test]
    fn settings_have_the_main_network_by_default() {
        let url = ("LIGHTER_URL", "https://mainnet.zklighter.elliot.ai");
        let config = read(&[url]).unwrap();
        assert_eq!((config.chain_id, config.keys_in_query), (MAINNET, true));
        let config = read(&[url, ("LIGHTER_KEYS_IN_QUERY", "false")]).unwrap();
        assert!(!config.keys_in_query);
    }

    #[test]
    fn url_of_the_other_network_is_refused() {
        let test = ("LIGHTER_URL", "https://testnet.zklighter.elliot.ai");
        assert!(read(&[test]).is_err());
        assert_eq!(read(&[test, ("LIGHTER_CHAIN_ID", "300")]).unwrap().chain_id, TESTNET);
        for id in ["0", "-1", "x"] {
            let error = read(&[test, ("LIGHTER_CHAIN_ID", id)]).unwrap_err().to_string();
            assert!(error.starts_with("LIGHTER_CHAIN_ID must be"), "{id}: {error}");
        }
    }
}
