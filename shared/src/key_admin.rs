//! Tenant keys: created, rotated and revoked, at API Gateway and in the table.
//!
//! API Gateway authenticates a key, and the key's record states its rights. So each change consists
//! of two writes. Their order leaves no usable key without a record after a crash:
//!
//! | step of a creation | after a crash here |
//! | --- | --- |
//! | [`KeyAdmin::prepare`] creates the key at API Gateway, attached to no usage plan | it opens nothing, and its value is lost |
//! | it writes the record | it opens nothing, because no usage plan has it |
//! | [`KeyAdmin::open`] attaches it to the usage plan | it works as its record says |
//!
//! [`KeyAdmin::revoke`] deletes the key at API Gateway and leaves a tombstone in the table. It tries
//! both, whether or not one of them fails. The key is deleted and not only disabled, because an account
//! has room for a limited number of keys, which a tenant could fill with revoked ones.

use std::sync::{Arc, OnceLock};

use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::{Random, RandomError};
use futures_util::future::BoxFuture;
use platform::aws::Aws;
use platform::env::ConfigError;
use platform::items::StoreError;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::aws::{ApiGatewayClient, CallError};
use crate::runtime::Runtime;
use crate::store::{KeyRecord, Store, TenantError, is_usable, replacement};
use crate::tenancy::{
    Change, Cidr, KeyId, KeyLabel, KeyState, MAX_KEYS, Scope, Scopes, draw_key_value,
};

/// The longest overlap of a rotation, in milliseconds.
pub const MAX_OVERLAP_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// The overlap of a rotation that names none, in milliseconds.
pub const OVERLAP_MS: u64 = 60 * 60 * 1_000;

/// The administration of tenant keys.
#[derive(Clone, Debug)]
pub struct KeyAdmin {
    /// The wallets' table.
    pub store: Store,
    gateway: ApiGatewayClient,
    /// The usage plan that opens the API, as soon as it is known.
    plan: Arc<OnceLock<String>>,
    /// The deployment's name: the name of its usage plan, and the first part of a key's name at API
    /// Gateway.
    service: String,
    /// The time.
    pub clock: Clock,
    random: Random,
}

/// A request for a new key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRequest {
    /// Its tenant.
    pub tenant: Tenant,
    /// The tenant's label.
    pub label: KeyLabel,
    /// Its scopes.
    pub scopes: Scopes,
    /// Its expiry, Unix milliseconds.
    pub expires_at_ms: Option<u64>,
    /// The networks that may use it; empty: any.
    pub cidrs: Vec<Cidr>,
    /// The key that it replaces.
    pub replaces: Option<KeyId>,
    /// The request with an `Idempotency-Key` that it is for.
    pub made_by: Option<Uuid>,
}

/// A right that a key cannot grant because it does not have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GrantError {
    /// A scope that it lacks.
    #[error("it lacks the scope {0}")]
    Scope(Scope),
    /// Networks beyond its own.
    #[error("the networks are not within its own")]
    Networks,
    /// A time after its own expiry.
    #[error("it expires earlier")]
    Expiry,
}

impl KeyRequest {
    /// Returns the request for a key that replaces another one and may do the same.
    #[must_use]
    pub fn instead_of(before: &KeyRecord) -> Self {
        Self {
            tenant: before.tenant.clone(),
            label: before.label.clone(),
            scopes: before.scopes,
            expires_at_ms: before.expires_at_ms,
            cidrs: before.cidrs.clone(),
            replaces: Some(before.key_id.clone()),
            made_by: None,
        }
    }

    /// Limits the new key to the rights of the granting key. Networks and expiry that the request
    /// omits are those of the granting key.
    ///
    /// # Errors
    /// Fails when the request names more.
    pub fn within(self, own: &KeyRecord) -> Result<Self, GrantError> {
        let lacking = self.scopes.iter().find(|scope| !own.scopes.contains(*scope));
        if let Some(scope) = lacking {
            return Err(GrantError::Scope(scope));
        }
        let is_inside = |network: &Cidr| own.cidrs.iter().any(|own| own.covers(*network));
        let cidrs = if self.cidrs.is_empty() { own.cidrs.clone() } else { self.cidrs };
        if !own.cidrs.is_empty() && !cidrs.iter().all(is_inside) {
            return Err(GrantError::Networks);
        }
        let expires_at_ms = match (self.expires_at_ms, own.expires_at_ms) {
            (Some(asked), Some(own)) if asked > own => return Err(GrantError::Expiry),
            (asked, own) => asked.or(own),
        };
        Ok(Self { cidrs, expires_at_ms, ..self })
    }
}

/// A key that was made, with its value, which is not stored.
pub struct MadeKey {
    /// The record.
    pub record: KeyRecord,
    /// The value of `X-API-KEY`.
    pub value: Zeroizing<String>,
}

impl std::fmt::Debug for MadeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MadeKey({})", self.record.key_id)
    }
}

/// An error of a change of tenant keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyAdminError {
    /// The tenant has a usable key with this label.
    #[error("the tenant has a key with this label: {0}")]
    LabelTaken(KeyId),
    /// Another rotation has replaced the key.
    #[error("the key is being replaced by another one: {0}")]
    Replaced(KeyId),
    /// The key was revoked meanwhile.
    #[error("the key {0} was revoked before it could be used")]
    Overtaken(KeyId),
    /// The record could not be read or written.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// API Gateway failed. A retry of the command completes the change.
    #[error("API Gateway: {0}")]
    Gateway(#[from] CallError),
    /// The deployment's usage plan was not found by its name.
    #[error("API Gateway has {1} usage plans with the name {0}, not one")]
    Plan(String, usize),
    /// API Gateway's id of the key is invalid.
    #[error("API Gateway returned an id that is not one")]
    Id,
    /// The system has no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl From<StoreError> for KeyAdminError {
    fn from(error: StoreError) -> Self {
        Self::Tenant(error.into())
    }
}

impl KeyAdmin {
    /// Makes the clients from the environment. The usage plan is the one with the name
    /// `SERVICE_NAME`: a template cannot give a function of the API the plan's id, because the plan
    /// depends on the API, and the API on its functions.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        let Runtime { env, clock, random } = runtime;
        let (store, aws) = (Store::from_env(env)?, Aws::from_env(env)?);
        let service = env.required("SERVICE_NAME")?;
        Ok(Self::new(store, &aws, (&service, None), clock.clone(), random.clone()))
    }

    /// Returns the administration of a deployment's keys, for its service name and usage plan. Without
    /// an id, the plan is the one with the service's name.
    #[must_use]
    pub fn new(
        store: Store,
        aws: &Aws,
        (service, plan): (&str, Option<&str>),
        clock: Clock,
        random: Random,
    ) -> Self {
        let gateway = ApiGatewayClient::new(aws);
        let plan = plan.map(|id| OnceLock::from(id.to_owned())).unwrap_or_default();
        let (service, plan) = (service.to_owned(), Arc::new(plan));
        Self { store, gateway, plan, service, clock, random }
    }

    /// Creates a key that is not attached yet, and its record.
    ///
    /// # Errors
    /// Fails when the tenant has a key with this label or as many as it may, or a call fails.
    pub async fn prepare(&self, new: KeyRequest, by: &str) -> Result<MadeKey, KeyAdminError> {
        if self.store.tenant(&new.tenant).await?.is_none() {
            return Err(TenantError::NotFound(new.tenant).into());
        }
        let keys = self.store.keys(&new.tenant).await?;
        let now_ms = self.clock.now_ms();
        let is_live = |key: &&KeyRecord| is_usable(key, now_ms);
        // Before API Gateway has one more.
        if keys.iter().filter(|key| key.state == KeyState::Active).count() >= MAX_KEYS {
            return Err(TenantError::TooManyKeys(new.tenant).into());
        }
        match &new.replaces {
            None => {
                let taken = keys.iter().filter(is_live).find(|key| key.label == new.label);
                if let Some(taken) = taken {
                    return Err(KeyAdminError::LabelTaken(taken.key_id.clone()));
                }
            }
            Some(before) => {
                if let Some(rival) = replacement(&keys, before, now_ms) {
                    return Err(KeyAdminError::Replaced(rival.key_id.clone()));
                }
            }
        }
        // Without a plan, no key is made.
        self.plan().await?;
        let value = draw_key_value(&self.random)?;
        let name = self.name(&new.tenant, &new.label);
        let id = self.gateway.create(&name, &value).await?;
        let key_id: KeyId = id.parse().map_err(|_| KeyAdminError::Id)?;
        let record = KeyRecord {
            label: new.label,
            scopes: new.scopes,
            expires_at_ms: new.expires_at_ms,
            cidrs: new.cidrs,
            replaces: new.replaces.clone(),
            made_by: new.made_by,
            ..KeyRecord::new(key_id.clone(), new.tenant.clone(), &self.change(by, ""))
        };
        let record = match self.store.add_key(&record, &self.random).await {
            Ok(record) => record,
            Err(error) => {
                // The record may be there all the same, so the value must never be used.
                self.discard(&key_id).await;
                return Err(match error {
                    // Two rotations at the same time: the other one was written first.
                    TenantError::KeyReplaced(rival) => KeyAdminError::Replaced(rival),
                    error => error.into(),
                });
            }
        };
        Ok(MadeKey { record, value })
    }

    /// Attaches a prepared key to the usage plan. It works from then on.
    ///
    /// # Errors
    /// Fails when API Gateway fails, or the key was revoked meanwhile.
    pub async fn open(&self, key_id: &KeyId) -> Result<KeyRecord, KeyAdminError> {
        self.gateway.attach(self.plan().await?, key_id.as_str()).await?;
        let record = self.store.key(key_id).await?;
        match record.filter(|record| record.state == KeyState::Active) {
            Some(record) => Ok(record),
            None => {
                self.gateway.delete(key_id.as_str()).await?;
                Err(KeyAdminError::Overtaken(key_id.clone()))
            }
        }
    }

    /// Sets the expiry of a replaced key, or revokes it at once.
    ///
    /// # Errors
    /// Fails when the key could not be changed. It still works then.
    pub fn retire<'a>(
        &'a self,
        key_id: &'a KeyId,
        overlap_ms: u64,
        change: &'a Change,
    ) -> BoxFuture<'a, Result<KeyRecord, KeyAdminError>> {
        if overlap_ms == 0 {
            return self.revoke(key_id, change);
        }
        let at_ms = self.clock.now_ms().saturating_add(overlap_ms);
        Box::pin(async move { Ok(self.store.expire_key(key_id, at_ms).await?) })
    }

    /// Revokes a key: API Gateway refuses it at once, and the tombstone of its record everywhere
    /// within the time that functions remember a key. Revoking it again changes nothing.
    ///
    /// # Errors
    /// Fails when one of the two failed. The other one was tried anyway.
    pub fn revoke<'a>(
        &'a self,
        key_id: &'a KeyId,
        change: &'a Change,
    ) -> BoxFuture<'a, Result<KeyRecord, KeyAdminError>> {
        Box::pin(async move {
            let (deleted, record) = tokio::join!(
                self.gateway.delete(key_id.as_str()),
                self.store.revoke_key(key_id, change)
            );
            let record = record?;
            deleted?;
            Ok(record)
        })
    }

    /// Revokes the key that an earlier attempt at a request created, because its value is lost.
    ///
    /// # Errors
    /// Fails when such a key could not be revoked.
    pub async fn drop_earlier_attempt(
        &self,
        tenant: &Tenant,
        made_by: Uuid,
        change: &Change,
    ) -> Result<(), KeyAdminError> {
        let now_ms = self.clock.now_ms();
        for key in self.store.keys(tenant).await? {
            if key.made_by == Some(made_by) && is_usable(&key, now_ms) {
                self.revoke(&key.key_id, change).await?;
            }
        }
        Ok(())
    }

    /// Returns true if a key is attached to the usage plan.
    ///
    /// # Errors
    /// Fails when API Gateway fails.
    pub async fn is_open(&self, key_id: &KeyId) -> Result<bool, KeyAdminError> {
        Ok(self.gateway.is_attached(self.plan().await?, key_id.as_str()).await?)
    }

    /// Deletes the keys of this deployment at API Gateway that have no record and were made more
    /// than `after_ms` ago: their creation crashed. Returns how many.
    ///
    /// # Errors
    /// Fails when API Gateway or the table fails.
    pub async fn delete_orphans(
        &self,
        tenant: &Tenant,
        after_ms: u64,
    ) -> Result<usize, KeyAdminError> {
        let before_ms = self.clock.now_ms().saturating_sub(after_ms);
        let mut deleted = 0;
        for key in self.gateway.list(&format!("{}/{tenant}/", self.service)).await? {
            let Ok(key_id) = key.id.parse::<KeyId>() else { continue };
            if key.created_at_ms < before_ms && self.store.key(&key_id).await?.is_none() {
                self.gateway.delete(&key.id).await?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    /// Returns a change of a record, made now.
    #[must_use]
    pub fn change(&self, by: &str, reason: &str) -> Change {
        Change { at_ms: self.clock.now_ms(), by: by.to_owned(), reason: reason.to_owned() }
    }

    /// Returns the id of the usage plan.
    async fn plan(&self) -> Result<&str, KeyAdminError> {
        if let Some(plan) = self.plan.get() {
            return Ok(plan);
        }
        let named = self.gateway.plans(&self.service).await?;
        let [plan] = <[String; 1]>::try_from(named)
            .map_err(|named| KeyAdminError::Plan(self.service.clone(), named.len()))?;
        Ok(self.plan.get_or_init(|| plan))
    }

    /// Returns the key's name at API Gateway. Only the deletion of keys without a record depends on
    /// it.
    fn name(&self, tenant: &Tenant, label: &KeyLabel) -> String {
        format!("{}/{tenant}/{label}", self.service)
    }

    /// Deletes a key that has no record. If this fails, the key stays without a usage plan.
    async fn discard(&self, key_id: &KeyId) {
        if let Err(error) = self.gateway.delete(key_id.as_str()).await {
            tracing::warn!(%error, keyId = %key_id, "an unused key stays at API Gateway");
        }
    }
}
