//! `POST /api/webhooks`: creates a webhook for a tenant's events. The response holds the signing
//! secret, which is returned again only to a client that has lost the response.

use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json, Router};
use http::StatusCode;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::body::JsonBody;
use shared::api::error::ApiError;
use shared::api::idempotency::{HoldsSecret, Idempotency};
use shared::api::requests;
use shared::api::webhooks::WebhookMadeBody;
use shared::caller::Caller;
use shared::runtime::Runtime;
use shared::tenancy::Scope;
use shared::webhooks::{Targets, Webhooks};

/// The endpoint's state.
#[derive(Clone, Debug)]
pub struct CreateWebhook {
    /// The webhooks.
    pub webhooks: Webhooks,
    /// The allowed destinations.
    pub targets: Targets,
}

/// Returns the endpoint's routes.
pub fn router(state: CreateWebhook) -> Router {
    let webhooks = state.webhooks.clone();
    Router::new()
        .route("/api/webhooks", post(create_webhook))
        .with_state(state)
        .route_layer(Idempotency::new(webhooks))
        .route_layer(Requires::scope(Scope::Webhooks))
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    let webhooks = Webhooks::from_env(runtime)?;
    Ok(router(CreateWebhook { webhooks, targets: Targets::from_env(&runtime.env)? }))
}

async fn create_webhook(
    State(state): State<CreateWebhook>,
    caller: Caller,
    body: JsonBody,
) -> Result<(StatusCode, Extension<HoldsSecret>, Json<WebhookMadeBody>), ApiError> {
    let new = requests::CreateWebhook::read(&body, state.targets)?.into();
    let mark = caller.request.as_ref().map(|once| &once.mark);
    let (webhook, secret) = state.webhooks.create(&caller.tenant, &new, mark).await?;
    let body = WebhookMadeBody::new(&webhook, &secret);
    let secret = HoldsSecret { shown_from_ms: Some(webhook.created_at_ms) };
    Ok((StatusCode::CREATED, Extension(secret), Json(body)))
}
