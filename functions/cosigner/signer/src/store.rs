//! The cosigner's table: its shares, and the state of open sessions.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `tenant#W#walletId` | `audit` | the head of its audit log, with counts and the gate |
//! | `tenant#W#walletId` | `audit#seq` | one record of its audit log; append-only |
//! | `tenant#W#walletId` | `session#id` | the keys of the kept state, sealed, short-lived |
//! | `tenant#W#walletId` | `session#id#committed` | party 1's commitments in a key generation |
//! | `tenant#rates` | `rates`, `rates#kind` | the number of signatures of a kind the tenant has begun |
//! | `tenant#W#walletId` | `share#version` | a share, sealed; never expires: see `versions` |
//!
//! The items of payments are in `payments::record`.

mod versions;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValue};
use domain::ids::Tenant;
use platform::aws::Lazy;
use platform::envelope::{Context, Purpose, Sealed};
use platform::items::{Item, StoreError, from_item, put_error, to_record, unavailable};
use protocol::{SessionId, WalletKey};
use serde::{Deserialize, Serialize};

pub(crate) use versions::{leftovers, others};

/// The schema number that this version writes.
const SCHEMA: u32 = 1;

/// The purpose of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionKind {
    /// A new key.
    Keygen,
    /// A signature.
    Sign,
    /// New shares of a key.
    Refresh,
    /// A signature that tries new shares.
    Confirm,
    /// A signature of a payment.
    Payment,
}

impl SessionKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Keygen => "keygen",
            Self::Sign => "sign",
            Self::Refresh => "refresh",
            Self::Confirm => "confirm",
            Self::Payment => "payment",
        }
    }
}

/// An open session.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionRecord {
    /// Schema number: 1.
    pub schema: u32,
    /// The session's purpose.
    pub kind: SessionKind,
    /// Expiry in Unix seconds; also the table's TTL. Checked on every read, because TTL deletion
    /// is late.
    pub expires_at_s: u64,
    /// The keys of the state kept between its two calls.
    pub sealed: Sealed,
}

/// Party 1's commitments in a key generation.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommitmentsRecord {
    schema: u32,
    /// Expiry in Unix seconds; also the table's TTL.
    expires_at_s: u64,
    /// SHA-256, in hex.
    hash: String,
}

/// A share as stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareItem {
    /// Schema number: 1.
    pub schema: u32,
    /// Bars signing. Earlier versions wrote it here; this version bars the key in its head.
    pub barred: bool,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// The sealed share; `None` when it was retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// The version it was made from; `None` for key generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// Whether it has signed with party 1's share. Before that, nothing relies on a share made by
    /// a refresh.
    #[serde(default)]
    pub confirmed: bool,
}

/// The cosigner's table.
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    pub(crate) db: Lazy<aws_sdk_dynamodb::Client>,
    pub(crate) table: String,
}

impl Shares {
    pub(crate) fn new(db: Lazy<aws_sdk_dynamodb::Client>, table: &str) -> Self {
        Self { db, table: table.to_owned() }
    }

    /// Opens a session by writing its item. Conflicts when the session was opened before.
    pub(crate) async fn open(&self, item: Item) -> Result<(), StoreError> {
        self.put_new(item).await
    }

    /// Takes a session out. Exactly one caller receives it.
    pub(crate) async fn take(
        &self,
        key: &WalletKey,
        session: SessionId,
    ) -> Result<Option<SessionRecord>, StoreError> {
        // A deletion of a missing item succeeds and returns nothing, so it needs no condition.
        let output = self
            .db
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(session_key(key, session)))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(unavailable)?;
        output.attributes.map(|item| from_item("session", item)).transpose()
    }

    /// Reads an open session, and leaves it in the table.
    pub(crate) async fn session(
        &self,
        key: &WalletKey,
        session: SessionId,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let item = self.get(session_key(key, session)).await?;
        item.map(|item| from_item("session", item)).transpose()
    }

    /// Fixes party 1's commitments. Conflicts the second time. Only the TTL deletes them, after
    /// the session.
    pub(crate) async fn fix_commitments(
        &self,
        key: &WalletKey,
        session: SessionId,
        expires_at_s: u64,
        hash: String,
    ) -> Result<(), StoreError> {
        let record = CommitmentsRecord { schema: SCHEMA, expires_at_s, hash };
        self.put_new(to_record(committed_key(key, session), &record)?).await
    }

    /// Reads party 1's commitments.
    pub(crate) async fn commitments(
        &self,
        key: &WalletKey,
        session: SessionId,
    ) -> Result<Option<String>, StoreError> {
        let item = self.get(committed_key(key, session)).await?;
        let record = item.map(|item| from_item::<CommitmentsRecord>("commitments", item));
        Ok(record.transpose()?.map(|record| record.hash))
    }

    pub(crate) async fn get(&self, key: Item) -> Result<Option<Item>, StoreError> {
        let output = self
            .db
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        Ok(output.item)
    }

    /// Reads items in one consistent read, and returns them in the order of their keys.
    pub(crate) async fn get_all(&self, keys: &[Item]) -> Result<Vec<Option<Item>>, StoreError> {
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys.to_vec()))
            .consistent_read(true)
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let output = self
            .db
            .batch_get_item()
            .request_items(&self.table, wanted)
            .send()
            .await
            .map_err(unavailable)?;
        let mut found: Vec<Option<Item>> = vec![None; keys.len()];
        // DynamoDB omits throttled items from a batch. The SDK retries single reads, but not
        // these.
        if output.unprocessed_keys().is_some_and(|left| !left.is_empty()) {
            for (place, key) in found.iter_mut().zip(keys) {
                *place = self.get(key.clone()).await?;
            }
            return Ok(found);
        }
        for item in output.responses.unwrap_or_default().remove(&self.table).unwrap_or_default() {
            let is_of = |key: &Item| key.iter().all(|(name, value)| item.get(name) == Some(value));
            if let Some(place) = keys.iter().position(is_of)
                && let Some(found) = found.get_mut(place)
            {
                *found = Some(item);
            }
        }
        Ok(found)
    }

    /// Writes an item that replaces the one with the version before; version 1 is new.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another writer came first.
    pub(crate) async fn put_version(&self, item: Item, version: u64) -> Result<(), StoreError> {
        if version == 1 {
            return self.put_new(item).await;
        }
        self.db
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", AttributeValue::N((version - 1).to_string()))
            .send()
            .await
            .map_err(put_error)?;
        Ok(())
    }

    async fn put_new(&self, item: Item) -> Result<(), StoreError> {
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

/// Builds the stored item of a session.
pub(crate) fn session_item(
    key: &WalletKey,
    session: SessionId,
    kind: SessionKind,
    expires_at_s: u64,
    sealed: Sealed,
) -> Result<Item, StoreError> {
    let record = SessionRecord { schema: SCHEMA, kind, expires_at_s, sealed };
    to_record(session_key(key, session), &record)
}

/// Builds the stored item of a share. A stored share is never overwritten.
pub(crate) fn share_item(
    key: &WalletKey,
    from: Option<u32>,
    created_at_ms: u64,
    sealed: Sealed,
) -> Result<Item, StoreError> {
    let record = ShareItem {
        schema: SCHEMA,
        barred: false,
        created_at_ms,
        sealed: Some(sealed),
        from,
        confirmed: false,
    };
    to_record(share_key(key), &record)
}

fn partition(key: &WalletKey) -> AttributeValue {
    AttributeValue::S(format!("{}#W#{}", key.tenant, key.wallet_id))
}

pub(crate) fn item_key(key: &WalletKey, sort: String) -> Item {
    HashMap::from([("pk".to_owned(), partition(key)), ("sk".to_owned(), AttributeValue::S(sort))])
}

/// Returns the key of an item of a tenant's policy and payments.
pub(crate) fn tenant_key(tenant: &Tenant, sort: String) -> Item {
    let partition = AttributeValue::S(format!("{tenant}#P"));
    HashMap::from([("pk".to_owned(), partition), ("sk".to_owned(), AttributeValue::S(sort))])
}

fn session_key(key: &WalletKey, session: SessionId) -> Item {
    item_key(key, format!("session#{}", hex(session)))
}

fn committed_key(key: &WalletKey, session: SessionId) -> Item {
    item_key(key, format!("session#{}#committed", hex(session)))
}

const SHARE: &str = "share#";

pub(crate) fn share_key(key: &WalletKey) -> Item {
    item_key(key, format!("{SHARE}{}", key.key_version))
}

/// Returns the encryption context of the cosigner's share.
pub(crate) fn share_context(key: &WalletKey) -> Context {
    Context {
        tenant: key.tenant.clone(),
        wallet_id: key.wallet_id,
        purpose: Purpose::CosignerShare,
        exchange: None,
        version: key.key_version.to_string(),
    }
}

/// Returns the encryption context of a session's state.
pub(crate) fn session_context(key: &WalletKey, session: SessionId, kind: SessionKind) -> Context {
    Context {
        tenant: key.tenant.clone(),
        wallet_id: key.wallet_id,
        purpose: Purpose::CosignerSession,
        exchange: None,
        version: format!("{}/{}/{}", kind.as_str(), key.key_version, hex(session)),
    }
}

fn hex(session: SessionId) -> String {
    session.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Tests that one item of each schema version ever stored still parses.
#[cfg(test)]
mod samples {
    use super::*;

    fn item(text: &str) -> Item {
        let item: serde_dynamo::Item = serde_json::from_str(text).unwrap();
        item.into()
    }

    #[test]
    fn items_of_schema_1_are_read() {
        let share = item(include_str!("../tests/samples/share-1.v1.json"));
        let share: ShareItem = from_item("share", share).unwrap();
        assert!(share.schema == 1 && !share.barred && share.created_at_ms > 0);
        assert!(share.sealed.is_some() && share.from.is_none());
        let share = item(include_str!("../tests/samples/share-retired.v1.json"));
        let share: ShareItem = from_item("share", share).unwrap();
        assert!(share.sealed.is_none() && share.from == Some(1) && share.confirmed);
        let session = item(include_str!("../tests/samples/session.v1.json"));
        let session: SessionRecord = from_item("session", session).unwrap();
        assert_eq!((session.kind, session.expires_at_s), (SessionKind::Sign, 1_795_408_094));
        let beside = item(include_str!("../tests/samples/session-beside.v1.json"));
        let beside: SessionRecord = from_item("session", beside).unwrap();
        assert_eq!((beside.kind, beside.sealed.size()), (SessionKind::Sign, 1 + 32 + 12 + 48));
    }
}
