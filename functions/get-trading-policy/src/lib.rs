//! `GET /api/trading/policy`: returns the trading policy of the tenant, or of a wallet.

use axum::Router;
use axum::routing::get;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::trading::{PolicyReads, get_policy};
use shared::runtime::Runtime;
use shared::store::Store;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(state: PolicyReads) -> Router {
    Router::new()
        .route("/api/trading/policy", get(get_policy))
        .with_state(state)
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    let (store, clock) = (Store::from_env(&runtime.env)?, runtime.clock.clone());
    Ok(router(PolicyReads { store, clock }))
}
