//! The consumer of the deliveries' queue. Each message is one event for one webhook, and the
//! messages of a batch are sent in parallel. The function reports messages to retry, and the queue
//! delivers them again after their delay.

use futures_util::future::join_all;
use lambda_entry::Consumer;
use serde_json::{Value, json};
use shared::http_client::SetupError;
use shared::runtime::Runtime;
use shared::webhooks::{Attempt, Deliverer};

/// The function's clients.
#[derive(Clone, Debug)]
pub struct DeliverWebhook {
    /// Delivers events.
    pub deliverer: Deliverer,
}

/// Makes the function with clients from the environment.
///
/// # Errors
/// Returns an error that names the missing variable.
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
                    // An unreadable message goes to the dead-letter queue.
                    tracing::error!(message = %record["messageId"], "message is not a delivery");
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
