//! `GET /api/trading/lighter/orders` and `GET /api/trading/lighter/orders/{orderId}/status`: returns the
//! open orders on Lighter, or one order in its present state.

use axum::Router;
use axum::routing::get;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::trading::{LighterKeys, open_orders, order_status};
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(keys: LighterKeys) -> Router {
    Router::new()
        .route("/api/trading/lighter/orders", get(open_orders))
        .route("/api/trading/lighter/orders/{orderId}/status", get(order_status))
        .with_state(keys.trader())
        .route_layer(keys)
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(LighterKeys::from_env(runtime)?))
}
