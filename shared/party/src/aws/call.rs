//! Signed calls of AWS services of which the functions use one or two operations: Lambda and SQS.
//! Their SDKs would take a tenth of the first build: `docs/decisions/0046-signed-calls.md`.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningError, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_sigv4::sign::v4::signing_params::BuildError;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::byte_stream::error::Error as BodyError;
use aws_smithy_types::error::display::DisplayErrorContext;
use domain::random::RandomError;
use platform::aws::Access;
use platform::telemetry;
use serde::Deserialize;

/// Maximum wait before a retry.
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// Why an AWS call has no result. The text is for the log.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection, or a broken one: the service may have executed the call.
    #[error("{0}: no response: {error}", error = DisplayErrorContext(.1))]
    Connection(&'static str, #[source] ConnectorError),
    /// An incomplete response: the service may have executed the call.
    #[error("{0}: the response broke off: {error}", error = DisplayErrorContext(.1))]
    Body(&'static str, #[source] BodyError),
    /// No response within the attempt's timeout: the service may have executed the call.
    #[error("{0}: no response within {seconds} s", seconds = .1.as_secs())]
    Timeout(&'static str, Duration),
    /// The service refused or failed.
    #[error("{operation}: HTTP {status}, {code}: {message}")]
    Service {
        /// The operation, such as `Lambda.Invoke`.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
        /// The error code, such as `TooManyRequestsException`; empty if the response has none.
        code: String,
        /// The service's message.
        message: String,
    },
    /// The invoked function returned an error.
    #[error("the function failed: {0}")]
    Function(String),
    /// The response does not belong to the operation.
    #[error("{0}: unexpected response")]
    Unexpected(&'static str, #[source] serde_json::Error),
    /// The request cannot be signed.
    #[error("{0}: cannot sign the request: {error}", error = DisplayErrorContext(.1))]
    Sign(&'static str, #[source] SigningError),
    /// The signature lacks a parameter.
    #[error("{0}: cannot sign the request")]
    SigningParams(&'static str, #[source] BuildError),
    /// The request cannot be made.
    #[error("{0}: cannot make the request")]
    Request(&'static str, #[source] http::Error),
    /// The random number generator failed to provide the wait before a retry.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// One operation's request.
pub(super) struct Call<'a> {
    /// Service and operation as counted in the log line.
    pub(super) operation: (&'static str, &'static str),
    /// The same as one word, for errors.
    pub(super) name: &'static str,
    /// The HTTP method.
    pub(super) method: &'static str,
    /// The URL's path, percent-encoded, with its slash.
    pub(super) path: &'a str,
    pub(super) headers: &'a [(&'static str, &'static str)],
    pub(super) body: &'a [u8],
}

/// A successful response.
pub(super) struct Reply {
    /// `x-amz-function-error`, which only Lambda sends.
    pub(super) function_error: Option<String>,
    pub(super) body: Vec<u8>,
}

/// The policy for retries.
#[derive(Clone, Copy)]
pub(super) struct Retries {
    pub(super) attempts: u32,
    /// Maximum wait before the second attempt. It doubles with each further attempt, and each wait
    /// is drawn between zero and that.
    pub(super) backoff: Duration,
    pub(super) repeats: fn(&CallError) -> bool,
}

/// An AWS service, as a function accesses it.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) access: Access,
    pub(super) attempt_timeout: Duration,
    pub(super) retries: Retries,
}

/// The body of an error response. Lambda writes `Message` or `message`.
#[derive(Default, Deserialize)]
struct ServiceErrorBody {
    #[serde(default, rename = "__type", alias = "code")]
    kind: String,
    #[serde(default, alias = "Message")]
    message: String,
}

impl Service {
    /// Sends the call until it succeeds or must not be retried.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Reply, CallError> {
        let mut longest = self.retries.backoff;
        for _ in 1..self.retries.attempts {
            match self.attempt(call).await {
                Err(error) if (self.retries.repeats)(&error) => {
                    let wait = longest.mul_f64(
                        f64::from(u16::from_be_bytes(self.access.random.bytes()?)) / 65_535.0,
                    );
                    tracing::debug!(%error, wait_ms = wait.as_millis(), "retrying");
                    tokio::time::sleep(wait).await;
                    longest = (2 * longest).min(MAX_BACKOFF);
                }
                done => return done,
            }
        }
        self.attempt(call).await
    }

    async fn attempt(&self, call: &Call<'_>) -> Result<Reply, CallError> {
        let request = self.signed(call)?;
        telemetry::count_call(call.operation.0, call.operation.1);
        let exchange = self.exchange(call, request);
        let timeout = CallError::Timeout(call.name, self.attempt_timeout);
        tokio::time::timeout(self.attempt_timeout, exchange).await.map_err(|_| timeout)?
    }

    async fn exchange(&self, call: &Call<'_>, request: HttpRequest) -> Result<Reply, CallError> {
        let response = self.access.connector.call(request).await;
        let response = response.map_err(|error| CallError::Connection(call.name, error))?;
        let status = response.status();
        let header = |name| response.headers().get(name).map(ToOwned::to_owned);
        let (function_error, kind) = (header("x-amz-function-error"), header("x-amzn-errortype"));
        let body = ByteStream::new(response.into_body()).collect().await;
        let body = body.map_err(|error| CallError::Body(call.name, error))?.into_bytes();
        if status.is_success() {
            return Ok(Reply { function_error, body: body.into() });
        }
        let said: ServiceErrorBody = serde_json::from_slice(&body).unwrap_or_default();
        Err(CallError::Service {
            operation: call.name,
            status: status.as_u16(),
            code: code(&kind.unwrap_or(said.kind)),
            message: said.message,
        })
    }

    pub(super) fn signed(&self, call: &Call<'_>) -> Result<HttpRequest, CallError> {
        let unsigned = |error| CallError::Sign(call.name, error);
        let url = format!("{}{}", self.base(), call.path);
        let identity = self.access.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.access.region)
            .name(self.access.service.name())
            .time(UNIX_EPOCH + Duration::from_millis(self.access.clock.now_ms()))
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| CallError::SigningParams(call.name, error))?;
        let headers = call.headers.iter().copied();
        let signable =
            SignableRequest::new(call.method, &url, headers, SignableBody::Bytes(call.body));
        let signed = sign(signable.map_err(unsigned)?, &params.into()).map_err(unsigned)?;

        let mut request = http::Request::builder().method(call.method).uri(&url);
        for (name, value) in call.headers.iter().copied().chain(signed.output().headers()) {
            request = request.header(name, value);
        }
        let request = request.body(SdkBody::from(call.body));
        let request = request.map_err(|error| CallError::Request(call.name, error))?;
        HttpRequest::try_from(request)
            .map_err(|error| CallError::Connection(call.name, ConnectorError::user(error.into())))
    }

    pub(super) fn base(&self) -> String {
        if let Some(endpoint) = &self.access.endpoint {
            return endpoint.trim_end_matches('/').to_owned();
        }
        let region = &self.access.region;
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{}.{region}.{suffix}", self.access.service.name())
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Service({})", self.access.service.name())
    }
}

/// Returns the error's name without the namespace before it and the URL after it.
fn code(kind: &str) -> String {
    let name = kind.split(':').next().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default().to_owned()
}
