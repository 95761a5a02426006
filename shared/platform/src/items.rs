//! Records as items of DynamoDB, and the meaning of DynamoDB's errors.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aws::retry::is_rejected;

/// Number of partitions of each index. A partition allows 1,000 writes per second.
pub const SHARDS: u8 = 16;

/// The schema number that this version writes. It reads all lower ones as well.
pub const SCHEMA: u32 = 1;

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// Why an operation on the table failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another writer came first. Read again.
    #[error("another writer came first")]
    Conflict,
    /// DynamoDB rejected every attempt because of a transaction in progress or throttling. Nothing
    /// was written; retry. The cause is for the log.
    #[error("DynamoDB is busy: {0}")]
    Busy(String),
    /// DynamoDB was unreachable or refused. The cause is for the log.
    #[error("DynamoDB: {0}")]
    Unavailable(String),
    /// An item exists, but cannot be parsed.
    #[error("the stored {what} cannot be read: {cause}")]
    Damaged {
        /// The kind of item.
        what: &'static str,
        /// The problem; names fields, never values.
        cause: String,
    },
}

/// Serialises a record to an item with its key.
///
/// # Errors
/// Fails when the record does not serialise to named fields.
pub fn to_record<T: Serialize>(key: Item, record: &T) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(record)
        .map_err(|error| StoreError::Damaged { what: "record", cause: error.to_string() })?;
    item.extend(key);
    Ok(item)
}

/// Parses an item of a schema that this version knows.
///
/// # Errors
/// Fails when the schema is unknown, or a field is invalid.
pub fn from_item<T: DeserializeOwned>(what: &'static str, item: Item) -> Result<T, StoreError> {
    from_item_up_to(SCHEMA, what, item)
}

/// Parses an item of a kind whose newest schema has a different number.
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

/// Returns the whole cause chain of an SDK error, for the log.
pub fn sdk_cause<E>(error: SdkError<E>) -> String
where
    E: std::error::Error + 'static,
{
    DisplayErrorContext(error).to_string()
}

/// Converts an SDK error without a specific meaning, with its cause chain for the log.
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

/// Converts the error of a conditional put. Losing to another writer is a conflict.
#[must_use]
pub fn put_error(error: SdkError<PutItemError>) -> StoreError {
    match error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(_)) => StoreError::Conflict,
        _ => unavailable(error),
    }
}

/// Converts the error of a transaction. A failed condition is a conflict, because another writer's
/// result exists. A transaction that only met other transactions or throttling is busy.
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
