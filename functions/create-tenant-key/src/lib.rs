//! `POST /api/keys`: creates a key of the calling tenant. The response contains its value. Within ten
//! minutes, a retry with the same `Idempotency-Key` returns the value again.

use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json, Router};
use http::StatusCode;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::body::JsonBody;
use shared::api::error::ApiError;
use shared::api::idempotency::{HoldsSecret, Idempotency, Memory};
use shared::api::requests;
use shared::api::tenant_keys::{TenantKeyMadeBody, calling_key, make_key};
use shared::caller::Caller;
use shared::key_admin::KeyAdmin;
use shared::runtime::Runtime;
use shared::tenancy::{Scope, Scopes};

/// The endpoint's routes.
pub fn router(admin: KeyAdmin, memory: Memory) -> Router {
    Router::new()
        .route("/api/keys", post(create_tenant_key))
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

async fn create_tenant_key(
    State(admin): State<KeyAdmin>,
    caller: Caller,
    body: JsonBody,
) -> Result<(StatusCode, Extension<HoldsSecret>, Json<TenantKeyMadeBody>), ApiError> {
    let now_ms = admin.clock.now_ms();
    let asked = requests::CreateTenantKey::read(&body, now_ms)?;
    let own = calling_key(&admin, &caller).await?;
    let usual: Scopes =
        Scopes::usual().iter().filter(|scope| own.scopes.contains(*scope)).collect();
    let made = make_key(&admin, &caller, &own, asked.key(&caller.tenant, usual)).await?;
    let secret = HoldsSecret { shown_from_ms: Some(made.record.created_at_ms) };
    let body = TenantKeyMadeBody::new(made, &own.key_id, now_ms);
    Ok((StatusCode::CREATED, Extension(secret), Json(body)))
}
