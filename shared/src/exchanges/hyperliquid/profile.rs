//! The facts of Hyperliquid. Sources: the rate limits, nonces and exchange endpoint documents.

use domain::ids::Exchange;

use crate::exchanges::profile::{Hosts, NonceUnit, Profile, Weights};

/// The facts of Hyperliquid.
pub const PROFILE: Profile = Profile {
    exchange: Exchange::Hyperliquid,
    name: "Hyperliquid",
    nonce_unit: NonceUnit::Milliseconds,
    // Hyperliquid accepts a nonce that is two days old.
    nonce_fresh_for: 60_000,
    weights: Weights { approval: 1, removal: 1, agent: 60, agents: 20, builder: 20 },
    weight_variable: "HYPERLIQUID_WEIGHT_PER_MINUTE",
    // Hyperliquid allows 1,200.
    weight_per_minute: 960,
    // After a removal it approves nothing for 4 to 5 seconds.
    removal_wait_ms: Some(5_200),
    replaces_by_name: true,
    updates_builders: false,
    lists_for_agents_only: false,
    makes_keys: false,
    shows_keys: true,
    hosts: Hosts {
        mainnet: "hyperliquid.xyz",
        testnet: "hyperliquid-testnet.xyz",
        mainnet_expected: "a URL of Hyperliquid's main network, because HYPERLIQUID_CHAIN is Mainnet",
        testnet_expected: "a URL of Hyperliquid's test network, because HYPERLIQUID_CHAIN is Testnet",
    },
};
