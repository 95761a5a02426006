//! `GET /api/webhooks/{webhookId}/deliveries`: lists what became of a webhook's events.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use domain::clock::Clock;
use http::Uri;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::body::PathName;
use shared::api::error::ApiError;
use shared::api::requests;
use shared::api::webhooks::DeliveriesBody;
use shared::caller::Caller;
use shared::runtime::Runtime;
use shared::store::{Store, WebhookRecord};
use shared::tenancy::Scope;

/// The endpoint's state.
#[derive(Clone, Debug)]
pub struct ListDeliveries {
    /// The table.
    pub store: Store,
    /// The time.
    pub clock: Clock,
}

/// Returns the endpoint's routes.
pub fn router(state: ListDeliveries) -> Router {
    Router::new()
        .route("/api/webhooks/{webhook}/deliveries", get(list_deliveries))
        .with_state(state)
        .route_layer(Requires::scope(Scope::Webhooks).while_suspended())
}

/// Returns the endpoint's routes, with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    let (store, clock) = (Store::from_env(&runtime.env)?, runtime.clock.clone());
    Ok(router(ListDeliveries { store, clock }))
}

async fn list_deliveries(
    State(state): State<ListDeliveries>,
    caller: Caller,
    PathName(id): PathName,
    uri: Uri,
) -> Result<Json<DeliveriesBody>, ApiError> {
    let requests::ListDeliveries { webhook_id, before, limit } =
        requests::ListDeliveries::read(&id, &uri)?;
    let (store, tenant) = (&state.store, &caller.tenant);
    let known = store.webhook(tenant, webhook_id).await?.filter(WebhookRecord::is_there);
    known.ok_or_else(ApiError::webhook_not_found)?;
    let (deliveries, next) = store.deliveries(tenant, webhook_id, before.as_ref(), limit).await?;
    let now_ms = state.clock.now_ms();
    Ok(Json(DeliveriesBody::new(deliveries, next.as_ref(), now_ms)))
}
