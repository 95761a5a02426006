//! Approvals and removals: signed by both parties and sent. An unknown outcome is settled by
//! asking the exchange once.

use domain::eth::{Address, AgentKey, Signature};
use domain::intent::{Intent, NONCE_USED};
use platform::metrics::{self, About, Metric};
use protocol::KeyShare;

use super::lease::{Lease, has_time};
use super::nonces::Nonces;
use super::{CredentialError, Registrar, agent_keys};
use crate::exchanges::budget::Claim;
use crate::exchanges::http::TransportError;
use crate::exchanges::{
    Approval, LookupError, Outcome, Proof, Refusal, RefusalKind, Removal, Unclear,
};
use crate::mpc::{CosignerError, ProtocolError};
use crate::store::{AgentRecord, WalletRecord};
use crate::wallets::SignError;

/// Maximum number of further nonces to sign, when other calls of the wallet used a later nonce
/// first.
const MORE_NONCES: u32 = 4;

/// The outcome of an approval.
pub(super) enum Approved {
    /// The exchange has approved the agent.
    Live,
    /// The exchange refused, and does not have the agent.
    Refused(Refusal),
    /// The approval never reached the exchange.
    NotSent(TransportError),
    /// The exchange may have approved the agent, or may still do so. A question did not settle it.
    Unknown(CredentialError),
}

/// The outcome of a removal, before the exchange is asked.
pub(super) enum Removed {
    /// The exchange does not have the agent.
    Gone,
    /// The exchange may still have the agent.
    Unconfirmed(CredentialError),
}

/// Signs an approval and sends it to the exchange.
///
/// # Errors
/// Fails when the approval could not be signed, or not in time. This call has sent nothing.
pub(super) async fn approve(
    lease: &mut Lease<'_>,
    agent: &AgentRecord,
    key: &AgentKey,
) -> Result<Approved, CredentialError> {
    let (client, wallet) = (&lease.registrar.client, lease.wallet.address);
    let (resumed, tenant) = (lease.resumed, lease.wallet.tenant.clone());
    let claim = Claim::of(&tenant);
    let mut sender = lease.sender();
    loop {
        let with_nonce = |nonce| {
            let (agent_name, expires_at_ms) = (agent.agent_name.clone(), agent.expires_at_ms);
            let agent = agent.agent;
            let approval = Approval { wallet, agent, agent_name, expires_at_ms, nonce };
            let intent = client.approval_intent(&approval);
            (approval, intent)
        };
        let (approval, signature) = sender.sign(with_nonce).await?;
        let refusal = match client.approve(&approval, &signature).await {
            Outcome::Done => return Ok(Approved::Live),
            Outcome::NotSent(cause) => return Ok(Approved::NotSent(cause)),
            // A question would be blocked as well.
            Outcome::Unknown(blocked @ Unclear::Blocked(_)) => {
                return Ok(Approved::Unknown(blocked.into()));
            }
            Outcome::Unknown(unclear) => {
                // The approval may still arrive, so the agent's absence proves nothing.
                return Ok(match client.knows_agent(wallet, key, claim).await {
                    Ok(true) => Approved::Live,
                    Ok(false) | Err(_) => Approved::Unknown(unclear.into()),
                });
            }
            Outcome::Refused(refusal) => refusal,
        };
        sender.report_fault(&refusal);
        if sender.waits_for_removal(&refusal).await {
            continue;
        }
        // A refusal that proves no change is final, unless an earlier attempt may have been
        // applied.
        if !resumed && refusal.kind.proof() == Proof::NotApplied {
            return Ok(Approved::Refused(refusal));
        }
        return Ok(match client.knows_agent(wallet, key, claim).await {
            Ok(true) => Approved::Live,
            Ok(false) => Approved::Refused(refusal),
            // A retry cannot fix a wrong signature, so the caller receives the refusal.
            Err(_) if refusal.kind == RefusalKind::SignatureFault => {
                Approved::Unknown(CredentialError::Refused(refusal))
            }
            Err(error) => Approved::Unknown(error.into()),
        });
    }
}

/// Removes an agent from the exchange, signed by the wallet.
///
/// # Errors
/// Fails when the exchange may still list the agent.
pub(super) async fn remove(
    lease: &mut Lease<'_>,
    agent: &AgentRecord,
) -> Result<(), CredentialError> {
    let error = match lease.sender().remove(agent.agent, &agent.agent_name).await? {
        Removed::Gone => return Ok(()),
        Removed::Unconfirmed(error) => error,
    };
    let Registrar { custody, client } = lease.registrar;
    // On Aster an expired agent keeps its slot, and cannot ask about itself.
    if client.lists_for_agents_only() && agent.expires_at_ms <= custody.clock.now_ms() {
        return Err(error);
    }
    let (registrar, wallet) = (lease.registrar, &lease.wallet);
    let key = agent_keys::open(registrar, wallet, agent.agent, &agent.sealed).await?;
    match client.knows_agent(wallet.address, &key, Claim::removal(&wallet.tenant)).await {
        Ok(false) => Ok(()),
        Ok(true) | Err(LookupError::Foreign) => Err(error),
        // Whether the exchange has the agent is unknown. Returning the refusal would mislead the
        // caller into not retrying.
        Err(unclear) => Err(match error {
            CredentialError::Refused(_) => unclear.into(),
            other => other,
        }),
    }
}

/// Signs one wallet's requests, each with its own nonce, and sends them until a deadline.
pub(super) struct Sender<'a> {
    registrar: &'a Registrar,
    wallet: &'a WalletRecord,
    share: &'a KeyShare,
    nonces: &'a mut Nonces,
    /// Deadline for the last call to the exchange, Unix milliseconds.
    until_ms: u64,
    more_nonces: u32,
}

impl<'a> Sender<'a> {
    pub(super) const fn new(
        registrar: &'a Registrar,
        wallet: &'a WalletRecord,
        share: &'a KeyShare,
        nonces: &'a mut Nonces,
        until_ms: u64,
    ) -> Self {
        Self { registrar, wallet, share, nonces, until_ms, more_nonces: MORE_NONCES }
    }

    /// Signs the request that `with_nonce` returns. The signature recovers to the wallet's address.
    pub(super) async fn sign<T>(
        &mut self,
        with_nonce: impl Fn(u64) -> (T, Intent),
    ) -> Result<(T, Signature), CredentialError> {
        loop {
            let nonce = self.nonces.next(self.registrar, self.wallet).await?;
            let (request, intent) = with_nonce(nonce);
            let signed = self.registrar.custody.sign(self.wallet, self.share, &intent).await;
            match signed {
                Err(error) if self.more_nonces > 0 && is_nonce_used(&error) => {
                    self.more_nonces -= 1;
                }
                Err(error) => return Err(error.into()),
                Ok(_) if !has_time(self.registrar, self.until_ms, 0) => {
                    return Err(CredentialError::OutOfTime);
                }
                Ok(signature) => return Ok((request, signature)),
            }
        }
    }

    /// Sends the removal of an agent.
    ///
    /// # Errors
    /// Fails when the removal was not sent or not applied, and a question would not help.
    pub(super) async fn remove(
        &mut self,
        agent: Address,
        agent_name: &str,
    ) -> Result<Removed, CredentialError> {
        let (client, wallet) = (&self.registrar.client, self.wallet.address);
        loop {
            let with_nonce = |nonce| {
                let agent_name = agent_name.to_owned();
                let removal = Removal { wallet, agent, agent_name, nonce };
                let intent = client.removal_intent(&removal);
                (removal, intent)
            };
            let (removal, signature) = self.sign(with_nonce).await?;
            return match client.remove(&removal, &signature).await {
                Outcome::Done => Ok(Removed::Gone),
                Outcome::NotSent(cause) => Err(CredentialError::not_sent(cause)),
                Outcome::Refused(refusal) if refusal.kind.proof() == Proof::Gone => {
                    Ok(Removed::Gone)
                }
                Outcome::Refused(refusal) if self.waits_for_removal(&refusal).await => continue,
                Outcome::Refused(refusal) if refusal.kind.is_transient() => {
                    Err(CredentialError::Refused(refusal))
                }
                // An emptied account has lost its agents, and Hyperliquid refuses its requests for
                // that reason.
                Outcome::Refused(refusal) => {
                    self.report_fault(&refusal);
                    Ok(Removed::Unconfirmed(CredentialError::Refused(refusal)))
                }
                Outcome::Unknown(blocked @ Unclear::Blocked(_)) => Err(blocked.into()),
                Outcome::Unknown(unclear) => Ok(Removed::Unconfirmed(unclear.into())),
            };
        }
    }

    /// Waits until the exchange has finished a pending removal, if there is time. A request
    /// refused for this reason has changed nothing.
    async fn waits_for_removal(&self, refusal: &Refusal) -> bool {
        let Some(wait_ms) = self.registrar.client.profile().removal_wait_ms else { return false };
        if refusal.kind != RefusalKind::RemovalPending
            || !has_time(self.registrar, self.until_ms, wait_ms)
        {
            return false;
        }
        self.registrar.custody.clock.sleep_ms(wait_ms).await;
        true
    }

    /// Counts a refusal that raises an alarm: the exchange recovered a signer other than the
    /// wallet.
    fn report_fault(&self, refusal: &Refusal) {
        if refusal.kind == RefusalKind::SignatureFault {
            let (clock, client) = (&self.registrar.custody.clock, &self.registrar.client);
            let about = About::exchange(client.exchange());
            metrics::emit(clock, about, &[(Metric::SignatureFaults, 1)]);
        }
    }
}

/// Returns whether the cosigner has signed a later nonce of the wallet.
fn is_nonce_used(error: &SignError) -> bool {
    let SignError::Protocol(ProtocolError::Cosigner(CosignerError::Refused(refusal))) = error
    else {
        return false;
    };
    matches!(refusal, protocol::Refusal::Policy(reason) if reason == NONCE_USED)
}
