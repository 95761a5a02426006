//! `GET /api/wallets`: lists a tenant's wallets in pages.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::Uri;
use shared::api::access::Requires;
use shared::api::cursor::page_in_query;
use shared::api::error::ApiError;
use shared::api::responses::WalletsBody;
use shared::caller::Caller;
use shared::store::Store;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(store: Store) -> Router {
    Router::new()
        .route("/api/wallets", get(list_wallets))
        .with_state(store)
        .route_layer(Requires::scope(Scope::Read).while_suspended())
}

async fn list_wallets(
    State(store): State<Store>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<WalletsBody>, ApiError> {
    let (from, limit) = page_in_query(&caller.tenant, &uri)?;
    let (wallets, next) = store.list(&caller.tenant, from, limit).await?;
    Ok(Json(WalletsBody::new(&caller.tenant, &wallets, next)))
}
