//! `POST /api/trading/aster/apikey`: registers a wallet with Aster's API V3.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use shared::api::body::JsonBody;
use shared::api::error::ApiError;
use shared::api::responses::{AsterData, DataBody, rfc3339_seconds};
use shared::api::shell::Caller;
use shared::clock::Clock;
use shared::config::{AsterConfig, Env, SetupError};
use shared::credentials::Registrar;
use shared::exchanges::{ExchangeClient, aster};
use shared::random::Random;
use shared::wallets::Custody;

/// The endpoint's routes.
pub fn router(registrar: Registrar) -> Router {
    Router::new().route("/api/trading/aster/apikey", post(register_aster)).with_state(registrar)
}

/// The endpoint's routes, with clients from the environment.
///
/// # Errors
/// Names the variable that is missing.
pub fn router_from_env(env: &Env<'_>, clock: Clock, random: Random) -> Result<Router, SetupError> {
    let custody = Custody::from_env(env, clock, random)?;
    let client = aster::Client::new(&AsterConfig::from_env(env)?)?;
    Ok(router(Registrar { custody, client: ExchangeClient::Aster(client) }))
}

/// The agent's key stays here, sealed: no secret is in the response.
async fn register_aster(
    State(registrar): State<Registrar>,
    caller: Caller,
    body: JsonBody,
) -> Result<Json<DataBody<AsterData>>, ApiError> {
    let registered = registrar.register(&caller.tenant, &body.wallet_ref()?).await?;
    let data = AsterData {
        signer_address: registered.wallet.to_string(),
        created_at: rfc3339_seconds(registered.created_at_ms),
        agent_address: registered.agent.address().to_string(),
        expiry_timestamp: registered.expires_at_ms,
    };
    let now_ms = registrar.custody.clock.now_ms();
    Ok(Json(DataBody::new(Some("API key generated successfully"), data, now_ms)))
}
