//! The table of one side's recovery records. It is apart from the side's other tables, so that it
//! can be replicated: each item is written once and never changed.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `tenant#W#walletId` | `recovery#version` | the record of this version of the side's share |

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use domain::ids::Tenant;
use serde::Serialize;
use uuid::Uuid;

use crate::aws::Lazy;
use crate::env::Env;
use crate::items::{Item, StoreError, to_record, unavailable};

const RECORD: &str = "recovery#";

/// The settings of one side.
#[derive(Clone, Debug)]
pub struct RecoverySetting {
    /// `RECOVERY_TABLE`: the table of the side's records.
    pub table: String,
    /// `RECOVERY_PUBLIC_KEY`: at most two keys, separated by a comma. Empty without a key.
    pub public_keys: String,
    /// `SERVICE_NAME`: the name that the records give to the deployment.
    pub deployment: String,
}

impl RecoverySetting {
    /// Reads the settings from the environment. Functions that make no shares have none.
    #[must_use]
    pub fn from_env(env: &Env<'_>) -> Option<Self> {
        Some(Self {
            table: env.optional("RECOVERY_TABLE")?,
            public_keys: env.optional("RECOVERY_PUBLIC_KEY").unwrap_or_default(),
            deployment: env.optional("SERVICE_NAME").unwrap_or_default(),
        })
    }
}

/// A table of recovery records.
#[derive(Clone, Debug)]
pub struct RecoveryTable {
    db: Lazy<aws_sdk_dynamodb::Client>,
    table: String,
}

impl RecoveryTable {
    /// Makes the table with this name.
    #[must_use]
    pub fn new(db: Lazy<aws_sdk_dynamodb::Client>, table: &str) -> Self {
        Self { db, table: table.to_owned() }
    }

    /// Returns the write of a record, for the transaction that stores its share. It has no
    /// condition: the condition of the share decides.
    ///
    /// # Errors
    /// Fails when the record does not serialise.
    pub fn put(
        &self,
        (tenant, wallet_id): (&Tenant, Uuid),
        version: u32,
        record: &impl Serialize,
    ) -> Result<TransactWriteItem, StoreError> {
        let item = to_record(key(tenant, wallet_id, version), record)?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).build();
        let put = put.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Returns the versions of a wallet that have a record, the oldest first.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn versions(&self, tenant: &Tenant, id: Uuid) -> Result<Vec<u32>, StoreError> {
        let output = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :record)")
            .projection_expression("sk")
            .expression_attribute_values(":pk", partition(tenant, id))
            .expression_attribute_values(":record", AttributeValue::S(RECORD.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        let items = output.items.unwrap_or_default();
        Ok(items.iter().filter_map(version_of).collect())
    }

    /// Deletes the record of a version that is given up.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn delete(&self, tenant: &Tenant, id: Uuid, version: u32) -> Result<(), StoreError> {
        let deleted = self.db.delete_item().table_name(&self.table);
        deleted.set_key(Some(key(tenant, id, version))).send().await.map_err(unavailable)?;
        Ok(())
    }

    /// Returns a page of all records as items, and the key after which the next page begins.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn page(&self, after: Option<Item>) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let output = self
            .db
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .set_exclusive_start_key(after)
            .send()
            .await
            .map_err(unavailable)?;
        Ok((output.items.unwrap_or_default(), output.last_evaluated_key))
    }
}

fn partition(tenant: &Tenant, wallet_id: Uuid) -> AttributeValue {
    AttributeValue::S(format!("{tenant}#W#{wallet_id}"))
}

/// Returns the key of a record's item.
#[must_use]
pub fn key(tenant: &Tenant, wallet_id: Uuid, version: u32) -> Item {
    let sort = AttributeValue::S(format!("{RECORD}{version:010}"));
    Item::from([("pk".to_owned(), partition(tenant, wallet_id)), ("sk".to_owned(), sort)])
}

fn version_of(item: &Item) -> Option<u32> {
    item.get("sk")?.as_s().ok()?.strip_prefix(RECORD)?.parse().ok()
}
