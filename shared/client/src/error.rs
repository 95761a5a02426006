//! Errors of a call.

use std::time::Duration;

use crate::{Code, IdempotencyKey};

/// A failed call. Its texts show no key, secret or URL.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct Error {
    kind: ErrorKind,
    key: Option<IdempotencyKey>,
    attempts: u32,
}

/// The kind of failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The API refused.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The request was not sent, because there was no connection.
    #[error("no connection: {0}")]
    NotSent(String),
    /// The request was sent, and no complete response arrived. It may have been processed.
    #[error("no response: {0}")]
    NoAnswer(String),
    /// A successful response in an unknown form: another service, or a later version.
    #[error("the response cannot be read: {0}")]
    Unreadable(String),
    /// The request was not sent, because it is invalid.
    #[error("invalid request: {0}")]
    Invalid(&'static str),
}

/// The API's error response.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{status} {code}: {error}{}{}", if message.is_some() { ". " } else { "" }, message.as_deref().unwrap_or_default())]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The code for programs to switch on.
    pub code: Code,
    /// The problem.
    pub error: String,
    /// The action to take.
    pub message: Option<String>,
    /// More advice, when the contract fixes the message.
    pub advice: Option<String>,
    /// The service's time in Unix milliseconds; 0 when the response did not come from the service
    /// itself.
    pub timestamp: u64,
    /// The request's id in the service's log.
    pub request_id: Option<String>,
    /// Time to wait before a retry.
    pub retry_after: Option<Duration>,
    /// Whether this is the stored response of an earlier request with the same `Idempotency-Key`.
    pub replayed: bool,
    /// The id of the order, also if the service has drawn it. A retry with it places the order at
    /// most once.
    pub client_order_id: Option<String>,
    /// The rule of the trading policy that the order violates.
    pub reason: Option<String>,
    /// The limit, step or minimum that the order violates.
    pub limit: Option<String>,
    /// The exchange's own text.
    pub exchange_message: Option<String>,
    /// The state of the order, or the result of each order of a batch.
    pub data: Option<serde_json::Value>,
}

impl Refusal {
    /// Returns whether a retry may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.status >= 500 || matches!(self.status, 408 | 429) || self.retry_after.is_some()
    }

    /// Returns whether the client retries by itself: the service has stated a time, or the fault
    /// is known to be temporary. A plain 500 is a fault that the caller should see.
    pub(crate) fn repeats(&self) -> bool {
        self.retry_after.is_some() || matches!(self.status, 429 | 502 | 503 | 504)
    }
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind, key: Option<IdempotencyKey>, attempts: u32) -> Self {
        Self { kind, key, attempts }
    }

    /// Returns what went wrong.
    #[must_use]
    pub const fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Returns the API's error response, if there is one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.kind {
            ErrorKind::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Returns the HTTP status, if the API responded.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// Returns the API's code, if it responded.
    #[must_use]
    pub fn code(&self) -> Option<&Code> {
        self.refusal().map(|refusal| &refusal.code)
    }

    /// Returns the last attempt's request id in the service's log.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.refusal()?.request_id.as_deref()
    }

    /// Returns how long the API asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.refusal()?.retry_after
    }

    /// Returns whether a retry may succeed. Retry with the same key: [`Self::idempotency_key`].
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match &self.kind {
            ErrorKind::Refused(refusal) => refusal.is_retryable(),
            ErrorKind::NotSent(_) | ErrorKind::NoAnswer(_) => true,
            ErrorKind::Unreadable(_) | ErrorKind::Invalid(_) => false,
        }
    }

    /// Returns the request's key; `None` for a call that only reads.
    #[must_use]
    pub const fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        self.key.as_ref()
    }

    /// Returns the number of attempts.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }
}
