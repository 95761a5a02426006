//! Messages about payments. A payment is prepared, which fixes its nonces, and then signed like an
//! intent. The run that signs is bound to the digest from its first message, so party 1 must know
//! the nonces before it.

use dkls23_secp256k1::protocols::signing::TransmitPhase1to2;
use domain::eth::Signature;
use domain::money::{Nonces, Payment, PaymentId};
use domain::policy::{Amount, Approval, AssetId};
use serde::{Deserialize, Serialize};

use crate::sign_messages::FinishSign;
use crate::wire;

/// A payment as an endpoint orders it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PaymentOrder {
    /// The payment's id. It always means the same bytes.
    pub id: PaymentId,
    /// The payment.
    pub payment: Payment,
    /// Approvals of the payment's text, where the policy requires them.
    pub approvals: Vec<Approval>,
    /// The time in the approved text until which the approvals count, Unix seconds.
    pub not_after_s: u64,
}

/// Checks a payment and fixes its nonces. Counts and signs nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PreparePayment {
    /// The payment.
    pub order: PaymentOrder,
    /// Writes nothing: not the nonces, and not the record of a refusal.
    pub dry_run: bool,
}

/// A prepared payment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PaymentPrepared {
    /// The nonces. They are final once the payment is counted.
    pub nonces: Nonces,
    /// The signatures that exist already, in their order. They are never made a second time.
    pub signatures: Vec<Signature>,
    /// The amounts that the payment counts.
    pub charges: Vec<Charge>,
    /// Whether the payment was counted before.
    pub is_counted: bool,
}

/// An amount that a payment counts against a limit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    /// The asset of the limit.
    pub asset: AssetId,
    /// The amount, with fees.
    pub amount: Amount,
    /// The number of payments: 1, or 0 for the gas of a payment of another asset.
    pub payments: u32,
}

/// Signs a prepared payment, call 1. Counts the payment, unless it was counted before.
#[derive(Serialize, Deserialize)]
pub struct StartPayment {
    /// The payment.
    pub order: PaymentOrder,
    /// [`PaymentPrepared::nonces`].
    pub nonces: Nonces,
    /// The number of signatures that exist already.
    pub step: u8,
    /// The protocol's message; about 27 KB.
    #[serde(with = "wire::transfer")]
    pub message: TransmitPhase1to2,
}

/// Signs a prepared payment, call 2.
#[derive(Serialize, Deserialize)]
pub struct FinishPayment {
    /// The payment's id.
    pub id: PaymentId,
    /// [`StartPayment::step`].
    pub step: u8,
    /// The protocol's message.
    pub finish: FinishSign,
}

/// A counted payment in the list of its tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenPayment {
    /// The wallet.
    pub wallet_id: uuid::Uuid,
    /// The payment's id.
    pub id: PaymentId,
    /// The payment.
    pub payment: Payment,
    /// When it was counted, Unix milliseconds.
    pub counted_at_ms: u64,
    /// Until when it can be executed, Unix milliseconds; `None` for a transaction on a chain.
    pub valid_until_ms: Option<u64>,
    /// When an endpoint reported it as settled, Unix milliseconds. The cosigner cannot check it.
    pub settled_at_ms: Option<u64>,
}

/// Why the cosigner refuses a payment. Nothing was signed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum PaymentRefusal {
    /// The deployment's policy document does not allow it, or it is not well formed.
    #[error("{0}")]
    NotAllowed(String),
    /// The destination is not on the tenant's list for this asset.
    #[error("the destination is not on the list for this asset")]
    DestinationNotAllowed,
    /// The destination's delay has not passed.
    #[error("the destination becomes usable at {active_from_ms} (Unix milliseconds)")]
    DestinationNotActive {
        /// Unix milliseconds.
        active_from_ms: u64,
    },
    /// The payment exceeds a limit.
    #[error("the limit of {asset} for this {scope} has {left} and {payments_left} payments left")]
    LimitExceeded {
        /// The asset of the limit.
        asset: AssetId,
        /// Whose limit it is.
        scope: LimitScope,
        /// The amount that is left.
        left: Amount,
        /// The number of payments that are left.
        payments_left: u32,
    },
    /// A freeze is in effect.
    #[error("payments are frozen")]
    Frozen,
    /// Payments are off since the cosigner's table was restored.
    #[error("payments are off: the cosigner's table is not the one that the policy was written to")]
    PaymentsOff,
    /// The tenant has no approvers yet.
    #[error("the tenant has no approvers")]
    AuthorityMissing,
    /// The payment needs approvals of its own text.
    #[error("the payment needs {threshold} approvals of its text")]
    ApprovalRequired {
        /// The text to sign.
        text: String,
        /// The number of approvals.
        threshold: u8,
    },
    /// The fee is above the deployment's maximum.
    #[error("the fee is above the maximum of {max}")]
    FeeTooHigh {
        /// The maximum.
        max: Amount,
    },
    /// The id belongs to a payment with other content.
    #[error("this id belongs to another payment")]
    OtherContent,
    /// The account's nonce belongs to another signed transaction.
    #[error("the account nonce {nonce} belongs to another payment")]
    AccountNonceTaken {
        /// The nonce.
        nonce: u64,
    },
    /// The nonces or signatures are not those that the cosigner holds. Prepare the payment again.
    #[error("the payment must be prepared again")]
    PrepareAgain,
}

/// Whose limit it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitScope {
    /// One payment to this destination.
    Payment,
    /// The wallet's.
    Wallet,
    /// The tenant's.
    Tenant,
}

impl std::fmt::Display for LimitScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Payment => "payment",
            Self::Wallet => "wallet",
            Self::Tenant => "tenant",
        })
    }
}

impl PaymentRefusal {
    /// Returns the reason as a stable name.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotAllowed(_) => "PAYMENT_NOT_ALLOWED",
            Self::DestinationNotAllowed => "DESTINATION_NOT_ALLOWED",
            Self::DestinationNotActive { .. } => "DESTINATION_NOT_ACTIVE",
            Self::LimitExceeded { .. } => "LIMIT_EXCEEDED",
            Self::Frozen => "FROZEN",
            Self::PaymentsOff => "PAYMENTS_OFF",
            Self::AuthorityMissing => "AUTHORITY_MISSING",
            Self::ApprovalRequired { .. } => "APPROVAL_REQUIRED",
            Self::FeeTooHigh { .. } => "FEE_TOO_HIGH",
            Self::OtherContent => "OTHER_CONTENT",
            Self::AccountNonceTaken { .. } => "ACCOUNT_NONCE_TAKEN",
            Self::PrepareAgain => "PREPARE_AGAIN",
        }
    }
}
