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
    /// The wallet has an active credential that has not expired.
    #[error("the wallet has a credential")]
    Exists {
        /// The way to get a usable key.
        advice: String,
    },
    /// An earlier attempt at this request returned the private key, which cannot be shown again.
    #[error("the request's private key is no longer shown")]
    SecretHidden,
    /// Another call holds the lease.
    #[error("another call holds the credential's lease")]
    InProgress {
        /// Seconds until the lease ends.
        retry_after_s: u64,
    },
    /// The registration is not complete.
    #[error("the registration is not complete")]
    Unregistered,
    /// The credential is being deleted.
    #[error("the credential is being deleted")]
    Revoking,
    /// The exchange lists no such agent.
    #[error("the exchange lists no such agent")]
    AgentNotFound,
    /// A credential uses the agent.
    #[error("a credential uses the agent")]
    AgentInUse,
    /// Another party made the agent, and the signing policy removes only agents made here.
    #[error("another party made the agent")]
    AgentNotOurs,
    /// Only a registered agent may list agents on this exchange, and the wallet has none.
    #[error("no agent of this wallet can list agents")]
    NoAgentToAsk,
    /// The exchange does not offer the operation.
    #[error("the exchange does not offer this operation")]
    NotOffered,
    /// The exchange refused.
    #[error("the exchange refused: {}", .0.text)]
    Refused(Refusal),
    /// The exchange did not respond. A retry resumes the operation.
    #[error("the exchange did not respond: {0}")]
    NoAnswer(#[source] ExchangeFault),
    /// The exchange is unavailable, or its response violates the protocol. A retry resumes the
    /// operation.
    #[error("the exchange is not available: {0}")]
    BadAnswer(#[source] ExchangeFault),
    /// The edge in front of the exchange blocked the call. A retry resumes the operation.
    #[error("the exchange's edge blocked the call: {0}")]
    Blocked(#[source] ExchangeFault),
    /// The exchange refused, and the local clock differs from its clock.
    #[error("the clock is {skew_s} s ahead of the exchange's: {source}")]
    ClockSkew {
        /// Lead of the local clock, in seconds; negative when it is behind.
        skew_s: i64,
        /// The exchange's refusal.
        source: Box<Self>,
    },
    /// Nothing may be sent to the exchange now.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// Too little time is left on the lease to send. A retry resumes the operation.
    #[error("too little time is left on the lease")]
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
    /// The random number generator failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The stored agent key does not belong to the record's agent.
    #[error("the stored agent key is damaged")]
    DamagedKey,
    /// The stored agent key is not a private key.
    #[error("the stored agent key is damaged")]
    UnreadableKey(#[source] AgentKeyError),
    /// The secret that the exchange made could not be stored, and is lost.
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
    #[error("the exchange still lists the agent")]
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
            LookupError::Busy(busy @ (Busy::Limited { .. } | Busy::TenantLimited { .. })) => {
                Self::Busy(busy)
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
