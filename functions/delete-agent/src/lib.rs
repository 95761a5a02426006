//! `DELETE /api/trading/{exchange}/agents/{name}`: removes an agent that no credential uses from
//! the exchange, which frees its slot.

use axum::extract::State;
use axum::routing::delete;
use axum::{Json, Router};
use http::Uri;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::body::{JsonBody, PathName};
use shared::api::credential_data::RevokedData;
use shared::api::credential_error::Action;
use shared::api::error::ApiError;
use shared::api::exchange::{InPath, not_served, routes};
use shared::api::idempotency::Idempotency;
use shared::api::requests::DeleteAgent;
use shared::api::responses::DataBody;
use shared::caller::Caller;
use shared::credentials::Registrars;
use shared::exchanges::budget::Spender;
use shared::runtime::Runtime;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(registrars: Registrars) -> Router {
    let custody = registrars.aster.custody.clone();
    routes("agents/{agentName}", &delete(delete_agent))
        .with_state(registrars)
        .route_layer(Idempotency::new(custody))
        .route_layer(Requires::scope(Scope::Keys).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    Ok(router(Registrars::from_env(runtime, Spender::Caller)?))
}

async fn delete_agent(
    State(registrars): State<Registrars>,
    caller: Caller,
    InPath(exchange): InPath,
    PathName(agent): PathName,
    uri: Uri,
    body: JsonBody,
) -> Result<Json<DataBody<RevokedData>>, ApiError> {
    let DeleteAgent { names } = DeleteAgent::read(&uri, &body)?;
    let registrar = registrars.of(exchange);
    let registrar = registrar.ok_or_else(|| not_served(exchange.as_str()))?;
    let name = names.wallet(&registrar.custody.store, &caller.tenant).await?;
    let removed = registrar.remove_agent(&caller, &name, &agent).await;
    let removed = removed.map_err(|error| ApiError::credential(Action::RemoveAgent, error))?;
    let data = RevokedData::of_agent(exchange, &removed);
    let now_ms = registrar.custody.clock.now_ms();
    Ok(Json(DataBody::new(Some("Agent removed"), data, now_ms)))
}
