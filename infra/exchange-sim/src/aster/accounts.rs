//! Accounts and their agents.

use std::collections::HashMap;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use super::{Agent, builders::Approved, refusal::Refusal};
use crate::nonces::UsedNonces;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Minimum lifetime of an agent (seen live).
const SHORTEST_LIFE_MS: u64 = 7 * DAY_MS;

/// A nonce counts microseconds, and is valid this long before and after the clock's time. Newer
/// documents state one minute.
pub(super) const NONCE_LIFE_MS: u64 = 10_000;

/// State of the exchange.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Accounts {
    accounts: HashMap<Address, Account>,
    /// Maps an agent to its account.
    users: HashMap<Address, Address>,
    nonces: HashMap<Address, UsedNonces>,
}

#[derive(Default, Serialize, Deserialize)]
struct Account {
    deposited: bool,
    agents: Vec<Agent>,
    #[serde(default)]
    builders: Vec<Approved>,
}

impl Accounts {
    /// Returns the approved builders of an account. Creates a missing account.
    pub(super) fn builders_mut(&mut self, user: Address) -> &mut Vec<Approved> {
        &mut self.accounts.entry(user).or_default().builders
    }

    pub(super) fn deposit(&mut self, user: Address) {
        self.accounts.entry(user).or_default().deposited = true;
    }

    pub(super) fn has_deposited(&self, user: Address) -> bool {
        self.accounts.get(&user).is_some_and(|account| account.deposited)
    }

    pub(super) fn exists(&self, user: Address) -> bool {
        self.accounts.contains_key(&user)
    }

    pub(super) fn agents_of(&self, user: Address) -> Vec<Agent> {
        self.accounts.get(&user).map_or_else(Vec::new, |account| account.agents.clone())
    }

    /// Returns whether this agent may act for the account now.
    pub(super) fn is_live(&self, user: Address, agent: Address, now: u64) -> bool {
        let live = |known: &Agent| known.address == agent && now < known.expired;
        self.accounts.get(&user).is_some_and(|account| account.agents.iter().any(live))
    }

    /// Uses a nonce of a signer. It must be within `life_ms` of the clock's time, and among the
    /// signer's 100 highest.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal::Nonce`] for a stale or used nonce.
    pub(super) fn use_nonce(
        &mut self,
        signer: Address,
        nonce: u64,
        (now, life_ms): (u64, u64),
    ) -> Result<(), Refusal> {
        let used = self.nonces.entry(signer).or_default();
        let stale = nonce.abs_diff(now * 1_000) > life_ms * 1_000;
        let forgotten = used.is_full() && used.lowest().is_some_and(|lowest| nonce < lowest);
        if stale || forgotten || used.contains(nonce) {
            return Err(Refusal::Nonce);
        }
        used.insert(nonce);
        Ok(())
    }

    /// Uses a nonce of a signer that may be used already. It must be within `life_ms` of the clock's
    /// time.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal::Nonce`] for a stale nonce.
    pub(super) fn reuse_nonce(
        &mut self,
        signer: Address,
        nonce: u64,
        (now, life_ms): (u64, u64),
    ) -> Result<(), Refusal> {
        if nonce.abs_diff(now * 1_000) > life_ms * 1_000 {
            return Err(Refusal::Nonce);
        }
        // A used or an evicted nonce stays as it is.
        let _ = self.use_nonce(signer, nonce, (now, life_ms));
        Ok(())
    }

    /// Adds an agent. Creates a missing account.
    ///
    /// # Errors
    ///
    /// Returns an error for an early expiry, a name or address in use, or no free slot.
    pub(super) fn add(
        &mut self,
        user: Address,
        agent: Agent,
        max_agents: usize,
        now: u64,
    ) -> Result<(), Refusal> {
        if agent.expired < now + SHORTEST_LIFE_MS {
            return Err(Refusal::ExpiresTooSoon);
        }
        self.insert(user, agent, max_agents)
    }

    /// Adds an agent with any expiry. Creates a missing account.
    ///
    /// # Errors
    ///
    /// Returns an error for a name or address in use, or no free slot.
    pub(super) fn insert(
        &mut self,
        user: Address,
        agent: Agent,
        max_agents: usize,
    ) -> Result<(), Refusal> {
        let known = self.accounts.get(&user).map_or(&[][..], |account| &account.agents);
        if known.iter().any(|known| known.name == agent.name) {
            return Err(Refusal::AgentName);
        }
        if self.users.contains_key(&agent.address) {
            return Err(Refusal::AgentAddress);
        }
        if known.len() >= max_agents {
            return Err(Refusal::TooManyAgents);
        }
        self.users.insert(agent.address, user);
        self.accounts.entry(user).or_default().agents.push(agent);
        Ok(())
    }

    /// Returns an agent of the account for a change.
    pub(super) fn agent_mut(
        &mut self,
        user: Address,
        agent: Address,
    ) -> Result<&mut Agent, Refusal> {
        let account = self.accounts.get_mut(&user).ok_or(Refusal::NoUser)?;
        let mut agents = account.agents.iter_mut();
        agents.find(|known| known.address == agent).ok_or(Refusal::NoAgent)
    }

    pub(super) fn remove(&mut self, user: Address, agent: Address) -> Result<(), Refusal> {
        self.agent_mut(user, agent)?;
        if let Some(account) = self.accounts.get_mut(&user) {
            account.agents.retain(|known| known.address != agent);
        }
        self.users.remove(&agent);
        Ok(())
    }
}
