//! `POST /api/trading/aster/orders` and `POST /api/aster/perp/{walletId}/order`: places an order on
//! Aster, or a batch.

use axum::Router;
use axum::routing::post;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::trading::{place_of_wallet, place_orders};
use shared::exchanges::budget::Spender;
use shared::orders::Trader;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(trader: Trader) -> Router {
    Router::new()
        .route("/api/trading/aster/orders", post(place_orders))
        .route("/api/aster/perp/{walletId}/order", post(place_of_wallet))
        .with_state(trader)
        .route_layer(Requires::scope(Scope::Trade))
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(Trader::aster_from_env(runtime, Spender::Caller)?))
}
