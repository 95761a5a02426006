//! Which failed calls the AWS clients send again, in addition to those that the SDK retries.
//!
//! DynamoDB rejects a write that meets an item of a transaction in progress. The SDK retries
//! neither `TransactionConflictException` nor a transaction that was cancelled, although DynamoDB
//! has applied nothing of either, so both are safe to send again. The SDK sends a transaction
//! again under the same client request token.
//! Source: "Transaction conflict handling" in the Amazon DynamoDB developer guide.
//!
//! Every client of [`Aws`](super::Aws) has these rules, so a caller calls `send` and nothing else. A
//! client with other credentials gets them from [`with_retries`].
//! A caller that reads again before each try turns them off: [`without_conflict_retries`]. What is left after the last attempt is `StoreError::Busy`.

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

/// Attempts at one call of DynamoDB. With [`DYNAMODB_BACKOFF`], a call that is rejected at once
/// each time ends after about one second, and after three seconds at most.
const DYNAMODB_ATTEMPTS: u32 = 8;

/// The longest first wait before a DynamoDB call is sent again; it doubles with each attempt, and
/// the SDK draws the wait between zero and that. A transaction takes about as long.
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

/// How DynamoDB's client waits between attempts.
fn dynamodb() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(DYNAMODB_ATTEMPTS)
        .with_initial_backoff(DYNAMODB_BACKOFF)
        .with_max_backoff(MAX_BACKOFF)
}

/// The quota of retries of one DynamoDB client. It is larger than the SDK's, because conflicts are
/// frequent where many calls write to one wallet, and it refills with time, so that a process that
/// has met many of them recovers.
fn dynamodb_quota() -> RetryPartition {
    let bucket = TokenBucket::builder().capacity(5_000).refill_rate(100.0).build();
    RetryPartition::custom("dynamodb").token_bucket(bucket).build()
}

/// Retries DynamoDB writes that were rejected because of a conflict with a transaction, and
/// transactions that were cancelled because of nothing but conflicts and throttling.
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

/// The kind of a transaction's failure, if the transaction may be sent again.
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

/// The kind of the failure of a transaction that was cancelled for these reasons, if they are
/// nothing but conflicts and throttling.
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

/// Whether a transaction was cancelled because of nothing but conflicts and throttling.
pub(crate) fn is_rejected(reasons: &[CancellationReason]) -> bool {
    rejected(reasons).is_some()
}

/// Settings for one call whose caller reads again before it retries: a conflict means that what the
/// caller has read is about to be replaced, so the same transaction would hardly succeed.
#[must_use]
pub fn without_conflict_retries() -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::config::Builder::new().retry_classifier(CallerReadsAgain)
}

/// Forbids to retry transactions that were cancelled, whatever other classifiers say.
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
