//! What invokes the functions behind webhooks, as the cloud's event source mappings do: the stream
//! of the wallets' table publishes, the queue delivers.
//!
//! The stream is the embedded database's own. It never forgets by itself and looks through all it
//! has at each write, so what was published is deleted here, and an index is added to its file.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use deliver_webhook::DeliverWebhook;
use dynoxide::Database;
use dynoxide::actions::get_records::{GetRecordsRequest, GetRecordsResponse};
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::streams::{shard_id, stream_arn};
use lambda_entry::Consumer;
use publish_events::PublishEvents;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::StartError;
use crate::engines::streams::{EngineStream, ShardRead};
use crate::queue::Queue;
use crate::stack::WALLETS_TABLE;

/// How many records of the stream are published at once.
pub(crate) const BATCH: usize = 100;

/// How often is looked, when there was nothing.
const IDLE: Duration = Duration::from_millis(250);

/// How long is waited after a failure.
const REST: Duration = Duration::from_secs(5);

/// What is subtracted from a sequence number to get the one in the file.
const SEQUENCE_OFFSET: u128 = 100_000_000_000_000_000_000;

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum PumpError {
    /// The stream could not be read.
    #[error("the stream: {0}")]
    Stream(String),
    /// The queue's file failed.
    #[error("the queue: {0}")]
    Queue(#[from] rusqlite::Error),
    /// The stream's record could not be published. It is tried again.
    #[error("a record was not published")]
    NotPublished,
}

/// Publishes and delivers, a step at a time.
#[derive(Clone)]
pub struct Pump {
    pub(crate) publish: PublishEvents,
    pub(crate) deliver: DeliverWebhook,
    pub(crate) queue: Queue,
    pub(crate) source: Source,
}

/// Where the changes of the wallets' table are read.
#[derive(Clone)]
pub(crate) enum Source {
    /// The embedded database, in this file.
    Embedded(Database, PathBuf),
    /// An external engine.
    Engine(EngineStream),
    /// An external engine without streams: nothing is published.
    Off,
}

impl std::fmt::Debug for Pump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pump")
    }
}

impl Pump {
    /// The same with other functions.
    #[must_use]
    pub fn with(self, publish: PublishEvents, deliver: DeliverWebhook) -> Self {
        Self { publish, deliver, ..self }
    }

    /// Publishes and delivers until it is dropped.
    pub async fn run(self) -> Infallible {
        loop {
            let step = async {
                let published = self.publish_once().await?;
                Ok::<usize, PumpError>(published + self.deliver_once().await?)
            };
            match step.await {
                Ok(0) => tokio::time::sleep(IDLE).await,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "webhooks rest");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    /// Publishes the next records of the stream, and says how many it has read.
    ///
    /// # Errors
    /// When one could not be published: the next step begins with it.
    pub async fn publish_once(&self) -> Result<usize, PumpError> {
        let Some(ShardRead { position, records: read }) = self.read().await? else { return Ok(0) };
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
            if let Source::Embedded(_, file) = &self.source {
                forget(file.clone(), stored(&upto)).await?;
            }
        }
        if failed.is_some() { Err(PumpError::NotPublished) } else { Ok(read.len()) }
    }

    /// The next records, if there are any.
    async fn read(&self) -> Result<Option<ShardRead>, PumpError> {
        let database = match &self.source {
            Source::Embedded(database, _) => database.clone(),
            Source::Engine(stream) => return stream.next(&self.queue).await,
            Source::Off => return Ok(None),
        };
        let from = self.queue.position(WALLETS_TABLE)?;
        let read = tokio::task::spawn_blocking(move || read(&database, from));
        let read = read.await.map_err(|error| PumpError::Stream(error.to_string()))??;
        let records = read.records.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>();
        let records = records.map_err(|error| PumpError::Stream(error.to_string()))?;
        let position = WALLETS_TABLE.to_owned();
        Ok((!records.is_empty()).then_some(ShardRead { position, records }))
    }

    /// Delivers the messages whose time has come, and says how many there were.
    ///
    /// # Errors
    /// When the queue's file fails.
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

    /// When the next message's time comes, Unix milliseconds, and how many dead letters there are.
    ///
    /// # Errors
    /// When the queue's file fails.
    pub fn queued(&self) -> Result<(Option<u64>, u64), PumpError> {
        Ok(self.queue.state()?)
    }
}

/// Deletes what was published from the embedded database's stream.
async fn forget(file: PathBuf, upto: i64) -> Result<(), PumpError> {
    let trim = tokio::task::spawn_blocking(move || -> rusqlite::Result<()> {
        const TRIM: &str = "DELETE FROM _stream_records
            WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) <= ?2";
        connect(&file)?.execute(TRIM, params![WALLETS_TABLE, upto])?;
        Ok(())
    });
    trim.await.map_err(|error| PumpError::Stream(error.to_string()))??;
    Ok(())
}

/// A sequence number as it is in the file.
fn stored(sequence: &str) -> i64 {
    let public: u128 = sequence.parse().unwrap_or_default();
    i64::try_from(public.saturating_sub(SEQUENCE_OFFSET)).unwrap_or_default()
}

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

/// Has the stream's reads and writes cost what they touch, and not all that it holds.
pub(crate) fn index(file: &Path) -> Result<(), StartError> {
    const INDEX: &str = "CREATE INDEX IF NOT EXISTS hyperdex_stream
        ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";
    let made = connect(file).and_then(|connection| connection.execute_batch(INDEX));
    made.map_err(|error| StartError::Data { path: file.to_owned(), cause: error.to_string() })
}

fn read(database: &Database, from: Option<String>) -> Result<GetRecordsResponse, PumpError> {
    let failed = |error: dynoxide::DynoxideError| PumpError::Stream(error.to_string());
    let kind = if from.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" };
    let at = GetShardIteratorRequest {
        stream_arn: stream_arn(WALLETS_TABLE, "local"),
        shard_id: shard_id(WALLETS_TABLE),
        shard_iterator_type: kind.to_owned(),
        sequence_number: from,
    };
    let iterator = database.get_shard_iterator(at).map_err(failed)?.shard_iterator;
    let request =
        GetRecordsRequest { shard_iterator: iterator.unwrap_or_default(), limit: Some(BATCH) };
    database.get_records(request).map_err(failed)
}

/// The filter of the template's event source mapping.
fn is_wanted(record: &Value) -> bool {
    let sort = record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap_or_default();
    (sort == "record" && record["eventName"] == "INSERT") || sort.starts_with("credential#")
}
