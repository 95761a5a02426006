//! `POST /api/policy/changes/{sequence}/approvals`: adds an approver's signature to a pending
//! change.

use axum::Router;
use axum::routing::post;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::policy_chain::approve_change;
use shared::policy_chain::PolicyChain;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(chain: PolicyChain) -> Router {
    Router::new()
        .route("/api/policy/changes/{sequence}/approvals", post(approve_change))
        .with_state(chain)
        .route_layer(Requires::scope(Scope::Trade))
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(PolicyChain::from_env(runtime)?))
}
