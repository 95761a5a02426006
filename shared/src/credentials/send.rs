//! Approvals and removals: signed by both parties, sent, and, where the outcome is not known,
//! found out about by asking the exchange once.

use domain::eth::AgentKey;
use domain::intent::NONCE_USED;
use platform::metrics::{self, About, Metric};

use super::held::Held;
use super::{CredentialError, Registrar};
use crate::exchanges::{
    Approval, LookupError, Outcome, Proof, Refusal, RefusalKind, Removal, Unclear,
};
use crate::mpc::{CosignerError, ProtocolError};
use crate::store::AgentRecord;
use crate::wallets::SignError;

/// After a removal Hyperliquid approves nothing for 4 to 5 seconds.
pub(super) const REMOVAL_WAIT_MS: u64 = 5_200;

/// How often another nonce is signed, where another call of the wallet was signed first.
pub(super) const MORE_NONCES: u32 = 4;

/// Whether the cosigner has signed a later nonce of the wallet.
pub(super) fn is_nonce_used(error: &SignError) -> bool {
    let SignError::Protocol(ProtocolError::Cosigner(CosignerError::Refused(refusal))) = error
    else {
        return false;
    };
    matches!(refusal, protocol::Refusal::Policy(reason) if reason == NONCE_USED)
}

/// What sending an approval came to.
pub(super) enum Sent {
    /// The exchange has approved the agent.
    Live,
    /// A definite no: the exchange does not have it.
    No(Refusal),
    /// The exchange never got it.
    Unsent(String),
    /// It may have it, or may yet. Asking did not tell.
    Unknown(CredentialError),
}

impl Registrar {
    /// Has the wallet approve an agent, and the exchange take it.
    ///
    /// # Errors
    /// When it could not be signed, or in time: nothing was sent by this call.
    pub(super) async fn approve(
        &self,
        held: &mut Held,
        agent: &AgentRecord,
        key: &AgentKey,
    ) -> Result<Sent, CredentialError> {
        let mut more = MORE_NONCES;
        loop {
            let approval = Approval {
                wallet: held.wallet.address,
                agent: agent.agent,
                agent_name: agent.agent_name.clone(),
                expires_at_ms: agent.expires_at_ms,
                nonce: self.nonce(held).await?,
            };
            let intent = self.client.approval_intent(&approval);
            // The signature that comes back is known to recover to the wallet's address.
            let signature = match self.custody.sign(&held.wallet, &held.share, &intent).await {
                Err(error) if more > 0 && is_nonce_used(&error) => {
                    more -= 1;
                    continue;
                }
                signed => signed?,
            };
            if !self.has_time(held, 0) {
                return Err(CredentialError::OutOfTime);
            }
            let refusal = match self.client.approve(&approval, &signature).await {
                Outcome::Done => return Ok(Sent::Live),
                Outcome::NotSent(cause) => return Ok(Sent::Unsent(cause.to_string())),
                // Whoever is blocked asks in vain, too.
                Outcome::Unknown(blocked @ Unclear::Blocked(_)) => {
                    return Ok(Sent::Unknown(blocked.into()));
                }
                Outcome::Unknown(unclear) => {
                    // What was sent may arrive later: not known yet is no no.
                    return Ok(match self.client.knows_agent(held.wallet.address, key).await {
                        Ok(true) => Sent::Live,
                        Ok(false) | Err(_) => Sent::Unknown(unclear.into()),
                    });
                }
                Outcome::Refused(refusal) => refusal,
            };
            self.note_fault(&refusal);
            if self.waits(held, &refusal).await {
                continue;
            }
            // What proves that nothing was changed is final, unless an earlier send may have been
            // applied.
            if !held.resumed && refusal.kind.proof() == Proof::NotApplied {
                return Ok(Sent::No(refusal));
            }
            return Ok(match self.client.knows_agent(held.wallet.address, key).await {
                Ok(true) => Sent::Live,
                Ok(false) => Sent::No(refusal),
                // A fault of the signature is told as such: no repeat ends it.
                Err(_) if refusal.kind == RefusalKind::SignatureFault => {
                    Sent::Unknown(CredentialError::Refused(refusal))
                }
                Err(error) => Sent::Unknown(error.into()),
            });
        }
    }

    /// Has the wallet take an agent away, and the exchange forget it.
    ///
    /// # Errors
    /// When the exchange may still know it.
    pub(super) async fn remove(
        &self,
        held: &mut Held,
        agent: &AgentRecord,
    ) -> Result<(), CredentialError> {
        let mut more = MORE_NONCES;
        loop {
            let removal = Removal {
                wallet: held.wallet.address,
                agent: agent.agent,
                agent_name: agent.agent_name.clone(),
                nonce: self.nonce(held).await?,
            };
            let intent = self.client.removal_intent(&removal);
            let signature = match self.custody.sign(&held.wallet, &held.share, &intent).await {
                Err(error) if more > 0 && is_nonce_used(&error) => {
                    more -= 1;
                    continue;
                }
                signed => signed?,
            };
            if !self.has_time(held, 0) {
                return Err(CredentialError::OutOfTime);
            }
            let error = match self.client.remove(&removal, &signature).await {
                Outcome::Done => return Ok(()),
                Outcome::NotSent(cause) => {
                    return Err(CredentialError::BadAnswer(cause.to_string()));
                }
                Outcome::Refused(refusal) if refusal.kind.proof() == Proof::Gone => return Ok(()),
                Outcome::Refused(refusal) if self.waits(held, &refusal).await => continue,
                Outcome::Refused(refusal) if refusal.kind.is_transient() => {
                    return Err(CredentialError::Refused(refusal));
                }
                // An account that was emptied has lost its agents, and is refused for that.
                Outcome::Refused(refusal) => {
                    self.note_fault(&refusal);
                    CredentialError::Refused(refusal)
                }
                Outcome::Unknown(blocked @ Unclear::Blocked(_)) => return Err(blocked.into()),
                Outcome::Unknown(unclear) => unclear.into(),
            };
            // On Aster an expired agent keeps its slot, and cannot ask about itself.
            if self.client.lists_for_agents_only()
                && agent.expires_at_ms <= self.custody.clock.now_ms()
            {
                return Err(error);
            }
            let key = self.open(&held.wallet, agent.agent, &agent.sealed).await?;
            return match self.client.knows_agent(held.wallet.address, &key).await {
                Ok(false) => Ok(()),
                Ok(true) | Err(LookupError::Foreign) => Err(error),
                // Whether it has the agent is not known. A refusal would say that no repeat helps.
                Err(unclear) => Err(match error {
                    CredentialError::Refused(_) => unclear.into(),
                    other => other,
                }),
            };
        }
    }

    /// An exchange that saw another signer than the wallet is an alarm.
    pub(super) fn note_fault(&self, refusal: &Refusal) {
        if refusal.kind == RefusalKind::SignatureFault {
            let (clock, exchange) = (&self.custody.clock, self.client.exchange());
            metrics::emit(clock, About::exchange(exchange), &[(Metric::SignatureFaults, 1)]);
        }
    }

    /// Waits for an agent that is just being removed, if there is time; what was refused so has
    /// changed nothing.
    async fn waits(&self, held: &Held, refusal: &Refusal) -> bool {
        if refusal.kind != RefusalKind::RemovalPending || !self.has_time(held, REMOVAL_WAIT_MS) {
            return false;
        }
        self.custody.clock.sleep_ms(REMOVAL_WAIT_MS).await;
        true
    }
}

impl From<Unclear> for CredentialError {
    fn from(unclear: Unclear) -> Self {
        match unclear {
            Unclear::NoAnswer(cause) => Self::NoAnswer(cause.to_string()),
            Unclear::Broken(cause) => Self::BadAnswer(cause.to_string()),
            Unclear::BadAnswer(cause) => Self::BadAnswer(cause),
            Unclear::Blocked(words) => Self::Blocked(words),
        }
    }
}
