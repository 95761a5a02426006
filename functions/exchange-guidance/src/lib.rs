//! `POST /api/trading/{exchange}/apikey` for exchanges with which wallets are not registered:
//! returns guidance.

use axum::Router;
use axum::routing::post;
use shared::api::access::Requires;
use shared::api::body::PathName;
use shared::api::error::ApiError;
use shared::api::exchange::not_served;
use shared::caller::Caller;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router() -> Router {
    Router::new()
        .route("/api/trading/{exchange}/apikey", post(guide))
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

async fn guide(_caller: Caller, PathName(exchange): PathName) -> ApiError {
    not_served(&exchange)
}
