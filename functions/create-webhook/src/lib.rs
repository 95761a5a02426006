//! `POST /api/webhooks`: where a tenant's events are sent from now on. The response holds the
//! signing secret, which is returned again only to a client that has lost the response.

use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json, Router};
use domain::clock::Clock;
use domain::random::Random;
use http::StatusCode;
use platform::env::{ConfigError, Env};
use shared::api::body::JsonBody;
use shared::api::error::ApiError;
use shared::api::idempotency::{HoldsSecret, Idempotency, Memory};
use shared::api::webhooks::{WebhookMadeBody, new_webhook};
use shared::caller::Caller;
use shared::store::Store;
use shared::wallets::envelope_from_env;
use shared::webhooks::{Targets, Webhooks};

/// What the endpoint needs.
#[derive(Clone, Debug)]
pub struct CreateWebhook {
    /// The webhooks.
    pub webhooks: Webhooks,
    /// Where events may be sent.
    pub targets: Targets,
}

/// The endpoint's routes.
pub fn router(state: CreateWebhook) -> Router {
    let Webhooks { store, envelope, clock, random } = state.webhooks.clone();
    Router::new()
        .route("/api/webhooks", post(create_webhook))
        .with_state(state)
        .route_layer(Idempotency::new(Memory { store, envelope, clock, random }))
}

/// The endpoint's routes, with clients from the environment.
///
/// # Errors
/// Names the variable that is missing.
pub fn router_from_env(env: &Env<'_>, clock: Clock, random: Random) -> Result<Router, ConfigError> {
    let (store, envelope) = (Store::from_env(env)?, envelope_from_env(env, random.clone())?);
    let webhooks = Webhooks { store, envelope, clock, random };
    Ok(router(CreateWebhook { webhooks, targets: Targets::from_env(env)? }))
}

async fn create_webhook(
    State(state): State<CreateWebhook>,
    caller: Caller,
    body: JsonBody,
) -> Result<(StatusCode, Extension<HoldsSecret>, Json<WebhookMadeBody>), ApiError> {
    let new = new_webhook(&body, state.targets)?;
    let mark = caller.request.as_ref().map(|once| &once.mark);
    let (webhook, secret) = state.webhooks.create(&caller.tenant, &new, mark).await?;
    let body = WebhookMadeBody::new(&webhook, &secret);
    let secret = HoldsSecret { shown_from_ms: Some(webhook.created_at_ms) };
    Ok((StatusCode::CREATED, Extension(secret), Json(body)))
}
