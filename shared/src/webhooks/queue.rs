//! The queue of deliveries: one message for each event and webhook.

use domain::ids::Tenant;
use serde::{Deserialize, Serialize};

use super::EventId;
use crate::aws::{CallError, OutMessage, SQS_BATCH, SqsClient};
use crate::store::WebhookId;

/// An event to deliver, and its webhook.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The tenant.
    pub tenant: Tenant,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The event.
    pub event_id: EventId,
    /// A call of the tenant has queued it once more. It counts against the outstanding replays until
    /// its first attempt has ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_replay: bool,
}

/// Why the queue failed. Queued messages may be queued again, because a receiver sees the same id.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// SQS failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A delivery cannot be written as JSON.
    #[error("a delivery cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// SQS rejected some of the messages.
    #[error("SQS rejected {count} messages: {code}")]
    NotSent {
        /// Number of rejected messages.
        count: usize,
        /// The first rejected message's error code.
        code: String,
    },
}

/// The queue.
#[derive(Clone, Debug)]
pub struct Deliveries {
    sqs: SqsClient,
    url: String,
}

impl Deliveries {
    /// Makes the client of the queue at this URL.
    #[must_use]
    pub fn new(sqs: SqsClient, url: impl Into<String>) -> Self {
        Self { sqs, url: url.into() }
    }

    /// Queues all of these deliveries.
    ///
    /// # Errors
    /// Fails when any of them was rejected.
    pub async fn send(&self, deliveries: &[Delivery]) -> Result<(), QueueError> {
        for batch in deliveries.chunks(SQS_BATCH) {
            let messages = batch.iter().map(|delivery| {
                let body = serde_json::to_string(delivery)?;
                Ok(OutMessage { body, group: delivery.tenant.to_string() })
            });
            let messages = messages.collect::<Result<Vec<_>, serde_json::Error>>()?;
            let not_sent = self.sqs.send_batch(&self.url, &messages).await?;
            if let Some(first) = not_sent.first() {
                let (count, code) = (not_sent.len(), first.code.clone());
                return Err(QueueError::NotSent { count, code });
            }
        }
        Ok(())
    }

    /// Makes a message visible again after this many seconds.
    ///
    /// # Errors
    /// Fails when the queue cannot be reached; the queue's own timeout then applies.
    pub async fn again(&self, receipt: &str, after_s: u32) -> Result<(), QueueError> {
        Ok(self.sqs.hide(&self.url, receipt, after_s).await?)
    }
}
