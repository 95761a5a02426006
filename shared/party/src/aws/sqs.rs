//! The two operations of SQS that the webhooks use, in its JSON protocol.

use std::time::Duration;

use platform::aws::{AWS_CALL_TIMEOUT, Aws, OtherService};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, CallError, Reply, Retries, Service};

/// Number of attempts of a call.
const ATTEMPTS: u32 = 3;

/// Maximum number of messages in an SQS batch.
pub const BATCH: usize = 10;

/// A client of SQS.
#[derive(Clone, Debug)]
pub struct SqsClient(pub(super) Service);

struct Operation {
    counted: (&'static str, &'static str),
    name: &'static str,
    target: &'static str,
}

const SEND: Operation = Operation {
    counted: ("SQS", "SendMessageBatch"),
    name: "SQS.SendMessageBatch",
    target: "AmazonSQS.SendMessageBatch",
};

const HIDE: Operation = Operation {
    counted: ("SQS", "ChangeMessageVisibility"),
    name: "SQS.ChangeMessageVisibility",
    target: "AmazonSQS.ChangeMessageVisibility",
};

/// A message to queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutMessage {
    /// The body.
    pub body: String,
    /// The group that it belongs to, 1 to 128 characters.
    pub group: String,
}

/// A message that SQS rejected.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NotSent {
    /// The reason, such as `InternalError`.
    pub code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchResult {
    #[serde(default)]
    failed: Vec<NotSent>,
}

impl SqsClient {
    /// Makes a client with these connections.
    #[must_use]
    pub fn new(aws: &Aws) -> Self {
        let retries =
            Retries { attempts: ATTEMPTS, backoff: Duration::from_secs(1), repeats: is_transient };
        let access = aws.access(OtherService::Sqs);
        Self(Service { access, attempt_timeout: AWS_CALL_TIMEOUT, retries })
    }

    /// Queues at most [`BATCH`] messages, and returns the rejected ones. On a standard
    /// queue a message's group makes the queue fair: a group with many messages does not delay the
    /// messages of other groups.
    ///
    /// Source: "SendMessageBatch" in the Amazon SQS API reference; "Amazon SQS fair queues" in the
    /// developer guide.
    ///
    /// # Errors
    /// Fails when it is unknown whether the messages are queued.
    pub async fn send_batch(
        &self,
        queue_url: &str,
        messages: &[OutMessage],
    ) -> Result<Vec<NotSent>, CallError> {
        let entries = messages.iter().enumerate();
        let entries: Vec<_> = entries
            .map(|(index, OutMessage { body, group })| {
                json!({ "Id": index.to_string(), "MessageBody": body, "MessageGroupId": group })
            })
            .collect();
        let body = json!({ "QueueUrl": queue_url, "Entries": entries });
        let reply = self.send(&SEND, &body).await?;
        let result: BatchResult = serde_json::from_slice(&reply.body)
            .map_err(|error| CallError::Unexpected(SEND.name, error))?;
        Ok(result.failed)
    }

    /// Hides a received message for this many seconds, after which it is received again.
    ///
    /// Source: "ChangeMessageVisibility" in the Amazon SQS API reference.
    ///
    /// # Errors
    /// Fails when the message's previous timeout may still apply.
    pub async fn hide(
        &self,
        queue_url: &str,
        receipt: &str,
        seconds: u32,
    ) -> Result<(), CallError> {
        let body = json!({
            "QueueUrl": queue_url, "ReceiptHandle": receipt, "VisibilityTimeout": seconds,
        });
        self.send(&HIDE, &body).await.map(|_| ())
    }

    async fn send(&self, operation: &Operation, body: &Value) -> Result<Reply, CallError> {
        let headers =
            [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", operation.target)];
        let body = body.to_string();
        let call = Call {
            operation: operation.counted,
            name: operation.name,
            method: "POST",
            path: "/",
            headers: &headers,
            body: body.as_bytes(),
        };
        self.0.send(&call).await
    }
}

/// Returns whether a retry may succeed. A message queued twice is harmless, because the receiver
/// sees the same event id.
fn is_transient(error: &CallError) -> bool {
    match error {
        CallError::Connection(..) | CallError::Body(..) | CallError::Timeout(..) => true,
        CallError::Service { status, code, .. } => {
            matches!(status, 429 | 500 | 502 | 503 | 504)
                || matches!(code.as_str(), "RequestThrottled" | "ThrottlingException")
        }
        _ => false,
    }
}
