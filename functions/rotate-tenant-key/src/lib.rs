//! `POST /api/keys/{keyId}/rotate`: replaces a key by one with the same rights, which works for an
//! overlap that the request states.

use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json, Router};
use http::StatusCode;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::body::{JsonBody, PathName};
use shared::api::error::ApiError;
use shared::api::idempotency::{HoldsSecret, Idempotency, Memory};
use shared::api::requests;
use shared::api::tenant_keys::{
    TenantKeyMadeBody, calling_key, earlier_attempt, make_key, tenant_key,
};
use shared::caller::Caller;
use shared::key_admin::{KeyAdmin, KeyRequest};
use shared::runtime::Runtime;
use shared::store::is_usable;
use shared::tenancy::Scope;

/// The endpoint's routes.
pub fn router(admin: KeyAdmin, memory: Memory) -> Router {
    Router::new()
        .route("/api/keys/{key}/rotate", post(rotate_tenant_key))
        .with_state(admin)
        .route_layer(Idempotency::new(memory))
        .route_layer(Requires::scope(Scope::Admin))
}

/// The endpoint's routes, with clients from the environment.
///
/// # Errors
/// Names the variable that is missing.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(KeyAdmin::from_env(runtime)?, Memory::from_env(runtime)?))
}

async fn rotate_tenant_key(
    State(admin): State<KeyAdmin>,
    caller: Caller,
    PathName(id): PathName,
    body: JsonBody,
) -> Result<(StatusCode, Extension<HoldsSecret>, Json<TenantKeyMadeBody>), ApiError> {
    let now_ms = admin.clock.now_ms();
    let asked = requests::RotateTenantKey::read(&id, &body)?;
    let own = calling_key(&admin, &caller).await?;
    let before = tenant_key(&admin, &caller, &asked.key_id).await?;
    if before.key_id == own.key_id && asked.overlap_seconds == 0 {
        return Err(ApiError::tenant_key_in_use());
    }
    // An earlier attempt at this request may have revoked the key. The record of its new key states
    // what to create.
    let earlier = earlier_attempt(&admin, &caller).await?;
    if earlier.is_none() && !is_usable(&before, now_ms) {
        return Err(ApiError::tenant_key_not_active());
    }
    let like = KeyRequest::instead_of(earlier.as_ref().unwrap_or(&before));
    let asked_key = KeyRequest { replaces: Some(before.key_id.clone()), ..like };
    let made = make_key(&admin, &caller, &own, asked_key).await?;
    let change = admin.change(&format!("key:{}", own.key_id), "rotated");
    admin.retire(&before.key_id, asked.overlap_seconds * 1_000, &change).await?;
    let secret = HoldsSecret { shown_from_ms: Some(made.record.created_at_ms) };
    let body = TenantKeyMadeBody::new(made, &own.key_id, now_ms);
    Ok((StatusCode::CREATED, Extension(secret), Json(body)))
}
