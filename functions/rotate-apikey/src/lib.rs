//! `POST /api/trading/{exchange}/apikey/rotate`: registers a new trading key before the old one is
//! revoked.

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use domain::ids::Exchange;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::body::JsonBody;
use shared::api::credential_error::Action;
use shared::api::error::ApiError;
use shared::api::exchange::{InPath, not_served, routes};
use shared::api::idempotency::{HoldsSecret, Idempotency};
use shared::api::requests;
use shared::api::responses::{AsterData, DataBody, HyperliquidData, RotatedData};
use shared::caller::Caller;
use shared::credentials::Registrars;
use shared::exchanges::HyperliquidConfig;
use shared::exchanges::budget::Spender;
use shared::orders::Resolvers;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// The endpoint's state.
#[derive(Clone, Debug)]
pub struct RotateApiKey {
    /// The credentials.
    pub registrars: Registrars,
    /// The orders, whose outcome is easier to find with the key that signed them.
    pub resolvers: Resolvers,
    /// Whether the response contains a Hyperliquid agent's private key.
    pub return_private_key: bool,
}

/// Returns the endpoint's routes.
pub fn router(state: RotateApiKey) -> Router {
    let custody = state.registrars.aster.custody.clone();
    routes("apikey/rotate", &post(rotate_api_key))
        .with_state(state)
        .route_layer(Idempotency::new(custody))
        .route_layer(Requires::scope(Scope::Keys))
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(RotateApiKey {
        registrars: Registrars::from_env(runtime, Spender::Caller)?,
        resolvers: Resolvers::from_env(runtime)?,
        return_private_key: HyperliquidConfig::from_env(&runtime.env)?.return_private_key,
    }))
}

/// Responds like a registration with the exchange, also with a new Hyperliquid key.
async fn rotate_api_key(
    State(state): State<RotateApiKey>,
    caller: Caller,
    InPath(exchange): InPath,
    uri: Uri,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let registrar = state.registrars.of(exchange);
    let registrar = registrar.ok_or_else(|| not_served(exchange.as_str()))?;
    let requests::RotateApiKey { wallet_id_or_address } =
        requests::RotateApiKey::read(&uri, &body)?;
    let wallet = wallet_id_or_address.wallet(&registrar.custody.store, &caller.tenant).await?;
    state.resolvers.resolve(exchange, &caller, &wallet).await;
    let rotated = registrar.rotate(&caller, &wallet).await;
    let rotated = rotated.map_err(|error| ApiError::credential(Action::Rotate, error))?;
    let now_ms = registrar.custody.clock.now_ms();
    let message = if rotated.previous_revoked {
        "API key rotated; the previous key is revoked"
    } else {
        "API key rotated; the previous key is still being revoked"
    };
    Ok(match exchange {
        Exchange::Aster => {
            let data = RotatedData::new(AsterData::from(&rotated.registered), &rotated);
            Json(DataBody::new(Some(message), data, now_ms)).into_response()
        }
        Exchange::Lighter => return Err(not_served(exchange.as_str())),
        Exchange::Hyperliquid => {
            let data = HyperliquidData::new(&rotated.registered, state.return_private_key)?;
            let data = RotatedData::new(data, &rotated);
            let secret = state.return_private_key.then_some(Extension(HoldsSecret::default()));
            (secret, Json(DataBody::new(Some(message), data, now_ms))).into_response()
        }
    })
}
