//! The URLs that belong to an exchange's network.

use domain::intent::HyperliquidChain;
use platform::env::ConfigError;
use url::{Host, Url};

/// The network of an exchange's own host; `None` for any other host, such as a simulator's.
#[must_use]
pub fn network_of(url: &Url) -> Option<HyperliquidChain> {
    let Some(Host::Domain(host)) = url.host() else { return None };
    let is_in = |domain: &str| {
        host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if is_in("hyperliquid.xyz") || is_in("asterdex.com") {
        Some(HyperliquidChain::Mainnet)
    } else if is_in("hyperliquid-testnet.xyz") || is_in("asterdex-testnet.com") {
        Some(HyperliquidChain::Testnet)
    } else {
        None
    }
}

/// Refuses a URL of an exchange's other network.
///
/// # Errors
/// Names the URL's variable.
pub fn check_network(
    name: &'static str,
    url: &Url,
    chain: HyperliquidChain,
) -> Result<(), ConfigError> {
    let agrees = network_of(url).is_none_or(|network| network == chain);
    let want = match (name, chain) {
        ("HYPERLIQUID_URL", HyperliquidChain::Mainnet) => {
            "a URL of Hyperliquid's main network, because HYPERLIQUID_CHAIN is Mainnet"
        }
        ("HYPERLIQUID_URL", HyperliquidChain::Testnet) => {
            "a URL of Hyperliquid's test network, because HYPERLIQUID_CHAIN is Testnet"
        }
        (_, HyperliquidChain::Mainnet) => {
            "a URL of Aster's main network, because ASTER_CHAIN is Mainnet \
             (when not set, it follows HYPERLIQUID_CHAIN)"
        }
        (_, HyperliquidChain::Testnet) => {
            "a URL of Aster's test network, because ASTER_CHAIN is Testnet \
             (when not set, it follows HYPERLIQUID_CHAIN)"
        }
    };
    if agrees { Ok(()) } else { Err(ConfigError::Invalid { name, want }) }
}

/// The host of Aster's API V1 that belongs to a host of its API V3; any other URL serves both.
#[must_use]
pub fn aster_v1_url(url: &Url) -> Url {
    let mut v1 = url.clone();
    let host = match network_of(url) {
        Some(HyperliquidChain::Mainnet) => "sapi.asterdex.com",
        Some(HyperliquidChain::Testnet) => "sapi.asterdex-testnet.com",
        None => return v1,
    };
    // Both are hosts, so this cannot fail; if it did, the V3 host would refuse the call.
    let _ = v1.set_host(Some(host));
    v1
}

#[cfg(test)]
mod tests {
    use HyperliquidChain::{Mainnet, Testnet};

    use super::*;

    #[test]
    fn url_of_the_other_network_is_refused() {
        for (name, url, network) in [
            ("HYPERLIQUID_URL", "https://api.hyperliquid.xyz", Some(Mainnet)),
            ("HYPERLIQUID_URL", "https://api.hyperliquid-testnet.xyz", Some(Testnet)),
            ("ASTER_URL", "https://fapi.asterdex.com", Some(Mainnet)),
            ("ASTER_URL", "https://fapi3.asterdex.com", Some(Mainnet)),
            ("ASTER_URL", "https://fapi.asterdex-testnet.com", Some(Testnet)),
            ("ASTER_URL", "https://evil-asterdex.com", None),
            ("ASTER_URL", "http://127.0.0.1:3002", None),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(network_of(&url), network, "{url}");
            for chain in [Mainnet, Testnet] {
                let checked = check_network(name, &url, chain);
                assert_eq!(checked.is_ok(), network.is_none_or(|it| it == chain), "{url}");
            }
        }
    }

    #[test]
    fn aster_v1_host_follows_the_network() {
        for (v3, v1) in [
            ("https://fapi.asterdex.com/", "https://sapi.asterdex.com/"),
            ("https://fapi.asterdex-testnet.com/", "https://sapi.asterdex-testnet.com/"),
            ("http://127.0.0.1:3002/", "http://127.0.0.1:3002/"),
        ] {
            assert_eq!(aster_v1_url(&Url::parse(v3).unwrap()).as_str(), v1);
        }
    }
}
