//! Webhooks: creation, deletion and event replay.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::send::Call;
use crate::{Answer, Client, Error, Secret};

/// The type of an event.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EventType {
    /// A wallet was made.
    #[serde(rename = "wallet.created")]
    WalletCreated,
    /// An exchange has approved a credential's first agent.
    #[serde(rename = "credential.active")]
    CredentialActive,
    /// A new agent has replaced the previous one.
    #[serde(rename = "credential.renewed")]
    CredentialRenewed,
    /// The key expires soon, and is not renewed automatically.
    #[serde(rename = "credential.expiring")]
    CredentialExpiring,
    /// The credential was revoked.
    #[serde(rename = "credential.revoked")]
    CredentialRevoked,
    /// The credential differs from the exchange's list.
    #[serde(rename = "credential.drift")]
    CredentialDrift,
    /// An exchange has accepted an order.
    #[serde(rename = "order.placed")]
    OrderPlaced,
    /// An exchange has refused an order.
    #[serde(rename = "order.rejected")]
    OrderRejected,
    /// The outcome of an order, or of a change of one, was unknown and is known now.
    #[serde(rename = "order.unknown_resolved")]
    OrderUnknownResolved,
    /// You have requested a test of the webhook. A webhook cannot subscribe to it.
    #[serde(rename = "webhook.test")]
    WebhookTest,
    /// A type that this version of the crate does not know.
    #[serde(untagged)]
    Other(String),
}

/// A webhook to create.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewWebhook {
    /// The URL that receives the events: https, with a public hostname.
    pub url: String,
    /// The types to send; all when `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<EventType>>,
    /// Your description, on one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl NewWebhook {
    /// Makes a webhook for all events to this URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), events: None, description: None }
    }
}

/// The events to replay: one, or those of a period.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

impl Replay {
    /// Replays the event with this id.
    pub fn event(id: impl Into<String>) -> Self {
        Self { event_id: Some(id.into()), ..Self::default() }
    }

    /// Replays the events of a period in RFC 3339; without `to`, until now.
    pub fn between(from: impl Into<String>, to: Option<String>) -> Self {
        Self { from: Some(from.into()), to, ..Self::default() }
    }

    /// Continues from a cursor: [`Replayed::next_cursor`] of the previous call.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<String>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }
}

/// A webhook, and the state of its deliveries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its id.
    pub webhook_id: Uuid,
    /// The URL that receives the events.
    pub url: String,
    /// The event types.
    pub events: Vec<EventType>,
    /// Your description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Creation time, RFC 3339 in whole seconds.
    pub created_at: String,
    /// `enabled`, or `disabled` after the receiver returned 410.
    pub status: String,
    /// Time of the last delivery, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_delivered_at: Option<String>,
    /// The last failed attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<WebhookFailure>,
    /// Start of the failures without a success since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<String>,
}

/// A failed attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookFailure {
    /// Time of the attempt, RFC 3339 in whole seconds.
    pub at: String,
    /// The receiver's HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was no response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A new webhook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WebhookMade {
    /// The webhook.
    pub webhook: Webhook,
    /// The secret that signs deliveries, returned once. A retry with the same `Idempotency-Key`
    /// returns it again for ten minutes, in case the response was lost.
    pub secret: Secret,
}

/// All webhooks of a tenant, at most ten.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Webhooks {
    /// The webhooks.
    pub webhooks: Vec<Webhook>,
}

/// A deleted webhook.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDeleted {
    /// Its id.
    pub webhook_id: Uuid,
}

/// A change of a webhook. Absent fields keep their value.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookChange {
    /// The URL that receives the events: https, with a public hostname.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The types to send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<EventType>>,
    /// Your description, on one line; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether events are sent. `true` also enables a webhook whose receiver returned 410.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// A changed webhook.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WebhookChanged {
    /// The webhook.
    pub webhook: Webhook,
}

/// A test of a webhook.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookTested {
    /// The test's event.
    pub event_id: String,
}

/// The delivery of one event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The event.
    pub event_id: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// `DELIVERED`, `RETRYING`, `GIVEN_UP` or `DISABLED`.
    pub state: String,
    /// Number of the last attempt. A replay counts from 1 again.
    pub attempts: u32,
    /// Time of the last attempt, RFC 3339 in whole seconds.
    pub last_attempt_at: String,
    /// The receiver's HTTP status, if the last attempt failed with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// Why the last attempt had no response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A page of a webhook's deliveries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryPage {
    /// The deliveries, those of the newest events first.
    pub deliveries: Vec<Delivery>,
    /// Cursor of the next page; `None` on the last one.
    pub next_cursor: Option<String>,
}

/// Replayed events.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// Number of events queued.
    pub queued: u64,
    /// Cursor for the next call; `None` when nothing is left.
    pub next_cursor: Option<String>,
}

impl Client {
    /// Creates a webhook. `POST /api/webhooks`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn create_webhook(&self, webhook: &NewWebhook) -> Result<Answer<WebhookMade>, Error> {
        self.plain(Call::post(&["api", "webhooks"], webhook)).await
    }

    /// Lists all webhooks and the state of their deliveries. `GET /api/webhooks`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn list_webhooks(&self) -> Result<Answer<Webhooks>, Error> {
        self.plain(Call::get(&["api", "webhooks"], &[])).await
    }

    /// Changes a webhook. `PUT /api/webhooks/{webhookId}`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::WebhookNotFound`](crate::Code::WebhookNotFound).
    pub async fn update_webhook(
        &self,
        id: Uuid,
        change: &WebhookChange,
    ) -> Result<Answer<WebhookChanged>, Error> {
        let path = &["api", "webhooks", &id.to_string()];
        let body = serde_json::to_string(change).ok();
        self.plain(Call { method: Method::PUT, body, ..Call::get(path, &[]) }).await
    }

    /// Sends a test event to a webhook. `POST /api/webhooks/{webhookId}/test`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::WebhookDisabled`](crate::Code::WebhookDisabled).
    pub async fn test_webhook(&self, id: Uuid) -> Result<Answer<WebhookTested>, Error> {
        let path = &["api", "webhooks", &id.to_string(), "test"];
        let method = Method::POST;
        self.plain(Call { method, keyed: true, ..Call::get(path, &[]) }).await
    }

    /// Lists a page of a webhook's deliveries. `cursor` is
    /// [`DeliveryPage::next_cursor`] of the previous page.
    /// `GET /api/webhooks/{webhookId}/deliveries`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::WebhookNotFound`](crate::Code::WebhookNotFound).
    pub async fn list_deliveries(
        &self,
        id: Uuid,
        cursor: Option<&str>,
    ) -> Result<Answer<DeliveryPage>, Error> {
        let id = id.to_string();
        let query: Vec<_> = cursor.into_iter().map(|cursor| ("cursor", cursor)).collect();
        self.plain(Call::get(&["api", "webhooks", &id, "deliveries"], &query)).await
    }

    /// Deletes a webhook. `DELETE /api/webhooks/{webhookId}`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::WebhookNotFound`](crate::Code::WebhookNotFound).
    pub async fn delete_webhook(&self, id: Uuid) -> Result<Answer<WebhookDeleted>, Error> {
        let path = &["api", "webhooks", &id.to_string()];
        let method = Method::DELETE;
        self.plain(Call { method, keyed: true, ..Call::get(path, &[]) }).await
    }

    /// Replays events, in parts. `POST /api/webhooks/{webhookId}/replay`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::EventNotFound`](crate::Code::EventNotFound).
    pub async fn replay_webhook(
        &self,
        id: Uuid,
        replay: &Replay,
    ) -> Result<Answer<Replayed>, Error> {
        self.plain(Call::post(&["api", "webhooks", &id.to_string(), "replay"], replay)).await
    }
}
