//! `POST /api/trading/hyperliquid/apikey`: registers a wallet with Hyperliquid.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use shared::api::body::JsonBody;
use shared::api::error::ApiError;
use shared::api::responses::{DataBody, HyperliquidData};
use shared::api::shell::Caller;
use shared::clock::Clock;
use shared::config::{Env, HyperliquidConfig, SetupError};
use shared::credentials::Registrar;
use shared::exchanges::{ExchangeClient, hyperliquid};
use shared::random::Random;
use shared::wallets::Custody;

/// What the endpoint needs.
#[derive(Clone, Debug)]
pub struct RegisterHyperliquid {
    /// Registers wallets with Hyperliquid.
    pub registrar: Registrar,
    /// Whether the response hands the agent's private key out.
    pub return_private_key: bool,
}

/// The endpoint's routes.
pub fn router(state: RegisterHyperliquid) -> Router {
    Router::new()
        .route("/api/trading/hyperliquid/apikey", post(register_hyperliquid))
        .with_state(state)
}

/// The endpoint's routes, with clients from the environment.
///
/// # Errors
/// Names the variable that is missing.
pub fn router_from_env(env: &Env<'_>, clock: Clock, random: Random) -> Result<Router, SetupError> {
    let custody = Custody::from_env(env, clock, random)?;
    let config = HyperliquidConfig::from_env(env)?;
    let client = ExchangeClient::Hyperliquid(hyperliquid::Client::new(&config)?);
    Ok(router(RegisterHyperliquid {
        registrar: Registrar { custody, client },
        return_private_key: config.return_private_key,
    }))
}

/// The one response that shows an agent's private key, and the only time.
async fn register_hyperliquid(
    State(state): State<RegisterHyperliquid>,
    caller: Caller,
    body: JsonBody,
) -> Result<Json<DataBody<HyperliquidData>>, ApiError> {
    let registrar = &state.registrar;
    let registered = registrar.register(&caller.tenant, &body.wallet_ref()?).await?;
    let data = HyperliquidData {
        api_wallet_address: registered.agent.address().to_string(),
        api_private_key: state.return_private_key.then(|| registered.agent.to_hex()),
        main_wallet_address: registered.wallet.to_string(),
        expiry_timestamp: registered.expires_at_ms,
    };
    Ok(Json(DataBody::new(None, data, registrar.custody.clock.now_ms())))
}
