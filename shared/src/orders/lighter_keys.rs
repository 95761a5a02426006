//! The API keys of Lighter's accounts that a tenant has stored, sealed as agents' keys are.

use std::sync::Arc;

use domain::eth::Address;
use domain::ids::Tenant;
use lighter_signer::SecretKey;

use super::client::Question;
use super::client::wire::Wire;
use super::{TradeError, Trader};
use crate::exchanges::lighter::Credential;
use crate::exchanges::lighter::profile::Request;
use crate::exchanges::lighter::trade::Client;
use crate::store::LighterKeyRecord;

/// A stored key, without the private one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LighterKeyView {
    /// The account.
    pub account_index: u64,
    /// The slot of the key.
    pub api_key_index: u8,
    /// The public key, 80 hex digits.
    pub public_key: String,
    /// When it was stored, Unix milliseconds.
    pub stored_at_ms: u64,
}

impl From<&LighterKeyRecord> for LighterKeyView {
    fn from(record: &LighterKeyRecord) -> Self {
        Self {
            account_index: record.account_index,
            api_key_index: record.api_key_index,
            public_key: record.public_key.clone(),
            stored_at_ms: record.stored_at_ms,
        }
    }
}

impl Trader {
    fn lighter_client(&self) -> Result<&Client, TradeError> {
        match &self.client.wire {
            Wire::Lighter(client) => Ok(client),
            Wire::Aster(_) | Wire::Hyperliquid(_) => {
                Err(TradeError::DamagedOrder("keys of another exchange"))
            }
        }
    }

    /// Returns whether requests may give a key of Lighter in the query.
    #[must_use]
    pub const fn accepts_keys_in_query(&self) -> bool {
        match &self.client.wire {
            Wire::Lighter(client) => client.keys_in_query(),
            Wire::Aster(_) | Wire::Hyperliquid(_) => false,
        }
    }

    /// Stores the key of an account after Lighter has stated its public key in the slot. It replaces the
    /// present one.
    ///
    /// # Errors
    /// [`TradeError::KeyNotListed`] when the slot has another key or none; otherwise when Lighter, KMS
    /// or the table fails.
    pub async fn store_lighter_key(
        &self,
        tenant: &Tenant,
        credential: &Credential,
    ) -> Result<LighterKeyView, TradeError> {
        let client = self.lighter_client()?;
        let slot = (credential.account_index, credential.api_key_index);
        let ask = || Box::pin(client.public_key(slot.0, slot.1)) as Question<'_, Option<String>>;
        let listed = self.client.ask_lighter(tenant, Request::Keys, ask).await?;
        let public_key = credential.public_key().to_string();
        if listed.as_deref() != Some(&public_key) {
            return Err(TradeError::KeyNotListed);
        }
        let network = client.chain_id();
        let context = LighterKeyRecord::context(tenant, network, slot, &public_key);
        let sealed = self.envelope.seal(context, &credential.key.to_bytes()[..]).await?;
        let record = LighterKeyRecord {
            schema: platform::items::SCHEMA,
            account_index: slot.0,
            api_key_index: slot.1,
            public_key,
            network,
            sealed,
            stored_at_ms: self.now_ms(),
        };
        self.store.put_lighter_key(tenant, &record).await?;
        Ok((&record).into())
    }

    /// Returns a key with the slot in which Lighter lists its public key.
    ///
    /// # Errors
    /// [`TradeError::KeyNotListed`] when no slot of the account has it; otherwise when Lighter fails.
    pub async fn lighter_key_in_slot(
        &self,
        tenant: &Tenant,
        key: SecretKey,
        account_index: u64,
    ) -> Result<Arc<Credential>, TradeError> {
        let client = self.lighter_client()?;
        let public_key = key.public_key().to_string();
        let ask = || {
            let slot = client.slot_of(account_index, public_key.as_str());
            Box::pin(slot) as Question<'_, Option<u8>>
        };
        let slot = self.client.ask_lighter(tenant, Request::Keys, ask).await?;
        let api_key_index = slot.ok_or(TradeError::KeyNotListed)?;
        Ok(Arc::new(Credential { account_index, api_key_index, key: Arc::new(key) }))
    }

    /// Returns the stored key of an account, without the private one.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn lighter_key(
        &self,
        tenant: &Tenant,
        account_index: u64,
    ) -> Result<Option<LighterKeyView>, TradeError> {
        let record = self.store.lighter_key(tenant, account_index).await?;
        Ok(record.as_ref().map(LighterKeyView::from))
    }

    /// Deletes the stored key of an account. Returns whether there was one. Lighter keeps the key.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn delete_lighter_key(
        &self,
        tenant: &Tenant,
        account_index: u64,
    ) -> Result<bool, TradeError> {
        Ok(self.store.delete_lighter_key(tenant, account_index).await?)
    }

    /// Returns the master account of an owner. `None` means that the owner has no account.
    ///
    /// # Errors
    /// Fails when Lighter does not state it.
    pub async fn lighter_account_of(
        &self,
        tenant: &Tenant,
        owner: Address,
    ) -> Result<Option<u64>, TradeError> {
        let client = self.lighter_client()?;
        let ask = || Box::pin(client.account_of(owner)) as Question<'_, Option<u64>>;
        Ok(self.client.ask_lighter(tenant, Request::Question, ask).await?)
    }

    /// Opens the stored key of an account.
    ///
    /// # Errors
    /// Fails when the table or KMS fails, or when the key was stored for another network.
    pub async fn open_lighter_key(
        &self,
        tenant: &Tenant,
        account_index: u64,
    ) -> Result<Option<Arc<Credential>>, TradeError> {
        let network = self.lighter_client()?.chain_id();
        let record = self.store.lighter_key(tenant, account_index).await?;
        let Some(record) = record.filter(|record| record.network == network) else {
            return Ok(None);
        };
        let (context, now_ms) = (record.own_context(tenant), self.now_ms());
        let bytes = self.envelope.open_cached(&self.keys, &context, &record.sealed, now_ms).await?;
        let bytes = bytes.as_slice().try_into().map_err(|_| TradeError::DamagedKey)?;
        let key = SecretKey::from_bytes(bytes).map_err(|_| TradeError::DamagedKey)?;
        if key.public_key().to_string() != record.public_key {
            return Err(TradeError::DamagedKey);
        }
        let (account_index, api_key_index) = (record.account_index, record.api_key_index);
        Ok(Some(Arc::new(Credential { account_index, api_key_index, key: Arc::new(key) })))
    }
}
