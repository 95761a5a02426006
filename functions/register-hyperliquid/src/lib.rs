//! `POST /api/trading/hyperliquid/apikey`: registers a wallet with Hyperliquid.

use axum::extract::State;
use axum::http::Uri;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Extension, Json, Router};
use domain::ids::Exchange;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::body::JsonBody;
use shared::api::error::ApiError;
use shared::api::exchange::RegistrationMetrics;
use shared::api::idempotency::{HoldsSecret, Idempotency};
use shared::api::requests::RegisterApiKey;
use shared::api::responses::{DataBody, HyperliquidData};
use shared::caller::Caller;
use shared::credentials::Registrar;
use shared::exchanges::HyperliquidConfig;
use shared::exchanges::budget::Spender;
use shared::runtime::Runtime;
use shared::tenancy::Scope;
use shared::wallets::Custody;

/// The endpoint's state.
#[derive(Clone, Debug)]
pub struct RegisterHyperliquid {
    /// Registers wallets with Hyperliquid.
    pub registrar: Registrar,
    /// Whether the response contains the agent's private key.
    pub return_private_key: bool,
}

/// Returns the endpoint's routes.
pub fn router(state: RegisterHyperliquid) -> Router {
    let custody = state.registrar.custody.clone();
    Router::new()
        .route("/api/trading/hyperliquid/apikey", post(register_hyperliquid))
        .with_state(state)
        .layer(RegistrationMetrics::new(Exchange::Hyperliquid, custody.clock.clone()))
        .route_layer(Idempotency::new(custody))
        .route_layer(Requires::scope(Scope::Keys))
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    let custody = Custody::from_env(runtime)?;
    Ok(router(RegisterHyperliquid {
        registrar: Registrar::hyperliquid_from_env(&runtime.env, custody, Spender::Caller)?,
        return_private_key: HyperliquidConfig::from_env(&runtime.env)?.return_private_key,
    }))
}

/// Returns the only response with an agent's private key. It is returned again for ten minutes
/// under the same `Idempotency-Key`, in case it was lost.
async fn register_hyperliquid(
    State(state): State<RegisterHyperliquid>,
    caller: Caller,
    uri: Uri,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let registrar = &state.registrar;
    let RegisterApiKey { wallet_id_or_address, auto_renew } = RegisterApiKey::read(&uri, &body)?;
    let wallet = wallet_id_or_address.wallet(&registrar.custody.store, &caller.tenant).await?;
    let registered = registrar.register(&caller, &wallet, auto_renew).await?;
    let data = HyperliquidData::new(&registered, state.return_private_key)?;
    let secret = state.return_private_key.then_some(Extension(HoldsSecret::default()));
    Ok((secret, Json(DataBody::new(None, data, registrar.custody.clock.now_ms()))))
}
