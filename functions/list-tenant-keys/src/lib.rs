//! `GET /api/keys`: the tenant's keys, without their values.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use domain::clock::Clock;
use futures_util::future::try_join_all;
use platform::env::ConfigError;
use platform::items::StoreError;
use shared::api::access::Requires;
use shared::api::error::ApiError;
use shared::api::tenant_keys::TenantKeysBody;
use shared::caller::Caller;
use shared::runtime::Runtime;
use shared::store::{KeyRecord, Store};
use shared::tenancy::Scope;

/// The state of the endpoint.
#[derive(Clone, Debug)]
pub struct ListTenantKeys {
    /// The wallets' table.
    pub store: Store,
    /// The time.
    pub clock: Clock,
}

/// The endpoint's routes.
pub fn router(state: ListTenantKeys) -> Router {
    Router::new()
        .route("/api/keys", get(list_tenant_keys))
        .with_state(state)
        .route_layer(Requires::scope(Scope::Admin).while_suspended())
}

/// The endpoint's routes, with clients from the environment.
///
/// # Errors
/// Names the variable that is missing.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    let store = Store::from_env(&runtime.env)?;
    Ok(router(ListTenantKeys { store, clock: runtime.clock.clone() }))
}

async fn list_tenant_keys(
    State(state): State<ListTenantKeys>,
    caller: Caller,
) -> Result<Json<TenantKeysBody>, ApiError> {
    let calling = caller.key.as_ref().ok_or_else(ApiError::invalid_api_key)?;
    let keys = state.store.keys(&caller.tenant).await?;
    let used = keys.into_iter().map(async |key: KeyRecord| {
        let used_ms = state.store.key_used_ms(&key.key_id).await?;
        Ok::<_, StoreError>((key, used_ms))
    });
    let keys = try_join_all(used).await?;
    Ok(Json(TenantKeysBody::new(&keys, calling, state.clock.now_ms())))
}
