//! `POST /api/trading/lighter/leverage`: sets the leverage and the margin mode of a market on Lighter.

use axum::Router;
use axum::routing::post;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::trading::{LighterKeys, set_leverage};
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(keys: LighterKeys) -> Router {
    Router::new()
        .route("/api/trading/lighter/leverage", post(set_leverage))
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
