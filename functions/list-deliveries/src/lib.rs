//! `GET /api/webhooks/{webhookId}/deliveries`: lists what became of a webhook's events.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::Uri;
use shared::api::access::Requires;
use shared::api::body::PathName;
use shared::api::error::ApiError;
use shared::api::requests::ListDeliveries;
use shared::api::webhooks::DeliveriesBody;
use shared::caller::Caller;
use shared::store::{Store, WebhookRecord};
use shared::tenancy::Scope;

/// Returns the endpoint's routes.
pub fn router(store: Store) -> Router {
    Router::new()
        .route("/api/webhooks/{webhook}/deliveries", get(list_deliveries))
        .with_state(store)
        .route_layer(Requires::scope(Scope::Webhooks).while_suspended())
}

async fn list_deliveries(
    State(store): State<Store>,
    caller: Caller,
    PathName(id): PathName,
    uri: Uri,
) -> Result<Json<DeliveriesBody>, ApiError> {
    let ListDeliveries { webhook_id, before, limit } = ListDeliveries::read(&id, &uri)?;
    let tenant = &caller.tenant;
    let known = store.webhook(tenant, webhook_id).await?.filter(WebhookRecord::is_there);
    known.ok_or_else(ApiError::webhook_not_found)?;
    let (deliveries, next) = store.deliveries(tenant, webhook_id, before.as_ref(), limit).await?;
    Ok(Json(DeliveriesBody::new(deliveries, next.as_ref())))
}
