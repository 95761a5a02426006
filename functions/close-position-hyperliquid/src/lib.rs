//! `POST /api/trading/hyperliquid/positions/close`: closes a position on Hyperliquid, a part of it, or all positions.

use axum::Router;
use axum::routing::post;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::trading::{close_all, close_of_market, close_position};
use shared::exchanges::budget::Spender;
use shared::orders::Trader;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(trader: Trader) -> Router {
    Router::new()
        .route("/api/trading/hyperliquid/positions/close", post(close_position))
        .route("/api/hyperliquid/{walletId}/positions/close/{symbol}", post(close_of_market))
        .route("/api/hyperliquid/{walletId}/positions/close-all", post(close_all))
        .with_state(trader)
        .route_layer(Requires::scope(Scope::Trade))
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(Trader::hyperliquid_from_env(runtime, Spender::Caller)?))
}
