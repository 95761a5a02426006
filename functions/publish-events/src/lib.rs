//! The consumer of the wallets' table's stream. Each change of a wallet or a credential becomes
//! its events, which are stored and queued. Records are processed in order. The first failure that
//! can pass is reported, so that the stream resumes there. A record that can never be processed is
//! skipped, with a metric and a log line, because all tenants of its shard wait behind it.

use lambda_entry::Consumer;
use platform::env::ConfigError;
use platform::items::{Item, StoreError};
use serde_json::{Value, json};
use shared::runtime::Runtime;
use shared::webhooks::{Change, Images, Known, PublishError, Publisher};

/// The function's clients.
#[derive(Clone, Debug)]
pub struct PublishEvents {
    /// Publishes events.
    pub publisher: Publisher,
}

/// Why a record of the stream was not published.
#[derive(Debug, thiserror::Error)]
enum RecordError {
    /// Without the cause, which would show a value of the item.
    #[error("an image is not an item")]
    Image,
    /// The change cannot be read.
    #[error(transparent)]
    Change(#[from] StoreError),
    /// The change was read, but not published.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Makes the function with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn consumer_from_env(runtime: &Runtime<'_>) -> Result<PublishEvents, ConfigError> {
    Ok(PublishEvents { publisher: Publisher::from_env(runtime)? })
}

impl RecordError {
    /// Returns the reason for which the record is skipped, or nothing if the failure can pass.
    const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Image => Some("IMAGE"),
            Self::Change(StoreError::Damaged { .. }) => Some("CHANGE"),
            Self::Publish(error) if error.is_permanent() => Some("EVENT"),
            Self::Change(_) | Self::Publish(_) => None,
        }
    }
}

impl Consumer for PublishEvents {
    async fn consume(&self, event: &Value) -> Value {
        let mut known = Known::default();
        for record in event["Records"].as_array().into_iter().flatten() {
            if let Err(cause) = self.publish(record, &mut known).await {
                let of = &record["dynamodb"];
                let (sequence, keys) = (&of["SequenceNumber"], &of["Keys"]);
                if let Some(reason) = cause.reason() {
                    tracing::error!(%cause, %sequence, %keys, reason, "record skipped");
                    self.publisher.count_skipped(reason);
                    continue;
                }
                tracing::error!(%cause, %sequence, "record not published");
                return json!({ "batchItemFailures": [{ "itemIdentifier": sequence }] });
            }
        }
        json!({ "batchItemFailures": [] })
    }
}

impl PublishEvents {
    async fn publish(&self, record: &Value, known: &mut Known) -> Result<(), RecordError> {
        let of = &record["dynamodb"];
        let key = |name: &str| of["Keys"][name]["S"].as_str().unwrap_or_default();
        let images = Images { before: image(&of["OldImage"])?, after: image(&of["NewImage"])? };
        let change = Change::read(key("pk"), key("sk"), images, changed_ms(of))?;
        if let Some(change) = change {
            self.publisher.publish(&change, known).await?;
        }
        Ok(())
    }
}

/// Parses the time of a change, in seconds with or without a fraction.
fn changed_ms(record: &Value) -> u64 {
    let seconds = record["ApproximateCreationDateTime"].as_f64().unwrap_or_default();
    (seconds * 1_000.0).max(0.0) as u64
}

/// Parses an item in DynamoDB's JSON. The error contains no value.
fn image(value: &Value) -> Result<Option<Item>, RecordError> {
    if value.is_null() {
        return Ok(None);
    }
    let item: Result<serde_dynamo::Item, _> = serde_json::from_value(value.clone());
    item.map(|item| Some(item.into())).map_err(|_| RecordError::Image)
}
