//! Deletion: the exchange removes the agent first, then the record is deleted. In between, the
//! credential is `revoking`, and a retry finishes.

use domain::eth::Address;
use domain::ids::WalletRef;
use futures_util::future::BoxFuture;
use platform::items::StoreError;

use super::lease::{Charge, Lease, ensure_free, taken_over, unlock};
use super::operation::{Initiator, Operation};
use super::{CredentialError, Registrar, send};
use crate::caller::Caller;
use crate::store::{
    AgentRecord, CredentialChange, CredentialRecord, CredentialState, Outcome, WalletRecord,
};
use crate::wallets::ShareUse;

/// A deleted credential.
#[derive(Debug)]
pub struct Revoked {
    /// The wallet that approved it.
    pub wallet: WalletRecord,
    /// Its agent.
    pub agent: Address,
}

impl Registrar {
    /// Deletes a wallet's credential. `removed_there` states that the caller has deleted an API
    /// key of Aster's V1 on the exchange. The service cannot delete such keys, so only the record
    /// remains.
    ///
    /// # Errors
    /// Fails when the wallet has no credential, or the exchange may still know its agent.
    pub fn revoke<'a>(
        &'a self,
        caller: &'a Caller,
        name: &'a WalletRef,
        removed_there: bool,
    ) -> BoxFuture<'a, Result<Revoked, CredentialError>> {
        Box::pin(async move {
            let received_ms = self.custody.clock.now_ms();
            let view = self.find(&caller.tenant, name).await?;
            if let Some(outcome) = caller.outcome() {
                return Ok(Revoked { agent: outcome.agent, wallet: view.wallet });
            }
            let known = view.credential(self.client.exchange());
            let known = known.ok_or(CredentialError::NoCredential)?;
            let initiator = Initiator::Caller(caller);
            if known.is_v1() && removed_there {
                ensure_free(known, received_ms)?;
                let mut known = known.clone();
                initiator.mark(&mut known);
                return delete(self, view.wallet, &known).await;
            }
            let operation = Operation { registrar: self, initiator, view: &view, received_ms };
            revoke_known(operation, known).await.map_err(|error| self.explain(error))
        })
    }
}

/// Begins or resumes a deletion.
pub(super) async fn revoke_known(
    operation: Operation<'_>,
    known: &CredentialRecord,
) -> Result<Revoked, CredentialError> {
    let Operation { registrar, view, received_ms, .. } = operation;
    ensure_free(known, received_ms)?;
    if known.is_v1() {
        return Err(CredentialError::NotOffered);
    }
    let agents = agents_of(known);
    let removals = u64::try_from(agents.len()).unwrap_or(1);
    let charge = Charge::removal(removals);
    charge.check(operation)?;
    let share = registrar.custody.share_for(&view.wallet, ShareUse::Revoke).await?;
    let mut record = known.clone();
    record.state = CredentialState::Revoking;
    let mut lease = match Lease::take(operation, record, Some(known), share, true, charge).await {
        Err(CredentialError::Store(StoreError::Conflict)) => return Err(taken_over()),
        taken => taken?,
    };
    for agent in &agents {
        if let Err(error) = send::remove(&mut lease, agent).await {
            lease.release().await;
            return Err(error);
        }
    }
    let Lease { wallet, record, .. } = lease;
    delete(registrar, wallet, &record).await
}

/// Returns every agent that the exchange may list.
fn agents_of(record: &CredentialRecord) -> Vec<AgentRecord> {
    let next = record.next.iter().cloned();
    next.chain(record.retiring.iter().cloned()).chain([record.current()]).collect()
}

/// Deletes a record, and records the outcome for the request that the operation served.
async fn delete(
    registrar: &Registrar,
    wallet: WalletRecord,
    record: &CredentialRecord,
) -> Result<Revoked, CredentialError> {
    let outcome = Outcome { sealed: None, ..Outcome::of(record) };
    let noted = record.request.as_ref().map(|mark| (mark, &outcome));
    let (store, now_ms) = (&registrar.custody.store, registrar.custody.clock.now_ms());
    match store
        .end(&wallet, CredentialChange::Delete(record.exchange), record.revision, noted, now_ms)
        .await
    {
        Err(StoreError::Conflict) => Err(taken_over()),
        Err(error) => {
            unlock(registrar, &wallet, record).await;
            Err(error.into())
        }
        Ok(()) => Ok(Revoked { wallet, agent: record.agent }),
    }
}
