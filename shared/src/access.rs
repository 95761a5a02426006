//! Admits a tenant key to an operation: finds the key's record, and checks what it allows.
//!
//! API Gateway, or the local gateway, has authenticated the key. A process reads the record of a key
//! at most once in [`MAX_AGE_MS`], so a revocation takes effect in every process within that time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use domain::clock::Clock;
use domain::ids::Tenant;
use platform::env::{ConfigError, Env};
use platform::items::StoreError;
use tracing::Span;
use tracing::field::display;

use crate::runtime::Runtime;
use crate::store::{KeyRecord, Store};
use crate::tenancy::{KeyId, KeyState, Scope, Scopes, TenantLimits, TenantState, needs_record};

/// How long the record of a key is used after the read began, in milliseconds. The documentation
/// promises 30 seconds for a revocation; the rest is for differences between clocks.
pub const MAX_AGE_MS: u64 = 20_000;

/// Maximum number of keys that a process remembers.
pub const MAX_REMEMBERED: usize = 1_024;

const HOUR_MS: u64 = 60 * 60 * 1_000;

/// Who sends a request, as the gateway states it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Presented {
    /// No key exists, so none is required: a local stack without keys, or an emulator of API Gateway.
    Open(Tenant),
    /// A tenant key.
    Key(PresentedKey),
}

impl Presented {
    /// Returns the id of the key; of an open stack, the id that is its tenant's name.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        match self {
            Self::Open(tenant) => tenant.clone().into(),
            Self::Key(key) => key.id.clone(),
        }
    }
}

/// A tenant key that the gateway has authenticated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PresentedKey {
    id: KeyId,
    needs_record: bool,
    address: Option<IpAddr>,
}

impl PresentedKey {
    /// The key with this id and value, sent from this address. The value is not kept. API Gateway
    /// states it with every request. A key whose value is not stated, as by an emulator, needs no
    /// record.
    #[must_use]
    pub fn new(id: KeyId, value: Option<&[u8]>, address: Option<IpAddr>) -> Self {
        Self { id, needs_record: value.is_some_and(needs_record), address }
    }
}

/// What a key of the old form is without a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unrecorded {
    /// A tenant of its own name, with the usual scopes.
    #[default]
    OwnTenant,
    /// Refused.
    Refused,
}

impl Unrecorded {
    /// `KEYS_WITHOUT_RECORD`: `tenant`, which is the default, or `refuse`.
    fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        match env.optional("KEYS_WITHOUT_RECORD").as_deref() {
            None | Some("tenant") => Ok(Self::OwnTenant),
            Some("refuse") => Ok(Self::Refused),
            Some(_) => {
                Err(ConfigError::Invalid { name: "KEYS_WITHOUT_RECORD", want: "tenant or refuse" })
            }
        }
    }
}

/// What an operation requires of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Requirement {
    /// This scope.
    pub scope: Scope,
    /// Whether a suspended tenant may call it as well: it reads or removes.
    pub while_suspended: bool,
}

/// A caller that is admitted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admitted {
    /// The tenant.
    pub tenant: Tenant,
    /// The key; `None` where none is required.
    pub key: Option<KeyId>,
    /// What the key may do.
    pub scopes: Scopes,
    /// The tenant's limits that differ from the deployment's.
    pub limits: TenantLimits,
}

/// Why a key is not admitted to an operation.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// It needs a record, and there is none.
    #[error("the key has no record")]
    NoRecord,
    /// It is revoked.
    #[error("the key is revoked")]
    Revoked,
    /// It is expired.
    #[error("the key is expired")]
    Expired,
    /// The request comes from an address that is not in its networks.
    #[error("the key may not be used from this address")]
    Address,
    /// It lacks the operation's scope.
    #[error("the key lacks the scope {0}")]
    ScopeMissing(Scope),
    /// Its tenant is suspended.
    #[error("the tenant is suspended")]
    Suspended,
    /// The record could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Admits keys by their records. Clones share what they remember.
#[derive(Clone, Debug)]
pub struct Access {
    store: Store,
    clock: Clock,
    unrecorded: Unrecorded,
    remembered: Arc<Mutex<HashMap<KeyId, Remembered>>>,
}

#[derive(Debug)]
struct Remembered {
    /// When the read began, Unix milliseconds.
    read_ms: u64,
    record: Option<Arc<KeyRecord>>,
    /// The hour for which this process has noted a use, Unix milliseconds.
    noted_ms: u64,
}

impl Access {
    /// Reads the records of this table.
    #[must_use]
    pub fn new(store: Store, unrecorded: Unrecorded, clock: Clock) -> Self {
        Self { store, clock, unrecorded, remembered: Arc::default() }
    }

    /// Makes the client once, from the environment.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        let unrecorded = Unrecorded::from_env(&runtime.env)?;
        Ok(Self::new(Store::from_env(&runtime.env)?, unrecorded, runtime.clock.clone()))
    }

    /// Admits who sends a request to an operation. The span of the request gets the tenant, the key's
    /// id and the scope, whether it is admitted or not.
    ///
    /// # Errors
    /// When it may not call the operation, or the record could not be read.
    pub async fn admit(
        &self,
        presented: &Presented,
        required: Requirement,
    ) -> Result<Admitted, AccessError> {
        let span = Span::current();
        span.record("scope", required.scope.as_str());
        let admitted = match presented {
            // Without `admin`: the first key would close an open stack to its other callers.
            Presented::Open(tenant) => {
                let scopes = Scopes::all().without(Scope::Admin);
                Admitted {
                    tenant: tenant.clone(),
                    key: None,
                    scopes,
                    limits: TenantLimits::default(),
                }
            }
            Presented::Key(key) => {
                span.record("keyId", display(&key.id));
                return self.admit_key(key, required, &span).await;
            }
        };
        span.record("tenant", admitted.tenant.as_str());
        has_scope(admitted.scopes, required.scope)?;
        Ok(admitted)
    }

    async fn admit_key(
        &self,
        key: &PresentedKey,
        required: Requirement,
        span: &Span,
    ) -> Result<Admitted, AccessError> {
        let Some(record) = self.record(&key.id).await? else {
            let may = !key.needs_record && self.unrecorded == Unrecorded::OwnTenant;
            let tenant = key.id.own_tenant().filter(|_| may).ok_or(AccessError::NoRecord)?;
            span.record("tenant", tenant.as_str());
            let scopes = Scopes::usual();
            has_scope(scopes, required.scope)?;
            let (key, limits) = (Some(key.id.clone()), TenantLimits::default());
            return Ok(Admitted { tenant, key, scopes, limits });
        };
        span.record("tenant", record.tenant.as_str());
        if record.state == KeyState::Revoked {
            return Err(AccessError::Revoked);
        }
        if record.is_expired(self.clock.now_ms()) {
            return Err(AccessError::Expired);
        }
        let is_within = |address| record.cidrs.iter().any(|cidr| cidr.contains(address));
        if !record.cidrs.is_empty() && !key.address.is_some_and(is_within) {
            return Err(AccessError::Address);
        }
        has_scope(record.scopes, required.scope)?;
        if record.tenant_state == TenantState::Suspended && !required.while_suspended {
            return Err(AccessError::Suspended);
        }
        Ok(Admitted {
            tenant: record.tenant.clone(),
            key: Some(key.id.clone()),
            scopes: record.scopes,
            limits: record.tenant_limits,
        })
    }

    /// Returns a key's record as it was at most [`MAX_AGE_MS`] ago. That there is none is remembered
    /// as well.
    async fn record(&self, id: &KeyId) -> Result<Option<Arc<KeyRecord>>, StoreError> {
        let now_ms = self.clock.now_ms();
        if let Some(known) = self.remembered().get(id) {
            // A clock that was set back makes everything old.
            let age_ms = now_ms.checked_sub(known.read_ms);
            if age_ms.is_some_and(|age_ms| age_ms < MAX_AGE_MS) {
                return Ok(known.record.clone());
            }
        }
        let record = self.store.key(id).await?.map(Arc::new);
        let mut remembered = self.remembered();
        let known = remembered.get(id);
        let noted_ms = known.map_or(0, |known| known.noted_ms);
        let is_newer = known
            .is_some_and(|known| known.read_ms > now_ms && known.read_ms <= self.clock.now_ms());
        // A read that began later has ended earlier.
        if !is_newer {
            make_room(&mut remembered, id);
            let read = Remembered { read_ms: now_ms, record: record.clone(), noted_ms };
            remembered.insert(id.clone(), read);
        }
        drop(remembered);
        Ok(record)
    }

    /// Notes the use of a key, at most once an hour. A failure is logged: the request does not depend
    /// on it.
    pub async fn note_use(&self, admitted: &Admitted) {
        let Some(id) = &admitted.key else { return };
        let hour_ms = self.clock.now_ms() / HOUR_MS * HOUR_MS;
        match self.remembered().get_mut(id) {
            Some(known) if known.noted_ms < hour_ms => known.noted_ms = hour_ms,
            _ => return,
        }
        if let Err(error) = self.store.note_key_used(id, hour_ms).await {
            tracing::warn!(%error, "the use of the tenant key was not noted");
        }
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<KeyId, Remembered>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn has_scope(scopes: Scopes, scope: Scope) -> Result<(), AccessError> {
    if scopes.contains(scope) { Ok(()) } else { Err(AccessError::ScopeMissing(scope)) }
}

/// Removes the record that was read first, if the cache is full.
fn make_room(remembered: &mut HashMap<KeyId, Remembered>, new: &KeyId) {
    if remembered.len() < MAX_REMEMBERED || remembered.contains_key(new) {
        return;
    }
    let oldest = remembered.iter().min_by_key(|(_, known)| known.read_ms);
    if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
        remembered.remove(&oldest);
    }
}
