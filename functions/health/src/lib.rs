//! `GET /api/health` and `GET /api/openapi.json`: the routes without authentication.

use axum::routing::get;
use axum::{Json, Router};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use shared::api::responses::HealthBody;
use shared::runtime::Runtime;

/// The committed document; a test compares it with the generated one.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// The recovery keys of both sides. A cosigner in another account has its own, and the template
/// sets a text in place of its key.
const RECOVERY_KEYS: [&str; 2] = ["RECOVERY_PUBLIC_KEY", "COSIGNER_RECOVERY_PUBLIC_KEY"];

/// Returns the endpoint's routes. Both sides must have a recovery key in the environment.
pub fn router_from_env(runtime: &Runtime<'_>) -> Router {
    let set = RECOVERY_KEYS.map(|name| runtime.env.optional(name).is_some());
    router(set == [true; 2])
}

/// Returns the endpoint's routes. `recovery_key` states whether both sides have one.
pub fn router(recovery_key: bool) -> Router {
    let health = async move || Json(HealthBody::new(env!("CARGO_PKG_VERSION"), recovery_key));
    Router::new().route("/api/health", get(health)).route("/api/openapi.json", get(document))
}

async fn document() -> ([(http::HeaderName, HeaderValue); 1], &'static str) {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], DOCUMENT)
}
