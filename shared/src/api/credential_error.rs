//! What did not come to its end with a credential, as the caller sees it.

use super::error::{ApiError, REPEAT, cosigner_failed, frozen};
use crate::credentials::CredentialError;
use crate::exchanges::budget::Busy;
use crate::exchanges::{Refusal, RefusalKind};
use crate::wallets::SignError;

/// What an operation on a credential says that it failed to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Registration.
    Generate,
    /// Rotation.
    Rotate,
    /// Deletion.
    Revoke,
}

impl Action {
    const fn failed(self) -> &'static str {
        match self {
            Self::Generate => "Failed to generate API key",
            Self::Rotate => "Failed to rotate API key",
            Self::Revoke => "Failed to revoke API key",
        }
    }
}

/// Registration's errors. Rotation and deletion have texts of their own.
impl From<CredentialError> for ApiError {
    fn from(error: CredentialError) -> Self {
        Self::credential(Action::Generate, error)
    }
}

impl ApiError {
    /// Why an operation on a credential did not come to its end.
    #[must_use]
    pub fn credential(action: Action, error: CredentialError) -> Self {
        let failed = action.failed();
        match error {
            CredentialError::Sign(SignError::NotFound) | CredentialError::NotFound => {
                Self::wallet_not_found()
            }
            CredentialError::NoCredential => Self::api_key_not_found(),
            CredentialError::Exists => {
                Self::new(409, "API_KEY_EXISTS", "API key already exists for this wallet")
                    .advise("Use the existing key or delete it before creating a new one")
            }
            CredentialError::InProgress { retry_after_s } => Self::new(
                409,
                "REGISTRATION_IN_PROGRESS",
                "API key registration already in progress",
            )
            .advise("Another call is working on this API key. Retry after retryAfterSeconds.")
            .retry_after(retry_after_s),
            CredentialError::Unregistered => {
                Self::new(409, "REGISTRATION_UNFINISHED", "API key registration is not finished")
                    .advise("Retry the registration; it resumes where it stopped.")
            }
            CredentialError::Revoking => {
                Self::new(409, "REVOCATION_UNFINISHED", "API key is being deleted")
                    .advise("Retry the DELETE call; it resumes where it stopped.")
            }
            CredentialError::NotOffered => Self::new(422, "NOT_OFFERED_BY_EXCHANGE", failed)
                .advise(
                    "The exchange lets nobody rotate or delete this kind of API key by a call; \
                     delete it in the exchange's own settings, then DELETE it here with \
                     \"removedOnExchange\": true in a JSON body",
                ),
            CredentialError::Refused(refusal) => refused(action, &refusal),
            CredentialError::Busy(busy) => self::busy(failed, busy),
            CredentialError::NoAnswer(cause) => {
                tracing::warn!(%cause, "exchange did not answer");
                Self::new(504, "EXCHANGE_TIMEOUT", failed)
                    .advise(format!("The exchange did not answer. {REPEAT}"))
            }
            CredentialError::BadAnswer(cause) => {
                tracing::warn!(%cause, "exchange is down or answered nonsense");
                Self::new(502, "EXCHANGE_UNAVAILABLE", failed)
                    .advise(format!("The exchange is not available. {REPEAT}"))
            }
            CredentialError::OutOfTime => {
                Self::new(504, "TIMEOUT", failed).advise(format!("It took too long. {REPEAT}"))
            }
            CredentialError::Sign(SignError::Frozen) => frozen(failed),
            CredentialError::Sign(SignError::Protocol(error)) => {
                fault(cosigner_failed(failed, &error))
            }
            CredentialError::Store(error) | CredentialError::Sign(SignError::Store(error)) => {
                fault(Self::store(failed, &error))
            }
            CredentialError::SecretLost(_) => Self::internal(failed, &error).advise(
                "The exchange has made an API key that could not be kept: delete it in the \
                 exchange's own settings, then retry the call.",
            ),
            CredentialError::Sign(_)
            | CredentialError::Envelope(_)
            | CredentialError::Random(_)
            | CredentialError::DamagedKey => Self::internal(failed, &error).advise(REPEAT),
        }
    }
}

/// For an API key the contract fixes 500 for every fault of the service.
fn fault(error: ApiError) -> ApiError {
    let status = if error.status == 503 { 500 } else { error.status };
    ApiError { status, ..error }
}

/// Nothing was sent.
fn busy(failed: &'static str, busy: Busy) -> ApiError {
    match busy {
        Busy::Limited { retry_after_s } => {
            ApiError::new(429, "EXCHANGE_RATE_LIMIT", "Too many requests")
                .advise(
                    "The exchange's request limit is reached; nothing was changed. Retry after \
                     retryAfterSeconds.",
                )
                .retry_after(retry_after_s)
        }
        Busy::Down { retry_after_s } => ApiError::new(502, "EXCHANGE_UNAVAILABLE", failed)
            .advise(format!("The exchange keeps failing and rests for a while. {REPEAT}"))
            .retry_after(retry_after_s),
        Busy::Store(error) => fault(ApiError::store(failed, &error)),
    }
}

/// What an exchange refused, for a reason that the caller can mend, or that is ours.
fn refused(action: Action, refusal: &Refusal) -> ApiError {
    tracing::warn!(kind = ?refusal.kind, text = %refusal.text, "exchange refused");
    let failed = action.failed();
    let mend = |code, advice: String| ApiError::new(422, code, failed).advise(advice);
    let said = &refusal.text;
    match refusal.kind {
        RefusalKind::DepositRequired => mend(
            "DEPOSIT_REQUIRED",
            format!("Deposit to the wallet's account on the exchange first. It said: {said}"),
        ),
        RefusalKind::NoAgentSlot => mend(
            "NO_AGENT_SLOT",
            format!(
                "Every agent slot of this account is taken; remove one on the exchange. It said: {said}"
            ),
        ),
        RefusalKind::RateLimited { retry_after_s } => busy(failed, Busy::Limited { retry_after_s }),
        RefusalKind::RemovalPending => {
            ApiError::new(429, "AGENT_REMOVAL_PENDING", "Too many requests")
                .advise(
                    "The exchange is still removing another agent of this account. Retry after \
                     retryAfterSeconds.",
                )
                .retry_after(5)
        }
        RefusalKind::AgentKnown | RefusalKind::NonceRejected => {
            ApiError::new(502, "EXCHANGE_REJECTED", failed)
                .advise(format!("The exchange refused this attempt. {REPEAT}"))
        }
        RefusalKind::SignatureFault | RefusalKind::OurFault => {
            ApiError::internal(failed, &refusal.text)
        }
        RefusalKind::AgentUnknown | RefusalKind::Other => {
            mend("EXCHANGE_REJECTED", format!("The exchange said: {said}"))
        }
    }
}
