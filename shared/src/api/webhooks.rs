//! Response bodies and errors of webhooks.

use domain::ids::Tenant;
use domain::time::rfc3339_seconds;
use serde::Serialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::error::{ApiError, REPEAT};
use super::event_cursor::to_cursor;
use crate::schema;
use crate::store::{DeliveryRecord, MAX_OUTSTANDING_REPLAYS, WebhookId, WebhookRecord};
use crate::webhooks::{
    CreateWebhookError, DeleteWebhookError, EventId, EventType, ReplayError, Replayed, Secret,
    TestError, UpdateWebhookError,
};

/// A webhook, as shown to its tenant.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
struct WebhookRow {
    #[schema(value_type = schema::WebhookIdText)]
    webhook_id: String,
    #[schema(value_type = schema::WebhookUrl)]
    url: String,
    #[schema(value_type = Vec<schema::EventTypeName>)]
    events: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::WebhookDescription, required = false)]
    description: Option<String>,
    #[schema(value_type = schema::Seconds)]
    created_at: String,
    #[schema(value_type = schema::WebhookStatus)]
    status: &'static str,
    /// Time of the last delivery, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Seconds, required = false)]
    last_delivered_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = FailureRow, required = false)]
    last_failure: Option<FailureRow>,
    /// Start of the current failures: since then, no delivery has succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Seconds, required = false)]
    failing_since: Option<String>,
}

/// The last failed attempt.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
struct FailureRow {
    #[schema(value_type = schema::Seconds)]
    at: String,
    /// The receiver's HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u16, required = false)]
    status: Option<u16>,
    /// Why there was no response.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Code, required = false)]
    reason: Option<String>,
}

impl From<&WebhookRecord> for WebhookRow {
    fn from(webhook: &WebhookRecord) -> Self {
        Self {
            webhook_id: webhook.webhook_id.to_string(),
            url: webhook.url.clone(),
            events: webhook.types().into_iter().map(EventType::as_str).collect(),
            description: webhook.description.clone(),
            created_at: rfc3339_seconds(webhook.created_at_ms),
            status: if webhook.disabled_at_ms.is_some() { "disabled" } else { "enabled" },
            last_delivered_at: webhook.last_delivered_at_ms.map(rfc3339_seconds),
            last_failure: webhook.last_failure.as_ref().map(|failure| FailureRow {
                at: rfc3339_seconds(failure.at_ms),
                status: failure.status,
                reason: failure.reason.clone(),
            }),
            failing_since: webhook.failing_since_ms.map(rfc3339_seconds),
        }
    }
}

/// `POST /api/webhooks`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookMadeBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    webhook: WebhookRow,
    /// The secret that signs deliveries.
    #[schema(value_type = schema::WebhookSecret)]
    secret: Zeroizing<String>,
}

/// Omits the secret.
impl std::fmt::Debug for WebhookMadeBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WebhookMadeBody({:?})", self.webhook)
    }
}

impl WebhookMadeBody {
    /// Returns the body of a new webhook, with its secret.
    #[must_use]
    pub fn new(webhook: &WebhookRecord, secret: &Secret) -> Self {
        Self { success: true, webhook: webhook.into(), secret: secret.to_text() }
    }
}

/// `GET /api/webhooks`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WebhooksBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    /// The webhooks, at most ten.
    webhooks: Vec<WebhookRow>,
}

impl WebhooksBody {
    /// Returns the body of a tenant's webhooks.
    #[must_use]
    pub fn new(webhooks: &[WebhookRecord]) -> Self {
        Self { success: true, webhooks: webhooks.iter().map(WebhookRow::from).collect() }
    }
}

/// `PUT /api/webhooks/{webhookId}`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WebhookBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    webhook: WebhookRow,
}

impl WebhookBody {
    /// Returns the body of a changed webhook.
    #[must_use]
    pub fn new(webhook: &WebhookRecord) -> Self {
        Self { success: true, webhook: webhook.into() }
    }
}

/// `POST /api/webhooks/{webhookId}/test`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WebhookTestedBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    /// The test's event.
    #[schema(value_type = schema::EventIdText)]
    event_id: String,
}

impl WebhookTestedBody {
    /// Returns the body of a test.
    #[must_use]
    pub fn new(event: &EventId) -> Self {
        Self { success: true, event_id: event.to_string() }
    }
}

/// The delivery of one event.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
struct DeliveryRow {
    #[schema(value_type = schema::EventIdText)]
    event_id: String,
    /// The event's type.
    #[serde(rename = "type")]
    #[schema(value_type = schema::SentEventTypeName)]
    kind: &'static str,
    /// DELIVERED; RETRYING: the last attempt failed, and another one follows; GIVEN_UP: none
    /// follows; DISABLED: the receiver returned 410, or you disabled the webhook.
    #[schema(value_type = schema::DeliveryStateName)]
    state: &'static str,
    /// Number of the last attempt. A replay counts from 1 again.
    attempts: u32,
    #[schema(value_type = schema::Seconds)]
    last_attempt_at: String,
    /// The receiver's HTTP status, if the last attempt failed with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u16, required = false)]
    http_status: Option<u16>,
    /// Why the last attempt had no response.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Code, required = false)]
    reason: Option<String>,
}

/// `GET /api/webhooks/{webhookId}/deliveries`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct DeliveriesBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    /// The deliveries, those of the newest events first.
    deliveries: Vec<DeliveryRow>,
    /// The cursor of the next page; null on the last one.
    #[schema(value_type = Option<schema::EventIdText>, required)]
    next_cursor: Option<String>,
}

impl DeliveriesBody {
    /// Returns the body of a page of deliveries, at a time in Unix milliseconds. Deliveries of types
    /// that this version does not know are left out.
    #[must_use]
    pub fn new(deliveries: Vec<DeliveryRecord>, next: Option<&EventId>, now_ms: u64) -> Self {
        let rows = deliveries.into_iter().filter_map(|delivery| {
            let kind = delivery.event_type.known()?.as_str();
            let state = delivery.state_at(now_ms).as_str();
            let (http_status, reason) =
                delivery.failure.map_or((None, None), |failure| (failure.status, failure.reason));
            Some(DeliveryRow {
                event_id: delivery.event_id.to_string(),
                kind,
                state,
                attempts: delivery.attempts,
                last_attempt_at: rfc3339_seconds(delivery.last_attempt_at_ms),
                http_status,
                reason,
            })
        });
        let next_cursor = next.map(ToString::to_string);
        Self { success: true, deliveries: rows.collect(), next_cursor }
    }
}

/// `DELETE /api/webhooks/{webhookId}`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDeletedBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    #[schema(value_type = schema::WebhookIdText)]
    webhook_id: String,
}

impl WebhookDeletedBody {
    /// Returns the body of a deleted webhook.
    #[must_use]
    pub fn new(id: WebhookId) -> Self {
        Self { success: true, webhook_id: id.to_string() }
    }
}

/// `POST /api/webhooks/{webhookId}/replay`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ReplayedBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    /// Number of events queued.
    queued: usize,
    /// The cursor for the next call with the same period; null when nothing is left.
    #[schema(value_type = Option<schema::ReplayCursor>, required)]
    next_cursor: Option<String>,
}

impl ReplayedBody {
    /// Returns the body of a replay.
    #[must_use]
    pub fn new(tenant: &Tenant, replayed: &Replayed) -> Self {
        let next_cursor = replayed.next.as_ref().map(|position| to_cursor(tenant, position));
        Self { success: true, queued: replayed.queued, next_cursor }
    }
}

impl ApiError {
    /// Makes a 404 for a webhook that does not exist or belongs to another tenant.
    #[must_use]
    pub fn webhook_not_found() -> Self {
        Self::new(404, "WEBHOOK_NOT_FOUND", "Webhook not found")
            .advise("Check the webhookId; GET /api/webhooks lists the webhooks.")
    }

    /// Makes a 404 for an event that is not stored or belongs to another tenant.
    #[must_use]
    pub fn event_not_found() -> Self {
        Self::new(404, "EVENT_NOT_FOUND", "Event not found")
            .advise("Check the eventId. Events are stored for 30 days, once you have a webhook.")
    }

    /// Makes a 409 for an eleventh webhook.
    #[must_use]
    pub fn too_many_webhooks() -> Self {
        Self::new(409, "TOO_MANY_WEBHOOKS", "The limit of ten webhooks is reached")
            .advise("Delete a webhook before you create another.")
    }

    /// Makes a 409 for a disabled webhook.
    #[must_use]
    pub fn webhook_disabled() -> Self {
        Self::new(409, "WEBHOOK_DISABLED", "The webhook is disabled")
            .advise("Enable it with PUT /api/webhooks/{webhookId} and \"enabled\": true.")
    }
}

impl From<CreateWebhookError> for ApiError {
    fn from(error: CreateWebhookError) -> Self {
        match error {
            CreateWebhookError::TooMany => Self::too_many_webhooks(),
            CreateWebhookError::SecretHidden => Self::secret_not_shown_again(),
            CreateWebhookError::Store(error) => Self::store("Failed to create webhook", &error),
            error => Self::internal("Failed to create webhook", &error),
        }
    }
}

impl From<UpdateWebhookError> for ApiError {
    fn from(error: UpdateWebhookError) -> Self {
        match error {
            UpdateWebhookError::NotFound => Self::webhook_not_found(),
            UpdateWebhookError::Store(error) => error.into(),
        }
    }
}

impl From<TestError> for ApiError {
    fn from(error: TestError) -> Self {
        match error {
            TestError::NoWebhook => Self::webhook_not_found(),
            TestError::Disabled => Self::webhook_disabled(),
            TestError::TooMany => Self::replays_outstanding(),
            TestError::Store(error) => error.into(),
            error => Self::internal("Failed to queue the test", &error).advise(REPEAT),
        }
    }
}

impl From<DeleteWebhookError> for ApiError {
    fn from(error: DeleteWebhookError) -> Self {
        match error {
            DeleteWebhookError::NotFound => Self::webhook_not_found(),
            DeleteWebhookError::Store(error) => error.into(),
        }
    }
}

impl ApiError {
    /// 429 for a replay while many events of earlier replays wait for their first attempt.
    #[must_use]
    pub fn replays_outstanding() -> Self {
        Self::new(429, "REPLAYS_OUTSTANDING", "Too many replays are outstanding")
            .advise(format!(
                "At most {MAX_OUTSTANDING_REPLAYS} replayed events of a webhook wait for their first \
                 attempt. Nothing was queued. Retry after retryAfterSeconds."
            ))
            .retry_after(60)
    }
}

impl From<ReplayError> for ApiError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::NoWebhook => Self::webhook_not_found(),
            ReplayError::Disabled => Self::webhook_disabled(),
            ReplayError::NoEvent => Self::event_not_found(),
            ReplayError::TooMany => Self::replays_outstanding(),
            ReplayError::Store(error) => error.into(),
            ReplayError::Queue(error) => {
                Self::internal("Failed to queue events", &error).advise(REPEAT)
            }
        }
    }
}
