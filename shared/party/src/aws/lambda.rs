//! Lambda's Invoke: one function calls another and waits for its result.

use std::time::Duration;

use platform::aws::{Aws, OtherService};

use super::call::{Call, CallError, Retries, Service};

/// Timeout of a call of the cosigner: longer than its function's timeout, and three calls fit into
/// API Gateway's timeout.
pub const COSIGNER_TIMEOUT: Duration = Duration::from_secs(9);

/// Number of attempts for an invocation that Lambda throttles.
const INVOKE_ATTEMPTS: u32 = 5;

/// A client of Lambda. It retries only throttled invocations, which Lambda has not executed, so a
/// step of the two-party protocol happens at most once.
#[derive(Clone, Debug)]
pub struct LambdaClient(pub(super) Service);

impl LambdaClient {
    /// Makes a client with these connections.
    #[must_use]
    pub fn new(aws: &Aws) -> Self {
        let retries = Retries {
            attempts: INVOKE_ATTEMPTS,
            backoff: Duration::from_millis(100),
            repeats: is_throttled,
        };
        let access = aws.access(OtherService::Lambda);
        Self(Service { access, attempt_timeout: COSIGNER_TIMEOUT, retries })
    }

    /// Waits this long for the response of an invocation, for a function that runs for minutes.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.0.attempt_timeout = timeout;
        self
    }

    /// Invokes the function with this name, ARN or qualified ARN, and returns its response.
    ///
    /// Source: "Invoke" in the AWS Lambda API reference.
    ///
    /// # Errors
    /// [`CallError::Function`] if the function ran and failed; any other error if it may not have
    /// run.
    pub async fn invoke(&self, function: &str, payload: &[u8]) -> Result<Vec<u8>, CallError> {
        let function: String = url::form_urlencoded::byte_serialize(function.as_bytes()).collect();
        let call = Call {
            operation: ("Lambda", "Invoke"),
            name: "Lambda.Invoke",
            method: "POST",
            path: &format!("/2015-03-31/functions/{function}/invocations"),
            headers: &[("content-type", "application/octet-stream")],
            body: payload,
        };
        let reply = self.0.send(&call).await?;
        match reply.function_error {
            Some(kind) => Err(CallError::Function(kind)),
            None => Ok(reply.body),
        }
    }
}

/// Returns whether Lambda throttled the invocation before it executed anything.
fn is_throttled(error: &CallError) -> bool {
    matches!(error, CallError::Service { status: 429, .. })
}
