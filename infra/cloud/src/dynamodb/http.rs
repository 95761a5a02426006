//! DynamoDB's wire protocol in front of the embedded database.
//!
//! The database's own server binds a port itself, and lets every web page read its responses
//! (`access-control-allow-origin: *`). This module serves the database like every other port of the
//! stack.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use dynoxide::{Database, DynoxideError};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::durable::Log;
use super::partitions::Partitions;

/// Maximum size of a request to DynamoDB, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

const KIND: &str = "application/x-amz-json-1.0";

/// Operations that write nothing.
const READS: [&str; 12] = [
    "BatchGetItem",
    "DescribeStream",
    "DescribeTable",
    "DescribeTimeToLive",
    "GetItem",
    "GetRecords",
    "GetShardIterator",
    "ListStreams",
    "ListTables",
    "Query",
    "Scan",
    "TransactGetItems",
];

pub(super) fn router(database: Database, log: Log) -> Router {
    Router::new()
        .route("/", post(handle))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state((database, log))
}

async fn handle(
    State((database, log)): State<(Database, Log)>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| {
        let prefixes = ["DynamoDB_20120810.", "DynamoDBStreams_20120810."];
        prefixes.iter().find_map(|prefix| target.strip_prefix(prefix))
    });
    let operation = operation.unwrap_or_default();
    let partitions = Partitions::of(operation, &body);
    let write = (!READS.contains(&operation)).then(|| log.begin(&partitions));
    let done = run(&database, operation, &body);
    drop(write);
    let done = match log.flush(&partitions).await {
        Ok(()) => done,
        Err(error) => {
            tracing::error!(%error, "cannot flush the database");
            Err(DynoxideError::InternalServerError("the database cannot be flushed".to_owned()))
        }
    };
    let (status, body) = match done {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => {
            tracing::debug!(operation, %error, "refused");
            let status = StatusCode::from_u16(error.status_code());
            (status.unwrap_or(StatusCode::BAD_REQUEST), error.to_json())
        }
    };
    (status, [(CONTENT_TYPE, KIND)], body).into_response()
}

fn run(database: &Database, operation: &str, body: &str) -> dynoxide::Result<String> {
    macro_rules! operations {
        ($($name:literal => $method:ident,)+) => {
            match operation {
                $($name => with(body, |request| database.$method(request)),)+
                _ => Err(DynoxideError::SerializationException("UnknownOperation".to_owned())),
            }
        };
    }
    operations! {
        "CreateTable" => create_table,
        "DescribeTable" => describe_table,
        "ListTables" => list_tables,
        "UpdateTable" => update_table,
        "DeleteTable" => delete_table,
        "UpdateTimeToLive" => update_time_to_live,
        "DescribeTimeToLive" => describe_time_to_live,
        "PutItem" => put_item,
        "GetItem" => get_item,
        "UpdateItem" => update_item,
        "DeleteItem" => delete_item,
        "Query" => query,
        "Scan" => scan,
        "BatchGetItem" => batch_get_item,
        "BatchWriteItem" => batch_write_item,
        "TransactGetItems" => transact_get_items,
        "TransactWriteItems" => transact_write_items,
        "ListStreams" => list_streams,
        "DescribeStream" => describe_stream,
        "GetShardIterator" => get_shard_iterator,
        "GetRecords" => get_records,
    }
}

fn with<Request: DeserializeOwned, Reply: Serialize>(
    body: &str,
    run: impl FnOnce(Request) -> dynoxide::Result<Reply>,
) -> dynoxide::Result<String> {
    let unreadable =
        |error: serde_json::Error| DynoxideError::SerializationException(error.to_string());
    let reply = run(serde_json::from_str(body).map_err(unreadable)?)?;
    serde_json::to_string(&reply)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}
