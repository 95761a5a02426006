//! API errors of payments.

use domain::money::PaymentId;
use protocol::{PaymentRefusal, RejectedApproval};
use serde::Serialize;
use serde_json::value::to_raw_value;

use crate::api::credential_error::{blocked, busy};
use crate::api::error::{ApiError, REPEAT, cosigner_failed, frozen, frozen_by_operator};
use crate::exchanges::LookupError;
use crate::exchanges::budget::Busy;
use crate::money::MoneyError;
use crate::store::PaymentRecord;
use crate::wallets::{PaySignError, SignError};

const FAILED: &str = "Failed to make the payment";

/// Converts the error of a payment.
#[must_use]
pub fn payment_error(error: MoneyError) -> ApiError {
    match error {
        MoneyError::WalletNotFound => ApiError::wallet_not_found(),
        MoneyError::PaymentNotFound => {
            ApiError::new(404, "TRANSFER_NOT_FOUND", "Transfer not found")
                .advise("Check the transferId, the wallet and the exchange.")
        }
        MoneyError::KeyRequired => ApiError::new(
            400,
            "IDEMPOTENCY_KEY_REQUIRED",
            "Missing required header: Idempotency-Key",
        )
        .advise(
            "Send a new Idempotency-Key, such as a UUID, for each new payment. A retry with the same \
             key pays once.",
        ),
        MoneyError::KeyReused { .. } => ApiError::idempotency_key_reused(),
        MoneyError::InProgress { retry_after_s, .. } => {
            ApiError::new(409, "PAYMENT_IN_PROGRESS", "Payment is being made")
                .advise("Retry the call with the same key after retryAfterSeconds. It pays once.")
                .retry_after(retry_after_s.max(1))
        }
        MoneyError::Missing(field) => ApiError::missing(field).advise(
            "The deployment cannot read this field from the chain or the exchange. Name it in the body.",
        ),
        MoneyError::Invalid { field, expected } => {
            ApiError::bad_request(format!("{field} {expected}"))
        }
        MoneyError::Payment(cause) => ApiError::bad_request(format!("Invalid payment: {cause}")),
        MoneyError::NotOffered { what, advice } => {
            ApiError::new(422, "NOT_OFFERED", format!("The service does not offer {what}"))
                .advise(advice)
        }
        MoneyError::AboveExchangeLimit { most } => ApiError::new(
            422,
            "EXCHANGE_LIMIT_EXCEEDED",
            "The amount exceeds the exchange's limit",
        )
        .advise("Withdraw at most the amount in limit.")
        .detail(|details| details.limit = Some(most)),
        MoneyError::DestinationRefused => {
            ApiError::new(422, "DESTINATION_REFUSED", "The exchange refuses this destination")
                .advise("Choose another destination. Nothing was signed.")
        }
        MoneyError::Refused { record } => refused(&record),
        MoneyError::Unknown { record, retry_after_s } => unknown(&record, retry_after_s),
        MoneyError::Sign(error) => sign_error(error),
        MoneyError::Lookup(error) => lookup_error(error),
        MoneyError::QuestionRefused(refusal) => {
            tracing::warn!(text = %refusal.text, "the exchange refused a question");
            unavailable("The exchange refused a question before the payment. Nothing was signed.")
        }
        MoneyError::NoAgent => ApiError::api_key_not_found()
            .advise("Register the wallet with Aster: only a trading key can ask for the outcome."),
        MoneyError::Chain(cause) => {
            tracing::warn!(%cause, "the chain's node did not respond as expected");
            ApiError::new(502, "CHAIN_UNAVAILABLE", FAILED).advise(
                "The chain's node refused the call or is not available. Nothing was signed. Check the \
                 balance for amount and gas, then retry the call.",
            )
        }
        MoneyError::ShortOfFunds { text } => {
            ApiError::new(422, "INSUFFICIENT_FUNDS", "Not enough balance on the chain")
                .advise("Send the amount and the native token for gas to the wallet's address.")
                .detail(|details| details.exchange_message = Some(text))
        }
        MoneyError::Busy(Busy::Store(cause)) | MoneyError::Store(cause) => {
            ApiError::store(FAILED, &cause)
        }
        MoneyError::Busy(cause) => busy(FAILED, cause),
        MoneyError::OutOfTime => ApiError::new(504, "TIMEOUT", FAILED)
            .advise("The call took too long. Nothing was sent. Retry the call."),
        MoneyError::Envelope(_)
        | MoneyError::DamagedKey
        | MoneyError::UnreadableKey(_)
        | MoneyError::Random(_)
        | MoneyError::Damaged(_)
        | MoneyError::Json(_) => ApiError::internal(FAILED, &error).advise(REPEAT),
    }
}

impl MoneyError {
    /// Returns the payment that the error is about, if it has an id.
    #[must_use]
    pub const fn payment(&self) -> Option<&PaymentId> {
        match self {
            Self::KeyReused { id } | Self::InProgress { id, .. } => Some(id),
            Self::Refused { record } | Self::Unknown { record, .. } => Some(&record.id),
            _ => None,
        }
    }
}

/// The facts of a payment in the `data` of an error.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Facts<'a> {
    transfer_id: &'a str,
    state: &'static str,
}

fn with_facts(error: ApiError, record: &PaymentRecord) -> ApiError {
    let facts = Facts { transfer_id: record.id.as_str(), state: record.state.published() };
    error.detail(|details| details.data = to_raw_value(&facts).ok())
}

/// The codes of refusals, which records have as texts.
const CODES: [(&str, &str); 11] = [
    ("INSUFFICIENT_FUNDS", "Not enough balance at the exchange"),
    ("DEPOSIT_REQUIRED", "The account does not exist before a deposit"),
    ("NOT_OFFERED_BY_EXCHANGE", "The exchange does not offer this payment"),
    ("EXCHANGE_LIMIT_EXCEEDED", "The amount exceeds the exchange's limit"),
    ("NONCE_EXPIRED", "The exchange did not execute the payment in time"),
    ("NOT_EXECUTED", "The exchange did not execute the payment"),
    ("EXCHANGE_FAILED", "The exchange reports the payment as failed"),
    ("PAYMENT_REJECTED", "The exchange refused the payment"),
    ("NOT_SENT", "The payment was not sent"),
    ("REVERTED", "The chain has reverted the transaction"),
    ("NONCE_TAKEN", "Another transaction has used the account's nonce"),
];

fn refused(record: &PaymentRecord) -> ApiError {
    let (code, text) = match &record.refusal {
        Some(refusal) => (refusal.code.as_str(), refusal.text.clone()),
        None => ("PAYMENT_REJECTED", String::new()),
    };
    let known = CODES.iter().find(|(known, _)| *known == code);
    let (code, error) = known.copied().unwrap_or(("PAYMENT_REJECTED", FAILED));
    let error = ApiError::new(422, code, error)
        .advise("The payment was not made. Fix the cause, and use a new Idempotency-Key.")
        .detail(|details| details.exchange_message = Some(text));
    with_facts(error, record)
}

fn unknown(record: &PaymentRecord, retry_after_s: u64) -> ApiError {
    let error = ApiError::new(
        504,
        "PAYMENT_UNKNOWN",
        "The outcome of the payment is not known yet",
    )
    .advise(
        "Retry the call with the same Idempotency-Key, or read the transfer. Do not use a new \
             key: it would pay again.",
    )
    .retry_after(retry_after_s.max(1));
    with_facts(error, record)
}

fn unavailable(advice: &'static str) -> ApiError {
    ApiError::new(502, "EXCHANGE_UNAVAILABLE", FAILED).advise(advice)
}

fn lookup_error(error: LookupError) -> ApiError {
    match error {
        LookupError::RateLimited { retry_after_s } => busy(FAILED, Busy::Limited { retry_after_s }),
        LookupError::Busy(cause) => busy(FAILED, cause),
        LookupError::Blocked(words) => {
            tracing::warn!(%words, "exchange blocked the call");
            blocked(FAILED)
        }
        error => {
            tracing::warn!(%error, "exchange is down or its response was invalid");
            unavailable("The exchange is not available. Nothing was signed. Retry the call.")
        }
    }
}

fn sign_error(error: PaySignError) -> ApiError {
    match error {
        PaySignError::Refused(refusal) | PaySignError::Held(refusal) => policy_refused(&refusal),
        PaySignError::Sign(error) => match error {
            SignError::NotFound => ApiError::wallet_not_found(),
            SignError::Protocol(error) => cosigner_failed(FAILED, &error),
            SignError::Frozen => frozen(FAILED),
            SignError::FrozenByOperator => frozen_by_operator(FAILED),
            SignError::Busy | SignError::Worn | SignError::Moved => {
                ApiError::signer_unavailable(FAILED, &error)
            }
            SignError::Store(cause) => ApiError::store(FAILED, &cause),
            SignError::Envelope(_) | SignError::Share(_) => ApiError::internal(FAILED, &error),
        },
        PaySignError::Nonsense => ApiError::internal(FAILED, &error),
    }
}

/// The text that approvers sign, how many must, two lines of the text for their tools, and the
/// approvals of the request that do not count.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToApprove<'a> {
    text: &'a str,
    threshold: u8,
    payment_id: Option<&'a str>,
    not_after: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rejected: Vec<Rejected<'a>>,
}

/// An approval that does not count.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rejected<'a> {
    index: u32,
    approver: &'a str,
    reason: &'static str,
}

impl<'a> ToApprove<'a> {
    fn new(text: &'a str, threshold: u8, rejected: &'a [RejectedApproval]) -> Self {
        let payment_id = text.lines().nth(4);
        let not_after = text.lines().nth(6).and_then(|line| line.parse().ok());
        let rejected = rejected.iter().map(|one| Rejected {
            index: one.index,
            approver: &one.approver,
            reason: one.reason.name(),
        });
        Self { text, threshold, payment_id, not_after, rejected: rejected.collect() }
    }
}

/// Returns the error of a payment with approvals that do not count.
fn approval_invalid(text: &str, threshold: u8, rejected: &[RejectedApproval]) -> ApiError {
    let error: Vec<String> = rejected.iter().map(ToString::to_string).collect();
    let data = to_raw_value(&ToApprove::new(text, threshold, rejected)).ok();
    ApiError::new(422, "APPROVAL_INVALID", error.join(", "))
        .advise(
            "Replace the approvals in data.rejected by signatures of the text in data, one of each \
             approver. Then retry the call with the same body and the same Idempotency-Key.",
        )
        .detail(|details| details.data = data)
}

/// What is left of a limit.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Left {
    asset: String,
    scope: String,
    left: String,
    payments_left: u32,
}

/// When a destination becomes usable.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActiveFrom {
    active_from: u64,
}

fn policy_refused(refusal: &PaymentRefusal) -> ApiError {
    if let PaymentRefusal::ApprovalInvalid { text, threshold, rejected } = refusal {
        return approval_invalid(text, *threshold, rejected);
    }
    if let PaymentRefusal::ApprovalRequired { text, threshold } = refusal {
        let data = to_raw_value(&ToApprove::new(text, *threshold, &[])).ok();
        return ApiError::new(409, "APPROVAL_REQUIRED", "The payment needs approvals")
            .advise(
                "Have approvers sign the text in data. Then retry the call with the same body, the \
                 same Idempotency-Key and their signatures in approvals.",
            )
            .detail(|details| details.data = data);
    }
    let advice = match refusal {
        PaymentRefusal::DestinationNotAllowed => {
            "Have the tenant's approvers add the destination, or use one that the policy lists."
        }
        PaymentRefusal::DestinationNotActive { .. } => {
            "Retry the call after the time in data.activeFrom."
        }
        PaymentRefusal::LimitExceeded { .. } => {
            "Pay less, wait until earlier payments leave the window, or have the approvers raise the \
             limit."
        }
        PaymentRefusal::Frozen => "The approvers must lift the freeze first.",
        PaymentRefusal::AuthorityMissing => "The operator must set the tenant's approvers first.",
        PaymentRefusal::PaymentsOff => "Contact the operator.",
        PaymentRefusal::FeeTooHigh { .. } => "Retry the call when the fee has fallen.",
        PaymentRefusal::AccountNonceTaken { .. } => {
            "Omit accountNonce, or name the next one, and use a new Idempotency-Key."
        }
        PaymentRefusal::OtherContent | PaymentRefusal::PrepareAgain => {
            "Retry the call with a new Idempotency-Key."
        }
        PaymentRefusal::NotAllowed(_)
        | PaymentRefusal::ApprovalRequired { .. }
        | PaymentRefusal::ApprovalInvalid { .. }
        | PaymentRefusal::NotSigned => "Change the payment, or contact the operator.",
    };
    let data = match refusal {
        PaymentRefusal::DestinationNotActive { active_from_ms } => {
            to_raw_value(&ActiveFrom { active_from: *active_from_ms }).ok()
        }
        PaymentRefusal::LimitExceeded { asset, scope, left, payments_left } => {
            to_raw_value(&Left {
                asset: asset.to_string(),
                scope: scope.to_string(),
                left: left.to_string(),
                payments_left: *payments_left,
            })
            .ok()
        }
        _ => None,
    };
    let limit = match refusal {
        PaymentRefusal::LimitExceeded { left, .. } => Some(left.to_string()),
        PaymentRefusal::FeeTooHigh { max } => Some(max.to_string()),
        _ => None,
    };
    let error = format!("The payment policy refuses this payment: {refusal}");
    ApiError::new(422, "POLICY_REFUSED", error).advise(advice).detail(|details| {
        details.reason = Some(refusal.reason());
        details.limit = limit;
        details.data = data;
    })
}
