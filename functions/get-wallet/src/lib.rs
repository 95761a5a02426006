//! `GET /api/wallets/{walletIdOrAddress}`: returns a wallet by any of its names.

use axum::extract::State;
use axum::http::Uri;
use axum::routing::get;
use axum::{Json, Router};
use shared::api::access::Requires;
use shared::api::body::PathName;
use shared::api::error::ApiError;
use shared::api::responses::WalletBody;
use shared::api::wallet_names::WalletNames;
use shared::caller::{Caller, note_wallet};
use shared::store::Store;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(store: Store) -> Router {
    Router::new()
        .route("/api/wallets/{wallet}", get(get_wallet))
        .with_state(store)
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

async fn get_wallet(
    State(store): State<Store>,
    caller: Caller,
    PathName(name): PathName,
    uri: Uri,
) -> Result<Json<WalletBody>, ApiError> {
    let names = WalletNames::in_path(&name)?.and_in_query(&uri)?;
    let name = names.wallet(&store, &caller.tenant).await?;
    let view = store.find(&caller.tenant, &name).await?;
    let wallet = view.ok_or_else(ApiError::wallet_not_found)?.wallet;
    note_wallet(&wallet);
    Ok(Json(WalletBody::from(&wallet)))
}
