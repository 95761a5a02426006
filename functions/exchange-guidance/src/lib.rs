//! The routes of exchanges with which wallets are not registered: registration, orders and
//! accounts. Each returns guidance.

use axum::Router;
use axum::routing::{get, post, put};
use shared::api::access::Requires;
use shared::api::body::PathName;
use shared::api::error::ApiError;
use shared::api::exchange::{InPath, not_served};
use shared::caller::Caller;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router() -> Router {
    Router::new()
        .route("/api/trading/{exchange}/apikey", post(guide))
        .route(
            "/api/trading/{exchange}/orders",
            get(guide_order).post(guide_order).delete(guide_order),
        )
        .route("/api/trading/{exchange}/orders/{orderId}", put(guide_order).delete(guide_order))
        .route("/api/trading/{exchange}/orders/{orderId}/status", get(guide_order))
        .route("/api/trading/{exchange}/positions/{walletAddress}", get(guide_order))
        .route("/api/trading/{exchange}/positions/close", post(guide_order))
        .route("/api/trading/{exchange}/balances", get(guide_order))
        .route("/api/trading/{exchange}/fills", get(guide_order))
        .route("/api/trading/{exchange}/leverage", post(guide_order))
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

async fn guide(_caller: Caller, PathName(exchange): PathName) -> ApiError {
    not_served(&exchange)
}

/// Fails before the handler runs: an exchange with orders has functions of its own.
async fn guide_order(_caller: Caller, InPath(exchange): InPath) -> ApiError {
    not_served(exchange.as_str())
}
