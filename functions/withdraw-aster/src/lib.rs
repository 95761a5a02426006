//! `POST /api/trading/aster/withdraw`: withdraws from Aster to the wallet's own address.

use axum::Router;
use axum::routing::post;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::money::withdraw_aster;
use shared::money::Payer;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(payer: Payer) -> Router {
    Router::new()
        .route("/api/trading/aster/withdraw", post(withdraw_aster))
        .with_state(payer)
        .route_layer(Requires::scope(Scope::Money))
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing or invalid variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(Payer::aster_from_env(runtime)?))
}
