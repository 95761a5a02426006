//! `DELETE /api/trading/hyperliquid/orders/{orderId}` and `DELETE /api/trading/hyperliquid/orders?symbol=`:
//! cancels an open order on Hyperliquid, or all of a market.

use axum::Router;
use axum::routing::delete;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::trading::{cancel_order, cancel_orders};
use shared::exchanges::budget::Spender;
use shared::orders::Trader;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(trader: Trader) -> Router {
    Router::new()
        .route("/api/trading/hyperliquid/orders", delete(cancel_orders))
        .route("/api/trading/hyperliquid/orders/{orderId}", delete(cancel_order))
        .with_state(trader)
        .route_layer(Requires::scope(Scope::Trade).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(Trader::hyperliquid_from_env(runtime, Spender::Caller)?))
}
