//! Deletion: the exchange forgets the agent first, then the record goes. Until then it is
//! `revoking`, and a repeat finishes.

use super::held::{Held, check_lease};
use super::{CredentialError, Registrar};
use crate::api::ids::{Tenant, WalletRef};
use crate::eth::Address;
use crate::store::{
    AgentRecord, CredentialRecord, CredentialState, Expect, StoreError, WalletRecord, WalletView,
};

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
        tenant: &Tenant,
        name: &WalletRef,
        removed_there: bool,
    ) -> Result<Revoked, CredentialError> {
        let received_ms = self.custody.clock.now_ms();
        let view = self.find(tenant, name).await?;
        let known = view.credential(self.client.exchange());
        let known = known.ok_or(CredentialError::NoCredential)?;
        if known.is_v1() && removed_there {
            check_lease(known, received_ms)?;
            let (exchange, revision) = (known.exchange, known.revision);
            self.custody.store.delete(&view.wallet, exchange, revision).await?;
            return Ok(Revoked { agent: known.agent, wallet: view.wallet });
        }
        self.revoke_known(&view, known, received_ms).await
    }

    pub(super) async fn revoke_known(
        &self,
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
        let (admitted, share) =
            tokio::join!(self.client.admit(0, removals), self.custody.share(&view.wallet));
        admitted?;
        let share = share?;
        let mut record = known.clone();
        record.state = CredentialState::Revoking;
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
        match self.custody.store.delete(&wallet, record.exchange, record.revision).await {
            Err(StoreError::Conflict) => Err(CredentialError::InProgress { retry_after_s: 1 }),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(Revoked { wallet, agent: record.agent }),
        }
    }
}

/// Every agent that the exchange may know of.
fn agents_of(record: &CredentialRecord) -> Vec<AgentRecord> {
    let next = record.next.iter().cloned();
    next.chain(record.retiring.iter().cloned()).chain([record.current()]).collect()
}
