//! Access to the chain in the cosigner's table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem};
use domain::ids::Tenant;
use platform::aws::without_conflict_retries;
use platform::items::{
    Item, SHARDS, StoreError, from_item, put_error, to_record, transaction_error,
};
use serde::{Deserialize, Serialize};

use super::chain::Chain;
use super::record::{Entry, HeadItem, head_of};
use crate::record::{Record, link};
use crate::store::Shares;

const HEAD: &str = "head";
const CHANGE: &str = "change#";
/// The partition of the chains' id. No tenant's partition has this form.
const CHAINS: &str = "policy";

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The chains' id, made with the cosigner's table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Chains {
    pub(crate) schema: u32,
    /// 32 random hex digits. They bind each approval to this deployment.
    pub(crate) chain_id: String,
    /// The id of the table in which it was made.
    pub(crate) table_id: String,
    /// Unix milliseconds.
    pub(crate) created_at_ms: u64,
}

/// Returns the key of the head of a tenant's chain.
pub(crate) fn head_key(tenant: &Tenant) -> Item {
    key(format!("{tenant}#P"), HEAD.to_owned())
}

fn key(partition: String, sort: String) -> Item {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(partition)),
        ("sk".to_owned(), AttributeValue::S(sort)),
    ])
}

fn change_key(tenant: &Tenant, seq: u64) -> Item {
    key(format!("{tenant}#P"), format!("{CHANGE}{seq:012}"))
}

/// Returns a condition that the head of a tenant's chain is the one with this number and hash.
pub(crate) fn unchanged(
    table: &str,
    tenant: &Tenant,
    (seq, hash): (u64, &str),
) -> Result<ConditionCheck, StoreError> {
    let check = ConditionCheck::builder().table_name(table).set_key(Some(head_key(tenant)));
    let check = if seq == 0 {
        check.condition_expression("attribute_not_exists(pk)")
    } else {
        check
            .condition_expression("#hash = :hash")
            .expression_attribute_names("#hash", "hash")
            .expression_attribute_values(":hash", AttributeValue::S(hash.to_owned()))
    };
    check.build().map_err(|error| StoreError::Unavailable(error.to_string()))
}

impl Shares {
    /// Reads a tenant's chain; `None` before its first record.
    pub(crate) async fn policy_chain(&self, tenant: &Tenant) -> Result<Option<Chain>, StoreError> {
        self.get(head_key(tenant)).await?.map(head_of).transpose()
    }

    /// Reads the record with this number.
    pub(crate) async fn policy_entry(
        &self,
        tenant: &Tenant,
        seq: u64,
    ) -> Result<Option<Entry>, StoreError> {
        let Some(item) = self.get(change_key(tenant, seq)).await? else { return Ok(None) };
        let record: Record = from_item("record of the policy chain", item)?;
        serde_json::from_str(&record.body).map(Some).map_err(|error| StoreError::Damaged {
            what: "record of the policy chain",
            cause: error.to_string(),
        })
    }

    /// Appends a record and replaces the head, on the condition that the head is unchanged.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another record came first.
    pub(crate) async fn append_policy(
        &self,
        before: &Chain,
        mut next: Chain,
        entry: &Entry,
    ) -> Result<Chain, StoreError> {
        let damaged = |error: serde_json::Error| StoreError::Damaged {
            what: "record of the policy chain",
            cause: error.to_string(),
        };
        let body = serde_json::to_string(entry).map_err(damaged)?;
        let (seq, prev) = (entry.seq, before.hash.clone());
        let record = Record { schema: 1, seq, hash: link(&prev, &body), prev, body };
        (next.seq, next.hash) = (seq, record.hash.clone());
        let head = HeadItem {
            schema: 1,
            seq,
            hash: next.hash.clone(),
            shard: shard_of(&entry.tenant),
            seal_day: entry.at_ms / DAY_MS,
            body: serde_json::to_string(&next).map_err(damaged)?,
        };
        let mut replaced = Put::builder()
            .table_name(&self.table)
            .set_item(Some(to_record(head_key(&entry.tenant), &head)?))
            .condition_expression("attribute_not_exists(pk)");
        if before.seq > 0 {
            replaced = replaced
                .condition_expression("seq = :seq AND #hash = :hash")
                .expression_attribute_names("#hash", "hash")
                .expression_attribute_values(":seq", AttributeValue::N(before.seq.to_string()))
                .expression_attribute_values(":hash", AttributeValue::S(before.hash.clone()));
        }
        let added = Put::builder()
            .table_name(&self.table)
            .set_item(Some(to_record(change_key(&entry.tenant, seq), &record)?))
            .condition_expression("attribute_not_exists(pk)");
        let items = [replaced, added].into_iter().map(|put| {
            let put = put.build().map_err(|error| StoreError::Unavailable(error.to_string()))?;
            Ok(TransactWriteItem::builder().put(put).build())
        });
        self.db
            .transact_write_items()
            .set_transact_items(Some(items.collect::<Result<_, StoreError>>()?))
            // The same request, sent again after a lost response, succeeds again.
            .client_request_token(&record.hash[..36])
            .customize()
            .config_override(without_conflict_retries())
            .send()
            .await
            .map_err(transaction_error)?;
        Ok(next)
    }

    /// Reads the chains' id.
    pub(crate) async fn chains(&self) -> Result<Option<Chains>, StoreError> {
        let item = self.get(key(CHAINS.to_owned(), "chain".to_owned())).await?;
        item.map(|item| from_item("id of the policy chains", item)).transpose()
    }

    /// Writes the chains' id. Conflicts the second time.
    pub(crate) async fn begin_chains(&self, chains: &Chains) -> Result<(), StoreError> {
        let item = to_record(key(CHAINS.to_owned(), "chain".to_owned()), chains)?;
        self.db
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await
            .map_err(put_error)?;
        Ok(())
    }
}

/// Returns the partition of the index `heads` for a tenant.
fn shard_of(tenant: &Tenant) -> String {
    let sum = tenant.to_string().bytes().fold(0_u8, u8::wrapping_add);
    (sum % SHARDS).to_string()
}
