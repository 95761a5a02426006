//! The facts of each exchange as plain data, for its client and for credential operations. Each
//! exchange's folder holds its own `PROFILE`.

use domain::clock::Clock;
use domain::ids::Exchange;

/// The facts of one exchange.
#[derive(Debug)]
pub struct Profile {
    /// The exchange.
    pub exchange: Exchange,
    /// The name under which the exchange is known.
    pub name: &'static str,
    /// The unit of its nonces.
    pub nonce_unit: NonceUnit,
    /// Maximum age of a nonce when it is sent, in its unit. An older one is replaced.
    pub nonce_fresh_for: u64,
    /// The request weight of each call.
    pub weights: Weights,
    /// The environment variable that sets the request weight per minute.
    pub weight_variable: &'static str,
    /// Default request weight per minute.
    pub weight_per_minute: u64,
    /// Time after a removal in which the exchange approves nothing, in milliseconds. `None` when
    /// approvals do not wait for removals.
    pub removal_wait_ms: Option<u64>,
    /// Whether a new agent replaces an agent of the same name. Otherwise the exchange refuses the
    /// name.
    pub replaces_by_name: bool,
    /// Whether a change of a builder's approval has another form than the first one. The exchange is
    /// then asked before the approval.
    pub updates_builders: bool,
    /// Whether only a registered agent may list the agents of its wallet.
    pub lists_for_agents_only: bool,
    /// Whether the exchange has an API that makes keys itself, instead of agents: Aster's V1.
    pub makes_keys: bool,
    /// Whether a response may show the private key of an agent.
    pub shows_keys: bool,
    /// The hosts of its networks.
    pub hosts: Hosts,
}

/// The unit of an exchange's nonces, which count the time since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NonceUnit {
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
}

impl NonceUnit {
    /// Returns the present time in this unit.
    #[must_use]
    pub fn now(self, clock: &Clock) -> u64 {
        match self {
            Self::Milliseconds => clock.now_ms(),
            Self::Microseconds => clock.now_us(),
        }
    }
}

/// The request weight of each call.
#[derive(Debug)]
pub struct Weights {
    /// The approval of an agent.
    pub approval: u64,
    /// The removal of an agent.
    pub removal: u64,
    /// The question whether the exchange knows an agent.
    pub agent: u64,
    /// The list of a wallet's agents.
    pub agents: u64,
    /// The question for the approved fee of a builder. Its approval has the weight of a removal.
    pub builder: u64,
}

/// The hosts of an exchange's networks: each domain with its subdomains.
#[derive(Debug)]
pub struct Hosts {
    /// The domain of the main network.
    pub mainnet: &'static str,
    /// The domain of the test network.
    pub testnet: &'static str,
    /// The expectation for a URL if the main network is configured.
    pub mainnet_expected: &'static str,
    /// The expectation for a URL if the test network is configured.
    pub testnet_expected: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_of_each_exchange_is_its_own() {
        for exchange in Exchange::TRADED {
            let profile = Profile::of(exchange);
            assert_eq!(profile.exchange, exchange);
            assert_eq!(profile.name.to_lowercase(), exchange.as_str());
        }
    }

    /// The smallest budget that can be configured, and half of it for jobs.
    #[test]
    fn heaviest_call_fits_into_the_smallest_budget() {
        for exchange in Exchange::TRADED {
            let Weights { approval, removal, agent, agents, builder } =
                Profile::of(exchange).weights;
            assert!(
                [approval, removal, agent, agents, builder].iter().all(|weight| *weight <= 100)
            );
        }
    }
}
