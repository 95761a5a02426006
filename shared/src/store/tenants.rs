//! Tenants and their keys: what is stored, and how it is read.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `#key#keyId` | `key` | [`KeyRecord`] |
//! | `#used#keyId` | `used` | when the key was last used, to the hour |
//! | `#tenant#name` | `tenant` | [`TenantRecord`] |
//! | `#tenant#name` | `key#keyId` | names a key of the tenant, dropped 90 days after its revocation |
//! | `#tenants` | `name` | names a tenant |
//!
//! A request reads one item: the key's record has a copy of the tenant's state, which a suspension
//! writes in the same transaction. Identifiers hold no `#`, so no tenant's own items are in these
//! partitions, and policies can name them by their start.
//!
//! Security invariant: a key's record is never deleted and never gets `expiresAtS`, the attribute by
//! which the table drops items. A revoked key stays as a tombstone.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::Tenant;
use futures_util::future::BoxFuture;
use futures_util::future::try_join_all;
use platform::items::{Item, SCHEMA, StoreError, from_item, unavailable};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Store, key};
use crate::tenancy::{Change, Cidr, KeyId, KeyLabel, KeyState, Scopes, TenantLimits, TenantState};

pub(super) const KEY: &str = "key";
pub(super) const USED: &str = "used";
pub(super) const TENANT: &str = "tenant";
pub(super) const REGISTRY: &str = "#tenants";
pub(super) const KEY_OF_TENANT: &str = "key#";
pub(super) const USED_AT: &str = "usedAtMs";

/// The number of records that one list reads at a time.
const AT_ONCE: usize = 25;

/// A tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantRecord {
    /// 1.
    pub schema: u32,
    /// Its name.
    pub tenant: Tenant,
    /// The operator's words for it.
    #[serde(default, skip_serializing_if = "KeyLabel::is_empty")]
    pub label: KeyLabel,
    /// Whether it may act.
    pub state: TenantState,
    /// The limits that differ from the deployment's.
    #[serde(default)]
    pub limits: TenantLimits,
    /// When the record was made, Unix milliseconds.
    pub created_at_ms: u64,
    /// Who made the record: see [`Change::by`].
    pub created_by: String,
    /// Drawn for each write of the state, the limits or a new key. A writer that names an earlier
    /// revision is refused.
    pub revision: Uuid,
    /// The last change of the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_change: Option<Change>,
}

impl TenantRecord {
    /// An active tenant with the deployment's limits.
    #[must_use]
    pub fn new(tenant: Tenant, label: KeyLabel, made: &Change, revision: Uuid) -> Self {
        Self {
            schema: SCHEMA,
            tenant,
            label,
            state: TenantState::Active,
            limits: TenantLimits::default(),
            created_at_ms: made.at_ms,
            created_by: made.by.clone(),
            revision,
            state_change: None,
        }
    }
}

/// A tenant key. The value of the key is not stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRecord {
    /// 1.
    pub schema: u32,
    /// Its id.
    pub key_id: KeyId,
    /// Whose key it is.
    pub tenant: Tenant,
    /// A copy of [`TenantRecord::state`].
    pub tenant_state: TenantState,
    /// A copy of [`TenantRecord::limits`].
    #[serde(default, skip_serializing_if = "TenantLimits::is_default")]
    pub tenant_limits: TenantLimits,
    /// The tenant's label.
    #[serde(default, skip_serializing_if = "KeyLabel::is_empty")]
    pub label: KeyLabel,
    /// What it may be used for.
    pub scopes: Scopes,
    /// Whether it may be used.
    pub state: KeyState,
    /// When the record was made, Unix milliseconds.
    pub created_at_ms: u64,
    /// Who made the record: see [`Change::by`].
    pub created_by: String,
    /// From when the key may not be used any more, Unix milliseconds. `None`: it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
    /// The networks that it may be used from. Empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cidrs: Vec<Cidr>,
    /// The key that it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<KeyId>,
    /// The request with an `Idempotency-Key` that it was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<Uuid>,
    /// Its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Change>,
}

impl KeyRecord {
    /// An active key with the usual scopes, which does not expire and may be used from anywhere.
    #[must_use]
    pub fn new(key_id: KeyId, tenant: Tenant, made: &Change) -> Self {
        Self {
            schema: SCHEMA,
            key_id,
            tenant,
            tenant_state: TenantState::Active,
            tenant_limits: TenantLimits::default(),
            label: KeyLabel::default(),
            scopes: Scopes::usual(),
            state: KeyState::Active,
            created_at_ms: made.at_ms,
            created_by: made.by.clone(),
            expires_at_ms: None,
            cidrs: Vec::new(),
            replaces: None,
            made_by: None,
            revoked: None,
        }
    }

    /// Whether it is over at this time, Unix milliseconds.
    #[must_use]
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_at_ms.is_some_and(|at_ms| now_ms >= at_ms)
    }
}

/// Returns true if a key is neither revoked nor expired.
#[must_use]
pub fn is_usable(key: &KeyRecord, now_ms: u64) -> bool {
    key.state == KeyState::Active && !key.is_expired(now_ms)
}

/// Returns the usable key that replaces another one.
#[must_use]
pub fn replacement<'a>(
    keys: &'a [KeyRecord],
    before: &KeyId,
    now_ms: u64,
) -> Option<&'a KeyRecord> {
    keys.iter().find(|key| key.replaces.as_ref() == Some(before) && is_usable(key, now_ms))
}

/// The time of a key's last use, to the hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsedRecord {
    pub(super) schema: u32,
    pub(super) used_at_ms: u64,
}

pub(super) fn key_partition(id: &KeyId) -> String {
    format!("#key#{id}")
}

pub(super) fn used_partition(id: &KeyId) -> String {
    format!("#used#{id}")
}

pub(super) fn tenant_partition(tenant: &Tenant) -> String {
    format!("#tenant#{tenant}")
}

impl Store {
    /// Returns a key's record. One strongly consistent read.
    ///
    /// # Errors
    /// When the table cannot be read, or the record cannot.
    pub async fn key(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        self.read("tenant key", key(&key_partition(id), KEY)).await
    }

    /// Returns a tenant's record. One strongly consistent read.
    ///
    /// # Errors
    /// When the table cannot be read, or the record cannot.
    pub async fn tenant(&self, tenant: &Tenant) -> Result<Option<TenantRecord>, StoreError> {
        self.read("tenant", key(&tenant_partition(tenant), TENANT)).await
    }

    /// Returns when a key was last used, to the hour, Unix milliseconds.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub fn key_used_ms<'a>(
        &'a self,
        id: &'a KeyId,
    ) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        Box::pin(async move {
            let used: Option<UsedRecord> =
                self.read("use of a tenant key", key(&used_partition(id), USED)).await?;
            Ok(used.map(|used| used.used_at_ms))
        })
    }

    /// Returns the names of up to `limit` tenants that have a record, by name, after a given one.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn tenants(
        &self,
        after: Option<&Tenant>,
        limit: i32,
    ) -> Result<Vec<Tenant>, StoreError> {
        let output = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk > :after")
            .expression_attribute_values(":pk", AttributeValue::S(REGISTRY.to_owned()))
            .expression_attribute_values(
                ":after",
                // Below every name.
                AttributeValue::S(after.map_or("!", Tenant::as_str).to_owned()),
            )
            .consistent_read(true)
            .limit(limit)
            .send()
            .await
            .map_err(unavailable)?;
        let names = output.items.unwrap_or_default();
        names.iter().map(|item| named(item, "", "tenant")).collect()
    }

    /// Returns a tenant's keys in the order of their creation: those that are active, those that have
    /// expired, and those that were revoked in the last 90 days.
    ///
    /// # Errors
    /// When the table cannot be read, or a record cannot.
    pub fn keys<'a>(
        &'a self,
        tenant: &'a Tenant,
    ) -> BoxFuture<'a, Result<Vec<KeyRecord>, StoreError>> {
        Box::pin(async move {
            let (mut ids, mut from) = (Vec::<KeyId>::new(), None);
            loop {
                let page = self
                    .db
                    .query()
                    .table_name(&self.table)
                    .key_condition_expression("pk = :pk AND begins_with(sk, :key)")
                    .expression_attribute_values(":pk", AttributeValue::S(tenant_partition(tenant)))
                    .expression_attribute_values(
                        ":key",
                        AttributeValue::S(KEY_OF_TENANT.to_owned()),
                    )
                    .consistent_read(true)
                    .set_exclusive_start_key(from)
                    .send()
                    .await
                    .map_err(unavailable)?;
                for item in page.items.unwrap_or_default() {
                    ids.push(named(&item, KEY_OF_TENANT, "tenant key")?);
                }
                from = page.last_evaluated_key;
                if from.is_none() {
                    break;
                }
            }
            let mut keys = Vec::new();
            for ids in ids.chunks(AT_ONCE) {
                let read = try_join_all(ids.iter().map(|id| self.key(id))).await?;
                keys.extend(read.into_iter().flatten());
            }
            keys.sort_by(|one: &KeyRecord, other| {
                let order = |key: &KeyRecord| (key.created_at_ms, key.key_id.as_str().to_owned());
                order(one).cmp(&order(other))
            });
            Ok(keys)
        })
    }

    async fn read<T: serde::de::DeserializeOwned>(
        &self,
        what: &'static str,
        key: Item,
    ) -> Result<Option<T>, StoreError> {
        let output = self
            .db
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        output.item.map(|item| from_item(what, item)).transpose()
    }
}

/// Reads the name that follows a prefix in an item's sort key.
fn named<T: std::str::FromStr>(
    item: &Item,
    prefix: &str,
    what: &'static str,
) -> Result<T, StoreError> {
    let sort = item.get("sk").and_then(|value| value.as_s().ok());
    let name = sort.and_then(|sort| sort.strip_prefix(prefix)?.parse().ok());
    name.ok_or_else(|| StoreError::Damaged { what, cause: "the sort key names none".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str) -> Item {
        let item: serde_dynamo::Item = serde_json::from_str(text).unwrap();
        item.into()
    }

    #[test]
    fn tenant_and_key_of_schema_1_are_read() {
        let tenant = item(include_str!("../../tests/samples/tenant.v1.json"));
        let tenant: TenantRecord = from_item("tenant", tenant).unwrap();
        assert_eq!((tenant.tenant.as_str(), tenant.state), ("acme", TenantState::Suspended));
        assert_eq!(tenant.limits.wallets, Some(5_000));
        assert_eq!(tenant.state_change.unwrap().reason, "a key has leaked");

        let new = item(include_str!("../../tests/samples/tenant-new.v1.json"));
        let new: TenantRecord = from_item("tenant", new).unwrap();
        assert!(new.state == TenantState::Active && new.limits == TenantLimits::default());
        assert!(new.label.is_empty() && new.state_change.is_none());

        let active = item(include_str!("../../tests/samples/tenant-key.v1.json"));
        let active: KeyRecord = from_item("tenant key", active).unwrap();
        assert_eq!((active.tenant.as_str(), active.state), ("acme", KeyState::Active));
        assert_eq!((active.scopes, active.cidrs.len()), (Scopes::usual(), 2));
        assert!(active.is_expired(1_835_000_000_000) && !active.is_expired(1_834_999_999_999));
        assert_eq!(active.replaces.unwrap().as_str(), "z9y8x7w6v5");

        let revoked = item(include_str!("../../tests/samples/tenant-key-revoked.v1.json"));
        let revoked: KeyRecord = from_item("tenant key", revoked).unwrap();
        assert!(revoked.state == KeyState::Revoked && !revoked.is_expired(u64::MAX));
        assert_eq!(revoked.revoked.unwrap().by, "arn:aws:iam::111122223333:user/operator");

        let used = item(include_str!("../../tests/samples/tenant-key-used.v1.json"));
        let used: UsedRecord = from_item("use of a tenant key", used).unwrap();
        assert_eq!(used.used_at_ms % 3_600_000, 0);
    }
}
