//! `DELETE /api/webhooks/{webhookId}`: deletes a webhook. Nothing further is sent to it, including
//! queued events.

use axum::extract::State;
use axum::routing::delete;
use axum::{Json, Router};
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::body::{JsonBody, PathName};
use shared::api::error::ApiError;
use shared::api::idempotency::{Idempotency, Memory};
use shared::api::requests::DeleteWebhook;
use shared::api::webhooks::WebhookDeletedBody;
use shared::caller::Caller;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(state: Memory) -> Router {
    Router::new()
        .route("/api/webhooks/{webhook}", delete(delete_webhook))
        .with_state(state.clone())
        .route_layer(Idempotency::new(state))
        .route_layer(Requires::scope(Scope::Webhooks).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(Memory::from_env(runtime)?))
}

async fn delete_webhook(
    State(state): State<Memory>,
    caller: Caller,
    PathName(id): PathName,
    body: JsonBody,
) -> Result<Json<WebhookDeletedBody>, ApiError> {
    let DeleteWebhook { webhook_id: id } = DeleteWebhook::read(&id, &body)?;
    let mark = caller.request.as_ref().map(|once| &once.mark);
    state.store.forget_webhook(&caller.tenant, id, mark, state.clock.now_ms()).await?;
    Ok(Json(WebhookDeletedBody::new(id)))
}
