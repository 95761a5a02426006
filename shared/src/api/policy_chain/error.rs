//! API errors of the payment policy.

use protocol::{PolicyFault, Refusal};

use super::{authority_missing, not_pending};
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
    let refuse = |reason: &'static str, advice: String| {
        ApiError::new(422, "POLICY_CHANGE_REFUSED", failed)
            .advise(advice)
            .detail(|details| details.reason = Some(reason))
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
        PolicyFault::TooManyPending => refuse(
            "TOO_MANY_PENDING",
            "At most 8 changes wait at a time. Cancel one, or wait until one is in effect.".into(),
        ),
        PolicyFault::Expired => {
            refuse("EXPIRED", "Sign the change again with a later notAfter.".into())
        }
        PolicyFault::NotAfterTooFar => {
            refuse("NOT_AFTER_TOO_FAR", "Sign the change again with an earlier notAfter.".into())
        }
        PolicyFault::BelowMinimumDelay { seconds } => refuse(
            "BELOW_MINIMUM_DELAY",
            format!("The operator requires a delay of at least {seconds} seconds."),
        )
        .detail(|details| details.limit = Some(seconds.to_string())),
        PolicyFault::AboveHardCap => {
            refuse("ABOVE_HARD_CAP", "Stay within the operator's caps for this asset.".into())
        }
        PolicyFault::OwnRemoval => refuse(
            "OWN_REMOVAL",
            "An approver cannot cancel its own removal. Another approver, or the operator, can."
                .into(),
        ),
        PolicyFault::WrongQuorum => {
            refuse("WRONG_QUORUM", "Another authority must sign this kind of change.".into())
        }
        PolicyFault::NothingToDo => {
            refuse("NOTHING_TO_DO", "The policy has this value already.".into())
        }
        PolicyFault::DestinationExists => {
            refuse("DESTINATION_EXISTS", "Remove the destination before you add it again.".into())
        }
        PolicyFault::Full => {
            refuse("FULL", "Remove an entry of the policy before you add another one.".into())
        }
        PolicyFault::WrongHead => {
            refuse("WRONG_HEAD", "Sign the newest hash of the policy chain.".into())
        }
        PolicyFault::Invalid(cause) => refuse("INVALID", format!("{cause}.")),
    }
}
