//! `GET /api/trading/{exchange}/agents`: lists the agents that an exchange lists for a wallet,
//! with their roles.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::Uri;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::credential_data::AgentsData;
use shared::api::credential_error::Action;
use shared::api::error::ApiError;
use shared::api::exchange::{InPath, not_served, routes};
use shared::api::responses::DataBody;
use shared::api::wallet_names::WalletNames;
use shared::caller::Caller;
use shared::credentials::Registrars;
use shared::exchanges::budget::Spender;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(registrars: Registrars) -> Router {
    routes("agents", &get(list_agents))
        .with_state(registrars)
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(Registrars::from_env(runtime, Spender::Caller)?))
}

async fn list_agents(
    State(registrars): State<Registrars>,
    caller: Caller,
    InPath(exchange): InPath,
    uri: Uri,
) -> Result<Json<DataBody<AgentsData>>, ApiError> {
    let registrar = registrars.of(exchange);
    let registrar = registrar.ok_or_else(|| not_served(exchange.as_str()))?;
    let names = WalletNames::in_query(&uri)?;
    let name = names.wallet(&registrar.custody.store, &caller.tenant).await?;
    let listed = registrar.list_agents(&caller, &name).await;
    let listed = listed.map_err(|error| ApiError::credential(Action::ListAgents, error))?;
    let now_ms = registrar.custody.clock.now_ms();
    Ok(Json(DataBody::new(None, AgentsData::new(exchange, &listed), now_ms)))
}
