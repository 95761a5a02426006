//! `GET /api/webhooks`: lists a tenant's webhooks and the state of their deliveries, without
//! secrets.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use shared::api::access::Requires;
use shared::api::error::ApiError;
use shared::api::webhooks::WebhooksBody;
use shared::caller::Caller;
use shared::store::Store;
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(store: Store) -> Router {
    Router::new()
        .route("/api/webhooks", get(list_webhooks))
        .with_state(store)
        .route_layer(Requires::scope(Scope::Webhooks).while_suspended())
}

async fn list_webhooks(
    State(store): State<Store>,
    caller: Caller,
) -> Result<Json<WebhooksBody>, ApiError> {
    Ok(Json(WebhooksBody::new(&store.webhooks(&caller.tenant).await?)))
}
