//! `DELETE /api/keys/{keyId}`: revokes a key of the calling tenant for good.

use axum::extract::State;
use axum::routing::delete;
use axum::{Json, Router};
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::body::{JsonBody, PathName};
use shared::api::error::ApiError;
use shared::api::idempotency::{Idempotency, Memory};
use shared::api::requests;
use shared::api::tenant_keys::{TenantKeyRevokedBody, calling_key, tenant_key};
use shared::caller::Caller;
use shared::key_admin::KeyAdmin;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// The endpoint's routes.
pub fn router(admin: KeyAdmin, memory: Memory) -> Router {
    Router::new()
        .route("/api/keys/{key}", delete(revoke_tenant_key))
        .with_state(admin)
        .route_layer(Idempotency::new(memory))
        .route_layer(Requires::scope(Scope::Admin).while_suspended())
}

/// The endpoint's routes, with clients from the environment.
///
/// # Errors
/// Names the variable that is missing.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(KeyAdmin::from_env(runtime)?, Memory::from_env(runtime)?))
}

async fn revoke_tenant_key(
    State(admin): State<KeyAdmin>,
    caller: Caller,
    PathName(id): PathName,
    body: JsonBody,
) -> Result<Json<TenantKeyRevokedBody>, ApiError> {
    let asked = requests::RevokeTenantKey::read(&id, &body)?;
    let own = calling_key(&admin, &caller).await?;
    let key = tenant_key(&admin, &caller, &asked.key_id).await?;
    if key.key_id == own.key_id && !asked.force {
        return Err(ApiError::tenant_key_in_use());
    }
    let change = admin.change(&format!("key:{}", own.key_id), "");
    let key = admin.revoke(&key.key_id, &change).await?;
    Ok(Json(TenantKeyRevokedBody::new(&key, &own.key_id, admin.clock.now_ms())))
}
