//! Deletion: the exchange forgets the agent first, then the record goes. Until then it is
//! `revoking`, and a repeat finishes.

use domain::eth::Address;
use domain::ids::WalletRef;
use platform::items::StoreError;

use super::held::{By, Held, check_lease};
use super::{CredentialError, Registrar};
use crate::caller::Caller;
use crate::store::{
    AgentRecord, CredentialChange, CredentialRecord, CredentialState, Expect, Outcome,
    WalletRecord, WalletView,
};
use crate::wallets::ShareUse;

/// A credential that is gone, here and on the exchange.
#[derive(Debug)]
pub struct Revoked {
    /// Whose it was.
    pub wallet: WalletRecord,
    /// The agent that it had.
    pub agent: Address,
}

impl Registrar {
    /// Takes a wallet's credential away. `removed_there`: the caller has deleted an API key of
    /// Aster's V1 on the exchange, which no call can do, so only the record is left.
    ///
    /// # Errors
    /// When there is none, or the exchange may still know its agent.
    pub async fn revoke(
        &self,
        caller: &Caller,
        name: &WalletRef,
        removed_there: bool,
    ) -> Result<Revoked, CredentialError> {
        let received_ms = self.custody.clock.now_ms();
        let view = self.find(&caller.tenant, name).await?;
        if let Some(outcome) = caller.outcome() {
            return Ok(Revoked { agent: outcome.agent, wallet: view.wallet });
        }
        let known = view.credential(self.client.exchange());
        let known = known.ok_or(CredentialError::NoCredential)?;
        if known.is_v1() && removed_there {
            check_lease(known, received_ms)?;
            let mut known = known.clone();
            By::Caller(caller).note(&mut known);
            return self.delete_noted(view.wallet, &known).await;
        }
        let revoked = self.revoke_known(By::Caller(caller), &view, known, received_ms).await;
        revoked.map_err(|error| self.explain(error))
    }

    pub(super) async fn revoke_known(
        &self,
        by: By<'_>,
        view: &WalletView,
        known: &CredentialRecord,
        received_ms: u64,
    ) -> Result<Revoked, CredentialError> {
        check_lease(known, received_ms)?;
        if known.is_v1() {
            return Err(CredentialError::NotOffered);
        }
        let agents = agents_of(known);
        let removals = u64::try_from(agents.len()).unwrap_or(1);
        let (admitted, share) = tokio::join!(
            self.client.admit(0, removals),
            self.custody.share_for(&view.wallet, ShareUse::Revoke)
        );
        admitted?;
        let share = share?;
        let mut record = known.clone();
        record.state = CredentialState::Revoking;
        by.note(&mut record);
        let expect = Expect::Revision(known.revision);
        match self.take(view, record, expect, share, received_ms, true).await {
            Ok(held) => self.remove_all(held, &agents).await,
            Err(CredentialError::Store(StoreError::Conflict)) => {
                Err(CredentialError::InProgress { retry_after_s: 1 })
            }
            Err(error) => Err(error),
        }
    }

    async fn remove_all(
        &self,
        mut held: Held,
        agents: &[AgentRecord],
    ) -> Result<Revoked, CredentialError> {
        for agent in agents {
            if let Err(error) = self.remove(&mut held, agent).await {
                self.release(held).await;
                return Err(error);
            }
        }
        let Held { wallet, record, .. } = held;
        self.delete_noted(wallet, &record).await
    }

    /// Deletes a record, and notes for the request that it was done for that it is gone.
    async fn delete_noted(
        &self,
        wallet: WalletRecord,
        record: &CredentialRecord,
    ) -> Result<Revoked, CredentialError> {
        let outcome = Outcome { sealed: None, ..Outcome::of(record) };
        let noted = record.request.as_ref().map(|mark| (mark, &outcome));
        let (store, now_ms) = (&self.custody.store, self.custody.clock.now_ms());
        let change = CredentialChange::Delete(record.exchange);
        match store.end(&wallet, change, record.revision, noted, now_ms).await {
            Err(StoreError::Conflict) => Err(CredentialError::InProgress { retry_after_s: 1 }),
            Err(error) => {
                self.unlock(&wallet, record).await;
                Err(error.into())
            }
            Ok(()) => Ok(Revoked { wallet, agent: record.agent }),
        }
    }
}

/// Every agent that the exchange may know of.
fn agents_of(record: &CredentialRecord) -> Vec<AgentRecord> {
    let next = record.next.iter().cloned();
    next.chain(record.retiring.iter().cloned()).chain([record.current()]).collect()
}
