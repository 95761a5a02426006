//! The facts of Lighter. Sources: the documents about rate limits and account types.

use domain::ids::Exchange;

use crate::exchanges::profile::{Hosts, NonceUnit, Profile, Weights};

/// The facts of Lighter. The service registers no keys there, so those about agents have no effect.
pub const PROFILE: Profile = Profile {
    exchange: Exchange::Lighter,
    name: "Lighter",
    nonce_unit: NonceUnit::Milliseconds,
    nonce_fresh_for: 60_000,
    weights: Weights { approval: 1, removal: 1, agent: 1, agents: 1, builder: 1 },
    weight_variable: "LIGHTER_WEIGHT_PER_MINUTE",
    // Lighter allows a standard account, and an address of calls without a token, 60 requests. Each
    // request has the weight 1 here.
    weight_per_minute: 54,
    removal_wait_ms: None,
    replaces_by_name: false,
    updates_builders: false,
    lists_for_agents_only: false,
    makes_keys: false,
    shows_keys: false,
    hosts: Hosts {
        mainnet: "mainnet.zklighter.elliot.ai",
        testnet: "testnet.zklighter.elliot.ai",
        mainnet_expected: "a URL of Lighter's main network, because LIGHTER_CHAIN_ID is 304",
        testnet_expected: "a URL of Lighter's test network, because LIGHTER_CHAIN_ID is 300",
    },
};
