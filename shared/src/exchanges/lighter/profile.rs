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
    // Below the limit of a standard account, so that requests are counted: see `cost`.
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

/// The highest budget of a minute that counts requests. Lighter allows a standard account, and an
/// address of calls without a token, 60 requests. A higher budget is that of a premium account, of which
/// Lighter allows a weight of 24,000.
pub const STANDARD_PER_MINUTE: u64 = 60;

/// A request to Lighter, as its limit counts it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// `sendTx`.
    Send,
    /// A list of orders: `accountOrders`, `accountActiveOrders`, `accountInactiveOrders`.
    Orders,
    /// `apikeys`.
    Keys,
    /// Every other question: markets, a book, an account, a transaction.
    Question,
}

impl Request {
    /// Returns the published weight for a premium account.
    #[must_use]
    pub const fn weight(self) -> u64 {
        match self {
            Self::Send => 6,
            Self::Orders => 100,
            Self::Keys => 150,
            Self::Question => 300,
        }
    }
}

/// The most that a call of a caller takes from the budget at once, and the most that a job does. Both
/// contain the list of markets, which the first call of a process reads.
///
/// A caller's question about the leverage reads an account. A lookup by the exchange's id reads the
/// open and the ended orders.
pub const LARGEST: [&[Request]; 2] = [
    &[Request::Question, Request::Question],
    &[Request::Orders, Request::Orders, Request::Question],
];

/// Returns what requests take of a budget of `per_minute`: their number for a standard account, and
/// their weight for a premium one.
#[must_use]
pub fn cost(requests: &[Request], per_minute: u64) -> u64 {
    if per_minute <= STANDARD_PER_MINUTE {
        requests.len() as u64
    } else {
        requests.iter().map(|request| request.weight()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_counts_requests_or_weights() {
        let requests = [Request::Send, Request::Orders, Request::Keys, Request::Question];
        assert_eq!(cost(&requests, PROFILE.weight_per_minute), 4);
        assert_eq!(cost(&requests, STANDARD_PER_MINUTE), 4);
        assert_eq!(cost(&requests, STANDARD_PER_MINUTE + 1), 556);
    }
}
