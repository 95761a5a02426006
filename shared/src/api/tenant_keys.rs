//! A tenant's own keys in the contract: responses, errors, and what a key may grant.

use domain::time::rfc3339_seconds;
use futures_util::future::BoxFuture;
use serde::Serialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::error::{ApiError, REPEAT};
use crate::caller::Caller;
use crate::key_admin::{GrantError, KeyAdmin, KeyAdminError, KeyRequest, MadeKey};
use crate::schema;
use crate::store::{KeyRecord, TenantError, is_usable};
use crate::tenancy::{KeyId, KeyState, MAX_KEYS};

/// A tenant key, without its value.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
struct TenantKeyRow {
    #[schema(value_type = schema::TenantKeyId)]
    key_id: String,
    #[schema(value_type = schema::TenantKeyLabel)]
    label: String,
    #[schema(value_type = Vec<schema::ScopeName>)]
    scopes: Vec<&'static str>,
    #[schema(value_type = schema::TenantKeyState)]
    state: &'static str,
    /// True for the key that sent the request.
    calling: bool,
    #[schema(value_type = schema::Seconds)]
    created_at: String,
    /// When the key expires. Absent: it does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Seconds, required = false)]
    expires_at: Option<String>,
    /// When the key was last used, to the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Seconds, required = false)]
    last_used_at: Option<String>,
    /// When the key was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Seconds, required = false)]
    revoked_at: Option<String>,
    /// The networks that the key may be used from. Empty: any.
    #[schema(value_type = Vec<schema::Network>)]
    networks: Vec<String>,
    /// The key that it replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::TenantKeyId, required = false)]
    replaces: Option<String>,
}

impl TenantKeyRow {
    fn new(key: &KeyRecord, used_at_ms: Option<u64>, calling: &KeyId, now_ms: u64) -> Self {
        let state = match key.state {
            KeyState::Revoked => "revoked",
            KeyState::Active if is_usable(key, now_ms) => "active",
            KeyState::Active => "expired",
        };
        Self {
            key_id: key.key_id.to_string(),
            label: key.label.to_string(),
            scopes: key.scopes.iter().map(|scope| scope.as_str()).collect(),
            state,
            calling: key.key_id == *calling,
            created_at: rfc3339_seconds(key.created_at_ms),
            expires_at: key.expires_at_ms.map(rfc3339_seconds),
            last_used_at: used_at_ms.map(rfc3339_seconds),
            revoked_at: key.revoked.as_ref().map(|change| rfc3339_seconds(change.at_ms)),
            networks: key.cidrs.iter().map(ToString::to_string).collect(),
            replaces: key.replaces.as_ref().map(ToString::to_string),
        }
    }
}

/// `GET /api/keys`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct TenantKeysBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    /// The keys in the order of their creation; revoked ones for 90 days.
    keys: Vec<TenantKeyRow>,
}

impl TenantKeysBody {
    /// Returns the body for a tenant's keys, each with the time of its last use.
    #[must_use]
    pub fn new(keys: &[(KeyRecord, Option<u64>)], calling: &KeyId, now_ms: u64) -> Self {
        let rows = keys.iter().map(|(key, used)| TenantKeyRow::new(key, *used, calling, now_ms));
        Self { success: true, keys: rows.collect() }
    }
}

/// `POST /api/keys` and `POST /api/keys/{keyId}/rotate`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantKeyMadeBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    key: TenantKeyRow,
    /// The value of the header `X-API-KEY`.
    #[schema(value_type = schema::TenantKeyValue)]
    api_key: Zeroizing<String>,
}

/// Without the value.
impl std::fmt::Debug for TenantKeyMadeBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TenantKeyMadeBody({:?})", self.key)
    }
}

impl TenantKeyMadeBody {
    /// Returns the body for a new key, with its value.
    #[must_use]
    pub fn new(made: MadeKey, calling: &KeyId, now_ms: u64) -> Self {
        let key = TenantKeyRow::new(&made.record, None, calling, now_ms);
        Self { success: true, key, api_key: made.value }
    }
}

/// `DELETE /api/keys/{keyId}`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct TenantKeyRevokedBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    key: TenantKeyRow,
}

impl TenantKeyRevokedBody {
    /// Returns the body for a revoked key.
    #[must_use]
    pub fn new(key: &KeyRecord, calling: &KeyId, now_ms: u64) -> Self {
        Self { success: true, key: TenantKeyRow::new(key, None, calling, now_ms) }
    }
}

/// Reads the record of the key that calls.
///
/// # Errors
/// Fails when it has none, or the table cannot be read.
pub fn calling_key<'a>(
    admin: &'a KeyAdmin,
    caller: &'a Caller,
) -> BoxFuture<'a, Result<KeyRecord, ApiError>> {
    Box::pin(async move {
        let key = caller.key.as_ref().ok_or_else(ApiError::invalid_api_key)?;
        admin.store.key(key).await?.ok_or_else(ApiError::invalid_api_key)
    })
}

/// Reads a key of the calling tenant. Another tenant's key is not found.
///
/// # Errors
/// 404, or when the table cannot be read.
pub fn tenant_key<'a>(
    admin: &'a KeyAdmin,
    caller: &'a Caller,
    id: &'a KeyId,
) -> BoxFuture<'a, Result<KeyRecord, ApiError>> {
    Box::pin(async move {
        let found = admin.store.key(id).await?;
        found.filter(|key| key.tenant == caller.tenant).ok_or_else(ApiError::tenant_key_not_found)
    })
}

/// Returns the key that an earlier attempt at the request has made, if it is usable.
///
/// # Errors
/// Fails when the table cannot be read.
pub fn earlier_attempt<'a>(
    admin: &'a KeyAdmin,
    caller: &'a Caller,
) -> BoxFuture<'a, Result<Option<KeyRecord>, ApiError>> {
    Box::pin(async move {
        let Some(once) = &caller.request else { return Ok(None) };
        let (operation, now_ms) = (once.mark.operation, admin.clock.now_ms());
        let keys = admin.store.keys(&caller.tenant).await?.into_iter();
        Ok(keys.rev().find(|key| key.made_by == Some(operation) && is_usable(key, now_ms)))
    })
}

/// Creates a key for a request and attaches it. Before that, revokes a key of an earlier attempt,
/// because its value is lost.
///
/// # Errors
/// Fails when the calling key may not grant this, or the key could not be made.
pub fn make_key<'a>(
    admin: &'a KeyAdmin,
    caller: &'a Caller,
    own: &'a KeyRecord,
    asked: KeyRequest,
) -> BoxFuture<'a, Result<MadeKey, ApiError>> {
    Box::pin(async move {
        let by = format!("key:{}", own.key_id);
        let made_by = caller.request.as_ref().map(|once| once.mark.operation);
        let asked = KeyRequest { made_by, ..asked.within(own)? };
        if let Some(made_by) = made_by {
            let change = admin.change(&by, "the response of its creation was lost");
            admin.drop_earlier_attempt(&caller.tenant, made_by, &change).await?;
        }
        let MadeKey { record, value } = admin.prepare(asked, &by).await?;
        let record = admin.open(&record.key_id).await?;
        Ok(MadeKey { record, value })
    })
}

impl ApiError {
    /// 404 for a key that the tenant does not have.
    #[must_use]
    pub fn tenant_key_not_found() -> Self {
        Self::new(404, "TENANT_KEY_NOT_FOUND", "Tenant key not found")
            .advise("GET /api/keys lists the tenant's keys.")
    }

    /// 409 for the revocation of the key that calls.
    #[must_use]
    pub fn tenant_key_in_use() -> Self {
        Self::new(409, "TENANT_KEY_IN_USE", "This request would revoke the key that sent it")
            .advise("Use another key, or send force true, if you mean it.")
    }

    /// 409 for the rotation of a key that is revoked or has expired.
    #[must_use]
    pub fn tenant_key_not_active() -> Self {
        Self::new(409, "TENANT_KEY_NOT_ACTIVE", "The tenant key is revoked or has expired")
            .advise("Create a new key with POST /api/keys.")
    }
}

impl From<GrantError> for ApiError {
    fn from(error: GrantError) -> Self {
        let refused = |what: String| Self::new(403, "GRANT_NOT_ALLOWED", what);
        match error {
            GrantError::Scope(scope) => {
                refused(format!("This tenant key cannot grant the scope {scope}, which it lacks"))
                    .advise("Leave the scope out, or use a key that has it.")
            }
            GrantError::Networks => {
                refused("This tenant key cannot grant networks beyond its own".to_owned())
                    .advise("Name networks inside those of the calling key.")
            }
            GrantError::Expiry => {
                refused("This tenant key cannot grant a time beyond its own expiry".to_owned())
                    .advise("Name an earlier expiresAt, or use a key that expires later.")
            }
        }
    }
}

impl From<KeyAdminError> for ApiError {
    fn from(error: KeyAdminError) -> Self {
        const ERROR: &str = "Failed to change the tenant key";
        match error {
            KeyAdminError::LabelTaken(id) => {
                Self::new(409, "TENANT_KEY_EXISTS", "The tenant has a usable key with this label")
                    .advise(format!(
                        "Choose another label, or rotate the key: POST /api/keys/{id}/rotate."
                    ))
            }
            KeyAdminError::Replaced(id) => {
                Self::new(409, "TENANT_KEY_REPLACED", "Another key replaces this key")
                    .advise(format!("Use or rotate the key {id}, or delete it and rotate again."))
            }
            KeyAdminError::Tenant(TenantError::TooManyKeys(_)) => Self::new(
                409,
                "TOO_MANY_TENANT_KEYS",
                format!("A tenant has at most {MAX_KEYS} keys"),
            )
            .advise("Delete a key that is not used."),
            KeyAdminError::Tenant(TenantError::Store(error)) => Self::store(ERROR, &error),
            KeyAdminError::Tenant(TenantError::KeyRevoked(_)) => Self::tenant_key_not_active(),
            KeyAdminError::Tenant(TenantError::KeyNotFound(_)) => Self::tenant_key_not_found(),
            KeyAdminError::Tenant(_)
            | KeyAdminError::Overtaken(_)
            | KeyAdminError::Gateway(_)
            | KeyAdminError::Plan(..)
            | KeyAdminError::Id
            | KeyAdminError::Random(_) => Self::internal(ERROR, &error).advise(REPEAT),
        }
    }
}
