//! Writes of tenant keys' records.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use domain::random::Random;
use platform::items::{Item, SCHEMA, StoreError, put_error};

use super::credentials::number;
use super::tenant_writes::{NEW, TRIES, TenantError, attribute, pointer, update_error};
use super::tenants::{
    KEY, KEY_OF_TENANT, USED, USED_AT, key_partition, tenant_partition, used_partition,
};
use super::{KeyRecord, Store, TenantRecord, key, replacement, to_item};
use crate::tenancy::{Change, KeyId, KeyLabel, KeyState, MAX_CIDRS, MAX_KEYS};

/// How long a list shows a revoked key, in seconds.
const LISTED_S: u64 = 90 * 24 * 60 * 60;

impl Store {
    /// Adds a key to a tenant, and returns its record with the tenant's state.
    ///
    /// # Errors
    /// When the tenant has no record or too many keys, the key has a record already, a usable key
    /// replaces the same key, other writers
    /// changed the tenant until the last attempt, or the table fails.
    pub async fn add_key(
        &self,
        record: &KeyRecord,
        random: &Random,
    ) -> Result<KeyRecord, TenantError> {
        if record.cidrs.len() > MAX_CIDRS {
            return Err(TenantError::TooManyNetworks);
        }
        let tenant = &record.tenant;
        for _ in 0..TRIES {
            let known = self.tenant(tenant).await?;
            let known = known.ok_or_else(|| TenantError::NotFound(tenant.clone()))?;
            let keys = self.keys(tenant).await?;
            if keys.iter().filter(|key| key.state == KeyState::Active).count() >= MAX_KEYS {
                return Err(TenantError::TooManyKeys(tenant.clone()));
            }
            // No other key of the tenant is added between this check and the transaction, because
            // each one changes the tenant's revision, which was read first.
            if let Some(before) = &record.replaces
                && let Some(rival) = replacement(&keys, before, record.created_at_ms)
            {
                return Err(TenantError::KeyReplaced(rival.key_id.clone()));
            }
            let record = KeyRecord {
                tenant_state: known.state,
                tenant_limits: known.limits,
                ..record.clone()
            };
            let mut items = vec![self.touch(&known, random.uuid()?, "", Item::new())?];
            items.extend(self.new_key(&record)?);
            match self.transact(items).await {
                Ok(()) => return Ok(record),
                Err(StoreError::Conflict) => {
                    if self.key(&record.key_id).await?.is_some() {
                        return Err(TenantError::KeyExists(record.key_id));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(TenantError::Overtaken(tenant.clone()))
    }

    /// Gives a key without a record its records: a tenant of the key's own name, which it was
    /// before, and the key with the usual scopes. Its wallets stay its own. Returns the records that
    /// are there when it was adopted before.
    ///
    /// # Errors
    /// When the key belongs to another tenant, or the table fails.
    pub async fn adopt(
        &self,
        id: &KeyId,
        label: &KeyLabel,
        made: &Change,
        random: &Random,
    ) -> Result<(TenantRecord, KeyRecord), TenantError> {
        let tenant = id.own_tenant().ok_or_else(|| TenantError::KeyNotFound(id.clone()))?;
        for _ in 0..TRIES {
            let known = self.tenant(&tenant).await?;
            match (self.key(id).await?, known) {
                (Some(key), Some(known)) if key.tenant == tenant => return Ok((known, key)),
                (Some(_), _) => return Err(TenantError::KeyExists(id.clone())),
                (None, Some(known)) => {
                    let key = KeyRecord::new(id.clone(), tenant, made);
                    return Ok((known, self.add_key(&key, random).await?));
                }
                (None, None) => {}
            }
            let record = TenantRecord::new(tenant.clone(), label.clone(), made, random.uuid()?);
            let key = KeyRecord::new(id.clone(), tenant.clone(), made);
            let mut items = self.new_tenant(&record)?;
            items.extend(self.new_key(&key)?);
            match self.transact(items).await {
                Ok(()) => return Ok((record, key)),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(TenantError::Overtaken(tenant))
    }

    /// Revokes a key for good, and returns its record. One write decides, so nothing about the tenant
    /// can hold a revocation up. A key without a record gets a tombstone: it is never a tenant of its
    /// own name again.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn revoke_key(&self, id: &KeyId, change: &Change) -> Result<KeyRecord, TenantError> {
        for _ in 0..TRIES {
            self.mark_revoked(id, change).await?;
            let record = match self.key(id).await? {
                Some(record) => Some(record),
                None => self.bury(id, change).await?,
            };
            if let Some(record) = record.filter(|record| record.state == KeyState::Revoked) {
                self.forget_in_list(&record, change.at_ms).await?;
                return Ok(record);
            }
            // The record was written between these calls.
        }
        Err(TenantError::KeyNotFound(id.clone()))
    }

    async fn mark_revoked(&self, id: &KeyId, change: &Change) -> Result<(), StoreError> {
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&key_partition(id), KEY)))
            .update_expression("SET #state = :revoked, #change = :change")
            .condition_expression("#state = :active")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#change", "revoked")
            .expression_attribute_values(":revoked", state(KeyState::Revoked))
            .expression_attribute_values(":active", state(KeyState::Active))
            .expression_attribute_values(":change", attribute(change)?);
        match update.send().await.map_err(update_error) {
            // The key is revoked already, or has no record.
            Ok(_) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Lets a key expire at a time, Unix milliseconds, unless it does so earlier. Returns its record.
    ///
    /// # Errors
    /// When the key has no record or is revoked, or the table fails.
    pub async fn expire_key(&self, id: &KeyId, at_ms: u64) -> Result<KeyRecord, TenantError> {
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&key_partition(id), KEY)))
            .update_expression("SET #expires = :at")
            .condition_expression(
                "#state = :active AND (attribute_not_exists(#expires) OR #expires > :at)",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#expires", "expiresAtMs")
            .expression_attribute_values(":active", state(KeyState::Active))
            .expression_attribute_values(":at", number(at_ms));
        match update.send().await.map_err(update_error) {
            Ok(_) | Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        match self.key(id).await? {
            None => Err(TenantError::KeyNotFound(id.clone())),
            Some(record) if record.state == KeyState::Revoked => {
                Err(TenantError::KeyRevoked(id.clone()))
            }
            Some(record) => Ok(record),
        }
    }

    /// Notes that a key was used in the hour that begins at this time, Unix milliseconds. Writes
    /// nothing when this hour or a later one is noted.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn note_key_used(&self, id: &KeyId, hour_ms: u64) -> Result<(), StoreError> {
        let noted = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&used_partition(id), USED)))
            .update_expression("SET #at = :at, #schema = :schema")
            .condition_expression("attribute_not_exists(#at) OR #at < :at")
            .expression_attribute_names("#at", USED_AT)
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_values(":at", number(hour_ms))
            .expression_attribute_values(":schema", number(SCHEMA.into()))
            .send()
            .await
            .map_err(update_error);
        match noted {
            Ok(_) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes the tombstone of a key that has no record. `None`: now there is a record.
    async fn bury(&self, id: &KeyId, change: &Change) -> Result<Option<KeyRecord>, TenantError> {
        let tenant = id.own_tenant().ok_or_else(|| TenantError::KeyNotFound(id.clone()))?;
        let record = KeyRecord {
            state: KeyState::Revoked,
            revoked: Some(change.clone()),
            ..KeyRecord::new(id.clone(), tenant, change)
        };
        let put = self
            .db
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(&key_partition(id), KEY, &record)?))
            .condition_expression(NEW);
        match put.send().await.map_err(put_error) {
            Ok(_) => Ok(Some(record)),
            Err(StoreError::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets the tenant's list drop a revoked key after [`LISTED_S`]. The key's record stays.
    async fn forget_in_list(&self, record: &KeyRecord, now_ms: u64) -> Result<(), StoreError> {
        let sort = format!("{KEY_OF_TENANT}{}", record.key_id);
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&tenant_partition(&record.tenant), &sort)))
            .update_expression("SET #expires = :expires")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(#expires)")
            .expression_attribute_names("#expires", "expiresAtS")
            .expression_attribute_values(":expires", number(now_ms / 1_000 + LISTED_S));
        match update.send().await.map_err(update_error) {
            Ok(_) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn new_key(&self, record: &KeyRecord) -> Result<Vec<TransactWriteItem>, StoreError> {
        let sort = format!("{KEY_OF_TENANT}{}", record.key_id);
        Ok(vec![
            self.put_if_new(to_item(&key_partition(&record.key_id), KEY, record)?)?,
            self.put_any(pointer(&tenant_partition(&record.tenant), &sort))?,
        ])
    }
}

fn state(state: KeyState) -> AttributeValue {
    AttributeValue::S(state.as_str().to_owned())
}
