//! `GET /api/health`: the one route without a key.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

/// The endpoint's routes.
pub fn router() -> Router {
    Router::new().route("/api/health", get(health))
}

async fn health() -> Json<Value> {
    Json(json!({ "success": true, "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}
