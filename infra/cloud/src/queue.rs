//! SQS on loopback: the queue of deliveries and its dead letters. It keeps messages in its own
//! file, so that they survive a kill. It uses the stack's clock, so that tests control the delays.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::clock::Clock;
use domain::random::Random;
use http::{HeaderMap, StatusCode};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};
use shared::webhooks::MAX_ATTEMPTS;

use crate::error::CloudError;

/// Visibility timeout, in milliseconds, as in the template.
const VISIBILITY_MS: u64 = 180_000;

/// The number of messages in flight from which a group gets no more, so that at most this many
/// concurrent deliveries are of one group.
const MAX_IN_FLIGHT: u32 = 4;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS messages (
        id TEXT PRIMARY KEY,
        body TEXT NOT NULL,
        groupId TEXT NOT NULL DEFAULT '',
        receipt TEXT,
        received INTEGER NOT NULL DEFAULT 0,
        visibleAtMs INTEGER NOT NULL,
        dead INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX IF NOT EXISTS visible ON messages (dead, visibleAtMs);
    CREATE TABLE IF NOT EXISTS positions (stream TEXT PRIMARY KEY, sequence TEXT NOT NULL);";

/// A message for a function.
#[derive(Clone, Debug)]
pub struct Message {
    /// The id of the message.
    pub id: String,
    /// Receipt handle.
    pub receipt: String,
    /// Body as sent.
    pub body: String,
    /// Number of receives, including this one.
    pub received: u32,
}

/// The queue, and the positions of stream readers.
#[derive(Clone)]
pub struct Queue {
    file: Arc<Mutex<Connection>>,
    clock: Clock,
    random: Random,
}

impl Queue {
    /// Opens the queue in a file. Creates a missing file.
    ///
    /// # Errors
    /// Returns an error when the file is not a queue.
    pub fn open(path: &Path, clock: Clock, random: Random) -> Result<Self, CloudError> {
        let open = || -> rusqlite::Result<Connection> {
            let file = Connection::open(path)?;
            file.busy_timeout(Duration::from_secs(5))?;
            file.pragma_update(None, "journal_mode", "WAL")?;
            // The build's default is for the database, which makes its own checkpoints.
            file.pragma_update(None, "wal_autocheckpoint", 1000)?;
            file.execute_batch(TABLES)?;
            // Earlier versions had no groups.
            let column = "SELECT 1 FROM pragma_table_info('messages') WHERE name = 'groupId'";
            if file.query_row(column, [], |_| Ok(())).optional()?.is_none() {
                file.execute_batch(
                    "ALTER TABLE messages ADD COLUMN groupId TEXT NOT NULL DEFAULT ''",
                )?;
            }
            // No delivery of an earlier process is in flight.
            file.execute("UPDATE messages SET receipt = NULL WHERE receipt IS NOT NULL", [])?;
            Ok(file)
        };
        let file = open().map_err(|error| CloudError::Data {
            path: path.to_owned(),
            cause: error.to_string(),
        })?;
        Ok(Self { file: Arc::new(Mutex::new(file)), clock, random })
    }

    fn file(&self) -> MutexGuard<'_, Connection> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.clock.now_ms()).unwrap_or(i64::MAX)
    }

    /// Returns a unique number.
    fn drawn(&self) -> String {
        self.random.uuid().map(|id| id.to_string()).unwrap_or_default()
    }

    fn send(&self, body: &str, group: &str) -> rusqlite::Result<String> {
        let (id, now_ms) = (self.drawn(), self.now_ms());
        let insert =
            "INSERT INTO messages (id, body, groupId, visibleAtMs) VALUES (?1, ?2, ?3, ?4)";
        self.file().execute(insert, params![id, body, group, now_ms])?;
        Ok(id)
    }

    /// Receives at most ten messages that are due. Moves messages with too many receives to the
    /// dead letters. As SQS's fair queues do, it prefers the groups with the fewest messages in
    /// flight. A group with `MAX_IN_FLIGHT` messages in flight gets no more, because the local stack
    /// has few concurrent deliveries, unlike Lambda.
    ///
    /// # Errors
    /// Returns an error when the file fails.
    pub fn receive(&self) -> rusqlite::Result<Vec<Message>> {
        const DUE: &str = "
            WITH underWay AS (
                SELECT groupId, COUNT(*) AS messages FROM messages
                WHERE dead = 0 AND receipt IS NOT NULL AND visibleAtMs > ?1 GROUP BY groupId
            ), due AS (
                SELECT id, body, received, groupId, visibleAtMs,
                    ROW_NUMBER() OVER (PARTITION BY groupId ORDER BY visibleAtMs) AS turn
                FROM messages WHERE dead = 0 AND visibleAtMs <= ?1
            )
            SELECT id, body, received FROM due LEFT JOIN underWay USING (groupId)
            WHERE COALESCE(underWay.messages, 0) < ?2
            ORDER BY turn + COALESCE(underWay.messages, 0), visibleAtMs LIMIT 10";
        let now_ms = self.now_ms();
        let mut file = self.file();
        let transaction = file.transaction()?;
        transaction.execute(
            "UPDATE messages SET dead = 1 WHERE dead = 0 AND visibleAtMs <= ?1 AND received >= ?2",
            params![now_ms, MAX_ATTEMPTS],
        )?;
        let mut messages = Vec::new();
        {
            let mut due = transaction.prepare(DUE)?;
            let mut rows = due.query(params![now_ms, MAX_IN_FLIGHT])?;
            while let Some(row) = rows.next()? {
                let received: u32 = row.get(2)?;
                messages.push(Message {
                    id: row.get(0)?,
                    receipt: self.drawn(),
                    body: row.get(1)?,
                    received: received + 1,
                });
            }
        }
        let hidden_until_ms = now_ms.saturating_add_unsigned(VISIBILITY_MS);
        for message in &messages {
            transaction.execute(
                "UPDATE messages SET receipt = ?2, received = ?3, visibleAtMs = ?4 WHERE id = ?1",
                params![message.id, message.receipt, message.received, hidden_until_ms],
            )?;
        }
        transaction.commit()?;
        Ok(messages)
    }

    /// Deletes the message with a receipt.
    ///
    /// # Errors
    /// Returns an error when the file fails.
    pub fn delete(&self, receipt: &str) -> rusqlite::Result<()> {
        self.file().execute("DELETE FROM messages WHERE receipt = ?1", params![receipt])?;
        Ok(())
    }

    /// Hides a message for a time, in which it is not in flight. Returns whether a message has the
    /// receipt.
    fn hold_back(&self, receipt: &str, seconds: u64) -> rusqlite::Result<bool> {
        let until_ms = self.now_ms().saturating_add_unsigned(seconds.saturating_mul(1_000));
        let update =
            "UPDATE messages SET visibleAtMs = ?2, receipt = NULL WHERE receipt = ?1 AND dead = 0";
        Ok(self.file().execute(update, params![receipt, until_ms])? == 1)
    }

    /// Returns the time of the next message, Unix milliseconds, and the number of dead letters.
    ///
    /// # Errors
    /// Returns an error when the file fails.
    pub fn state(&self) -> rusqlite::Result<(Option<u64>, u64)> {
        let file = self.file();
        let next = "SELECT MIN(visibleAtMs) FROM messages WHERE dead = 0";
        let next: Option<i64> = file.query_row(next, [], |row| row.get(0))?;
        let dead = "SELECT COUNT(*) FROM messages WHERE dead = 1";
        let dead: i64 = file.query_row(dead, [], |row| row.get(0))?;
        Ok((next.and_then(|ms| ms.try_into().ok()), dead.try_into().unwrap_or_default()))
    }

    /// Returns the position in a stream.
    ///
    /// # Errors
    /// Returns an error when the file fails.
    pub fn position(&self, stream: &str) -> rusqlite::Result<Option<String>> {
        let select = "SELECT sequence FROM positions WHERE stream = ?1";
        self.file().query_row(select, params![stream], |row| row.get(0)).optional()
    }

    /// Stores the position in a stream.
    ///
    /// # Errors
    /// Returns an error when the file fails.
    pub fn set_position(&self, stream: &str, sequence: &str) -> rusqlite::Result<()> {
        let put = "INSERT INTO positions (stream, sequence) VALUES (?1, ?2)
            ON CONFLICT (stream) DO UPDATE SET sequence = excluded.sequence";
        self.file().execute(put, params![stream, sequence])?;
        Ok(())
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Queue")
    }
}

/// Implements the SQS operations that the functions use.
pub fn router(queue: Queue) -> Router {
    Router::new().fallback(handle).with_state(queue)
}

async fn handle(State(queue): State<Queue>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let done = match target.unwrap_or_default() {
        "AmazonSQS.SendMessageBatch" => send_batch(&queue, &asked),
        "AmazonSQS.ChangeMessageVisibility" => hold_back(&queue, &asked),
        _ => Ok(Err("InvalidAction")),
    };
    let (status, answer) = match done {
        Ok(Ok(answer)) => (StatusCode::OK, answer),
        Ok(Err(kind)) => (StatusCode::BAD_REQUEST, json!({ "__type": kind })),
        Err(error) => {
            tracing::error!(%error, "the queue failed");
            (StatusCode::INTERNAL_SERVER_ERROR, json!({ "__type": "InternalFailure" }))
        }
    };
    let kind = [(http::header::CONTENT_TYPE, "application/x-amz-json-1.0")];
    (status, kind, answer.to_string()).into_response()
}

type Answered = rusqlite::Result<Result<Value, &'static str>>;

fn send_batch(queue: &Queue, asked: &Value) -> Answered {
    let Some(entries) = asked["Entries"].as_array().filter(|it| (1..=10).contains(&it.len()))
    else {
        return Ok(Err("com.amazonaws.sqs#BatchEntryIdsNotDistinct"));
    };
    let mut successful = Vec::new();
    for entry in entries {
        let text = |name: &str| entry[name].as_str().unwrap_or_default();
        let id = queue.send(text("MessageBody"), text("MessageGroupId"))?;
        successful.push(json!({ "Id": entry["Id"], "MessageId": id, "MD5OfMessageBody": "" }));
    }
    Ok(Ok(json!({ "Successful": successful, "Failed": [] })))
}

fn hold_back(queue: &Queue, asked: &Value) -> Answered {
    let seconds = asked["VisibilityTimeout"].as_u64().filter(|seconds| *seconds <= 43_200);
    let Some(seconds) = seconds else {
        return Ok(Err("com.amazon.coral.service#InvalidParameterValueException"));
    };
    let held = queue.hold_back(asked["ReceiptHandle"].as_str().unwrap_or_default(), seconds)?;
    Ok(if held { Ok(json!({})) } else { Err("com.amazonaws.sqs#ReceiptHandleIsInvalid") })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn queue(path: &Path) -> (Queue, Arc<AtomicU64>) {
        let now_us = Arc::new(AtomicU64::new(1_000_000));
        let read = now_us.clone();
        let clock = Clock::from_micros(move || read.load(Ordering::SeqCst));
        (Queue::open(path, clock, Random::system()).unwrap(), now_us)
    }

    fn bodies(messages: &[Message]) -> Vec<&str> {
        messages.iter().map(|message| message.body.as_str()).collect()
    }

    #[test]
    fn message_is_redelivered_after_visibility_timeout() {
        let folder = tempfile::tempdir().unwrap();
        let (queue, now_us) = queue(&folder.path().join("queue.sqlite"));
        queue.send("one", "").unwrap();
        let first = queue.receive().unwrap();
        assert_eq!((bodies(&first), first[0].received), (vec!["one"], 1));
        assert!(queue.receive().unwrap().is_empty());
        assert!(queue.hold_back(&first[0].receipt, 5).unwrap());
        now_us.fetch_add(4_999_000, Ordering::SeqCst);
        assert!(queue.receive().unwrap().is_empty());
        now_us.fetch_add(1_000, Ordering::SeqCst);
        let second = queue.receive().unwrap();
        assert_eq!((second[0].received, &second[0].id), (2, &first[0].id));
        // An old receipt matches no message.
        assert!(!queue.hold_back(&first[0].receipt, 5).unwrap());
        queue.delete(&second[0].receipt).unwrap();
        assert_eq!(queue.state().unwrap(), (None, 0));
    }

    #[test]
    fn group_with_many_messages_does_not_delay_another_group() {
        let folder = tempfile::tempdir().unwrap();
        let (queue, now_us) = queue(&folder.path().join("queue.sqlite"));
        for number in 0..50 {
            queue.send(&format!("busy {number}"), "busy").unwrap();
        }
        now_us.fetch_add(1_000, Ordering::SeqCst);
        queue.send("quiet 1", "quiet").unwrap();
        assert!(bodies(&queue.receive().unwrap()).contains(&"quiet 1"));
        // While ten are under way, a newcomer is the first of all.
        queue.send("quiet 2", "quiet").unwrap();
        queue.send("new", "new").unwrap();
        let next = queue.receive().unwrap();
        assert_eq!(bodies(&next), ["new", "quiet 2"]);
    }

    #[test]
    fn group_has_a_limit_of_messages_in_flight() {
        let folder = tempfile::tempdir().unwrap();
        let (queue, now_us) = queue(&folder.path().join("queue.sqlite"));
        for number in 0..50 {
            queue.send(&format!("busy {number}"), "busy").unwrap();
        }
        let received = queue.receive().unwrap();
        assert_eq!(received.len(), 10);
        assert!(queue.receive().unwrap().is_empty());
        queue.send("quiet", "quiet").unwrap();
        assert_eq!(bodies(&queue.receive().unwrap()), ["quiet"]);
        for message in &received[..7] {
            queue.delete(&message.receipt).unwrap();
        }
        assert_eq!(queue.receive().unwrap().len(), 10);
        // A lost delivery counts until it is visible again.
        now_us.fetch_add(VISIBILITY_MS * 1_000, Ordering::SeqCst);
        assert_eq!(queue.receive().unwrap().len(), 10);
    }

    #[test]
    fn queue_of_an_earlier_version_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.sqlite");
        let earlier = TABLES.replace("groupId TEXT NOT NULL DEFAULT '',", "");
        let file = Connection::open(&path).unwrap();
        file.execute_batch(&earlier).unwrap();
        file.execute("INSERT INTO messages (id, body, visibleAtMs) VALUES ('1', 'old', 0)", [])
            .unwrap();
        drop(file);
        let (queue, _) = queue(&path);
        queue.send("new", "tenant").unwrap();
        assert_eq!(queue.receive().unwrap().len(), 2);
    }

    #[test]
    fn failed_messages_become_durable_dead_letters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.sqlite");
        let (queue, now_us) = queue(&path);
        queue.send("lost", "").unwrap();
        queue.set_position("s", "7").unwrap();
        for attempt in 1..=MAX_ATTEMPTS {
            assert_eq!(queue.receive().unwrap()[0].received, attempt);
            now_us.fetch_add(VISIBILITY_MS * 1_000, Ordering::SeqCst);
        }
        assert!(queue.receive().unwrap().is_empty());
        drop(queue);
        let (queue, _) = self::queue(&path);
        assert_eq!(queue.state().unwrap(), (None, 1));
        assert_eq!(queue.position("s").unwrap().as_deref(), Some("7"));
        assert_eq!(queue.position("t").unwrap(), None);
    }
}
