//! Writes of tenants' records. Every write that decides is conditional, and finds its own result when
//! the SDK repeats it after a lost response.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use domain::ids::Tenant;
use domain::random::{Random, RandomError};
use platform::items::{Item, SCHEMA, StoreError, transaction_error, unavailable};
use serde::Serialize;
use uuid::Uuid;

use super::credentials::number;
use super::tenants::{KEY, REGISTRY, TENANT, key_partition, tenant_partition};
use super::{Store, TenantRecord, key, to_item};
use crate::tenancy::{Change, KeyId, KeyState, MAX_CIDRS, MAX_KEYS, TenantLimits, TenantState};

/// How often a write is tried that another writer of the same tenant overtakes.
pub(super) const TRIES: usize = 4;

pub(super) const NEW: &str = "attribute_not_exists(pk)";

/// Why a tenant or a key was not changed.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// A tenant with this name exists.
    #[error("a tenant named {0} exists")]
    Exists(Tenant),
    /// The tenant has no record.
    #[error("the tenant {0} has no record: create the tenant, or adopt its key")]
    NotFound(Tenant),
    /// The key has a record.
    #[error("the key {0} has a record")]
    KeyExists(KeyId),
    /// The key has no record.
    #[error("the key {0} has no record")]
    KeyNotFound(KeyId),
    /// The key is revoked.
    #[error("the key {0} is revoked")]
    KeyRevoked(KeyId),
    /// Another usable key replaces the same key.
    #[error("the key {0} replaces the same key")]
    KeyReplaced(KeyId),
    /// The tenant has as many keys as it may have.
    #[error("the tenant {0} has {MAX_KEYS} keys: revoke one first")]
    TooManyKeys(Tenant),
    /// The key lists too many networks.
    #[error("a key lists at most {MAX_CIDRS} networks")]
    TooManyNetworks,
    /// Other writers changed the tenant at the same time, until the last attempt.
    #[error("other writers changed the tenant {0} at the same time: retry")]
    Overtaken(Tenant),
    /// The system returned no random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The table could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Creates a tenant.
    ///
    /// # Errors
    /// [`TenantError::Exists`] when there is a record of this name.
    pub async fn create_tenant(&self, record: &TenantRecord) -> Result<(), TenantError> {
        let items = self.new_tenant(record)?;
        match self.transact(items).await {
            Err(StoreError::Conflict) => match self.tenant(&record.tenant).await? {
                Some(known) if known.revision == record.revision => Ok(()),
                _ => Err(TenantError::Exists(record.tenant.clone())),
            },
            written => Ok(written?),
        }
    }

    /// Suspends a tenant or resumes it: its record and all its keys in one transaction. Changes
    /// nothing when the tenant is in that state.
    ///
    /// # Errors
    /// When the tenant has no record, other writers changed it until the last attempt, or the table
    /// fails.
    pub async fn set_tenant_state(
        &self,
        tenant: &Tenant,
        state: TenantState,
        change: &Change,
        random: &Random,
    ) -> Result<TenantRecord, TenantError> {
        for _ in 0..TRIES {
            let known = self.tenant(tenant).await?;
            let known = known.ok_or_else(|| TenantError::NotFound(tenant.clone()))?;
            if known.state == state {
                return Ok(known);
            }
            let keys = self.keys(tenant).await?;
            let revision = random.uuid()?;
            let values = Item::from([
                (":state".to_owned(), AttributeValue::S(state.as_str().to_owned())),
                (":change".to_owned(), attribute(change)?),
            ]);
            let set = ", #state = :state, stateChange = :change";
            let mut items = vec![self.touch(&known, revision, set, values)?];
            for key in keys.iter().filter(|key| key.state == KeyState::Active) {
                let state = AttributeValue::S(state.as_str().to_owned());
                items.push(self.copy(&key.key_id, "tenantState", state)?);
            }
            match self.transact(items).await {
                Ok(()) => {
                    let state_change = Some(change.clone());
                    return Ok(TenantRecord { state, revision, state_change, ..known });
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(TenantError::Overtaken(tenant.clone()))
    }

    /// Sets a tenant's limits: in its record and in all its keys, in one transaction.
    ///
    /// # Errors
    /// When the tenant has no record, other writers changed it until the last attempt, or the table
    /// fails.
    pub async fn set_tenant_limits(
        &self,
        tenant: &Tenant,
        limits: TenantLimits,
        random: &Random,
    ) -> Result<TenantRecord, TenantError> {
        for _ in 0..TRIES {
            let known = self.tenant(tenant).await?;
            let known = known.ok_or_else(|| TenantError::NotFound(tenant.clone()))?;
            if known.limits == limits {
                return Ok(known);
            }
            let keys = self.keys(tenant).await?;
            let revision = random.uuid()?;
            let values = Item::from([(":limits".to_owned(), attribute(&limits)?)]);
            let mut items = vec![self.touch(&known, revision, ", limits = :limits", values)?];
            for key in keys.iter().filter(|key| key.state == KeyState::Active) {
                items.push(self.copy(&key.key_id, "tenantLimits", attribute(&limits)?)?);
            }
            match self.transact(items).await {
                Ok(()) => return Ok(TenantRecord { limits, revision, ..known }),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(TenantError::Overtaken(tenant.clone()))
    }

    pub(super) fn new_tenant(
        &self,
        record: &TenantRecord,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let partition = tenant_partition(&record.tenant);
        Ok(vec![
            self.put_if_new(to_item(&partition, TENANT, record)?)?,
            // A name that is registered without a record is a write of an earlier attempt.
            self.put_any(pointer(REGISTRY, record.tenant.as_str()))?,
        ])
    }

    /// An update of a tenant's record at a known revision. `set` continues the expression.
    pub(super) fn touch(
        &self,
        known: &TenantRecord,
        revision: Uuid,
        set: &str,
        values: Item,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(&tenant_partition(&known.tenant), TENANT)))
            .update_expression(format!("SET revision = :revision{set}"))
            .condition_expression("revision = :known")
            .expression_attribute_values(":revision", AttributeValue::S(revision.to_string()))
            .expression_attribute_values(":known", AttributeValue::S(known.revision.to_string()));
        if set.contains("#state") {
            update = update.expression_attribute_names("#state", "state");
        }
        for (name, value) in values {
            update = update.expression_attribute_values(name, value);
        }
        let update = update.build().map_err(|error| broken(&error))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// An update of a key's copy of an attribute of its tenant.
    fn copy(
        &self,
        id: &KeyId,
        attribute: &str,
        value: AttributeValue,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(&key_partition(id), KEY)))
            .update_expression("SET #copy = :copy")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#copy", attribute)
            .expression_attribute_values(":copy", value)
            .build()
            .map_err(|error| broken(&error))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    pub(super) fn put_if_new(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(NEW)
            .build()
            .map_err(|error| broken(&error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    pub(super) fn put_any(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).build();
        let put = put.map_err(|error| broken(&error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Writes all or nothing. The SDK draws a token, under which its own repeats are one request.
    pub(super) async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<(), StoreError> {
        let sent = self.db.transact_write_items().set_transact_items(Some(items)).send().await;
        sent.map(|_| ()).map_err(transaction_error)
    }
}

/// An item that is its key.
pub(super) fn pointer(partition: &str, sort: &str) -> Item {
    let mut item = key(partition, sort);
    item.insert("schema".to_owned(), number(SCHEMA.into()));
    item
}

pub(super) fn attribute<T: Serialize>(value: &T) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value)
        .map_err(|error| StoreError::Damaged { what: "change", cause: error.to_string() })
}

fn broken(error: &aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

pub(super) fn update_error(
    error: aws_sdk_dynamodb::error::SdkError<UpdateItemError>,
) -> StoreError {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(_)) => StoreError::Conflict,
        _ => unavailable(error),
    }
}
