//! The errors of operations on a credential.

use domain::eth::AgentKeyError;
use domain::random::RandomError;
use platform::envelope::EnvelopeError;
use platform::items::StoreError;

use crate::exchanges::aster::v1::NonceError;
use crate::exchanges::budget::Busy;
use crate::exchanges::http::TransportError;
use crate::exchanges::{LookupError, Refusal, RefusalKind, Unclear};
use crate::wallets::SignError;

/// Why an operation on a credential failed.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The tenant has no such wallet.
    #[error("wallet not found")]
    NotFound,
    /// The wallet has no credential for the exchange.
    #[error("credential not found")]
    NoCredential,
    /// The wallet has a credential that is active and has not expired.
    #[error("a credential exists")]
    Exists {
        /// How to get a usable key.
        advice: String,
    },
    /// An earlier attempt at the request has shown its private key, which is no longer shown.
    #[error("the request's private key is no longer shown")]
    SecretHidden,
    /// Another call holds the lease.
    #[error("another call is at it")]
    InProgress {
        /// The seconds until the lease ends.
        retry_after_s: u64,
    },
    /// The registration is not complete.
    #[error("its registration has not ended")]
    Unregistered,
    /// The credential is being deleted.
    #[error("it is being deleted")]
    Revoking,
    /// The exchange lists no such agent.
    #[error("the exchange lists no such agent")]
    AgentNotFound,
    /// A credential uses the agent.
    #[error("a credential uses the agent")]
    AgentInUse,
    /// Another party made the agent, and the signing policy removes only agents made here.
    #[error("the agent was not made here")]
    AgentNotOurs,
    /// Only a registered agent may list agents there, and this wallet has none.
    #[error("no agent of this wallet can list agents")]
    NoAgentToAsk,
    /// The exchange does not offer the operation.
    #[error("the exchange offers no way to do this")]
    NotOffered,
    /// The exchange refused.
    #[error("the exchange refused: {}", .0.text)]
    Refused(Refusal),
    /// The exchange did not respond. A retry resumes.
    #[error("the exchange did not answer: {0}")]
    NoAnswer(#[source] ExchangeFault),
    /// The exchange is down, or its response is not of the protocol. A retry resumes.
    #[error("the exchange is not available: {0}")]
    BadAnswer(#[source] ExchangeFault),
    /// The edge in front of the exchange blocked the call. A retry resumes.
    #[error("the exchange's edge turned the call away: {0}")]
    Blocked(#[source] ExchangeFault),
    /// The exchange refused, and the local clock differs from its clock.
    #[error("the clock is {skew_s} s ahead of the exchange's: {source}")]
    ClockSkew {
        /// How far the local clock is ahead, in seconds; negative: behind.
        skew_s: i64,
        /// What the exchange refused.
        source: Box<Self>,
    },
    /// Nothing may be sent to the exchange now.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The lease ends too soon to send. A retry resumes.
    #[error("out of time")]
    OutOfTime,
    /// The request to the exchange was not signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The agent's key could not be sealed or opened.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The source of randomness failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The stored agent key belongs to another agent than the record's.
    #[error("the stored agent key is damaged")]
    DamagedKey,
    /// The stored agent key is not a private key.
    #[error("the stored agent key is damaged")]
    UnreadableKey(#[source] AgentKeyError),
    /// The exchange has made a secret, and it could not be stored. It is lost.
    #[error("the exchange's secret could not be stored: {0}")]
    SecretLost(#[source] StoreError),
}

/// Why an exchange gave no usable response.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeFault {
    /// A signed request did not reach the exchange.
    #[error(transparent)]
    NotSent(TransportError),
    /// The outcome of a signed request is unknown.
    #[error(transparent)]
    Unclear(Unclear),
    /// A question about agents failed.
    #[error(transparent)]
    Lookup(LookupError),
    /// The exchange still lists an agent that a rotation replaced.
    #[error("not removed yet")]
    NotRemoved,
}

impl CredentialError {
    /// Returns the error of a signed request that did not reach the exchange.
    pub(super) const fn not_sent(cause: TransportError) -> Self {
        Self::BadAnswer(ExchangeFault::NotSent(cause))
    }
}

impl From<Unclear> for CredentialError {
    fn from(unclear: Unclear) -> Self {
        let variant = match unclear {
            Unclear::NoAnswer(_) => Self::NoAnswer,
            Unclear::Broken(_) | Unclear::BadAnswer(_) => Self::BadAnswer,
            Unclear::Blocked(_) => Self::Blocked,
        };
        variant(ExchangeFault::Unclear(unclear))
    }
}

impl From<LookupError> for CredentialError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::RateLimited { retry_after_s } => {
                Self::Busy(Busy::Limited { retry_after_s })
            }
            LookupError::Blocked(_) | LookupError::Busy(Busy::Blocked { .. }) => {
                Self::Blocked(ExchangeFault::Lookup(error))
            }
            LookupError::NonceRejected => {
                Self::Refused(Refusal::new(RefusalKind::NonceRejected, &error.to_string()))
            }
            other => Self::BadAnswer(ExchangeFault::Lookup(other)),
        }
    }
}

impl From<NonceError> for CredentialError {
    fn from(error: NonceError) -> Self {
        match error {
            NonceError::Refused(refusal) => Self::Refused(refusal),
            NonceError::NotSent(cause) => Self::not_sent(cause),
            NonceError::Unclear(unclear) => unclear.into(),
        }
    }
}
