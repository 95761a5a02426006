//! DynamoDB: embedded, in a SQLite file, behind DynamoDB's own wire protocol.

use std::path::Path;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, DisplayErrorContext, SdkError};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};
use dynoxide::Database;
use shared::store::Index;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::StartError;
use crate::serve::Stop;

/// How often expired items are swept; DynamoDB itself may take days.
const SWEEP: Duration = Duration::from_secs(60);

pub(crate) fn open(file: &Path) -> Result<Database, StartError> {
    let broken = |cause: String| StartError::Data { path: file.to_owned(), cause };
    let text = file.to_str().ok_or_else(|| broken("its name is not UTF-8".to_owned()))?;
    Database::new(text).map_err(|error| broken(error.to_string()))
}

pub(crate) fn serve(listener: TcpListener, database: Database, stop: Stop) -> JoinHandle<()> {
    let sweeper = tokio::spawn(sweep(database.clone()));
    tokio::spawn(async move {
        let served = dynoxide::server::serve_with_shutdown(listener, database, stop.wait()).await;
        if let Err(error) = served {
            tracing::error!(%error, "DynamoDB ended");
        }
        sweeper.abort();
    })
}

async fn sweep(database: Database) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        let database = database.clone();
        let swept = tokio::task::spawn_blocking(move || database.sweep_ttl()).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(%error, "expired items were not swept");
        }
    }
}

/// Creates a table with the keys `pk` and `sk` if it is not there.
pub(crate) async fn create_table(
    client: &Client,
    name: &str,
    ttl: Option<&str>,
    indexes: &[Index],
) -> Result<(), StartError> {
    let tables = client.list_tables().send().await.map_err(failed)?;
    if tables.table_names().iter().any(|known| known == name) {
        return Ok(());
    }
    let mut table = client
        .create_table()
        .table_name(name)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S)?)
        .attribute_definitions(attribute("sk", ScalarAttributeType::S)?)
        .set_key_schema(Some(keys("pk", "sk")?))
        .billing_mode(BillingMode::PayPerRequest);
    if !indexes.is_empty() {
        table = table.attribute_definitions(attribute("shard", ScalarAttributeType::S)?);
    }
    for index in indexes {
        table = table
            .attribute_definitions(attribute(index.sort_key(), ScalarAttributeType::N)?)
            .global_secondary_indexes(secondary(*index)?);
    }
    table.send().await.map_err(failed)?;
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

fn secondary(index: Index) -> Result<GlobalSecondaryIndex, StartError> {
    GlobalSecondaryIndex::builder()
        .index_name(index.name())
        .set_key_schema(Some(keys("shard", index.sort_key())?))
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()
        .map_err(|error| broken(&error))
}

fn attribute(name: &str, kind: ScalarAttributeType) -> Result<AttributeDefinition, StartError> {
    let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(kind);
    attribute.build().map_err(|error| broken(&error))
}

fn keys(partition: &str, sort: &str) -> Result<Vec<KeySchemaElement>, StartError> {
    let key = |name: &str, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
            .map_err(|error| broken(&error))
    };
    Ok(vec![key(partition, KeyType::Hash)?, key(sort, KeyType::Range)?])
}

fn failed<E: std::error::Error + 'static>(error: SdkError<E>) -> StartError {
    part(DisplayErrorContext(error).to_string())
}

fn broken(error: &BuildError) -> StartError {
    part(error.to_string())
}

const fn part(cause: String) -> StartError {
    StartError::Part { what: "a DynamoDB table", cause }
}
