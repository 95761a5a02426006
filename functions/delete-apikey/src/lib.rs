//! `DELETE /api/trading/{exchange}/apikey`: revokes a trading key on the exchange, then deletes
//! its credential.

use axum::extract::State;
use axum::routing::delete;
use axum::{Json, Router};
use http::Uri;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::body::JsonBody;
use shared::api::credential_data::RevokedData;
use shared::api::credential_error::Action;
use shared::api::error::ApiError;
use shared::api::exchange::{InPath, not_served, routes};
use shared::api::idempotency::Idempotency;
use shared::api::requests::DeleteApiKey;
use shared::api::responses::DataBody;
use shared::caller::Caller;
use shared::credentials::Registrars;
use shared::exchanges::budget::Spender;
use shared::orders::Resolvers;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// The endpoint's state.
#[derive(Clone, Debug)]
pub struct DeleteApiKeys {
    /// The credentials.
    pub registrars: Registrars,
    /// The orders, whose outcome may not be found any more without the key.
    pub resolvers: Resolvers,
}

/// Returns the endpoint's routes.
pub fn router(state: DeleteApiKeys) -> Router {
    let custody = state.registrars.aster.custody.clone();
    routes("apikey", &delete(delete_api_key))
        .with_state(state)
        .route_layer(Idempotency::new(custody))
        .route_layer(Requires::scope(Scope::Keys).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(DeleteApiKeys {
        registrars: Registrars::from_env(runtime, Spender::Caller)?,
        resolvers: Resolvers::from_env(runtime)?,
    }))
}

async fn delete_api_key(
    State(state): State<DeleteApiKeys>,
    caller: Caller,
    InPath(exchange): InPath,
    uri: Uri,
    body: JsonBody,
) -> Result<Json<DataBody<RevokedData>>, ApiError> {
    let request = DeleteApiKey::read(&uri, &body)?;
    let registrar = state.registrars.of(exchange);
    let registrar = registrar.ok_or_else(|| not_served(exchange.as_str()))?;
    let name =
        request.wallet_id_or_address.wallet(&registrar.custody.store, &caller.tenant).await?;
    state.resolvers.resolve(exchange, &caller, &name).await;
    let revoked = registrar.revoke(&caller, &name, request.removed_on_exchange).await;
    let revoked = revoked.map_err(|error| ApiError::credential(Action::Revoke, error))?;
    let data = RevokedData::new(exchange, &revoked);
    let now_ms = registrar.custody.clock.now_ms();
    Ok(Json(DataBody::new(Some("API key revoked"), data, now_ms)))
}
