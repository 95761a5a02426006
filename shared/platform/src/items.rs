//! Records as items of DynamoDB, and what its errors decide.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aws::retry::is_rejected;

/// How many partitions an index is spread over. Each takes 1,000 writes a second.
pub const SHARDS: u8 = 16;

/// The schema number that this version writes; it reads every one up to it.
pub const SCHEMA: u32 = 1;

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// Why the table did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another writer was first; read again.
    #[error("another writer was first")]
    Conflict,
    /// DynamoDB rejected the call because of a transaction in progress or throttling, until the
    /// last attempt. Nothing was written; retry. The cause is for the log.
    #[error("DynamoDB is busy: {0}")]
    Busy(String),
    /// DynamoDB could not be reached or refused. The cause is for the log.
    #[error("DynamoDB: {0}")]
    Unavailable(String),
    /// An item is there and cannot be read.
    #[error("the stored {what} cannot be read: {cause}")]
    Damaged {
        /// Which kind of item.
        what: &'static str,
        /// What is wrong with it; names fields, never values.
        cause: String,
    },
}

/// A record as an item under its key.
///
/// # Errors
/// When the record does not serialise to named fields.
pub fn to_record<T: Serialize>(key: Item, record: &T) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(record)
        .map_err(|error| StoreError::Damaged { what: "record", cause: error.to_string() })?;
    item.extend(key);
    Ok(item)
}

/// Reads an item of a schema that this version knows.
///
/// # Errors
/// When its schema is another, or a field is not as it should be.
pub fn from_item<T: DeserializeOwned>(what: &'static str, item: Item) -> Result<T, StoreError> {
    from_item_up_to(SCHEMA, what, item)
}

/// Reads an item of a kind whose newest schema is another one.
///
/// # Errors
/// As [`from_item`].
pub fn from_item_up_to<T: DeserializeOwned>(
    newest: u32,
    what: &'static str,
    item: Item,
) -> Result<T, StoreError> {
    let schema = item.get("schema").and_then(|value| value.as_n().ok());
    match schema.and_then(|number| number.parse::<u32>().ok()) {
        Some(schema) if (1..=newest).contains(&schema) => {}
        _ => {
            return Err(StoreError::Damaged { what, cause: "unknown schema".to_owned() });
        }
    }
    serde_dynamo::from_item(item)
        .map_err(|error| StoreError::Damaged { what, cause: error.to_string() })
}

/// The whole chain of an SDK error, for the log.
pub fn sdk_cause<E>(error: SdkError<E>) -> String
where
    E: std::error::Error + 'static,
{
    DisplayErrorContext(error).to_string()
}

/// An SDK error that decides nothing, with its whole chain for the log.
pub fn unavailable<E>(error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let busy = matches!(
        error.code(),
        Some(
            "ProvisionedThroughputExceededException"
                | "RequestLimitExceeded"
                | "ThrottlingException"
                | "TransactionConflictException"
                | "TransactionInProgressException"
        )
    );
    let cause = sdk_cause(error);
    if busy { StoreError::Busy(cause) } else { StoreError::Unavailable(cause) }
}

/// A conditional put that lost to another writer is a conflict.
#[must_use]
pub fn put_error(error: SdkError<PutItemError>) -> StoreError {
    match error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(_)) => StoreError::Conflict,
        _ => unavailable(error),
    }
}

/// A transaction with a condition that failed is a conflict: another writer's result is there. One
/// that only met other transactions, or was throttled, was not decided, and is busy.
#[must_use]
pub fn transaction_error(error: SdkError<TransactWriteItemsError>) -> StoreError {
    if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    {
        let reasons = cancelled.cancellation_reasons();
        if reasons.iter().any(|reason| reason.code() == Some("ConditionalCheckFailed")) {
            return StoreError::Conflict;
        }
        if is_rejected(reasons) {
            return StoreError::Busy(DisplayErrorContext(error).to_string());
        }
    }
    unavailable(error)
}
