//! The stream of the wallets' table, which feeds webhooks: that of the embedded database or of an
//! external engine.
//!
//! The embedded stream never deletes records, and each write scans all of them. So this module
//! deletes published records, and adds an index to the database's file.

mod engine;

use std::path::{Path, PathBuf};
use std::time::Duration;

use dynoxide::Database;
use dynoxide::actions::get_records::{GetRecordsRequest, GetRecordsResponse};
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::streams::{shard_id, stream_arn};
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::error::CloudError;
use crate::names::WALLETS_TABLE;
use crate::queue::Queue;
pub use engine::EngineStream;

/// Maximum number of records that are published in one step.
const BATCH: usize = 100;

/// Difference between a sequence number and the number in the file.
const SEQUENCE_OFFSET: u128 = 100_000_000_000_000_000_000;

/// The stream was not read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The stream cannot be read.
    #[error("the stream: {0}")]
    Stream(String),
    /// A file failed.
    #[error("the queue: {0}")]
    Queue(#[from] rusqlite::Error),
}

/// The next records of a shard.
#[derive(Debug)]
pub struct ShardRead {
    /// Name of the position in the queue's file.
    pub position: String,
    /// The records, oldest first.
    pub records: Vec<Value>,
}

/// Source of the wallets' table's changes.
#[derive(Clone)]
pub enum Source {
    /// The embedded database, in this file.
    Embedded(Database, PathBuf),
    /// An external engine.
    Engine(EngineStream),
    /// An external engine without streams. Nothing is published.
    Off,
}

impl Source {
    /// Returns the next records, if there are any.
    ///
    /// # Errors
    /// Returns an error when the stream or the queue's file fails.
    pub async fn next(&self, queue: &Queue) -> Result<Option<ShardRead>, StreamError> {
        let database = match self {
            Self::Embedded(database, _) => database.clone(),
            Self::Engine(stream) => return stream.next(queue).await,
            Self::Off => return Ok(None),
        };
        let from = queue.position(WALLETS_TABLE)?;
        let read = tokio::task::spawn_blocking(move || read(&database, from));
        let read = read.await.map_err(|error| StreamError::Stream(error.to_string()))??;
        let records = read.records.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>();
        let records = records.map_err(|error| StreamError::Stream(error.to_string()))?;
        let position = WALLETS_TABLE.to_owned();
        Ok((!records.is_empty()).then_some(ShardRead { position, records }))
    }

    /// Deletes published records from the embedded database's stream, up to a sequence number.
    ///
    /// # Errors
    /// Returns an error when the file fails.
    pub async fn forget(&self, upto: &str) -> Result<(), StreamError> {
        match self {
            Self::Embedded(_, file) => forget(file.clone(), stored(upto)).await,
            Self::Engine(_) | Self::Off => Ok(()),
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Embedded(..) => "Embedded",
            Self::Engine(_) => "Engine",
            Self::Off => "Off",
        })
    }
}

async fn forget(file: PathBuf, upto: i64) -> Result<(), StreamError> {
    let trim = tokio::task::spawn_blocking(move || -> rusqlite::Result<()> {
        const TRIM: &str = "DELETE FROM _stream_records
            WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) <= ?2";
        connect(&file)?.execute(TRIM, params![WALLETS_TABLE, upto])?;
        Ok(())
    });
    trim.await.map_err(|error| StreamError::Stream(error.to_string()))??;
    Ok(())
}

/// Returns a sequence number as stored in the file.
fn stored(sequence: &str) -> i64 {
    let public: u128 = sequence.parse().unwrap_or_default();
    i64::try_from(public.saturating_sub(SEQUENCE_OFFSET)).unwrap_or_default()
}

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

/// Adds an index, so that reads and writes of the stream do not scan all records.
///
/// # Errors
/// Returns an error when the file fails.
pub fn index(file: &Path) -> Result<(), CloudError> {
    const INDEX: &str = "CREATE INDEX IF NOT EXISTS hyperdex_stream
        ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";
    let made = connect(file).and_then(|connection| connection.execute_batch(INDEX));
    made.map_err(|error| CloudError::Data { path: file.to_owned(), cause: error.to_string() })
}

fn read(database: &Database, from: Option<String>) -> Result<GetRecordsResponse, StreamError> {
    let failed = |error: dynoxide::DynoxideError| StreamError::Stream(error.to_string());
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
