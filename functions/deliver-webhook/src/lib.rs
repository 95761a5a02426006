//! What the queue of deliveries invokes: each message is one event for one webhook, sent at once
//! with the others of its batch. What is to be tried again is reported, and comes again when its
//! time has come.

use futures_util::future::join_all;
use lambda_entry::Consumer;
use serde_json::{Value, json};
use shared::http_client::SetupError;
use shared::runtime::Runtime;
use shared::webhooks::{Attempt, Deliverer};

/// What the function needs.
#[derive(Clone, Debug)]
pub struct DeliverWebhook {
    /// What delivers.
    pub deliverer: Deliverer,
}

/// The function, with clients from the environment.
///
/// # Errors
/// Names the variable that is missing.
pub fn consumer_from_env(runtime: &Runtime<'_>) -> Result<DeliverWebhook, SetupError> {
    Ok(DeliverWebhook { deliverer: Deliverer::from_env(runtime)? })
}

impl Consumer for DeliverWebhook {
    async fn consume(&self, event: &Value) -> Value {
        let records = event["Records"].as_array().into_iter().flatten();
        let ended = join_all(records.map(|record| async move {
            let done = match attempt(record) {
                Some(attempt) => self.deliverer.attempt(&attempt).await,
                None => {
                    // It is left to the dead-letter queue.
                    tracing::error!(message = %record["messageId"], "no delivery");
                    false
                }
            };
            (!done).then(|| json!({ "itemIdentifier": record["messageId"] }))
        }));
        let failures: Vec<Value> = ended.await.into_iter().flatten().collect();
        json!({ "batchItemFailures": failures })
    }
}

fn attempt(record: &Value) -> Option<Attempt> {
    Some(Attempt {
        delivery: serde_json::from_str(record["body"].as_str()?).ok()?,
        number: record["attributes"]["ApproximateReceiveCount"].as_str()?.parse().ok()?,
        receipt: record["receiptHandle"].as_str()?.to_owned(),
    })
}
