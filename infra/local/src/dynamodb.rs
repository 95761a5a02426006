//! DynamoDB: embedded, in a SQLite file, behind DynamoDB's own wire protocol.

use std::path::Path;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TimeToLiveSpecification,
};
use dynoxide::Database;
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
) -> Result<(), StartError> {
    let failed = |cause: String| StartError::Part { what: "a DynamoDB table", cause };
    let attribute = |name: &str| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .map_err(|error| failed(error.to_string()))
    };
    let key = |name: &str, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
            .map_err(|error| failed(error.to_string()))
    };
    let tables = client.list_tables().send().await;
    let tables = tables.map_err(|error| failed(DisplayErrorContext(error).to_string()))?;
    if tables.table_names().iter().any(|known| known == name) {
        return Ok(());
    }
    client
        .create_table()
        .table_name(name)
        .attribute_definitions(attribute("pk")?)
        .attribute_definitions(attribute("sk")?)
        .key_schema(key("pk", KeyType::Hash)?)
        .key_schema(key("sk", KeyType::Range)?)
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .map_err(|error| failed(DisplayErrorContext(error).to_string()))?;
    if let Some(ttl) = ttl {
        let specification = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name(ttl)
            .build()
            .map_err(|error| failed(error.to_string()))?;
        client
            .update_time_to_live()
            .table_name(name)
            .time_to_live_specification(specification)
            .send()
            .await
            .map_err(|error| failed(DisplayErrorContext(error).to_string()))?;
    }
    Ok(())
}
