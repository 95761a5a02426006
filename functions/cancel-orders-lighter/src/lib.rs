//! `DELETE /api/trading/lighter/orders/{orderId}` and `DELETE /api/trading/lighter/orders?symbol=`:
//! cancels an open order on Lighter, or all of a market.

use axum::Router;
use axum::routing::delete;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::trading::{LighterKeys, cancel_order, cancel_orders};
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(keys: LighterKeys) -> Router {
    Router::new()
        .route("/api/trading/lighter/orders", delete(cancel_orders))
        .route("/api/trading/lighter/orders/{orderId}", delete(cancel_order))
        .with_state(keys.trader())
        .route_layer(keys)
        .route_layer(Requires::scope(Scope::Trade).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(LighterKeys::from_env(runtime)?))
}
