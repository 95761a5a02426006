//! `GET /api/wallets/{walletIdOrAddress}/transfers/{transferId}`: returns a transfer on
//! a chain.

use axum::Router;
use axum::routing::get;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::money::get_token_transfer;
use shared::exchanges::budget::Spender;
use shared::money::Tracker;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(tracker: Tracker) -> Router {
    Router::new()
        .route("/api/wallets/{wallet}/transfers/{transferId}", get(get_token_transfer))
        .with_state(tracker)
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing or invalid variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(Tracker::evm_from_env(runtime, Spender::Caller)?))
}
