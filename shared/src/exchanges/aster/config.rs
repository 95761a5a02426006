//! The settings of Aster.

use std::net::Ipv4Addr;

use domain::builder::Builder;
use domain::ids::Exchange;
use domain::intent::HyperliquidChain;
use platform::env::{ConfigError, Env};
use platform::networks::{aster_agent_chain_id, aster_chain};
use url::Url;

use crate::exchanges::builder::builder_from_env;
use crate::exchanges::config::{call_timeout_ms, validity_ms};
use crate::exchanges::networks::{check_network, network_of};

/// Settings for registration with Aster.
#[derive(Clone, Debug)]
pub struct AsterConfig {
    /// `ASTER_URL`
    pub url: Url,
    /// `ASTER_SPOT_URL`: the spot API V3. Defaults to the host derived from `ASTER_URL`.
    pub spot_url: Url,
    /// The public API, which estimates the fee of a withdrawal: the host derived from `ASTER_URL`.
    pub public_url: Url,
    /// `ASTER_SIGNATURE_CHAIN_ID`: chain id of a wallet's approval; default 56.
    pub signature_chain_id: u64,
    /// `ASTER_CHAIN`; defaults to `HYPERLIQUID_CHAIN`.
    pub chain: HyperliquidChain,
    /// `ASTER_IP_WHITELIST`: the only address that agents may call from; any address when not set.
    pub ip_whitelist: Option<Ipv4Addr>,
    /// `AGENT_VALIDITY_DAYS`, in milliseconds; default 180 days.
    pub validity_ms: u64,
    /// `EXCHANGE_TIMEOUT_MS`: timeout of a call to the exchange; default 10,000.
    pub call_timeout_ms: u64,
    /// `ASTER_V1_URL`, where API keys of V1 are made, when `ASTER_API=v1`. Defaults to the host
    /// derived from `ASTER_URL`. `None` means V3, the default.
    pub v1_url: Option<Url>,
    /// `ASTER_BUILDER` and `ASTER_BUILDER_FEE` (in tenths of a basis point): the builder that wallets
    /// approve and that orders carry; none when not set.
    pub builder: Option<Builder>,
}

impl AsterConfig {
    /// Reads the settings from the environment.
    ///
    /// # Errors
    /// Returns an error that names the invalid variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let number = |text: &str| text.parse().ok();
        let is_v1 = |text: &str| match text {
            "v1" => Some(true),
            "v3" => Some(false),
            _ => None,
        };
        let v1 = env.parsed("ASTER_API", "v1 or v3", is_v1)?.unwrap_or(false);
        let url = env.url("ASTER_URL")?;
        let chain = aster_chain(env)?;
        check_network(Exchange::Aster, "ASTER_URL", &url, chain)?;
        let at_spot_host = |name, given: Option<String>| {
            if given.is_none() {
                return Ok(aster_spot_url(&url));
            }
            let given = env.url(name)?;
            check_network(Exchange::Aster, name, &given, chain)?;
            Ok(given)
        };
        let spot_url = at_spot_host("ASTER_SPOT_URL", env.optional("ASTER_SPOT_URL"))?;
        let v1_url = if v1 {
            Some(at_spot_host("ASTER_V1_URL", env.optional("ASTER_V1_URL"))?)
        } else {
            None
        };
        Ok(Self {
            v1_url,
            spot_url,
            public_url: aster_public_url(&url),
            url,
            chain,
            signature_chain_id: env
                .parsed("ASTER_SIGNATURE_CHAIN_ID", "a number", number)?
                .unwrap_or(56),
            ip_whitelist: env
                .parsed("ASTER_IP_WHITELIST", "one IPv4 address", |text| text.parse().ok())?,
            validity_ms: validity_ms(env)?,
            call_timeout_ms: call_timeout_ms(env)?,
            builder: builder_from_env(env, "ASTER_BUILDER", "ASTER_BUILDER_FEE")?,
        })
    }

    /// Returns the chain id of calls that an agent signs.
    #[must_use]
    pub const fn agent_chain_id(&self) -> u64 {
        aster_agent_chain_id(self.chain)
    }
}

/// Returns the URL of Aster's spot API, which also makes API keys of V1, for a URL of its futures API
/// V3. Any other URL serves both.
#[must_use]
pub fn aster_spot_url(url: &Url) -> Url {
    at_host(url, "sapi.asterdex.com", "sapi.asterdex-testnet.com")
}

/// Returns the URL of Aster's public API for a URL of its futures API V3. Any other URL serves both.
#[must_use]
pub fn aster_public_url(url: &Url) -> Url {
    at_host(url, "www.asterdex.com", "www.asterdex-testnet.com")
}

/// Returns the URL with the host of its network. A URL of neither network stays as it is.
fn at_host(url: &Url, mainnet: &str, testnet: &str) -> Url {
    let mut moved = url.clone();
    let host = match network_of(url) {
        Some(HyperliquidChain::Mainnet) => mainnet,
        Some(HyperliquidChain::Testnet) => testnet,
        None => return moved,
    };
    // Both are hostnames, so this cannot fail. If it did, the futures host would refuse the call.
    let _ = moved.set_host(Some(host));
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spot_host_follows_the_network() {
        for (futures, spot) in [
            ("https://fapi.asterdex.com/", "https://sapi.asterdex.com/"),
            ("https://fapi.asterdex-testnet.com/", "https://sapi.asterdex-testnet.com/"),
            ("http://127.0.0.1:3002/", "http://127.0.0.1:3002/"),
        ] {
            assert_eq!(aster_spot_url(&Url::parse(futures).unwrap()).as_str(), spot);
        }
        let public = aster_public_url(&Url::parse("https://fapi.asterdex.com/").unwrap());
        assert_eq!(public.as_str(), "https://www.asterdex.com/");
    }
}
