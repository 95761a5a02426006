//! `PUT /api/trading/policy`: replaces the trading policy of the tenant, or the override of a wallet.

use axum::Router;
use axum::routing::put;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::trading::{PolicyWrites, set_policy};
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(state: PolicyWrites) -> Router {
    Router::new()
        .route("/api/trading/policy", put(set_policy))
        .with_state(state)
        .route_layer(Requires::scope(Scope::Trade))
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing or invalid variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(PolicyWrites::from_env(runtime)?))
}
