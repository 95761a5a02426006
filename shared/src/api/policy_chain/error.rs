//! API errors of the payment policy.

use protocol::{PolicyFault, Refusal};
use serde_json::value::to_raw_value;

use super::data::ChangeTextData;
use crate::api::error::{ApiError, REPEAT};
use crate::mpc::CosignerError;

/// The operation that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Reading the policy.
    Read,
    /// Proposing a change.
    Propose,
    /// Approving a change.
    Approve,
    /// Cancelling a change.
    Cancel,
}

impl Action {
    const fn failed(self) -> &'static str {
        match self {
            Self::Read => "Failed to read the payment policy",
            Self::Propose => "Failed to propose the change",
            Self::Approve => "Failed to approve the change",
            Self::Cancel => "Failed to cancel the change",
        }
    }
}

/// Converts the error of a call of the cosigner about a policy.
#[must_use]
pub fn policy_chain_error(action: Action, error: &CosignerError) -> ApiError {
    let failed = action.failed();
    match error {
        CosignerError::Refused(Refusal::PolicyChange(fault)) => {
            tracing::warn!(%fault, "refused by the policy chain");
            refused(failed, fault)
        }
        CosignerError::Refused(Refusal::Rate { reason, retry_after_s }) => {
            tracing::warn!(%reason, "refused by the cosigner's rates");
            ApiError::new(429, "SIGNING_RATE_LIMIT", "Too many requests")
                .advise(format!(
                    "The cosigner allows no more for now: {reason}. Nothing was changed."
                ))
                .retry_after(*retry_after_s)
        }
        CosignerError::Unavailable(_) | CosignerError::Refused(Refusal::Busy) => {
            ApiError::signer_unavailable(failed, error)
        }
        CosignerError::Nonsense | CosignerError::Refused(_) => {
            ApiError::internal(failed, error).advise(REPEAT)
        }
    }
}

/// Returns the error for a refusal. Exhaustive, so that a new fault needs an error of its own.
fn refused(failed: &'static str, fault: &PolicyFault) -> ApiError {
    let refuse = |advice: String| {
        ApiError::new(422, "POLICY_CHANGE_REFUSED", failed)
            .advise(advice)
            .detail(|details| details.reason = Some(fault.reason()))
    };
    match fault {
        PolicyFault::WrongSequence { next_seq, .. } => ApiError::new(
            409,
            "POLICY_SEQUENCE",
            "Another change came first",
        )
        .advise(format!(
            "The next change has the number {next_seq}. Read the policy, and sign the change \
                     again with its number and the hash before it."
        ))
        .detail(|details| details.limit = Some(next_seq.to_string())),
        PolicyFault::NotPending { .. } => not_pending(),
        PolicyFault::BadApproval { approver } => {
            ApiError::new(422, "APPROVAL_INVALID", format!("Invalid signature of {approver}"))
                .advise("Sign the text of this change for this tenant and policy chain.")
        }
        PolicyFault::UnknownApprover { approver } => {
            ApiError::new(422, "APPROVAL_INVALID", format!("{approver} is not an approver"))
                .advise("GET /api/policy lists the approvers.")
        }
        PolicyFault::NoAuthority => authority_missing(),
        PolicyFault::BelowMinimumDelay { seconds } => {
            refuse(format!("The operator requires a delay of at least {seconds} seconds."))
                .detail(|details| details.limit = Some(seconds.to_string()))
        }
        PolicyFault::Invalid(cause) => refuse(format!("{cause}.")),
        PolicyFault::TooManyPending => refuse(
            "At most 8 changes wait at a time. Cancel one, or wait until one is in effect.".into(),
        ),
        PolicyFault::TooManyRecords => refuse(
            "An approver makes at most 20 changes in an hour. Wait until the next hour.".into(),
        ),
        PolicyFault::Expired => refuse("Sign the change again with a later notAfter.".into()),
        PolicyFault::NotAfterTooFar => {
            refuse("Sign the change again with an earlier notAfter.".into())
        }
        PolicyFault::AboveHardCap => {
            refuse("Stay within the operator's caps for this asset.".into())
        }
        PolicyFault::OwnRemoval => refuse(
            "An approver cannot cancel its own removal. Another approver, or the operator, can."
                .into(),
        ),
        PolicyFault::WrongQuorum => {
            refuse("Another authority must sign this kind of change.".into())
        }
        PolicyFault::NothingToDo => refuse("The policy has this value already.".into()),
        PolicyFault::DestinationExists => {
            refuse("Remove the destination before you add it again.".into())
        }
        PolicyFault::Full => {
            refuse("Remove an entry of the policy before you add another one.".into())
        }
        PolicyFault::WrongHead => refuse("Sign the newest hash of the policy chain.".into()),
        PolicyFault::UnknownAsset { asset, known } => {
            let known: Vec<String> = known.iter().map(ToString::to_string).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            refuse(format!(
                "No payment of this deployment uses {asset} in this change. Known assets: {known}."
            ))
        }
    }
}

/// Makes a 409 for an operation that needs signatures, with the text to sign.
#[must_use]
pub fn approval_required(text: &ChangeTextData) -> ApiError {
    let error = ApiError::new(409, "APPROVAL_REQUIRED", "An approver must sign the cancellation");
    let error = error.advise(
        "Sign data.text with an approver's key, and retry the request with sequence, previousHash, \
         notAfter and approvals.",
    );
    error.detail(|details| details.data = to_raw_value(text).ok())
}

/// Makes a 422 for a tenant without approvers.
#[must_use]
pub fn authority_missing() -> ApiError {
    ApiError::new(422, "POLICY_REFUSED", "The payment policy has no approvers")
        .advise("Ask the operator to set the tenant's approvers.")
        .detail(|details| details.reason = Some(PolicyFault::NoAuthority.reason()))
}

/// Makes a 404 for a change that is not pending.
#[must_use]
pub fn not_pending() -> ApiError {
    ApiError::new(404, "POLICY_CHANGE_NOT_FOUND", "No such pending change")
        .advise("GET /api/policy lists the pending changes.")
}
