//! A credential that one call holds: every write names the revision that it replaces, so a call
//! that lost its lease changes nothing.

use uuid::Uuid;

use super::{RegisterError, Registered, Registrar};
use crate::eth::AgentKey;
use crate::mpc::KeyShare;
use crate::random::{Random, RandomError};
use crate::store::{CredentialRecord, CredentialState, StoreError, WalletRecord};

/// A pending credential under this call's lease, and what is needed to finish it.
pub(super) struct Held {
    pub(super) record: CredentialRecord,
    pub(super) agent: AgentKey,
    pub(super) share: KeyShare,
    pub(super) nonce: u64,
    /// It was pending before: the exchange may have heard of it.
    pub(super) resumed: bool,
}

impl Registrar {
    pub(super) async fn activate(
        &self,
        wallet: &WalletRecord,
        mut held: Held,
    ) -> Result<Registered, RegisterError> {
        let created_at_ms = self.custody.clock.now_ms();
        held.record.state = CredentialState::Active;
        held.record.created_at_ms = Some(created_at_ms);
        held.record.lease_until_ms = 0;
        self.write(wallet, &mut held.record).await?;
        Ok(Registered {
            wallet: wallet.address,
            agent: held.agent,
            created_at_ms,
            expires_at_ms: held.record.expires_at_ms,
        })
    }

    /// Writes a record that this call holds, under a new revision.
    pub(super) async fn write(
        &self,
        wallet: &WalletRecord,
        record: &mut CredentialRecord,
    ) -> Result<(), RegisterError> {
        let known: Uuid = record.revision;
        record.revision = self.custody.random.uuid()?;
        match self.custody.store.replace(wallet, record, known).await {
            // Another call has taken over and finishes.
            Err(StoreError::Conflict) => Err(RegisterError::InProgress { retry_after_s: 1 }),
            result => Ok(result?),
        }
    }

    /// Nothing was sent by this call: a record that is its own goes, another stays for a repeat.
    pub(super) async fn give_up(&self, wallet: &WalletRecord, held: Held) {
        if held.resumed {
            self.release(wallet, held.record).await;
        } else {
            self.remove(wallet, &held.record).await;
        }
    }

    /// Lets the next call go on at once. If this fails, the lease runs out by itself.
    pub(super) async fn release(&self, wallet: &WalletRecord, mut record: CredentialRecord) {
        record.lease_until_ms = 0;
        if let Err(error) = self.write(wallet, &mut record).await {
            tracing::warn!(%error, "the lease was not released");
        }
    }

    /// Leaves nothing behind. If this fails, the next call finds the record and asks the exchange.
    pub(super) async fn remove(&self, wallet: &WalletRecord, record: &CredentialRecord) {
        let store = &self.custody.store;
        if let Err(error) = store.delete(wallet, record.exchange, record.revision).await {
            tracing::warn!(%error, "the pending credential was not deleted");
        }
    }
}

/// A name that no agent of this wallet has had: a fixed prefix, the time, two random letters. At
/// most 16 characters until the year 5188, and none that needs encoding.
pub(super) fn agent_name(now_ms: u64, random: &Random) -> Result<String, RandomError> {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::new();
    let mut rest = now_ms;
    while rest > 0 {
        digits.push(DIGITS[usize::try_from(rest % 36).unwrap_or_default()]);
        rest /= 36;
    }
    let mut name = crate::intent::AGENT_NAME_PREFIX.to_owned();
    name.extend(digits.iter().rev().map(|digit| char::from(*digit)));
    name.extend(random.bytes::<2>()?.iter().map(|byte| char::from(DIGITS[usize::from(byte % 36)])));
    Ok(name)
}
