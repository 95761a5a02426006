//! Storage of the API keys of Lighter's accounts that a tenant has stored.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `tenant#L#accountIndex` | `key` | the account's [`LighterKeyRecord`] |

use domain::ids::{Exchange, Tenant};
use platform::envelope::{Context, Purpose, Sealed};
use platform::items::{Item, StoreError, from_item, put_error, unavailable};
use serde::{Deserialize, Serialize};

use super::{Store, key, to_item};
use crate::trading::ids::lighter_account_id;

const KEY: &str = "key";

/// An API key of an account. One account has one, and another one replaces it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LighterKeyRecord {
    /// Schema number: 1.
    pub schema: u32,
    /// The account.
    pub account_index: u64,
    /// The slot of the key.
    pub api_key_index: u8,
    /// The public key, 80 hex digits.
    pub public_key: String,
    /// The chain id of the network at which the key was found.
    pub network: u32,
    /// The private key, sealed under key A.
    pub sealed: Sealed,
    /// When it was stored, Unix milliseconds.
    pub stored_at_ms: u64,
}

impl LighterKeyRecord {
    /// Returns the encryption context of a private key.
    #[must_use]
    pub fn context(
        tenant: &Tenant,
        network: u32,
        (account_index, api_key_index): (u64, u8),
        public_key: &str,
    ) -> Context {
        Context {
            tenant: tenant.clone(),
            wallet_id: lighter_account_id(network, account_index),
            purpose: Purpose::AgentKey,
            exchange: Some(Exchange::Lighter),
            version: format!("{account_index}/{api_key_index}/{public_key}"),
        }
    }

    /// Returns the encryption context of this private key.
    #[must_use]
    pub fn own_context(&self, tenant: &Tenant) -> Context {
        let slot = (self.account_index, self.api_key_index);
        Self::context(tenant, self.network, slot, &self.public_key)
    }
}

fn key_of(tenant: &Tenant, account_index: u64) -> Item {
    key(&partition(tenant, account_index), KEY)
}

fn partition(tenant: &Tenant, account_index: u64) -> String {
    format!("{tenant}#L#{account_index}")
}

impl Store {
    /// Reads the key of an account.
    ///
    /// # Errors
    /// Fails when the table cannot be read, or the item cannot be parsed.
    pub async fn lighter_key(
        &self,
        tenant: &Tenant,
        account_index: u64,
    ) -> Result<Option<LighterKeyRecord>, StoreError> {
        let got = self
            .db
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key_of(tenant, account_index)))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        got.item.map(|item| from_item("lighter key", item)).transpose()
    }

    /// Stores the key of an account. It replaces the present one.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn put_lighter_key(
        &self,
        tenant: &Tenant,
        record: &LighterKeyRecord,
    ) -> Result<(), StoreError> {
        let item = to_item(&partition(tenant, record.account_index), KEY, record)?;
        let put = self.db.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map_err(put_error)?;
        Ok(())
    }

    /// Deletes the key of an account. Returns whether there was one.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn delete_lighter_key(
        &self,
        tenant: &Tenant,
        account_index: u64,
    ) -> Result<bool, StoreError> {
        let deleted = self
            .db
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key_of(tenant, account_index)))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllOld)
            .send()
            .await
            .map_err(unavailable)?;
        Ok(deleted.attributes.is_some_and(|item| !item.is_empty()))
    }
}
