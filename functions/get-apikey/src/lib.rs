//! `GET /api/trading/{exchange}/apikey`: returns the state and metadata of a wallet's credential,
//! without secrets.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use domain::clock::Clock;
use http::Uri;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::credential_data::CredentialData;
use shared::api::error::ApiError;
use shared::api::exchange::{InPath, routes};
use shared::api::responses::DataBody;
use shared::api::wallet_names::WalletNames;
use shared::caller::{Caller, note_wallet};
use shared::runtime::Runtime;
use shared::store::Store;
use shared::tenancy::Scope;

/// The endpoint's state.
#[derive(Clone, Debug)]
pub struct GetApiKey {
    /// The wallets' table.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
}

/// Returns the endpoint's routes.
pub fn router(state: GetApiKey) -> Router {
    routes("apikey", &get(get_api_key))
        .with_state(state)
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    let (store, clock) = (Store::from_env(&runtime.env)?, runtime.clock.clone());
    Ok(router(GetApiKey { store, clock }))
}

async fn get_api_key(
    State(state): State<GetApiKey>,
    caller: Caller,
    InPath(exchange): InPath,
    uri: Uri,
) -> Result<Json<DataBody<CredentialData>>, ApiError> {
    let name = WalletNames::in_query(&uri)?.wallet(&state.store, &caller.tenant).await?;
    let view = state.store.find(&caller.tenant, &name).await?;
    let view = view.ok_or_else(ApiError::wallet_not_found)?;
    note_wallet(&view.wallet);
    let record = view.credential(exchange).ok_or_else(ApiError::api_key_not_found)?;
    let now_ms = state.clock.now_ms();
    let data = CredentialData::new(&view.wallet, record, now_ms);
    Ok(Json(DataBody::new(None, data, now_ms)))
}
