//! `POST /api/webhooks/{webhookId}/replay`: sends stored events again, under the same ids.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::body::{JsonBody, PathName};
use shared::api::error::ApiError;
use shared::api::idempotency::{Idempotency, Memory};
use shared::api::requests;
use shared::api::webhooks::ReplayedBody;
use shared::caller::Caller;
use shared::runtime::Runtime;
use shared::tenancy::Scope;
use shared::webhooks::Replayer;

/// The endpoint's state.
#[derive(Clone, Debug)]
pub struct ReplayWebhook {
    /// Queues events again.
    pub replayer: Replayer,
    /// Remembers requests.
    pub memory: Memory,
}

/// Returns the endpoint's routes.
pub fn router(state: ReplayWebhook) -> Router {
    let memory = state.memory.clone();
    Router::new()
        .route("/api/webhooks/{webhook}/replay", post(replay_webhook))
        .with_state(state)
        .route_layer(Idempotency::new(memory))
        .route_layer(Requires::scope(Scope::Webhooks))
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    let replayer = Replayer::from_env(runtime)?;
    Ok(router(ReplayWebhook { replayer, memory: Memory::from_env(runtime)? }))
}

async fn replay_webhook(
    State(state): State<ReplayWebhook>,
    caller: Caller,
    PathName(id): PathName,
    body: JsonBody,
) -> Result<(StatusCode, Json<ReplayedBody>), ApiError> {
    let request = requests::ReplayWebhook::read(&id, &body)?;
    let what = request.replay(&caller.tenant, state.memory.clock.now_ms())?;
    let replayed = state.replayer.replay(&caller.tenant, request.webhook_id, what).await?;
    Ok((StatusCode::ACCEPTED, Json(ReplayedBody::new(&caller.tenant, &replayed))))
}
