//! Rotation, make before break: the new agent is live and stored before the old one goes.
//!
//! The new agent is sealed into the record before the exchange hears of it (`rotating`, with
//! `next`); when the exchange has it, it becomes the current one and the old one is `retiring`;
//! when that is gone from the exchange, the credential is `active` again. Where no slot is free and
//! a name replaces (Hyperliquid), the new agent is approved under the old one's name: then the old
//! one is gone in the instant in which the new one is live.

use domain::eth::{Address, AgentKey};
use domain::ids::WalletRef;
use platform::items::StoreError;

use super::held::{By, Held, LAST_MOMENT_MS, Previous, check_lease};
use super::send::Sent;
use super::{CredentialError, Life, Registered, Registrar};
use crate::caller::Caller;
use crate::exchanges::RefusalKind;
use crate::store::{AgentRecord, CredentialRecord, CredentialState, Expect, Outcome, WalletView};
use crate::wallets::ShareUse;

/// What a rotation came to.
#[derive(Debug)]
pub struct Rotated {
    /// The credential with its new agent.
    pub registered: Registered,
    /// The agents that it had before.
    pub previous: Vec<Address>,
    /// Whether none of them is left on the exchange. If not, the next operation or the renewal job
    /// takes them away.
    pub previous_revoked: bool,
    /// The new agent was approved under the old one's name, because no slot was free.
    pub replaced_by_name: bool,
}

impl Registrar {
    /// Puts a new agent in the place of the current one.
    ///
    /// # Errors
    /// When there is no credential, the exchange refuses, or something fails on the way.
    pub async fn rotate(
        &self,
        caller: &Caller,
        name: &WalletRef,
    ) -> Result<Rotated, CredentialError> {
        let received_ms = self.custody.clock.now_ms();
        let view = self.find(&caller.tenant, name).await?;
        if let Some(outcome) = caller.outcome() {
            return Ok(Rotated {
                registered: self.again(&view, outcome).await?,
                previous: outcome.previous.clone(),
                previous_revoked: outcome.previous_revoked,
                replaced_by_name: outcome.replaced_by_name,
            });
        }
        let known = view.credential(self.client.exchange());
        let known = known.ok_or(CredentialError::NoCredential)?;
        check_lease(known, received_ms)?;
        match Life::of(known, received_ms) {
            Life::Pending => return Err(CredentialError::Unregistered),
            Life::Revoking => return Err(CredentialError::Revoking),
            Life::Active | Life::Expired | Life::Rotating => {}
        }
        match self.turn(By::Caller(caller), &view, known, Previous::Remove, received_ms).await {
            Err(CredentialError::Store(StoreError::Conflict)) => {
                Err(CredentialError::InProgress { retry_after_s: 1 })
            }
            other => other.map_err(|error| self.explain(error)),
        }
    }

    /// Begins a rotation, or goes on with one.
    pub(super) async fn turn(
        &self,
        by: By<'_>,
        view: &WalletView,
        known: &CredentialRecord,
        previous: Previous,
        received_ms: u64,
    ) -> Result<Rotated, CredentialError> {
        check_lease(known, received_ms)?;
        if known.is_v1() {
            return Err(CredentialError::NotOffered);
        }
        if known.state != CredentialState::Rotating {
            return self.begin_rotation(by, view, known, previous, received_ms).await;
        }
        // It is not known whether whoever began has told its caller of the new key.
        let agent = known.next.clone().unwrap_or_else(|| known.current());
        let (admitted, key, share) = tokio::join!(
            self.client.admit(1, 1),
            self.open(&view.wallet, agent.agent, &agent.sealed),
            self.custody.share(&view.wallet)
        );
        admitted?;
        let (key, share) = (key?, share?);
        let begun = known.next.is_some();
        let expect = Expect::Revision(known.revision);
        let mut record = known.clone();
        by.note(&mut record);
        let mut held = self.take(view, record, expect, share, received_ms, true).await?;
        // A caller who asked for a new key has no use for the old one.
        held.previous = if known.keep_previous { previous } else { Previous::Remove };
        held.for_caller = matches!(by, By::Caller(_));
        if begun {
            self.go_live(held, agent, key).await
        } else {
            self.retire(held, key, None).await
        }
    }

    /// Seals a new agent into the record, and goes on.
    async fn begin_rotation(
        &self,
        by: By<'_>,
        view: &WalletView,
        known: &CredentialRecord,
        previous: Previous,
        received_ms: u64,
    ) -> Result<Rotated, CredentialError> {
        let (key, agent, share) = self.new_agent(&view.wallet, received_ms, 1).await?;
        let mut record = known.clone();
        record.state = CredentialState::Rotating;
        record.next = Some(agent.clone());
        record.keep_previous = previous == Previous::Keep;
        by.note(&mut record);
        let expect = Expect::Revision(known.revision);
        let mut held = self.take(view, record, expect, share, received_ms, false).await?;
        held.previous = previous;
        held.for_caller = matches!(by, By::Caller(_));
        self.go_live(held, agent, key).await
    }

    /// Has the exchange take the new agent.
    async fn go_live(
        &self,
        mut held: Held,
        mut agent: AgentRecord,
        key: AgentKey,
    ) -> Result<Rotated, CredentialError> {
        let mut live = false;
        if held.resumed {
            match self.client.knows_agent(held.wallet.address, &key).await {
                Ok(known) => live = known,
                Err(error) => {
                    self.release(held).await;
                    return Err(error.into());
                }
            }
        }
        while !live {
            match self.approve(&mut held, &agent, &key).await {
                Ok(Sent::Live) => live = true,
                Ok(Sent::No(refusal))
                    if refusal.kind == RefusalKind::NoAgentSlot
                        && agent.agent_name != held.record.agent_name
                        && self.may_replace(&held) =>
                {
                    agent.agent_name.clone_from(&held.record.agent_name);
                    held.record.next = Some(agent.clone());
                    self.write(&mut held).await?;
                }
                Ok(Sent::No(refusal)) => {
                    self.take_back(held).await;
                    return Err(CredentialError::Refused(refusal));
                }
                Ok(Sent::Unknown(error)) => {
                    self.release(held).await;
                    return Err(error);
                }
                Ok(Sent::Unsent(cause)) => {
                    self.stop(held).await;
                    return Err(CredentialError::BadAnswer(cause));
                }
                Err(error) => {
                    self.stop(held).await;
                    return Err(error);
                }
            }
        }
        self.promote(held, agent, key).await
    }

    /// The new agent is live: it is the current one from now on.
    async fn promote(
        &self,
        mut held: Held,
        agent: AgentRecord,
        key: AgentKey,
    ) -> Result<Rotated, CredentialError> {
        let by_name = agent.agent_name == held.record.agent_name;
        let before = held.record.promote(agent);
        held.record.next = None;
        held.record.delivered = self.delivers(&held);
        self.note_live(&mut held.record);
        if by_name {
            return self.retire(held, key, Some(before.agent)).await;
        }
        if held.previous == Previous::Keep {
            // The renewal job removes it then.
            held.record.job_after_ms = before.expires_at_ms;
        }
        held.record.retiring.push(before);
        if held.previous == Previous::Remove {
            self.write(&mut held).await?;
        }
        self.retire(held, key, None).await
    }

    /// Whether the new agent may take the name of the current one, and so its place at once.
    fn may_replace(&self, held: &Held) -> bool {
        let last_moment_ms = held.record.expires_at_ms.saturating_sub(LAST_MOMENT_MS);
        let is_kept =
            held.previous == Previous::Keep && self.custody.clock.now_ms() < last_moment_ms;
        self.client.replaces_by_name() && !is_kept
    }

    /// Takes the agents away that were before. What is left is for the next operation. `replaced`:
    /// the one that is gone already, because the new one has its name.
    async fn retire(
        &self,
        mut held: Held,
        key: AgentKey,
        replaced: Option<Address>,
    ) -> Result<Rotated, CredentialError> {
        let retiring = held.record.retiring.iter().map(|agent| agent.agent);
        let previous: Vec<Address> = retiring.chain(replaced).collect();
        let replaced_by_name = replaced.is_some();
        let previous_revoked =
            held.previous == Previous::Remove && self.remove_retiring(&mut held).await;
        // A job that ends a caller's rotation shows the key to nobody.
        held.record.delivered = self.delivers(&held);
        let outcome = Outcome {
            previous: previous.clone(),
            previous_revoked,
            replaced_by_name,
            ..Outcome::of(&held.record)
        };
        self.settle_noted(&mut held, &outcome).await?;
        let registered = Registered {
            wallet: held.wallet.address,
            agent: Some(key),
            created_at_ms: held.record.created_at_ms.unwrap_or_default(),
            expires_at_ms: held.record.expires_at_ms,
        };
        Ok(Rotated { registered, previous, previous_revoked, replaced_by_name })
    }

    /// Whether none is left.
    async fn remove_retiring(&self, held: &mut Held) -> bool {
        for agent in std::mem::take(&mut held.record.retiring) {
            if let Err(error) = self.remove(held, &agent).await {
                tracing::warn!(%error, agent = %agent.agent, "the previous agent is not removed yet");
                held.record.retiring.push(agent);
            }
        }
        held.record.retiring.is_empty()
    }

    /// Takes the agents away that an earlier rotation could not. Whether none is left.
    pub(super) async fn finish_retiring(
        &self,
        view: &WalletView,
        known: &CredentialRecord,
        received_ms: u64,
    ) -> Result<bool, CredentialError> {
        let removals = u64::try_from(known.retiring.len()).unwrap_or(1);
        let (admitted, share) = tokio::join!(
            self.client.admit(0, removals),
            self.custody.share_for(&view.wallet, ShareUse::Revoke)
        );
        admitted?;
        let expect = Expect::Revision(known.revision);
        let mut held = self.take(view, known.clone(), expect, share?, received_ms, true).await?;
        let none_left = self.remove_retiring(&mut held).await;
        self.settle(&mut held).await?;
        Ok(none_left)
    }

    /// Nothing was sent by this call: a rotation that it began is taken back, another one rests.
    async fn stop(&self, held: Held) {
        if held.resumed { self.release(held).await } else { self.take_back(held).await }
    }

    /// The exchange does not have the new agent: the credential is as it was.
    async fn take_back(&self, mut held: Held) {
        if let Err(error) = self.settle(&mut held).await {
            tracing::warn!(%error, "the rotation was not taken back");
        }
    }
}
