//! Webhooks: where events are sent, and that they are sent again.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::send::Call;
use crate::{Answer, Client, Error, Secret};

/// What an event is about.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EventType {
    /// A wallet was made.
    #[serde(rename = "wallet.created")]
    WalletCreated,
    /// An exchange has approved a credential's first agent.
    #[serde(rename = "credential.active")]
    CredentialActive,
    /// Another agent has taken its place.
    #[serde(rename = "credential.renewed")]
    CredentialRenewed,
    /// It comes to its end, and nobody renews it.
    #[serde(rename = "credential.expiring")]
    CredentialExpiring,
    /// It is gone.
    #[serde(rename = "credential.revoked")]
    CredentialRevoked,
    /// It differs from what its exchange knows.
    #[serde(rename = "credential.drift")]
    CredentialDrift,
    /// One that this version of the crate does not know.
    #[serde(untagged)]
    Other(String),
}

/// A webhook that is to be made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewWebhook {
    /// Where events are sent: https, a public host by name.
    pub url: String,
    /// Which ones; all of them when it is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<EventType>>,
    /// Words of your own, on one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl NewWebhook {
    /// All events, to this URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), events: None, description: None }
    }
}

/// Which events are sent again: one, or those of a time.
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
    /// The one with this id.
    pub fn event(id: impl Into<String>) -> Self {
        Self { event_id: Some(id.into()), ..Self::default() }
    }

    /// Those from a time on, RFC 3339, to another; now when that is `None`.
    pub fn between(from: impl Into<String>, to: Option<String>) -> Self {
        Self { from: Some(from.into()), to, ..Self::default() }
    }

    /// The same times from a cursor on: [`Replayed::next_cursor`] of the call before.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<String>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }
}

/// A webhook, and how it fares.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its id.
    pub webhook_id: Uuid,
    /// Where events are sent.
    pub url: String,
    /// Which ones.
    pub events: Vec<EventType>,
    /// Words of your own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// RFC 3339 in whole seconds.
    pub created_at: String,
    /// `enabled`, or `disabled` when the receiver has answered 410.
    pub status: String,
    /// When it was last sent something, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_delivered_at: Option<String>,
    /// The last attempt that did not arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<WebhookFailure>,
    /// Since when nothing has arrived and something has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<String>,
}

/// An attempt that did not arrive.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookFailure {
    /// RFC 3339 in whole seconds.
    pub at: String,
    /// What the receiver answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A new webhook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WebhookMade {
    /// What was made.
    pub webhook: Webhook,
    /// What deliveries are signed with, returned once. The same request under the same
    /// `Idempotency-Key` returns it again for ten minutes, in case the response was lost.
    pub secret: Secret,
}

/// All webhooks of an API key: ten at most.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Webhooks {
    /// The webhooks.
    pub webhooks: Vec<Webhook>,
}

/// A webhook that is gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDeleted {
    /// Its id.
    pub webhook_id: Uuid,
}

/// Events that are sent again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// How many were queued.
    pub queued: u64,
    /// Where the next call goes on; `None` when nothing is left.
    pub next_cursor: Option<String>,
}

impl Client {
    /// Has events sent to a URL. `POST /api/webhooks`.
    ///
    /// # Errors
    /// When there is no good answer.
    pub async fn create_webhook(&self, webhook: &NewWebhook) -> Result<Answer<WebhookMade>, Error> {
        self.plain(Call::post(&["api", "webhooks"], webhook)).await
    }

    /// All webhooks, and how they fare. `GET /api/webhooks`.
    ///
    /// # Errors
    /// When there is no good answer.
    pub async fn list_webhooks(&self) -> Result<Answer<Webhooks>, Error> {
        self.plain(Call::get(&["api", "webhooks"], &[])).await
    }

    /// Has nothing sent there any more. `DELETE /api/webhooks/{webhookId}`.
    ///
    /// # Errors
    /// When there is no good answer; [`Code::WebhookNotFound`](crate::Code::WebhookNotFound).
    pub async fn delete_webhook(&self, id: Uuid) -> Result<Answer<WebhookDeleted>, Error> {
        let path = &["api", "webhooks", &id.to_string()];
        let method = Method::DELETE;
        self.plain(Call { method, path, query: &[], body: None, keyed: true, open: false }).await
    }

    /// Has events sent again, a part of them at a time. `POST /api/webhooks/{webhookId}/replay`.
    ///
    /// # Errors
    /// When there is no good answer; [`Code::EventNotFound`](crate::Code::EventNotFound).
    pub async fn replay_webhook(
        &self,
        id: Uuid,
        replay: &Replay,
    ) -> Result<Answer<Replayed>, Error> {
        self.plain(Call::post(&["api", "webhooks", &id.to_string(), "replay"], replay)).await
    }
}
