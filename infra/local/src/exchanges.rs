//! Selects the exchanges of the stack: its own simulators, or others.

use std::net::IpAddr;

use domain::builder::Builder;
use domain::clock::Clock;
use domain::intent::HyperliquidChain;
use exchange_sim::{aster, chain::Chains, hyperliquid, lighter};
use hyperdex_listen::{Port, Stop, bind_port, serve, url};
use platform::networks::aster_agent_chain_id;
use shared::exchanges::lighter::config::{MAINNET, TESTNET};
use url::Url;

use crate::error::StartError;

/// Hyperliquid, real or simulated.
#[derive(Clone, Debug)]
pub struct HyperliquidTarget {
    /// URL of an exchange to use in place of the simulator.
    pub url: Option<Url>,
    /// Network for which requests are signed.
    pub chain: HyperliquidChain,
    /// The builder that wallets approve and that orders carry.
    pub builder: Option<Builder>,
}

/// Aster, real or simulated.
#[derive(Clone, Debug)]
pub struct AsterTarget {
    /// URL of an exchange to use in place of the simulator.
    pub url: Option<Url>,
    /// Chain id of a wallet's approval.
    pub signature_chain_id: u64,
    /// Network for which requests are signed.
    pub chain: HyperliquidChain,
    /// True for API keys by V1, false for agents by V3.
    pub v1: bool,
    /// The builder that wallets approve and that orders carry.
    pub builder: Option<Builder>,
}

/// Lighter, real or simulated.
#[derive(Clone, Debug)]
pub struct LighterTarget {
    /// URL of an exchange to use in place of the simulator.
    pub url: Option<Url>,
    /// Chain id of the network for which requests are signed.
    pub chain_id: u32,
    /// Whether the published form with the key in the query is accepted.
    pub keys_in_query: bool,
}

impl Default for LighterTarget {
    fn default() -> Self {
        Self { url: None, chain_id: MAINNET, keys_in_query: true }
    }
}

impl AsterTarget {
    /// Returns the chain id of requests that an agent signs.
    #[must_use]
    pub const fn agent_chain_id(&self) -> u64 {
        aster_agent_chain_id(self.chain)
    }
}

impl Default for HyperliquidTarget {
    fn default() -> Self {
        Self { url: None, chain: HyperliquidChain::Mainnet, builder: None }
    }
}

impl Default for AsterTarget {
    fn default() -> Self {
        Self {
            url: None,
            chain: HyperliquidChain::Mainnet,
            signature_chain_id: 56,
            v1: false,
            builder: None,
        }
    }
}

/// Creates a simulator of Hyperliquid for a target's network.
#[must_use]
pub fn simulate_hyperliquid(target: &HyperliquidTarget, clock: Clock) -> hyperliquid::Exchange {
    let chain = match target.chain {
        HyperliquidChain::Mainnet => hyperliquid::Chain::Mainnet,
        HyperliquidChain::Testnet => hyperliquid::Chain::Testnet,
    };
    hyperliquid::Exchange::new(chain, std::sync::Arc::new(move || clock.now_ms()))
}

/// Creates a simulator of Aster for a target's network.
#[must_use]
pub fn simulate_aster(target: &AsterTarget, clock: Clock) -> aster::Exchange {
    let network = match target.chain {
        HyperliquidChain::Mainnet => aster::Network::Mainnet,
        HyperliquidChain::Testnet => aster::Network::Testnet,
    };
    let exchange = aster::Exchange::new(network, std::sync::Arc::new(move || clock.now_ms()));
    let mut rules = exchange.rules();
    rules.signature_chain_ids = vec![target.signature_chain_id];
    exchange.set_rules(rules);
    exchange
}

/// Creates a simulator of Lighter for a target's network.
#[must_use]
pub fn simulate_lighter(target: &LighterTarget, clock: Clock) -> lighter::Exchange {
    let network = match target.chain_id {
        TESTNET => lighter::Network::Testnet,
        _ => lighter::Network::Mainnet,
    };
    lighter::Exchange::new(network, std::sync::Arc::new(move || clock.now_ms()))
}

/// Creates the chains on which the simulators pay withdrawals and find deposits.
#[must_use]
pub fn simulate_chains(
    hyperliquid: &hyperliquid::Exchange,
    aster: &aster::Exchange,
    clock: Clock,
) -> Chains {
    let chains = Chains::new(std::sync::Arc::new(move || clock.now_ms()));
    hyperliquid.connect(&chains);
    aster.connect(&chains);
    chains
}

/// Returns the URL of an exchange. Starts the simulator if the target names no URL.
///
/// # Errors
/// Returns an error when the simulator cannot listen.
pub async fn place(
    what: &'static str,
    named: Option<&Url>,
    simulator: axum::Router,
    (ip, port): (IpAddr, Port),
    stop: Stop,
) -> Result<Url, StartError> {
    if let Some(named) = named {
        return Ok(named.clone());
    }
    let listener = bind_port(what, ip, port).await?;
    let address = url(&listener);
    serve(listener, simulator, stop);
    Url::parse(&address).map_err(|error| StartError::Part { what, cause: error.to_string() })
}
