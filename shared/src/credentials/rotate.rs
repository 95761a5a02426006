//! Rotation, make before break: the new agent is live and stored before the old one is removed.
//!
//! The new agent is sealed into the record before the exchange learns of it (`rotating`, with
//! `next`). Once the exchange has approved it, it becomes the current agent and the old one is
//! `retiring`. Once the exchange has removed the old one, the credential is `active` again. Where
//! no slot is free and a name replaces (Hyperliquid), the new agent is approved under the old
//! one's name. The exchange then replaces the old agent atomically.

use domain::eth::{Address, AgentKey};
use domain::ids::WalletRef;
use futures_util::future::BoxFuture;
use platform::items::StoreError;

use super::agent_keys::{self, NewAgent};
use super::builder;
use super::lease::{Charge, Lease, ensure_free, taken_over};
use super::operation::{Initiator, Operation};
use super::replay::replay;
use super::send::{self, Approved};
use super::{CredentialError, Life, Registered, Registrar};
use crate::caller::Caller;
use crate::exchanges::RefusalKind;
use crate::store::{AgentRecord, CredentialRecord, CredentialState, Outcome};
use crate::wallets::ShareUse;

/// Within this time before its expiry, an agent is replaced even if its key is in use.
const LAST_MOMENT_MS: u64 = 24 * 60 * 60 * 1_000;

/// The result of a rotation.
#[derive(Debug)]
pub struct Rotated {
    /// The credential with its new agent.
    pub registered: Registered,
    /// The previous agents.
    pub previous: Vec<Address>,
    /// Whether the exchange has removed all of them. If not, the next operation or the renewal job
    /// removes them.
    pub previous_revoked: bool,
    /// The new agent was approved under the old one's name, because no slot was free.
    pub replaced_by_name: bool,
}

/// Treatment of the previous agent once the new one is live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Previous {
    /// It is removed from the exchange.
    Remove,
    /// A caller has its key and did not request the rotation, so the agent stays until it expires.
    Keep,
}

impl Registrar {
    /// Replaces the current agent with a new one.
    ///
    /// # Errors
    /// Fails when the wallet has no credential, the exchange refuses, or a dependency fails.
    pub fn rotate<'a>(
        &'a self,
        caller: &'a Caller,
        name: &'a WalletRef,
    ) -> BoxFuture<'a, Result<Rotated, CredentialError>> {
        Box::pin(async move {
            let received_ms = self.custody.clock.now_ms();
            let view = self.find(&caller.tenant, name).await?;
            if let Some(outcome) = caller.outcome() {
                return Ok(Rotated {
                    registered: replay(self, &view, outcome).await?,
                    previous: outcome.previous.clone(),
                    previous_revoked: outcome.previous_revoked,
                    replaced_by_name: outcome.replaced_by_name,
                });
            }
            let known = view.credential(self.client.exchange());
            let known = known.ok_or(CredentialError::NoCredential)?;
            ensure_free(known, received_ms)?;
            match Life::of(known, received_ms) {
                Life::Pending => return Err(CredentialError::Unregistered),
                Life::Revoking => return Err(CredentialError::Revoking),
                Life::Active | Life::Expired | Life::Rotating => {}
            }
            let initiator = Initiator::Caller(caller);
            let operation = Operation { registrar: self, initiator, view: &view, received_ms };
            match rotate_known(operation, known, Previous::Remove).await {
                Err(CredentialError::Store(StoreError::Conflict)) => Err(taken_over()),
                other => other.map_err(|error| self.explain(error)),
            }
        })
    }
}

/// Begins or resumes a rotation.
pub(super) async fn rotate_known(
    operation: Operation<'_>,
    known: &CredentialRecord,
    previous: Previous,
) -> Result<Rotated, CredentialError> {
    ensure_free(known, operation.received_ms)?;
    if known.is_v1() {
        return Err(CredentialError::NotOffered);
    }
    if known.state != CredentialState::Rotating {
        return Rotation::begin(operation, known, previous).await?.approve_next().await;
    }
    let rotation = Rotation::resume(operation, known, previous).await?;
    if known.next.is_some() { rotation.approve_next().await } else { rotation.retire(None).await }
}

/// A rotation under its lease.
struct Rotation<'a> {
    lease: Lease<'a>,
    /// The new agent.
    agent: AgentRecord,
    key: AgentKey,
    previous: Previous,
}

impl<'a> Rotation<'a> {
    /// Seals a new agent into the record.
    async fn begin(
        operation: Operation<'a>,
        known: &CredentialRecord,
        previous: Previous,
    ) -> Result<Self, CredentialError> {
        let Operation { registrar, view, received_ms, .. } = operation;
        let charge = Charge::approval(1);
        charge.check(operation)?;
        let NewAgent { key, agent, share } =
            NewAgent::make(registrar, &view.wallet, received_ms).await?;
        let mut record = known.clone();
        record.state = CredentialState::Rotating;
        record.next = Some(agent.clone());
        record.keep_previous = previous == Previous::Keep;
        let lease = Lease::take(operation, record, Some(known), share, false, charge).await?;
        Ok(Self { lease, agent, key, previous })
    }

    /// Takes over a rotation that no other call holds. Whether the call that began it delivered
    /// the new key is unknown.
    async fn resume(
        operation: Operation<'a>,
        known: &CredentialRecord,
        previous: Previous,
    ) -> Result<Self, CredentialError> {
        let Operation { registrar, view, .. } = operation;
        let agent = known.next.clone().unwrap_or_else(|| known.current());
        let charge = Charge::approval(1);
        charge.check(operation)?;
        let (key, share) = tokio::join!(
            agent_keys::open(registrar, &view.wallet, agent.agent, &agent.sealed),
            registrar.custody.share(&view.wallet)
        );
        let (key, share) = (key?, share?);
        let lease = Lease::take(operation, known.clone(), Some(known), share, true, charge).await?;
        // A caller who requested a new key does not need the old one.
        let previous = if known.keep_previous { previous } else { Previous::Remove };
        Ok(Self { lease, agent, key, previous })
    }

    /// Has the wallet approve the new agent, and sends the approval to the exchange.
    async fn approve_next(mut self) -> Result<Rotated, CredentialError> {
        let mut live = false;
        if self.lease.resumed {
            let client = &self.lease.registrar.client;
            let claim = self.lease.claim();
            match client.knows_agent(self.lease.wallet.address, &self.key, claim).await {
                Ok(known) => live = known,
                Err(error) => {
                    self.lease.release().await;
                    return Err(error.into());
                }
            }
        }
        while !live {
            match send::approve(&mut self.lease, &self.agent, &self.key).await {
                Ok(Approved::Live) => live = true,
                Ok(Approved::Refused(refusal))
                    if refusal.kind == RefusalKind::NoAgentSlot
                        && self.agent.agent_name != self.lease.record.agent_name
                        && self.may_replace() =>
                {
                    self.agent.agent_name.clone_from(&self.lease.record.agent_name);
                    self.lease.record.next = Some(self.agent.clone());
                    self.lease.write().await?;
                }
                Ok(Approved::Refused(refusal)) => {
                    self.roll_back().await;
                    return Err(CredentialError::Refused(refusal));
                }
                Ok(Approved::Unknown(error)) => {
                    self.lease.release().await;
                    return Err(error);
                }
                Ok(Approved::NotSent(cause)) => {
                    self.give_up().await;
                    return Err(CredentialError::not_sent(cause));
                }
                Err(error) => {
                    self.give_up().await;
                    return Err(error);
                }
            }
        }
        self.promote().await
    }

    /// Returns whether the new agent may take the current one's name and replace it at once.
    fn may_replace(&self) -> bool {
        let Registrar { custody, client } = self.lease.registrar;
        let last_moment_ms = self.lease.record.expires_at_ms.saturating_sub(LAST_MOMENT_MS);
        let is_kept = self.previous == Previous::Keep && custody.clock.now_ms() < last_moment_ms;
        client.replaces_by_name() && !is_kept
    }

    /// Makes the live new agent the current one.
    async fn promote(mut self) -> Result<Rotated, CredentialError> {
        let lease = &mut self.lease;
        let by_name = self.agent.agent_name == lease.record.agent_name;
        let before = lease.record.promote(self.agent.clone());
        lease.record.next = None;
        lease.record.delivered = lease.delivers_key();
        lease.note_live();
        if by_name {
            return self.retire(Some(before.agent)).await;
        }
        if self.previous == Previous::Keep {
            // The renewal job removes the previous agent at that time.
            lease.record.job_after_ms = before.expires_at_ms;
        }
        lease.record.retiring.push(before);
        if self.previous == Previous::Remove {
            lease.write().await?;
        }
        self.retire(None).await
    }

    /// Removes the previous agents; the next operation removes the rest. Then has the wallet approve
    /// the builder, because the removal is the more urgent of both. `replaced` is the agent that the
    /// new one has replaced by its name.
    async fn retire(self, replaced: Option<Address>) -> Result<Rotated, CredentialError> {
        let Self { mut lease, key, previous: rule, .. } = self;
        let retiring = lease.record.retiring.iter().map(|agent| agent.agent);
        let previous: Vec<Address> = retiring.chain(replaced).collect();
        let replaced_by_name = replaced.is_some();
        let previous_revoked = rule == Previous::Remove && remove_retiring(&mut lease).await;
        builder::approve(&mut lease, &key).await;
        // A job that finishes a caller's rotation shows the key to nobody.
        lease.record.delivered = lease.delivers_key();
        let outcome = Outcome {
            previous: previous.clone(),
            previous_revoked,
            replaced_by_name,
            ..Outcome::of(&lease.record)
        };
        lease.settle_with(&outcome).await?;
        let registered = Registered {
            wallet: lease.wallet.address,
            agent: Some(key),
            created_at_ms: lease.record.created_at_ms.unwrap_or_default(),
            expires_at_ms: lease.record.expires_at_ms,
        };
        Ok(Rotated { registered, previous, previous_revoked, replaced_by_name })
    }

    /// Ends a call that has sent nothing. Rolls back a rotation that it began, or keeps a resumed
    /// one for a retry.
    async fn give_up(self) {
        if self.lease.resumed { self.lease.release().await } else { self.roll_back().await }
    }

    /// Restores the previous state; the exchange does not have the new agent.
    async fn roll_back(mut self) {
        if let Err(error) = self.lease.settle().await {
            tracing::warn!(%error, "rotation not rolled back");
        }
    }
}

/// Removes the agents that an earlier rotation could not remove. Returns whether all are removed.
pub(super) async fn finish_retiring(
    operation: Operation<'_>,
    known: &CredentialRecord,
) -> Result<bool, CredentialError> {
    let Operation { registrar, view, .. } = operation;
    let removals = u64::try_from(known.retiring.len()).unwrap_or(1);
    let charge = Charge::removal(removals);
    charge.check(operation)?;
    let share = registrar.custody.share_for(&view.wallet, ShareUse::Revoke).await?;
    let mut lease = Lease::take(operation, known.clone(), Some(known), share, true, charge).await?;
    let none_left = remove_retiring(&mut lease).await;
    lease.settle().await?;
    Ok(none_left)
}

/// Removes the retiring agents. Returns whether all are removed.
async fn remove_retiring(lease: &mut Lease<'_>) -> bool {
    for agent in std::mem::take(&mut lease.record.retiring) {
        if let Err(error) = send::remove(lease, &agent).await {
            tracing::warn!(%error, agent = %agent.agent, "previous agent not removed yet");
            lease.record.retiring.push(agent);
        }
    }
    lease.record.retiring.is_empty()
}
