//! The network of each exchange, and the chain ids that follow from it.
//!
//! Every network setting is optional. Contradicting settings are refused at start, because an
//! exchange would refuse a signature for the wrong network much later.

use domain::intent::{HyperliquidChain, parse_chain};

use crate::env::{ConfigError, Env};

/// Chain id of the calls that an agent signs on Aster's main network.
const ASTER_AGENT_CHAIN_MAINNET: u64 = 1666;
/// Chain id of the calls that an agent signs on Aster's test network.
const ASTER_AGENT_CHAIN_TESTNET: u64 = 714;

const MAINNET_OR_TESTNET: &str = "Mainnet or Testnet";

/// The networks that a deployment signs for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Networks {
    /// Hyperliquid's network.
    pub hyperliquid: HyperliquidChain,
    /// Aster's network.
    pub aster: HyperliquidChain,
}

impl Networks {
    /// Reads `HYPERLIQUID_CHAIN` (default `Mainnet`) and Aster's network: `ASTER_CHAIN`, otherwise
    /// the network of `ASTER_AGENT_CHAIN_ID`, otherwise Hyperliquid's.
    ///
    /// # Errors
    /// Returns an error that names an invalid or contradicting variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        Ok(Self { hyperliquid: hyperliquid_chain(env)?, aster: aster_chain(env)? })
    }
}

/// Reads only Hyperliquid's network, as [`Networks::from_env`] does.
///
/// # Errors
/// Fails when `HYPERLIQUID_CHAIN` is neither network.
pub fn hyperliquid_chain(env: &Env<'_>) -> Result<HyperliquidChain, ConfigError> {
    let chain = env.parsed("HYPERLIQUID_CHAIN", MAINNET_OR_TESTNET, parse_chain)?;
    Ok(chain.unwrap_or(HyperliquidChain::Mainnet))
}

/// Reads only Aster's network, as [`Networks::from_env`] does.
///
/// # Errors
/// Returns an error that names an invalid or contradicting variable.
pub fn aster_chain(env: &Env<'_>) -> Result<HyperliquidChain, ConfigError> {
    let chain = env.parsed("ASTER_CHAIN", MAINNET_OR_TESTNET, parse_chain)?;
    let id = env.parsed("ASTER_AGENT_CHAIN_ID", "a number", |text| text.parse().ok())?;
    match resolve_aster_chain(chain, id)? {
        Some(chain) => Ok(chain),
        None => hyperliquid_chain(env),
    }
}

/// Returns Aster's network from its two settings; `None` when neither is set.
///
/// # Errors
/// Fails when `ASTER_AGENT_CHAIN_ID` belongs to neither network, or not to `chain`.
pub fn resolve_aster_chain(
    chain: Option<HyperliquidChain>,
    agent_chain_id: Option<u64>,
) -> Result<Option<HyperliquidChain>, ConfigError> {
    let invalid = |want| ConfigError::Invalid { name: "ASTER_AGENT_CHAIN_ID", want };
    let of_id = match agent_chain_id {
        None => None,
        Some(ASTER_AGENT_CHAIN_MAINNET) => Some(HyperliquidChain::Mainnet),
        Some(ASTER_AGENT_CHAIN_TESTNET) => Some(HyperliquidChain::Testnet),
        Some(_) => return Err(invalid("1666 (Mainnet) or 714 (Testnet)")),
    };
    match (chain, of_id) {
        (Some(chain), Some(other)) if chain != other => {
            Err(invalid("the id of ASTER_CHAIN: 1666 for Mainnet, 714 for Testnet; or not set"))
        }
        (chain, of_id) => Ok(chain.or(of_id)),
    }
}

/// Returns the chain id of the calls that an agent signs on Aster.
#[must_use]
pub const fn aster_agent_chain_id(chain: HyperliquidChain) -> u64 {
    match chain {
        HyperliquidChain::Mainnet => ASTER_AGENT_CHAIN_MAINNET,
        HyperliquidChain::Testnet => ASTER_AGENT_CHAIN_TESTNET,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HyperliquidChain::{Mainnet, Testnet};

    fn read(pairs: &[(&str, &str)]) -> Result<(HyperliquidChain, HyperliquidChain), String> {
        let lookup = |name: &str| {
            pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let networks = Networks::from_env(&Env(&lookup));
        networks.map(|it| (it.hyperliquid, it.aster)).map_err(|error| error.to_string())
    }

    #[test]
    fn aster_network_unset_follows_hyperliquid() {
        assert_eq!(read(&[]), Ok((Mainnet, Mainnet)));
        assert_eq!(read(&[("HYPERLIQUID_CHAIN", "Testnet")]), Ok((Testnet, Testnet)));
    }

    #[test]
    fn aster_network_set_is_independent() {
        let testnet = ("HYPERLIQUID_CHAIN", "Testnet");
        assert_eq!(read(&[testnet, ("ASTER_CHAIN", "Mainnet")]), Ok((Testnet, Mainnet)));
        assert_eq!(read(&[("ASTER_CHAIN", "Testnet")]), Ok((Mainnet, Testnet)));
        assert_eq!(read(&[("ASTER_AGENT_CHAIN_ID", "714")]), Ok((Mainnet, Testnet)));
        assert_eq!(read(&[testnet, ("ASTER_AGENT_CHAIN_ID", "1666")]), Ok((Testnet, Mainnet)));
    }

    #[test]
    fn contradicting_networks_are_refused_by_name() {
        for pairs in [
            [("ASTER_CHAIN", "Mainnet"), ("ASTER_AGENT_CHAIN_ID", "714")],
            [("ASTER_CHAIN", "Testnet"), ("ASTER_AGENT_CHAIN_ID", "1666")],
            [("ASTER_CHAIN", "Testnet"), ("ASTER_AGENT_CHAIN_ID", "56")],
            [("HYPERLIQUID_CHAIN", "Mainnet"), ("ASTER_AGENT_CHAIN_ID", "x")],
        ] {
            let error = read(&pairs).unwrap_err();
            assert!(error.starts_with("ASTER_AGENT_CHAIN_ID must be"), "{error}");
        }
        assert!(read(&[("ASTER_CHAIN", "testnet")]).unwrap_err().starts_with("ASTER_CHAIN must"));
    }
}
