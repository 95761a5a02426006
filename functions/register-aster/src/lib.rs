//! `POST /api/trading/aster/apikey`: registers a wallet with Aster.

use axum::extract::State;
use axum::http::Uri;
use axum::routing::post;
use axum::{Json, Router};
use domain::ids::Exchange;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::body::JsonBody;
use shared::api::error::ApiError;
use shared::api::exchange::RegistrationMetrics;
use shared::api::idempotency::Idempotency;
use shared::api::requests::RegisterApiKey;
use shared::api::responses::{AsterData, DataBody};
use shared::caller::Caller;
use shared::credentials::Registrar;
use shared::exchanges::budget::Spender;
use shared::runtime::Runtime;
use shared::tenancy::Scope;
use shared::wallets::Custody;

/// Returns the endpoint's routes.
pub fn router(registrar: Registrar) -> Router {
    let custody = registrar.custody.clone();
    Router::new()
        .route("/api/trading/aster/apikey", post(register_aster))
        .with_state(registrar)
        .layer(RegistrationMetrics::new(Exchange::Aster, custody.clock.clone()))
        .route_layer(Idempotency::new(custody))
        .route_layer(Requires::scope(Scope::Keys))
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    let custody = Custody::from_env(runtime)?;
    Ok(router(Registrar::aster_from_env(&runtime.env, custody, Spender::Caller)?))
}

/// Registers the wallet. The agent's key stays on the server, sealed: the response contains no
/// secret.
async fn register_aster(
    State(registrar): State<Registrar>,
    caller: Caller,
    uri: Uri,
    body: JsonBody,
) -> Result<Json<DataBody<AsterData>>, ApiError> {
    let RegisterApiKey { wallet_id_or_address, auto_renew } = RegisterApiKey::read(&uri, &body)?;
    let wallet = wallet_id_or_address.wallet(&registrar.custody.store, &caller.tenant).await?;
    let registered = registrar.register(&caller, &wallet, auto_renew).await?;
    let data = AsterData::from(&registered);
    let now_ms = registrar.custody.clock.now_ms();
    Ok(Json(DataBody::new(Some("API key generated successfully"), data, now_ms)))
}
