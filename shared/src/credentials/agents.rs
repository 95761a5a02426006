//! The agents that an exchange lists for a wallet, and the removal of one that no credential uses.
//!
//! Late approvals and restored tables leave agents whose keys are lost. Only this service signs
//! for the wallet, so only this service can free their slots.
//!
//! A removal needs no lease. The exchange is asked first, and the record is read afterwards. A
//! record names an agent before the exchange learns of it, so a credential's agent is never
//! mistaken for a leftover. Two removals of the same agent have the same result, because the
//! exchange removes it once.

use domain::eth::Address;
use domain::ids::WalletRef;
use domain::intent::AGENT_NAME_PREFIX;
use futures_util::future::BoxFuture;
use protocol::KeyShare;

use super::lease::LEASE_MS;
use super::nonces::Nonces;
use super::send::{Removed, Sender};
use super::{CredentialError, Registrar, agent_keys};
use crate::caller::Caller;
use crate::exchanges::budget::Claim;
use crate::exchanges::{ListedAgent, Sends};
use crate::store::{CredentialRecord, WalletRecord, WalletView};
use crate::wallets::ShareUse;

/// The role of an agent that an exchange lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AgentRole {
    /// The credential's current agent.
    Current,
    /// The agent that a rotation is about to make the current one.
    Next,
    /// An earlier agent whose delivered key is in use until it expires.
    Previous,
    /// Made by this service and used by no credential.
    Leftover,
    /// Not made by this service.
    Stranger,
}

impl AgentRole {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::Current, Self::Next, Self::Previous, Self::Leftover, Self::Stranger];

    /// Returns the role's name in responses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Next => "next",
            Self::Previous => "previous",
            Self::Leftover => "leftover",
            Self::Stranger => "stranger",
        }
    }

    /// Returns the role of an agent. `known` is the wallet's credential.
    pub(super) fn of(agent: &ListedAgent, known: Option<&CredentialRecord>, now_ms: u64) -> Self {
        let is_it = |address: Address| address == agent.address;
        if let Some(known) = known.filter(|known| !known.is_v1()) {
            if is_it(known.agent) {
                return Self::Current;
            }
            if known.next.as_ref().is_some_and(|next| is_it(next.agent)) {
                return Self::Next;
            }
            let mut kept = known.kept().filter(|kept| now_ms < kept.expires_at_ms);
            if kept.any(|kept| is_it(kept.agent)) {
                return Self::Previous;
            }
        }
        if agent.name.starts_with(AGENT_NAME_PREFIX) { Self::Leftover } else { Self::Stranger }
    }
}

/// The agents that an exchange lists for a wallet.
#[derive(Debug)]
pub struct Agents {
    /// The wallet.
    pub wallet: WalletRecord,
    /// Its agents.
    pub agents: Vec<(ListedAgent, AgentRole)>,
}

/// An agent that the exchange no longer lists.
#[derive(Debug)]
pub struct RemovedAgent {
    /// The wallet that approved it.
    pub wallet: WalletRecord,
    /// The agent.
    pub agent: ListedAgent,
}

impl Registrar {
    /// Lists a wallet's agents on the exchange.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub fn list_agents<'a>(
        &'a self,
        caller: &'a Caller,
        name: &'a WalletRef,
    ) -> BoxFuture<'a, Result<Agents, CredentialError>> {
        Box::pin(async move {
            let view = self.find(&caller.tenant, name).await?;
            let claim = Claim::of(&caller.tenant);
            let listed = listed(self, &view, claim).await.map_err(|error| self.explain(error))?;
            // The record is read after the exchange was asked; see the module's documentation.
            let view = self.find(&caller.tenant, name).await?;
            let known = view.credential(self.client.exchange());
            let now_ms = self.custody.clock.now_ms();
            let agents = listed.into_iter().map(|agent| {
                let role = AgentRole::of(&agent, known, now_ms);
                (agent, role)
            });
            Ok(Agents { agents: agents.collect(), wallet: view.wallet })
        })
    }

    /// Removes an agent that no credential uses, by its name or its address.
    ///
    /// # Errors
    /// Fails when the exchange does not list the agent, a credential uses it, another party made
    /// it, or the exchange may still list it.
    pub fn remove_agent<'a>(
        &'a self,
        caller: &'a Caller,
        name: &'a WalletRef,
        which: &'a str,
    ) -> BoxFuture<'a, Result<RemovedAgent, CredentialError>> {
        Box::pin(async move {
            let received_ms = self.custody.clock.now_ms();
            let view = self.find(&caller.tenant, name).await?;
            let address = which.parse::<Address>().ok();
            let is_it = |agent: &ListedAgent| match address {
                Some(address) => agent.address == address,
                None => agent.name == which,
            };
            let agent = match (listed(self, &view, Claim::removal(&caller.tenant)).await, address) {
                (Ok(listed), _) => {
                    listed.into_iter().find(is_it).ok_or(CredentialError::AgentNotFound)?
                }
                // Aster removes by address, so the list is not needed.
                (Err(CredentialError::NoAgentToAsk), Some(address)) => {
                    ListedAgent { address, name: AGENT_NAME_PREFIX.to_owned(), expires_at_ms: None }
                }
                (Err(error), _) => return Err(self.explain(error)),
            };
            // The record is read after the exchange was asked; see the module's documentation.
            let view = self.find(&caller.tenant, name).await?;
            let known = view.credential(self.client.exchange());
            match AgentRole::of(&agent, known, received_ms) {
                AgentRole::Leftover if !has_its_name(known, &agent) => {}
                AgentRole::Stranger => return Err(CredentialError::AgentNotOurs),
                _ => return Err(CredentialError::AgentInUse),
            }
            let (admitted, share) = tokio::join!(
                self.client
                    .admit(Claim::removal(&caller.tenant), Sends { approvals: 0, removals: 1 }),
                self.custody.share_for(&view.wallet, ShareUse::Revoke)
            );
            admitted?;
            let removed = remove_listed(self, &view, &share?, &agent, received_ms).await;
            removed.map_err(|error| self.explain(error))?;
            Ok(RemovedAgent { wallet: view.wallet, agent })
        })
    }
}

/// Signs and sends the removal of a listed agent.
pub(super) async fn remove_listed(
    registrar: &Registrar,
    view: &WalletView,
    share: &KeyShare,
    agent: &ListedAgent,
    received_ms: u64,
) -> Result<(), CredentialError> {
    let last = view.nonces.last(registrar.client.exchange());
    let mut nonces = Nonces::without_lease(last);
    let until_ms = received_ms + LEASE_MS;
    let mut sender = Sender::new(registrar, &view.wallet, share, &mut nonces, until_ms);
    let error = match sender.remove(agent.address, &agent.name).await? {
        Removed::Gone => return Ok(()),
        Removed::Unconfirmed(error) => error,
    };
    // Matched by address alone: the record may not know the name, and the expiry may change.
    let listed = listed(registrar, view, Claim::removal(&view.wallet.tenant)).await;
    let is_gone = listed.is_ok_and(|listed| listed.iter().all(|it| it.address != agent.address));
    if is_gone { Ok(()) } else { Err(error) }
}

/// Returns the agents that the exchange lists. On Aster, one of the credential's agents signs the
/// question.
pub(super) async fn listed(
    registrar: &Registrar,
    view: &WalletView,
    claim: Claim<'_>,
) -> Result<Vec<ListedAgent>, CredentialError> {
    let Registrar { custody, client } = registrar;
    let wallet = &view.wallet;
    if !client.lists_for_agents_only() {
        return Ok(client.agents(wallet.address, None, claim).await?.unwrap_or_default());
    }
    let known = view.credential(client.exchange()).filter(|known| !known.is_v1());
    let known = known.ok_or(CredentialError::NoAgentToAsk)?;
    let current = known.current();
    let now_ms = custody.clock.now_ms();
    for agent in [&current].into_iter().chain(&known.next).chain(&known.retiring) {
        if agent.expires_at_ms <= now_ms {
            continue;
        }
        let key = agent_keys::open(registrar, wallet, agent.agent, &agent.sealed).await?;
        if let Some(listed) = client.agents(wallet.address, Some(&key), claim).await? {
            return Ok(listed);
        }
    }
    Err(CredentialError::NoAgentToAsk)
}

/// Returns whether an agent of the credential has this agent's name. Where names replace, removing
/// one would remove the other.
pub(super) fn has_its_name(known: Option<&CredentialRecord>, agent: &ListedAgent) -> bool {
    known.is_some_and(|known| {
        known.agent_name == agent.name
            || known.next.as_ref().is_some_and(|next| next.agent_name == agent.name)
    })
}
