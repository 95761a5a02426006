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

/// Returns the endpoint's routes. Both sides must have a recovery key in the environment, each its
/// own.
pub fn router_from_env(runtime: &Runtime<'_>) -> Router {
    let [endpoint, cosigner] = RECOVERY_KEYS.map(|name| runtime.env.optional(name));
    let both = endpoint.zip(cosigner);
    router(both.is_some_and(|(endpoint, cosigner)| !share_a_key(&endpoint, &cosigner)))
}

/// Returns whether both sides name the same key, `endpoint:04…` and `cosigner:04…`. Its holder would
/// open both halves of every wallet.
fn share_a_key(endpoint: &str, cosigner: &str) -> bool {
    let points = |text: &str| -> Vec<String> {
        let keys = text.split(',').filter_map(|key| key.split_once(':'));
        keys.map(|(_, point)| point.trim().to_ascii_lowercase()).collect()
    };
    let endpoint = points(endpoint);
    points(cosigner).iter().any(|point| endpoint.contains(point))
}

/// Returns the endpoint's routes. `recovery_key` states whether both sides have one.
pub fn router(recovery_key: bool) -> Router {
    let health = async move || Json(HealthBody::new(env!("CARGO_PKG_VERSION"), recovery_key));
    Router::new().route("/api/health", get(health)).route("/api/openapi.json", get(document))
}

async fn document() -> ([(http::HeaderName, HeaderValue); 1], &'static str) {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], DOCUMENT)
}
