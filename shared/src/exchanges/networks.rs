//! The hosts of each exchange's networks.

use domain::ids::Exchange;
use domain::intent::HyperliquidChain;
use platform::env::ConfigError;
use url::{Host, Url};

use super::profile::{Hosts, Profile};

impl Hosts {
    fn network_of(&self, host: &str) -> Option<HyperliquidChain> {
        let is_in = |domain: &str| {
            host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if is_in(self.mainnet) {
            Some(HyperliquidChain::Mainnet)
        } else if is_in(self.testnet) {
            Some(HyperliquidChain::Testnet)
        } else {
            None
        }
    }
}

/// Returns the network of an exchange's own host; `None` for any other host, such as a
/// simulator's.
#[must_use]
pub fn network_of(url: &Url) -> Option<HyperliquidChain> {
    let Some(Host::Domain(host)) = url.host() else { return None };
    Exchange::TRADED.iter().find_map(|exchange| Profile::of(*exchange).hosts.network_of(host))
}

/// Refuses a URL of the exchange's other network. `name` is the variable that sets the URL.
///
/// # Errors
/// Returns an error that names the URL's variable.
pub fn check_network(
    exchange: Exchange,
    name: &'static str,
    url: &Url,
    chain: HyperliquidChain,
) -> Result<(), ConfigError> {
    let hosts = &Profile::of(exchange).hosts;
    let agrees = network_of(url).is_none_or(|network| network == chain);
    let want = match chain {
        HyperliquidChain::Mainnet => hosts.mainnet_expected,
        HyperliquidChain::Testnet => hosts.testnet_expected,
    };
    if agrees { Ok(()) } else { Err(ConfigError::Invalid { name, want }) }
}

#[cfg(test)]
mod tests {
    use HyperliquidChain::{Mainnet, Testnet};

    use super::*;

    #[test]
    fn url_of_the_other_network_is_refused() {
        for (exchange, url, network) in [
            (Exchange::Hyperliquid, "https://api.hyperliquid.xyz", Some(Mainnet)),
            (Exchange::Hyperliquid, "https://api.hyperliquid-testnet.xyz", Some(Testnet)),
            (Exchange::Aster, "https://fapi.asterdex.com", Some(Mainnet)),
            (Exchange::Aster, "https://fapi3.asterdex.com", Some(Mainnet)),
            (Exchange::Aster, "https://fapi.asterdex-testnet.com", Some(Testnet)),
            (Exchange::Aster, "https://evil-asterdex.com", None),
            (Exchange::Aster, "http://127.0.0.1:3002", None),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(network_of(&url), network, "{url}");
            for chain in [Mainnet, Testnet] {
                let checked = check_network(exchange, "URL", &url, chain);
                assert_eq!(checked.is_ok(), network.is_none_or(|it| it == chain), "{url}");
            }
        }
    }
}
