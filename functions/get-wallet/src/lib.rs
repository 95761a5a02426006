//! `GET /api/wallets/{walletIdOrAddress}`: a wallet by any of its names.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use shared::api::body::{PathName, wallet_ref};
use shared::api::error::ApiError;
use shared::api::responses::WalletBody;
use shared::api::shell::{Caller, note_wallet};
use shared::store::Store;

/// The endpoint's routes.
pub fn router(store: Store) -> Router {
    Router::new().route("/api/wallets/{wallet}", get(get_wallet)).with_state(store)
}

async fn get_wallet(
    State(store): State<Store>,
    caller: Caller,
    PathName(name): PathName,
) -> Result<Json<WalletBody>, ApiError> {
    let view = store.find(&caller.tenant, &wallet_ref(&name)?).await?;
    let wallet = view.ok_or_else(ApiError::wallet_not_found)?.wallet;
    note_wallet(&wallet);
    Ok(Json(WalletBody::from(&wallet)))
}
