//! The wallets' table: one partition for each wallet, and a pointer for each other name of it.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `tenant#W#walletId` | `credential#exchange` | [`CredentialRecord`] |
//! | `tenant#W#walletId` | `nonces#exchange` | [`Nonces`] of this exchange |
//! | `tenant#W#walletId` | `nonces` | [`Nonces`] of both exchanges; only earlier versions write it |
//! | `tenant#W#walletId` | `record` | [`WalletRecord`] |
//! | `tenant#W#walletId` | `share` | [`ShareRecord`] |
//! | `tenant#U#userId` | `pointer` | the wallet's id |
//! | `tenant#A#address` | `pointer` | the wallet's id |
//! | `tenant#I#hash of a key` | `idempotency` | [`RequestRecord`], dropped after a day |
//! | `tenant#H` | `webhook#slot` | [`WebhookRecord`] |
//! | `tenant#E#shard` | the event's id | [`EventRecord`], dropped after thirty days |
//! | `#budget#exchange#egress` | `budget` | [`BudgetState`] |
//!
//! All that decides something sorts before the share, so one query reads it and leaves the share,
//! which is large, alone. Tenants and identifiers hold no `#`. Sparse indexes over the credentials
//! and the wallets serve the scheduled jobs, see [`Index`], and the list of a tenant's wallets.

mod budget;
mod credentials;
mod due;
mod events;
mod idempotency;
mod indexes;
mod list;
mod notes;
mod operator;
mod records;
mod refresh;
mod runs;
#[cfg(test)]
mod samples;
mod wallets;
mod webhooks;

use std::collections::HashMap;

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub use budget::{BudgetState, SLOTS, Spend};
pub use credentials::{Expect, NewNonces};
pub use due::{CredentialKey, Index, Page, SHARDS};
pub use events::{EventPosition, EventRecord};
pub use idempotency::{End, RequestMark, RequestRecord, StoredAnswer, hash};
pub use indexes::IndexShape;
pub use list::{ListedWallet, Position};
pub use notes::{DriftFound, DriftKind, DriftNote, ExpiringNote, ExpiringReason};
pub use operator::{
    MAX_OPERATOR_ACTIONS, MAX_REASON, OperateError, Operated, OperatorAction, OperatorActionKind,
};
pub use records::{
    AgentRecord, CredentialRecord, CredentialState, Nonces, Outcome, RefreshState, ShareRecord,
    WalletRecord, shares_at_ms,
};
pub use refresh::AgedWallet;
pub use runs::{Admission, RunPlace};
pub use wallets::WalletView;
pub use webhooks::{DeliveryFailure, MAX_WEBHOOKS, WebhookId, WebhookRecord};

use crate::api::ids::Tenant;
use crate::aws::retry::is_rejected;
use crate::aws::{Aws, Lazy};
use crate::config::{ConfigError, Env, StoreConfig};

/// The schema number that this version writes; it reads every one up to it.
pub const SCHEMA: u32 = 1;

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

pub(crate) const RECORD: &str = "record";
const SHARE: &str = "share";
const POINTER: &str = "pointer";
/// The nonces of both exchanges in one item, as earlier versions have written them.
const NONCES: &str = "nonces";
const NONCES_OF: &str = "nonces#";
pub(crate) const CREDENTIAL: &str = "credential#";

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

/// The wallets' table.
#[derive(Clone, Debug)]
pub struct Store {
    db: Lazy<aws_sdk_dynamodb::Client>,
    table: String,
}

impl Store {
    /// The table with this name.
    #[must_use]
    pub fn new(db: impl Into<Lazy<aws_sdk_dynamodb::Client>>, table: impl Into<String>) -> Self {
        Self { db: db.into(), table: table.into() }
    }

    /// Makes the client once, from the environment.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        Ok(Self::new(Aws::from_env(env)?.dynamodb(), StoreConfig::from_env(env)?.table))
    }
}

/// A wallet's partition key.
fn wallet_key(tenant: &Tenant, wallet_id: Uuid) -> String {
    format!("{tenant}#W#{wallet_id}")
}

/// The attributes that name an item.
fn key(partition: &str, sort: &str) -> Item {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(partition.to_owned())),
        ("sk".to_owned(), AttributeValue::S(sort.to_owned())),
    ])
}

fn to_item<T: Serialize>(partition: &str, sort: &str, record: &T) -> Result<Item, StoreError> {
    to_record(key(partition, sort), record)
}

/// A record as an item under its key.
///
/// # Errors
/// When it is no record of named fields.
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
pub(crate) fn sdk_cause<E>(error: SdkError<E>) -> String
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
