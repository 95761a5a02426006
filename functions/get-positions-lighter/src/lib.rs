//! `GET /api/trading/lighter/positions/{walletAddress}`: returns the open positions of an account at
//! Lighter, which states them to anybody.

use axum::Router;
use axum::routing::get;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::trading::lighter_positions;
use shared::exchanges::budget::Spender;
use shared::orders::Trader;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(trader: Trader) -> Router {
    Router::new()
        .route("/api/trading/lighter/positions/{walletAddress}", get(lighter_positions))
        .with_state(trader)
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(Trader::lighter_from_env(runtime, Spender::Caller)?))
}
