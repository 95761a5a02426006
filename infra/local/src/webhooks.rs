//! Invokes the functions of webhooks, as event source mappings do in AWS: the table's stream
//! publishes events, the queue delivers them.

use std::convert::Infallible;
use std::time::Duration;

use deliver_webhook::DeliverWebhook;
use hyperdex_cloud::queue::Queue;
use hyperdex_cloud::stream::{ShardRead, Source, StreamError};
use lambda_entry::Consumer;
use publish_events::PublishEvents;
use serde_json::{Value, json};

/// Poll interval when there is nothing to do.
const IDLE: Duration = Duration::from_millis(250);

/// Wait after a failure.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// Error of a step.
#[derive(Debug, thiserror::Error)]
pub enum PumpError {
    /// The stream cannot be read.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The queue's file failed.
    #[error("the queue: {0}")]
    Queue(#[from] rusqlite::Error),
    /// A record of the stream was not published. The next step retries it.
    #[error("cannot publish a record of the stream")]
    NotPublished,
}

/// Publishes and delivers events in steps.
#[derive(Clone)]
pub struct Pump {
    pub(crate) publish: PublishEvents,
    pub(crate) deliver: DeliverWebhook,
    pub(crate) queue: Queue,
    pub(crate) source: Source,
}

impl std::fmt::Debug for Pump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pump")
    }
}

impl Pump {
    /// Returns the same pump with other functions.
    #[must_use]
    pub fn with(self, publish: PublishEvents, deliver: DeliverWebhook) -> Self {
        Self { publish, deliver, ..self }
    }

    /// Publishes and delivers until the future is dropped.
    pub async fn run(self) -> Infallible {
        // Concurrent deliveries, as in Lambda: a receiver that hangs holds up one of them. The queue
        // gives a tenant at most four, so that one remains for the others.
        let deliver = || repeat(|| self.deliver_once());
        let publish = repeat(|| self.publish_once());
        tokio::join!(publish, deliver(), deliver(), deliver(), deliver(), deliver()).0
    }

    /// Publishes the next records of the stream, and returns the number of records read.
    ///
    /// # Errors
    /// Returns an error when a record cannot be published. The next step starts with that record.
    pub async fn publish_once(&self) -> Result<usize, PumpError> {
        let Some(ShardRead { position, records: read }) = self.source.next(&self.queue).await?
        else {
            return Ok(0);
        };
        let sequence =
            |record: &Value| record["dynamodb"]["SequenceNumber"].as_str().map(str::to_owned);
        let mut upto = read.last().and_then(sequence);
        let records: Vec<&Value> = read.iter().filter(|record| is_wanted(record)).collect();
        let event = json!({ "Records": records });
        let done = Box::pin(self.publish.consume(&event)).await;
        let failed = done["batchItemFailures"][0]["itemIdentifier"].as_str();
        if let Some(failed) = failed {
            let before = read.iter().filter_map(sequence);
            upto = before.take_while(|sequence| sequence != failed).last();
        }
        if let Some(upto) = upto {
            self.queue.set_position(&position, &upto)?;
            self.source.forget(&upto).await?;
        }
        if failed.is_some() { Err(PumpError::NotPublished) } else { Ok(read.len()) }
    }

    /// Delivers the messages that are due, and returns their number.
    ///
    /// # Errors
    /// Returns an error when the queue's file fails.
    pub async fn deliver_once(&self) -> Result<usize, PumpError> {
        let messages = self.queue.receive()?;
        let records = messages.iter().map(|message| {
            json!({
                "messageId": message.id,
                "receiptHandle": message.receipt,
                "body": message.body,
                "attributes": { "ApproximateReceiveCount": message.received.to_string() },
                "eventSource": "aws:sqs",
            })
        });
        let event = json!({ "Records": records.collect::<Vec<_>>() });
        let done = Box::pin(self.deliver.consume(&event)).await;
        let failed = done["batchItemFailures"].as_array().into_iter().flatten();
        let failed: Vec<&str> =
            failed.filter_map(|failure| failure["itemIdentifier"].as_str()).collect();
        for message in messages.iter().filter(|message| !failed.contains(&message.id.as_str())) {
            self.queue.delete(&message.receipt)?;
        }
        Ok(messages.len())
    }

    /// Returns the time of the next message, Unix milliseconds, and the number of dead letters.
    ///
    /// # Errors
    /// Returns an error when the queue's file fails.
    pub fn queued(&self) -> Result<(Option<u64>, u64), PumpError> {
        Ok(self.queue.state()?)
    }
}

/// Takes one step after another.
async fn repeat<S: Future<Output = Result<usize, PumpError>>>(step: impl Fn() -> S) -> Infallible {
    loop {
        match step().await {
            Ok(0) => tokio::time::sleep(IDLE).await,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "webhooks failed; retrying");
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}

/// Applies the filter of the template's event source mapping.
fn is_wanted(record: &Value) -> bool {
    let sort = record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap_or_default();
    let is_order = || {
        let state = |image: &str| &record["dynamodb"][image]["state"]["S"];
        let change = |image: &str| &record["dynamodb"][image]["change"]["M"]["state"]["S"];
        let open = |state: &Value| ["sending", "unknown"].iter().any(|it| state == it);
        let ended = |state: &Value| ["placed", "refused", "dead"].iter().any(|it| state == it);
        record["eventName"] == "MODIFY"
            && ((open(state("OldImage")) && ended(state("NewImage")))
                || (open(change("OldImage")) && ended(change("NewImage"))))
    };
    (sort == "record" && record["eventName"] == "INSERT")
        || sort.starts_with("credential#")
        || (sort.starts_with("order#") && is_order())
}
