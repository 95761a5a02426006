//! `GET /api/trading/aster/transfers/{transferId}`: returns a payment at Aster.

use axum::Router;
use axum::routing::get;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::money::get_payment;
use shared::exchanges::budget::Spender;
use shared::money::Tracker;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(tracker: Tracker) -> Router {
    Router::new()
        .route("/api/trading/aster/transfers/{transferId}", get(get_payment))
        .with_state(tracker)
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing or invalid variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(Tracker::aster_from_env(runtime, Spender::Caller)?))
}
