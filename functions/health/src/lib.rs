//! `GET /api/health` and `GET /api/openapi.json`: the routes without authentication.

use axum::routing::get;
use axum::{Json, Router};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use shared::api::responses::HealthBody;
use shared::runtime::Runtime;

/// The committed document; a test compares it with the generated one.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// Returns the endpoint's routes. `RECOVERY_PUBLIC_KEY` in the environment is the recovery key.
pub fn router_from_env(runtime: &Runtime<'_>) -> Router {
    router(runtime.env.optional("RECOVERY_PUBLIC_KEY").is_some())
}

/// Returns the endpoint's routes. `recovery_key` states whether the deployment has one.
pub fn router(recovery_key: bool) -> Router {
    let health = async move || Json(HealthBody::new(env!("CARGO_PKG_VERSION"), recovery_key));
    Router::new().route("/api/health", get(health)).route("/api/openapi.json", get(document))
}

async fn document() -> ([(http::HeaderName, HeaderValue); 1], &'static str) {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], DOCUMENT)
}
