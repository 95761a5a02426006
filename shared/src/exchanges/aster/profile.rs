//! The facts of Aster. Sources: the limits and the agent endpoints of its futures API V3 document.
//!
//! API keys of V1 have no agents and use no nonces of this service; see `v1`.

use domain::ids::Exchange;

use crate::exchanges::profile::{Hosts, NonceUnit, Profile, Weights};

/// The facts of Aster.
pub const PROFILE: Profile = Profile {
    exchange: Exchange::Aster,
    name: "Aster",
    nonce_unit: NonceUnit::Microseconds,
    // Aster accepts a nonce that is some seconds old.
    nonce_fresh_for: 2_000_000,
    // The list also answers the question about one agent.
    weights: Weights { approval: 50, removal: 1, agent: 1, agents: 1, builder: 1 },
    weight_variable: "ASTER_WEIGHT_PER_MINUTE",
    // Aster allows 2,400.
    weight_per_minute: 1_920,
    removal_wait_ms: None,
    replaces_by_name: false,
    updates_builders: true,
    lists_for_agents_only: true,
    makes_keys: true,
    shows_keys: false,
    hosts: Hosts {
        mainnet: "asterdex.com",
        testnet: "asterdex-testnet.com",
        mainnet_expected: "a URL of Aster's main network, because ASTER_CHAIN is Mainnet \
                           (when not set, it follows HYPERLIQUID_CHAIN)",
        testnet_expected: "a URL of Aster's test network, because ASTER_CHAIN is Testnet \
                           (when not set, it follows HYPERLIQUID_CHAIN)",
    },
};
