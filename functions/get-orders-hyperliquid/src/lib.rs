//! `GET /api/trading/hyperliquid/orders`, `GET /api/trading/hyperliquid/orders/{orderId}/status` and
//! `GET /api/hyperliquid/{walletId}/orders/historical`: returns the open orders on Hyperliquid, one
//! order in its present state, or the last orders in any state.

use axum::Router;
use axum::routing::get;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::trading::{open_orders, order_status, past_orders};
use shared::exchanges::budget::Spender;
use shared::orders::Trader;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(trader: Trader) -> Router {
    Router::new()
        .route("/api/trading/hyperliquid/orders", get(open_orders))
        .route("/api/trading/hyperliquid/orders/{orderId}/status", get(order_status))
        .route("/api/hyperliquid/{walletId}/orders/historical", get(past_orders))
        .with_state(trader)
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(Trader::hyperliquid_from_env(runtime, Spender::Caller)?))
}
