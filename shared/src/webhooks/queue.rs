//! The queue of deliveries: one message for each event and webhook.

use domain::ids::Tenant;
use serde::{Deserialize, Serialize};

use super::EventId;
use crate::aws::{CallError, SQS_BATCH, SqsClient};
use crate::store::WebhookId;

/// What is to be sent, and to whom.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Whose event it is.
    pub tenant: Tenant,
    /// To where.
    pub webhook_id: WebhookId,
    /// Which one.
    pub event_id: EventId,
}

/// The queue did not do it. What was queued may be queued again: a receiver sees the same id.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// SQS failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A delivery cannot be written as JSON.
    #[error("a delivery cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// SQS took only some of the messages.
    #[error("SQS did not take {count} messages: {code}")]
    NotSent {
        /// How many.
        count: usize,
        /// The first one's error.
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
    /// The queue at this URL.
    #[must_use]
    pub fn new(sqs: SqsClient, url: impl Into<String>) -> Self {
        Self { sqs, url: url.into() }
    }

    /// Queues all of these.
    ///
    /// # Errors
    /// When any of them was not taken.
    pub async fn send(&self, deliveries: &[Delivery]) -> Result<(), QueueError> {
        for batch in deliveries.chunks(SQS_BATCH) {
            let bodies: Result<Vec<_>, _> = batch.iter().map(serde_json::to_string).collect();
            let not_sent = self.sqs.send_batch(&self.url, &bodies?).await?;
            if let Some(first) = not_sent.first() {
                let (count, code) = (not_sent.len(), first.code.clone());
                return Err(QueueError::NotSent { count, code });
            }
        }
        Ok(())
    }

    /// Has a message come again after so many seconds.
    ///
    /// # Errors
    /// When the queue cannot be told; it comes again when its time is over.
    pub async fn again(&self, receipt: &str, after_s: u32) -> Result<(), QueueError> {
        Ok(self.sqs.hide(&self.url, receipt, after_s).await?)
    }
}
