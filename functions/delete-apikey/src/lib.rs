//! `DELETE /api/trading/{exchange}/apikey`: revokes a credential on the exchange, then deletes it
//! here.

use axum::extract::State;
use axum::routing::delete;
use axum::{Json, Router};
use http::Uri;
use platform::env::ConfigError;
use shared::api::body::JsonBody;
use shared::api::credential_data::RevokedData;
use shared::api::credential_error::Action;
use shared::api::error::ApiError;
use shared::api::exchange::{InPath, routes};
use shared::api::idempotency::Idempotency;
use shared::api::responses::DataBody;
use shared::api::wallet_names::WalletNames;
use shared::caller::Caller;
use shared::credentials::Registrars;
use shared::exchanges::budget::Spender;
use shared::runtime::Runtime;

/// The endpoint's routes.
pub fn router(registrars: Registrars) -> Router {
    let custody = registrars.aster.custody.clone();
    routes("apikey", &delete(delete_api_key))
        .with_state(registrars)
        .route_layer(Idempotency::new(custody))
}

/// The endpoint's routes, with clients from the environment.
///
/// # Errors
/// Names the variable that is missing.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(Registrars::from_env(runtime, Spender::Caller)?))
}

/// The query or the body names the wallet, because some clients send no body with DELETE. Where
/// both do, they must name the same one.
async fn delete_api_key(
    State(registrars): State<Registrars>,
    caller: Caller,
    InPath(exchange): InPath,
    uri: Uri,
    body: JsonBody,
) -> Result<Json<DataBody<RevokedData>>, ApiError> {
    body.only(&["walletIdOrAddress", "removedOnExchange"])?;
    let names = WalletNames::in_query_or_body(&uri, &body)?;
    let removed = body.flag("removedOnExchange", false)?;
    let registrar = registrars.of(exchange);
    let name = names.wallet(&registrar.custody.store, &caller.tenant).await?;
    let revoked = registrar.revoke(&caller, &name, removed).await;
    let revoked = revoked.map_err(|error| ApiError::credential(Action::Revoke, error))?;
    let data = RevokedData::new(exchange, &revoked);
    let now_ms = registrar.custody.clock.now_ms();
    Ok(Json(DataBody::new(Some("API key revoked"), data, now_ms)))
}
