//! `GET /api/policy`: returns the payment policy of the tenant: authority, limits, destinations and
//! pending changes.

use axum::Router;
use axum::routing::get;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::policy_chain::get_policy;
use shared::policy_chain::PolicyChain;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(chain: PolicyChain) -> Router {
    Router::new()
        .route("/api/policy", get(get_policy))
        .with_state(chain)
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(PolicyChain::from_env(runtime)?))
}
