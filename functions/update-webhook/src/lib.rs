//! `PUT /api/webhooks/{webhookId}`: changes a webhook's URL, events or description, and enables or
//! disables it. Its secret stays the same. A repeat has the same result.

use axum::extract::State;
use axum::routing::put;
use axum::{Json, Router};
use domain::clock::Clock;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::body::{JsonBody, PathName};
use shared::api::error::ApiError;
use shared::api::requests;
use shared::api::webhooks::WebhookBody;
use shared::caller::Caller;
use shared::runtime::Runtime;
use shared::store::Store;
use shared::tenancy::Scope;
use shared::webhooks::Targets;

/// The endpoint's state.
#[derive(Clone, Debug)]
pub struct UpdateWebhook {
    /// The table.
    pub store: Store,
    /// The allowed destinations.
    pub targets: Targets,
    /// The time.
    pub clock: Clock,
}

/// Returns the endpoint's routes.
pub fn router(state: UpdateWebhook) -> Router {
    Router::new()
        .route("/api/webhooks/{webhook}", put(update_webhook))
        .with_state(state)
        .route_layer(Requires::scope(Scope::Webhooks))
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    let (env, clock) = (&runtime.env, runtime.clock.clone());
    let (store, targets) = (Store::from_env(env)?, Targets::from_env(env)?);
    Ok(router(UpdateWebhook { store, targets, clock }))
}

async fn update_webhook(
    State(state): State<UpdateWebhook>,
    caller: Caller,
    PathName(id): PathName,
    body: JsonBody,
) -> Result<Json<WebhookBody>, ApiError> {
    let request = requests::UpdateWebhook::read(&id, &body, state.targets)?;
    let (id, change) = (request.webhook_id, request.into());
    let UpdateWebhook { store, clock, .. } = &state;
    let webhook = store.change_webhook(&caller.tenant, id, &change, clock.now_ms()).await?;
    Ok(Json(WebhookBody::new(&webhook)))
}
