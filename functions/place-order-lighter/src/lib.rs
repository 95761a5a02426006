//! `POST /api/trading/lighter/orders`: places an order on Lighter with the caller's key.

use axum::Router;
use axum::routing::post;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::trading::{LighterKeys, place_orders};
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(keys: LighterKeys) -> Router {
    Router::new()
        .route("/api/trading/lighter/orders", post(place_orders))
        .with_state(keys.trader())
        .route_layer(keys)
        .route_layer(Requires::scope(Scope::Trade))
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(LighterKeys::from_env(runtime)?))
}
