//! The routes of exchanges with which wallets are not registered: registration, orders, accounts and
//! payments; and deposits, which the service does not make. Each returns guidance.

use axum::Router;
use axum::extract::State;
use axum::routing::{delete, get, post, put};
use platform::env::ConfigError;
use platform::networks::Networks;
use shared::api::access::Requires;
use shared::api::body::PathName;
use shared::api::error::ApiError;
use shared::api::exchange::{InPath, not_offered_on_lighter, not_served};
use shared::api::money::{deposit, transfer_not_offered};
use shared::caller::Caller;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes. The networks decide the contracts of deposits.
pub fn router(networks: Networks) -> Router {
    Router::new()
        .route("/api/trading/aster/deposit", post(guide_deposit))
        .route("/api/trading/hyperliquid/deposit", post(guide_deposit))
        .with_state(networks)
        .route("/api/trading/aster/transfer", post(guide_transfer))
        .route("/api/trading/{exchange}/apikey", post(guide))
        .route(
            "/api/trading/{exchange}/orders",
            get(guide_order).post(guide_order).delete(guide_order),
        )
        .route("/api/trading/{exchange}/orders/{orderId}", put(guide_order).delete(guide_order))
        .route("/api/trading/{exchange}/orders/{orderId}/status", get(guide_order))
        .route("/api/trading/{exchange}/positions/{walletAddress}", get(guide_order))
        .route("/api/trading/{exchange}/positions/close", post(guide_order))
        .route("/api/trading/{exchange}/balances", get(guide_order))
        .route("/api/trading/{exchange}/fills", get(guide_order))
        .route("/api/trading/{exchange}/leverage", post(guide_order))
        .route("/api/trading/{exchange}/withdraw", post(guide_order))
        .route("/api/trading/{exchange}/deposit", post(guide_order))
        .route("/api/trading/{exchange}/transfer", post(guide_order))
        .route("/api/trading/{exchange}/transfers/{transferId}", get(guide_order))
        .route("/api/trading/lighter/apikey", get(guide_key).post(guide_key).delete(guide_key))
        .route("/api/trading/lighter/apikey/rotate", post(guide_key))
        .route("/api/trading/lighter/agents", get(guide_key))
        .route("/api/trading/lighter/agents/{agentName}", delete(guide_key))
        .route("/api/trading/lighter/positions/close", post(guide_call))
        .route("/api/trading/lighter/fills", get(guide_call))
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

/// Returns the endpoint's routes, with the networks from the environment.
///
/// # Errors
/// Returns an error that names the invalid variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(Networks::from_env(&runtime.env)?))
}

/// Fails with the contracts of an exchange's deposits.
async fn guide_deposit(
    State(networks): State<Networks>,
    _caller: Caller,
    InPath(exchange): InPath,
) -> ApiError {
    deposit(exchange, networks)
}

/// Hyperliquid's transfers have a function of their own.
async fn guide_transfer(_caller: Caller) -> ApiError {
    transfer_not_offered()
}

async fn guide(_caller: Caller, PathName(exchange): PathName) -> ApiError {
    not_served(&exchange)
}

/// The keys of Lighter, which callers bring.
async fn guide_key(_caller: Caller) -> ApiError {
    not_served("lighter")
}

/// The calls that have another form on Lighter, or none.
async fn guide_call(_caller: Caller) -> ApiError {
    not_offered_on_lighter()
}

/// Fails before the handler runs: an exchange with orders has functions of its own.
async fn guide_order(_caller: Caller, InPath(exchange): InPath) -> ApiError {
    not_served(exchange.as_str())
}
