//! `GET /api/trading/positions/all/{walletAddress}`: returns the open positions at all exchanges.

use axum::Router;
use axum::routing::get;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::trading::{AllTraders, all_positions};
use shared::exchanges::budget::Spender;
use shared::orders::Trader;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(traders: Vec<Trader>) -> Router {
    Router::new()
        .route("/api/trading/positions/all/{walletAddress}", get(all_positions))
        .with_state(AllTraders(traders))
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    let spender = Spender::Caller;
    Ok(router(vec![
        Trader::hyperliquid_from_env(runtime, spender)?,
        Trader::aster_from_env(runtime, spender)?,
    ]))
}
