//! Retries of the AWS clients, in addition to those of the SDK.
//!
//! DynamoDB rejects a write to an item of a transaction in progress. The SDK retries neither
//! `TransactionConflictException` nor a cancelled transaction. DynamoDB has applied nothing in
//! either case, so both are safe to retry. The SDK retries a transaction under the same client
//! request token. Source: "Transaction conflict handling" in the Amazon DynamoDB developer guide.
//!
//! Every client of [`Aws`](super::Aws) has these rules, so callers need no retries of their own. A
//! client with other credentials gets them from [`with_retries`]. A caller that reads again before
//! each attempt disables them with [`without_conflict_retries`]. After the last attempt, the error
//! is `StoreError::Busy`.

use std::time::Duration;

use aws_sdk_dynamodb::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::CancellationReason;
use aws_smithy_runtime_api::client::interceptors::context::{Error, InterceptorContext};
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};
use aws_smithy_types::retry::{ErrorKind, RetryConfig};

/// Number of attempts of a DynamoDB call. With [`DYNAMODB_BACKOFF`], a call that is rejected
/// immediately each time ends after about one second, and after three seconds at most.
const DYNAMODB_ATTEMPTS: u32 = 8;

/// Maximum first wait before a retry. It doubles with each attempt, and the SDK draws the wait
/// between zero and that. A transaction takes about as long.
const DYNAMODB_BACKOFF: Duration = Duration::from_millis(25);

const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// Adds the rules of this module to the settings of a DynamoDB client.
#[must_use]
pub fn with_retries(
    config: aws_sdk_dynamodb::config::Builder,
) -> aws_sdk_dynamodb::config::Builder {
    config
        .retry_config(dynamodb())
        .retry_partition(dynamodb_quota())
        .retry_classifier(RejectedWrites)
}

/// Returns how DynamoDB's client waits between attempts.
fn dynamodb() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(DYNAMODB_ATTEMPTS)
        .with_initial_backoff(DYNAMODB_BACKOFF)
        .with_max_backoff(MAX_BACKOFF)
}

/// Returns the retry quota of one DynamoDB client. It is larger than the SDK's, because conflicts
/// are frequent where many calls write to one wallet. It refills with time, so that a process
/// recovers after many conflicts.
fn dynamodb_quota() -> RetryPartition {
    let bucket = TokenBucket::builder().capacity(5_000).refill_rate(100.0).build();
    RetryPartition::custom("dynamodb").token_bucket(bucket).build()
}

/// Retries DynamoDB writes rejected because of a conflict with a transaction, and transactions
/// cancelled only because of conflicts and throttling.
#[derive(Debug)]
struct RejectedWrites;

impl ClassifyRetry for RejectedWrites {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = operation_error(context);
        let retried = error.and_then(|error| {
            if let Some(error) = error.downcast_ref::<TransactWriteItemsError>() {
                return transaction(error);
            }
            let code = (error.downcast_ref::<UpdateItemError>().and_then(|it| it.code()))
                .or_else(|| error.downcast_ref::<PutItemError>().and_then(|it| it.code()))
                .or_else(|| error.downcast_ref::<DeleteItemError>().and_then(|it| it.code()));
            (code == Some("TransactionConflictException")).then_some(ErrorKind::ServerError)
        });
        retried.map_or(RetryAction::NoActionIndicated, RetryAction::retryable_error)
    }

    fn name(&self) -> &'static str {
        "RejectedWrites"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// Returns the kind of a transaction's failure, if the transaction may be retried.
fn transaction(error: &TransactWriteItemsError) -> Option<ErrorKind> {
    match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            rejected(cancelled.cancellation_reasons())
        }
        // An attempt whose response was lost is still running under the same token.
        TransactWriteItemsError::TransactionInProgressException(_) => Some(ErrorKind::ServerError),
        _ => None,
    }
}

/// Returns the kind of a cancelled transaction's failure, if all reasons are conflicts or
/// throttling.
fn rejected(reasons: &[CancellationReason]) -> Option<ErrorKind> {
    let mut kind = None;
    for reason in reasons {
        match reason.code() {
            None | Some("None") => {}
            Some("TransactionConflict") => kind = kind.or(Some(ErrorKind::ServerError)),
            Some("ThrottlingError" | "ProvisionedThroughputExceeded") => {
                kind = Some(ErrorKind::ThrottlingError);
            }
            Some(_) => return None,
        }
    }
    kind
}

/// Returns whether a transaction was cancelled only because of conflicts and throttling.
pub(crate) fn is_rejected(reasons: &[CancellationReason]) -> bool {
    rejected(reasons).is_some()
}

/// Returns settings for a call whose caller reads again before it retries. A conflict means that
/// the data read is being replaced, so the same transaction would hardly succeed.
#[must_use]
pub fn without_conflict_retries() -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::config::Builder::new().retry_classifier(CallerReadsAgain)
}

/// Prevents retries of cancelled transactions, whatever other classifiers decide.
#[derive(Debug)]
struct CallerReadsAgain;

impl ClassifyRetry for CallerReadsAgain {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = operation_error(context)
            .and_then(|error| error.downcast_ref::<TransactWriteItemsError>());
        match error {
            Some(TransactWriteItemsError::TransactionCanceledException(_)) => {
                RetryAction::RetryForbidden
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "CallerReadsAgain"
    }
}

fn operation_error(context: &InterceptorContext) -> Option<&Error> {
    context.output_or_error()?.err()?.as_operation_error()
}
