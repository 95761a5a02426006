//! Why a payment was not made, or its outcome is not known.

use domain::eth::AgentKeyError;
use domain::money::{PaymentError, PaymentId};
use domain::random::RandomError;
use platform::envelope::EnvelopeError;
use platform::items::StoreError;
use protocol::{ApprovalRejection, PaymentRefusal};

use crate::evm::ChainError;
use crate::exchanges::LookupError;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::budget::Busy;
use crate::exchanges::trade::TradeRefusal;
use crate::store::PaymentRecord;
use crate::wallets::PaySignError;

/// Why a payment was not made, or its outcome is not known.
#[derive(Debug, thiserror::Error)]
pub enum MoneyError {
    /// The tenant has no such wallet.
    #[error("wallet not found")]
    WalletNotFound,
    /// The wallet has no such payment.
    #[error("payment not found")]
    PaymentNotFound,
    /// The request has no `Idempotency-Key`.
    #[error("the request has no Idempotency-Key")]
    KeyRequired,
    /// The `Idempotency-Key` belongs to another payment of the wallet.
    #[error("the Idempotency-Key belongs to another payment")]
    KeyReused {
        /// That payment.
        id: PaymentId,
    },
    /// Another request works on the payment.
    #[error("another request works on the payment")]
    InProgress {
        /// The payment.
        id: PaymentId,
        /// Seconds until its lease ends.
        retry_after_s: u64,
    },
    /// A field is missing that the deployment cannot read from the chain.
    #[error("a field is missing: {0}")]
    Missing(&'static str),
    /// A field contradicts the wallet or another field.
    #[error("{field} {expected}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// The expectation.
        expected: &'static str,
    },
    /// The payment breaks a rule that no policy changes.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// The exchange or the service does not offer the payment.
    #[error("not offered: {what}")]
    NotOffered {
        /// The payment.
        what: &'static str,
        /// The action to take.
        advice: &'static str,
    },
    /// The exchange states a limit below the amount.
    #[error("the exchange allows at most {most}")]
    AboveExchangeLimit {
        /// The limit.
        most: String,
    },
    /// The account on the chain lacks the amount or the gas.
    #[error("the account lacks the amount or the gas: {text}")]
    ShortOfFunds {
        /// The node's text.
        text: String,
    },
    /// The exchange refuses the destination.
    #[error("the exchange refuses the destination")]
    DestinationRefused,
    /// The payment was not made and cannot be made any more.
    #[error("the payment was not made")]
    Refused {
        /// The payment, with the reason.
        record: Box<PaymentRecord>,
    },
    /// The outcome is not known yet.
    #[error("the outcome of the payment is not known")]
    Unknown {
        /// The payment.
        record: Box<PaymentRecord>,
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// The payment was not signed.
    #[error(transparent)]
    Sign(#[from] PaySignError),
    /// No usable trading key can ask Aster.
    #[error("no usable trading key can ask the exchange")]
    NoAgent,
    /// A question before the payment failed. Nothing was signed.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The exchange refused a question before the payment. Nothing was signed.
    #[error("the exchange refused a question: {}", .0.text)]
    QuestionRefused(TradeRefusal),
    /// The chain's node gave no usable response. Nothing was signed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Nothing may be sent to the exchange now.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// Too little time is left. Nothing was sent.
    #[error("too little time is left")]
    OutOfTime,
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The agent's key could not be opened.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The stored agent key is damaged.
    #[error("the stored agent key is damaged")]
    DamagedKey,
    /// The stored agent key is not a private key.
    #[error("the stored agent key is damaged")]
    UnreadableKey(#[source] AgentKeyError),
    /// The random number generator failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The stored record contradicts itself.
    #[error("the stored payment is damaged: {0}")]
    Damaged(&'static str),
    /// A value has no JSON form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl MoneyError {
    /// Returns the error of a request that has renewed the text to approve: its approvals were for the
    /// text before it, whose time has passed.
    pub(super) fn with_late_approvals(mut self) -> Self {
        if let Self::Sign(PaySignError::Refused(PaymentRefusal::ApprovalInvalid {
            rejected, ..
        })) = &mut self
        {
            let is_bad = |reason| reason == ApprovalRejection::BadSignature;
            for one in rejected.iter_mut().filter(|one| is_bad(one.reason)) {
                one.reason = ApprovalRejection::Expired;
            }
        }
        self
    }
}

impl From<AskError> for MoneyError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(refusal) => Self::QuestionRefused(refusal),
            AskError::Failed(failed) => Self::Lookup(failed),
        }
    }
}
