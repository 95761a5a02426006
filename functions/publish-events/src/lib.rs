//! What the stream of the wallets' table invokes: each change of a wallet or a credential becomes
//! its events, kept and queued. Records are taken in their order, and the first that cannot be
//! published is reported, so that the stream comes again from there.

use lambda_entry::Consumer;
use platform::env::ConfigError;
use platform::items::{Item, StoreError};
use serde_json::{Value, json};
use shared::runtime::Runtime;
use shared::webhooks::{Change, Images, Known, PublishError, Publisher};

/// What the function needs.
#[derive(Clone, Debug)]
pub struct PublishEvents {
    /// What publishes.
    pub publisher: Publisher,
}

/// Why a record of the stream was not published. The stream sends it again.
#[derive(Debug, thiserror::Error)]
enum RecordError {
    /// The cause would show a value of the item.
    #[error("an image is not an item")]
    Image,
    /// The change cannot be read.
    #[error(transparent)]
    Change(#[from] StoreError),
    /// The change was read, and not published.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// The function, with clients from the environment.
///
/// # Errors
/// Names the variable that is missing.
pub fn consumer_from_env(runtime: &Runtime<'_>) -> Result<PublishEvents, ConfigError> {
    Ok(PublishEvents { publisher: Publisher::from_env(runtime)? })
}

impl Consumer for PublishEvents {
    async fn consume(&self, event: &Value) -> Value {
        let mut known = Known::default();
        for record in event["Records"].as_array().into_iter().flatten() {
            if let Err(cause) = self.publish(record, &mut known).await {
                let sequence = &record["dynamodb"]["SequenceNumber"];
                tracing::error!(%cause, %sequence, "not published");
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

/// Whole seconds, or with a fraction.
fn changed_ms(record: &Value) -> u64 {
    let seconds = record["ApproximateCreationDateTime"].as_f64().unwrap_or_default();
    (seconds * 1_000.0).max(0.0) as u64
}

/// Reads an item in DynamoDB's JSON. Its fault names no value.
fn image(value: &Value) -> Result<Option<Item>, RecordError> {
    if value.is_null() {
        return Ok(None);
    }
    let item: Result<serde_dynamo::Item, _> = serde_json::from_value(value.clone());
    item.map(|item| Some(item.into())).map_err(|_| RecordError::Image)
}
