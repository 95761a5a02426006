//! Accounts and their agents.

use std::collections::{HashMap, HashSet};

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use super::{Agent, refusal::Refusal};
use crate::nonces::UsedNonces;

/// After a removal or a replacement, no agent can be approved for this long (4.9 s were measured).
const REMOVAL_MS: u64 = 5_000;

/// Role in the response to `userRole`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Missing,
    User,
    /// Acts for this account.
    Agent(Address),
}

/// A change of an account's agents.
#[derive(Clone, Copy)]
pub(super) enum Change<'a> {
    Approve(Approval<'a>),
    Remove { name: &'a str },
}

/// An agent to add.
#[derive(Clone, Copy)]
pub(super) struct Approval<'a> {
    pub(super) name: &'a str,
    pub(super) address: Address,
    pub(super) valid_until: u64,
}

/// State of the exchange.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Book {
    accounts: HashMap<Address, Account>,
    /// Maps a live agent to its master.
    masters: HashMap<Address, Address>,
    /// Maps a replaced agent to its master, and the time until which errors name the master.
    replaced: HashMap<Address, (Address, u64)>,
    nonces: HashMap<Address, UsedNonces>,
    deposited: HashSet<Address>,
}

/// An account that has acted.
#[derive(Default, Serialize, Deserialize)]
struct Account {
    agents: Vec<Agent>,
    /// Fees of approved builders, in tenths of a basis point.
    #[serde(default)]
    builders: HashMap<Address, u32>,
    /// No approval is accepted before this time.
    pending_removal_until: u64,
}

impl Book {
    pub(super) fn deposit(&mut self, account: Address) {
        self.deposited.insert(account);
    }

    pub(super) fn has_deposited(&self, account: Address) -> bool {
        self.deposited.contains(&account)
    }

    pub(super) fn agents_of(&mut self, master: Address, now: u64) -> Vec<Agent> {
        self.prune(master, now);
        self.accounts.get(&master).map_or_else(Vec::new, |account| account.agents.clone())
    }

    pub(super) fn role(&mut self, address: Address, now: u64) -> Role {
        if let Some(master) = self.masters.get(&address).copied() {
            self.prune(master, now);
            if self.masters.contains_key(&address) {
                return Role::Agent(master);
            }
        }
        if self.accounts.contains_key(&address) || self.deposited.contains(&address) {
            Role::User
        } else {
            Role::Missing
        }
    }

    /// Returns the master of a recently replaced agent.
    pub(super) fn just_replaced(&self, agent: Address, now: u64) -> Option<Address> {
        self.replaced.get(&agent).filter(|(_, until)| now < *until).map(|(master, _)| *master)
    }

    /// Returns whether an agent of the account was recently removed or replaced.
    pub(super) fn has_pending_removal(&self, master: Address, now: u64) -> bool {
        self.accounts.get(&master).is_some_and(|account| now < account.pending_removal_until)
    }

    /// Approves a builder's fee; 0 removes it. Creates a missing account. Returns false when the
    /// account has `most` other builders.
    pub(super) fn approve_builder(
        &mut self,
        master: Address,
        builder: Address,
        tenths: u32,
        most: usize,
    ) -> bool {
        let builders = &mut self.accounts.entry(master).or_default().builders;
        builders.remove(&builder);
        if tenths > 0 {
            if builders.len() >= most {
                return false;
            }
            builders.insert(builder, tenths);
        }
        true
    }

    /// Returns the approved fee of a builder, in tenths of a basis point; 0 for none.
    pub(super) fn builder_fee(&self, master: Address, builder: Address) -> u32 {
        let account = self.accounts.get(&master);
        account.and_then(|account| account.builders.get(&builder)).copied().unwrap_or_default()
    }

    pub(super) fn nonces_of(&mut self, signer: Address) -> &mut UsedNonces {
        self.nonces.entry(signer).or_default()
    }

    /// Changes the agents of an account. Creates a missing account.
    ///
    /// # Errors
    ///
    /// Returns an error for an address in use, an unknown name, or no free slot.
    pub(super) fn apply(
        &mut self,
        master: Address,
        change: Change<'_>,
        max_named: usize,
        now: u64,
    ) -> Result<(), Refusal> {
        self.prune(master, now);
        match change {
            Change::Remove { name } => {
                let account = self.accounts.entry(master).or_default();
                // It is unknown whether a missing unnamed agent has the same error text.
                let agent = account.take(name).ok_or(Refusal::NoSuchAgent)?;
                account.pending_removal_until = now + REMOVAL_MS;
                self.masters.remove(&agent.address);
                Ok(())
            }
            Change::Approve(approval) => self.approve(master, approval, max_named, now),
        }
    }

    fn approve(
        &mut self,
        master: Address,
        approval: Approval<'_>,
        max_named: usize,
        now: u64,
    ) -> Result<(), Refusal> {
        let Approval { name, address, valid_until } = approval;
        // A guess: the address of an account is refused as well.
        if self.role(address, now) != Role::Missing {
            return Err(Refusal::AlreadyUsed);
        }
        let account = self.accounts.entry(master).or_default();
        if let Some(old) = account.take(name) {
            // The same name replaces the agent immediately, without an error.
            account.pending_removal_until = now + REMOVAL_MS;
            self.masters.remove(&old.address);
            self.replaced.insert(old.address, (master, now + REMOVAL_MS));
        } else if !name.is_empty() && account.named() >= max_named {
            return Err(Refusal::TooManyAgents(max_named));
        }
        account.agents.push(Agent { name: name.to_owned(), address, valid_until });
        self.masters.insert(address, master);
        Ok(())
    }

    /// Drops expired agents. The real exchange does so some time after the expiry. Here a client
    /// that uses an expired agent fails immediately.
    fn prune(&mut self, master: Address, now: u64) {
        let Some(account) = self.accounts.get_mut(&master) else {
            return;
        };
        for expired in account.agents.extract_if(.., |agent| agent.valid_until <= now) {
            self.masters.remove(&expired.address);
        }
    }
}

impl Account {
    fn named(&self) -> usize {
        self.agents.iter().filter(|agent| !agent.name.is_empty()).count()
    }

    fn take(&mut self, name: &str) -> Option<Agent> {
        let position = self.agents.iter().position(|agent| agent.name == name)?;
        Some(self.agents.remove(position))
    }
}
