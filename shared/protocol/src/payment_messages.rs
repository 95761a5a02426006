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
    /// Whether all its signatures exist, so that it can be executed.
    pub is_signed: bool,
    /// The outcome that an endpoint reported. The cosigner cannot check it.
    pub report: Option<OutcomeReport>,
}

impl OpenPayment {
    /// Returns the state at this time.
    #[must_use]
    pub const fn state(&self, now_ms: u64) -> CountedState {
        match (&self.report, self.valid_until_ms) {
            _ if !self.is_signed => CountedState::Counted,
            (Some(report), _) => match report.outcome {
                ReportedOutcome::Completed => CountedState::ReportedCompleted,
                ReportedOutcome::Refused => CountedState::ReportedRefused,
            },
            (None, Some(until_ms)) if until_ms < now_ms => CountedState::Expired,
            (None, _) => CountedState::Signed,
        }
    }
}

/// The state of a counted payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CountedState {
    /// A signature is missing, so it cannot be executed. A freeze stops it.
    Counted,
    /// Signed, and no outcome is reported. Nothing can recall it.
    Signed,
    /// Signed, and no outcome is reported. Its time has passed, so it can no longer be executed.
    Expired,
    /// An endpoint reported that it was made.
    ReportedCompleted,
    /// An endpoint reported that it was not made, and cannot be made any more.
    ReportedRefused,
}

impl CountedState {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Counted,
        Self::Signed,
        Self::Expired,
        Self::ReportedCompleted,
        Self::ReportedRefused,
    ];

    /// Returns the published word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Signed => "signed",
            Self::Expired => "expired",
            Self::ReportedCompleted => "reportedCompleted",
            Self::ReportedRefused => "reportedRefused",
        }
    }
}

/// A page of a tenant's counted payments, the newest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenPayments {
    /// At most 100 payments.
    pub payments: Vec<OpenPayment>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// The outcome of a signed payment, as an endpoint reports it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SettlePayment {
    /// The payment's id.
    pub id: PaymentId,
    /// The outcome.
    pub outcome: ReportedOutcome,
    /// The hash or number by which a person finds it in the exchange's ledger or on the chain.
    pub reference: Option<String>,
}

/// The longest [`SettlePayment::reference`], in characters.
pub const MAX_REFERENCE: usize = 128;

/// The outcome of a payment in a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportedOutcome {
    /// The ledger or the chain shows the payment.
    Completed,
    /// The payment was not made, and its bytes can no longer execute.
    Refused,
}

impl ReportedOutcome {
    /// Both outcomes.
    pub const ALL: [Self; 2] = [Self::Completed, Self::Refused];

    /// Returns the stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Refused => "refused",
        }
    }
}

/// An endpoint's report about a payment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OutcomeReport {
    /// The reported outcome.
    pub outcome: ReportedOutcome,
    /// [`SettlePayment::reference`].
    pub reference: Option<String>,
    /// When it was reported, Unix milliseconds.
    pub at_ms: u64,
    /// The alias of the function that reported it.
    pub by: String,
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
    /// The report is about a payment that the cosigner has not signed, or it is not well formed.
    #[error("the cosigner has not signed this payment")]
    NotSigned,
    /// The payment needs approvals of its own text, and approvals of the order do not count.
    #[error("approvals of the payment do not count: {}", listed(.rejected))]
    ApprovalInvalid {
        /// The text to sign.
        text: String,
        /// The number of approvals.
        threshold: u8,
        /// The approvals that do not count, in the order of the request.
        rejected: Vec<RejectedApproval>,
    },
}

/// An approval that does not count.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RejectedApproval {
    /// Its place in the request, from 0.
    pub index: u32,
    /// The approver's id that it states, at most 32 characters.
    pub approver: String,
    /// Why it does not count.
    pub reason: ApprovalRejection,
}

impl std::fmt::Display for RejectedApproval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { approver, reason, .. } = self;
        match reason {
            ApprovalRejection::UnknownApprover => write!(f, "{approver} is not an approver"),
            ApprovalRejection::BadSignature => write!(f, "Invalid signature of {approver}"),
            ApprovalRejection::Duplicate => write!(f, "{approver} has another approval"),
            ApprovalRejection::Expired => write!(f, "The approval of {approver} has expired"),
        }
    }
}

/// Why an approval does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ApprovalRejection {
    /// The tenant has no approver of this id.
    UnknownApprover,
    /// The signature is not this approver's over the payment's text: it is damaged, or is for another
    /// payment, change or deployment.
    BadSignature,
    /// An approval before it is of the same approver.
    Duplicate,
    /// The time of the text that it was made for has passed.
    Expired,
}

impl ApprovalRejection {
    /// Returns the reason as a stable name. Those of [`PolicyFault`](crate::PolicyFault) are the same.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownApprover => "UNKNOWN_APPROVER",
            Self::BadSignature => "BAD_APPROVAL",
            Self::Duplicate => "DUPLICATE",
            Self::Expired => "EXPIRED",
        }
    }
}

/// Returns approvals in one line.
fn listed(rejected: &[RejectedApproval]) -> String {
    let texts: Vec<String> = rejected.iter().map(ToString::to_string).collect();
    texts.join(", ")
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
            Self::NotSigned => "NOT_SIGNED",
            Self::ApprovalInvalid { .. } => "APPROVAL_INVALID",
        }
    }
}
