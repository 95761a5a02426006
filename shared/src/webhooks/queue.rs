//! The queue of deliveries: one message for each event and webhook.

use aws_sdk_sqs::error::{BuildError, DisplayErrorContext};
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use serde::{Deserialize, Serialize};

use super::EventId;
use crate::api::ids::Tenant;
use crate::aws::Lazy;
use crate::store::WebhookId;

/// How many messages SQS takes at once.
const BATCH: usize = 10;

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
#[error("SQS: {0}")]
pub struct QueueError(String);

impl From<BuildError> for QueueError {
    fn from(error: BuildError) -> Self {
        Self(error.to_string())
    }
}

/// The queue.
#[derive(Clone, Debug)]
pub struct Deliveries {
    sqs: Lazy<aws_sdk_sqs::Client>,
    url: String,
}

impl Deliveries {
    /// The queue at this URL.
    #[must_use]
    pub fn new(sqs: Lazy<aws_sdk_sqs::Client>, url: impl Into<String>) -> Self {
        Self { sqs, url: url.into() }
    }

    /// Queues all of these.
    ///
    /// # Errors
    /// When any of them was not taken.
    pub async fn send(&self, deliveries: &[Delivery]) -> Result<(), QueueError> {
        for batch in deliveries.chunks(BATCH) {
            let entries = batch.iter().enumerate().map(|(index, delivery)| {
                let body = serde_json::to_string(delivery)
                    .map_err(|error| QueueError(error.to_string()))?;
                let entry = SendMessageBatchRequestEntry::builder();
                Ok(entry.id(index.to_string()).message_body(body).build()?)
            });
            let entries: Result<Vec<_>, QueueError> = entries.collect();
            let sent = self
                .sqs
                .send_message_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries?))
                .send()
                .await
                .map_err(|error| QueueError(DisplayErrorContext(error).to_string()))?;
            if let Some(failed) = sent.failed().first() {
                return Err(QueueError(format!(
                    "{} were not taken: {}",
                    sent.failed().len(),
                    failed.code()
                )));
            }
        }
        Ok(())
    }

    /// Has a message come again after so many seconds.
    ///
    /// # Errors
    /// When the queue cannot be told; it comes again when its time is over.
    pub async fn again(&self, receipt: &str, after_s: u32) -> Result<(), QueueError> {
        self.sqs
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .visibility_timeout(i32::try_from(after_s).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| QueueError(DisplayErrorContext(error).to_string()))?;
        Ok(())
    }
}
