//! Why a call has no good answer.

use std::time::Duration;

use crate::{Code, IdempotencyKey};

/// A call that did not go well. No text of it shows a key, a secret or a URL.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct Error {
    kind: ErrorKind,
    key: Option<IdempotencyKey>,
    attempts: u32,
}

/// What became of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The API said no.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// Never sent: there was no connection.
    #[error("no connection: {0}")]
    NotSent(String),
    /// Sent, and no whole answer came: it may be done, or not.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// A good answer that is none of the API's: another service, or a later version.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
    /// Not sent, because it cannot be.
    #[error("cannot be sent: {0}")]
    Invalid(&'static str),
}

/// What the API says when it says no.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{status} {code}: {error}{}{}", if message.is_some() { ". " } else { "" }, message.as_deref().unwrap_or_default())]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// What a program switches on.
    pub code: Code,
    /// What is wrong.
    pub error: String,
    /// What to do next.
    pub message: Option<String>,
    /// More advice, where the contract fixes the message.
    pub advice: Option<String>,
    /// When it said so, Unix milliseconds; 0 where the answer is not the service's own.
    pub timestamp: u64,
    /// What the request is called in the service's log.
    pub request_id: Option<String>,
    /// How long to wait before it is sent again.
    pub retry_after: Option<Duration>,
    /// The answer was given before, to the same `Idempotency-Key`.
    pub replayed: bool,
}

impl Refusal {
    /// Whether the same call may be answered otherwise a little later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.status >= 500 || matches!(self.status, 408 | 429) || self.retry_after.is_some()
    }

    /// Whether it is sent again without a word: the service has named a time, or the fault is
    /// known to pass. A plain 500 is a fault that somebody should see.
    pub(crate) fn repeats(&self) -> bool {
        self.retry_after.is_some() || matches!(self.status, 429 | 502 | 503 | 504)
    }
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind, key: Option<IdempotencyKey>, attempts: u32) -> Self {
        Self { kind, key, attempts }
    }

    /// What became of the call.
    #[must_use]
    pub const fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The API's answer, where it gave one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.kind {
            ErrorKind::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// HTTP status, where the API answered.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// The API's word for it, where it answered.
    #[must_use]
    pub fn code(&self) -> Option<&Code> {
        self.refusal().map(|refusal| &refusal.code)
    }

    /// What the last attempt is called in the service's log.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.refusal()?.request_id.as_deref()
    }

    /// How long the API asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.refusal()?.retry_after
    }

    /// Whether the same call may go well a little later. Send it under the same key:
    /// [`Self::idempotency_key`].
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match &self.kind {
            ErrorKind::Refused(refusal) => refusal.is_retryable(),
            ErrorKind::NotSent(_) | ErrorKind::NoAnswer(_) => true,
            ErrorKind::Unreadable(_) | ErrorKind::Invalid(_) => false,
        }
    }

    /// Under which key it was sent; none with what only reads.
    #[must_use]
    pub const fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        self.key.as_ref()
    }

    /// How often it was sent.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }
}
