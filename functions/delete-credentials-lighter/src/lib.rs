//! `DELETE /api/trading/lighter/credentials`: deletes the stored API key of an account at Lighter.

use axum::Router;
use axum::routing::delete;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::trading::delete_lighter_key;
use shared::exchanges::budget::Spender;
use shared::orders::Trader;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(trader: Trader) -> Router {
    Router::new()
        .route("/api/trading/lighter/credentials", delete(delete_lighter_key))
        .with_state(trader)
        .route_layer(Requires::scope(Scope::Trade).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(Trader::lighter_from_env(runtime, Spender::Caller)?))
}
