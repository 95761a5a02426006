//! `POST /api/webhooks/{webhookId}/test`: sends a test event to one webhook.

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
use shared::api::webhooks::WebhookTestedBody;
use shared::caller::Caller;
use shared::runtime::Runtime;
use shared::tenancy::Scope;
use shared::webhooks::Tester;

/// The endpoint's state.
#[derive(Clone, Debug)]
pub struct TestWebhook {
    /// Queues the event.
    pub tester: Tester,
    /// Remembers requests.
    pub memory: Memory,
}

/// Returns the endpoint's routes.
pub fn router(state: TestWebhook) -> Router {
    let memory = state.memory.clone();
    Router::new()
        .route("/api/webhooks/{webhook}/test", post(test_webhook))
        .with_state(state)
        .route_layer(Idempotency::new(memory))
        .route_layer(Requires::scope(Scope::Webhooks))
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    let tester = Tester::from_env(runtime)?;
    Ok(router(TestWebhook { tester, memory: Memory::from_env(runtime)? }))
}

async fn test_webhook(
    State(state): State<TestWebhook>,
    caller: Caller,
    PathName(id): PathName,
    body: JsonBody,
) -> Result<(StatusCode, Json<WebhookTestedBody>), ApiError> {
    let requests::TestWebhook { webhook_id: id } = requests::TestWebhook::read(&id, &body)?;
    let event = state.tester.test(&caller.tenant, id).await?;
    Ok((StatusCode::ACCEPTED, Json(WebhookTestedBody::new(&event))))
}
