//! DynamoDB: embedded, in a SQLite file, with DynamoDB's own wire protocol.

mod durable;
mod http;
mod partitions;
mod transactions;

use std::path::Path;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, GlobalSecondaryIndex,
    GlobalSecondaryIndexUpdate, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, StreamViewType, TableDescription,
    TimeToLiveSpecification,
};
use axum::Router;
use durable::Log;
use dynoxide::Database;
use hyperdex_listen::{Listener, Stop};
use shared::store::IndexShape;
use tokio::task::JoinHandle;

use crate::error::{CloudError, chain};

/// Interval of sweeps for expired items. DynamoDB itself may take days.
const SWEEP: Duration = Duration::from_secs(60);
/// Timeout for the creation of a table.
const CREATION: Duration = Duration::from_secs(60);

/// Opens the database in a file. Creates a missing file.
///
/// # Errors
/// Returns an error when the file is not a database.
pub fn open(file: &Path) -> Result<Database, CloudError> {
    let broken = |cause: String| CloudError::Data { path: file.to_owned(), cause };
    let text = file.to_str().ok_or_else(|| broken("its name is not UTF-8".to_owned()))?;
    Database::new(text).map_err(|error| broken(error.to_string()))
}

/// Serves the database with DynamoDB's rule for writes that conflict with a transaction in
/// progress. `file` is the database's file.
pub fn serve_with_conflicts(
    listener: Listener,
    database: Database,
    file: &Path,
    stop: Stop,
) -> JoinHandle<()> {
    let log = Log::of(file);
    let router = transactions::with_conflicts(http::router(database.clone(), log.clone()));
    serve_router(listener, database, log, router, stop)
}

/// Serves the database without that rule. `file` is the database's file.
pub fn serve(listener: Listener, database: Database, file: &Path, stop: Stop) -> JoinHandle<()> {
    let log = Log::of(file);
    let router = http::router(database.clone(), log.clone());
    serve_router(listener, database, log, router, stop)
}

fn serve_router(
    listener: Listener,
    database: Database,
    log: Log,
    router: Router,
    stop: Stop,
) -> JoinHandle<()> {
    let sweeper = tokio::spawn(sweep(database));
    let checkpoints = tokio::spawn(log.keep_short());
    let server = hyperdex_listen::serve(listener, router, stop);
    tokio::spawn(async move {
        let _ = server.await;
        sweeper.abort();
        checkpoints.abort();
    })
}

async fn sweep(database: Database) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        let database = database.clone();
        let swept = tokio::task::spawn_blocking(move || database.sweep_ttl()).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(%error, "cannot sweep expired items");
        }
    }
}

/// Creates a table with the keys `pk` and `sk` if it does not exist.
///
/// # Errors
/// Returns an error when DynamoDB cannot create it.
pub async fn create_table(
    client: &Client,
    name: &str,
    ttl: Option<&str>,
    indexes: &[IndexShape],
) -> Result<(), CloudError> {
    match client.describe_table().table_name(name).send().await {
        Ok(_) => return add_indexes(client, name, indexes).await,
        Err(error)
            if error.as_service_error().is_some_and(|it| it.is_resource_not_found_exception()) => {}
        Err(error) => return Err(failed(error)),
    }
    let mut table = client
        .create_table()
        .table_name(name)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S)?)
        .attribute_definitions(attribute("sk", ScalarAttributeType::S)?)
        .set_key_schema(Some(keys("pk", "sk")?))
        .billing_mode(BillingMode::PayPerRequest);
    let mut defined = Vec::new();
    for index in indexes {
        for definition in definitions(index)? {
            if !defined.contains(&definition) {
                table = table.attribute_definitions(definition.clone());
                defined.push(definition);
            }
        }
        table = table.global_secondary_indexes(secondary(index)?);
    }
    table.send().await.map_err(failed)?;
    // An external engine needs time; the embedded one is ready immediately.
    let ready = client.wait_until_table_exists().table_name(name).wait(CREATION).await;
    ready.map_err(|error| part(chain(&error)))?;
    if let Some(ttl) = ttl {
        let specification = TimeToLiveSpecification::builder().enabled(true).attribute_name(ttl);
        client
            .update_time_to_live()
            .table_name(name)
            .time_to_live_specification(specification.build().map_err(|error| broken(&error))?)
            .send()
            .await
            .map_err(failed)?;
    }
    Ok(())
}

/// Enables the stream of a table, including a table of an earlier version.
///
/// # Errors
/// Returns an error when DynamoDB cannot enable it.
pub async fn keep_stream(client: &Client, name: &str) -> Result<(), CloudError> {
    let described = client.describe_table().table_name(name).send().await.map_err(failed)?;
    let known = described.table.and_then(|table| table.stream_specification);
    if known.is_some_and(|stream| stream.stream_enabled) {
        return Ok(());
    }
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewAndOldImages)
        .build()
        .map_err(|error| broken(&error))?;
    client
        .update_table()
        .table_name(name)
        .stream_specification(stream)
        .send()
        .await
        .map_err(failed)?;
    Ok(())
}

/// Adds missing indexes to a table of an earlier version, one at a time, as DynamoDB requires.
async fn add_indexes(client: &Client, name: &str, all: &[IndexShape]) -> Result<(), CloudError> {
    let described = client.describe_table().table_name(name).send().await.map_err(failed)?;
    let table = described.table.unwrap_or_else(|| TableDescription::builder().build());
    let known = |index: &&IndexShape| {
        let mut there = table.global_secondary_indexes().iter();
        there.any(|known| known.index_name() == Some(index.name))
    };
    for index in all.iter().filter(|index| !known(index)) {
        let add = CreateGlobalSecondaryIndexAction::builder()
            .index_name(index.name)
            .set_key_schema(Some(keys(index.partition, index.sort)?))
            .projection(projection(index))
            .build()
            .map_err(|error| broken(&error))?;
        client
            .update_table()
            .table_name(name)
            .set_attribute_definitions(Some(definitions(index)?))
            .global_secondary_index_updates(
                GlobalSecondaryIndexUpdate::builder().create(add).build(),
            )
            .send()
            .await
            .map_err(failed)?;
    }
    Ok(())
}

fn definitions(index: &IndexShape) -> Result<Vec<AttributeDefinition>, CloudError> {
    let sorts = if index.sorts_numbers { ScalarAttributeType::N } else { ScalarAttributeType::S };
    Ok(vec![attribute(index.partition, ScalarAttributeType::S)?, attribute(index.sort, sorts)?])
}

fn projection(index: &IndexShape) -> Projection {
    let projection = Projection::builder();
    if index.holds.is_empty() {
        return projection.projection_type(ProjectionType::KeysOnly).build();
    }
    let held = index.holds.iter().map(|name| (*name).to_owned()).collect();
    let projection = projection.projection_type(ProjectionType::Include);
    projection.set_non_key_attributes(Some(held)).build()
}

fn secondary(index: &IndexShape) -> Result<GlobalSecondaryIndex, CloudError> {
    GlobalSecondaryIndex::builder()
        .index_name(index.name)
        .set_key_schema(Some(keys(index.partition, index.sort)?))
        .projection(projection(index))
        .build()
        .map_err(|error| broken(&error))
}

fn attribute(name: &str, kind: ScalarAttributeType) -> Result<AttributeDefinition, CloudError> {
    let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(kind);
    attribute.build().map_err(|error| broken(&error))
}

fn keys(partition: &str, sort: &str) -> Result<Vec<KeySchemaElement>, CloudError> {
    let key = |name: &str, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
            .map_err(|error| broken(&error))
    };
    Ok(vec![key(partition, KeyType::Hash)?, key(sort, KeyType::Range)?])
}

fn failed<E: std::error::Error + 'static>(error: SdkError<E>) -> CloudError {
    sdk_error(error)
}

/// Returns the error for a failed call to DynamoDB.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub fn sdk_error<E: std::error::Error + 'static>(error: SdkError<E>) -> CloudError {
    part(chain(&error))
}

fn broken(error: &BuildError) -> CloudError {
    part(error.to_string())
}

const fn part(cause: String) -> CloudError {
    CloudError::Part { what: "a DynamoDB table", cause }
}
