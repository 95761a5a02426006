//! API errors of operations on a credential.

use super::error::{ApiError, REPEAT, cosigner_failed, frozen, frozen_by_operator};
use crate::credentials::CredentialError;
use crate::exchanges::budget::Busy;
use crate::exchanges::{Refusal, RefusalKind};
use crate::wallets::SignError;

/// The operation that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Registration.
    Generate,
    /// Rotation.
    Rotate,
    /// Deletion.
    Revoke,
    /// Listing of an exchange's agents.
    ListAgents,
    /// Removal of an agent that no credential uses.
    RemoveAgent,
}

impl Action {
    const fn failed(self) -> &'static str {
        match self {
            Self::Generate => "Failed to generate API key",
            Self::Rotate => "Failed to rotate API key",
            Self::Revoke => "Failed to revoke API key",
            Self::ListAgents => "Failed to list agents",
            Self::RemoveAgent => "Failed to remove agent",
        }
    }
}

/// The errors of a registration. Rotation and deletion have texts of their own.
impl From<CredentialError> for ApiError {
    fn from(error: CredentialError) -> Self {
        Self::credential(Action::Generate, error)
    }
}

impl ApiError {
    /// Converts the error of an operation on a credential.
    #[must_use]
    pub fn credential(action: Action, error: CredentialError) -> Self {
        let failed = action.failed();
        match error {
            CredentialError::Sign(SignError::NotFound) | CredentialError::NotFound => {
                Self::wallet_not_found()
            }
            CredentialError::NoCredential => Self::api_key_not_found(),
            CredentialError::SecretHidden => Self::secret_not_shown_again(),
            CredentialError::Exists { advice } => {
                Self::new(409, "API_KEY_EXISTS", "API key already exists for this wallet")
                    .advise("Use the existing key or delete it before creating a new one")
                    .with_advice(advice)
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
            CredentialError::AgentNotFound => Self::new(404, "AGENT_NOT_FOUND", "Agent not found")
                .advise(
                    "The exchange lists no agent with this name or address. List the agents to see \
                     their names",
                ),
            CredentialError::AgentInUse => {
                Self::new(409, "AGENT_IN_USE", "Agent is used by an API key").advise(
                    "Rotate the API key to replace this agent, or delete the API key to remove it",
                )
            }
            CredentialError::AgentNotOurs => Self::new(
                422,
                "AGENT_NOT_OURS",
                "Agent was not made by this service",
            )
            .advise(
                "The signing policy removes only agents whose name begins with hdx. Remove this \
                     agent where it was made, or let it expire",
            ),
            CredentialError::NoAgentToAsk => {
                Self::new(409, "AGENT_LIST_UNAVAILABLE", "Agents cannot be listed").advise(
                    "This exchange shows the list only to a registered agent. Register an API key \
                     first, or remove an agent by its address",
                )
            }
            CredentialError::NotOffered => Self::new(422, "NOT_OFFERED_BY_EXCHANGE", failed)
                .advise(
                    "The exchange has no call that rotates or deletes this kind of API key. \
                     Delete it in the exchange's own settings, then DELETE it here with \
                     \"removedOnExchange\": true in a JSON body",
                ),
            CredentialError::Refused(refusal) => refused(action, &refusal),
            CredentialError::Busy(busy) => self::busy(failed, busy),
            CredentialError::NoAnswer(cause) => {
                tracing::warn!(%cause, "exchange did not respond");
                Self::new(504, "EXCHANGE_TIMEOUT", failed)
                    .advise(format!("The exchange did not respond. {REPEAT}"))
            }
            CredentialError::BadAnswer(cause) => {
                tracing::warn!(%cause, "exchange is down or its response was invalid");
                Self::new(502, "EXCHANGE_UNAVAILABLE", failed)
                    .advise(format!("The exchange is not available. {REPEAT}"))
            }
            CredentialError::Blocked(words) => {
                tracing::warn!(%words, "exchange blocked the call");
                blocked(failed)
            }
            CredentialError::ClockSkew { skew_s, source } => {
                tracing::error!(skew_s, %source, "exchange refused: the local clock is wrong");
                let direction = if skew_s > 0 { "ahead of" } else { "behind" };
                Self::new(500, "CLOCK_SKEW", failed).advise(format!(
                    "The service's clock is {} seconds {direction} the exchange's clock. Nothing is \
                     lost. Ask the operator to correct the clock, then retry.",
                    skew_s.unsigned_abs()
                ))
            }
            CredentialError::OutOfTime => {
                let message = format!("The call took too long. {REPEAT}");
                Self::new(504, "TIMEOUT", failed).advise(message)
            }
            CredentialError::Sign(SignError::Frozen) => frozen(failed),
            CredentialError::Sign(SignError::FrozenByOperator) => frozen_by_operator(failed),
            CredentialError::Sign(SignError::Protocol(error)) => {
                fault(cosigner_failed(failed, &error))
            }
            CredentialError::Store(error) | CredentialError::Sign(SignError::Store(error)) => {
                fault(Self::store(failed, &error))
            }
            CredentialError::Sign(
                error @ (SignError::Busy | SignError::Worn | SignError::Moved),
            ) => fault(Self::signer_unavailable(failed, &error)),
            CredentialError::SecretLost(_) => Self::internal(failed, &error).advise(
                "The exchange has made an API key that could not be stored. Delete it in the \
                 exchange's own settings, then retry the call.",
            ),
            CredentialError::Sign(_)
            | CredentialError::Envelope(_)
            | CredentialError::Random(_)
            | CredentialError::DamagedKey
            | CredentialError::UnreadableKey(_) => Self::internal(failed, &error).advise(REPEAT),
        }
    }
}

/// Converts a fault of the service. For API keys, the contract fixes 500.
fn fault(error: ApiError) -> ApiError {
    let status = if error.status == 503 { 500 } else { error.status };
    ApiError { status, ..error }
}

/// Makes the error for a call blocked by a firewall, a content delivery network or a regional
/// rule, which the caller cannot change.
pub(super) fn blocked(failed: &'static str) -> ApiError {
    ApiError::new(502, "EXCHANGE_BLOCKED", failed).advise(
        "The exchange blocks calls from the service's address. Nothing is lost. Retry later; if the \
         block persists, ask the operator.",
    )
}

/// Makes the error for a call that was not sent.
pub(super) fn busy(failed: &'static str, busy: Busy) -> ApiError {
    match busy {
        Busy::Limited { retry_after_s } => {
            ApiError::new(429, "EXCHANGE_RATE_LIMIT", "Too many requests")
                .advise(
                    "The exchange's request limit is reached; nothing was changed. Retry after \
                     retryAfterSeconds.",
                )
                .retry_after(retry_after_s)
        }
        Busy::TenantLimited { retry_after_s } => {
            ApiError::new(429, "EXCHANGE_RATE_LIMIT", "Too many requests")
                .advise(
                    "Your part of the exchange's request limit is used up; nothing was changed. \
                     Retry after retryAfterSeconds.",
                )
                .retry_after(retry_after_s)
        }
        Busy::Down { retry_after_s } => ApiError::new(502, "EXCHANGE_UNAVAILABLE", failed)
            .advise(format!("The exchange keeps failing, so calls to it are paused. {REPEAT}"))
            .retry_after(retry_after_s),
        Busy::Blocked { retry_after_s } => blocked(failed).retry_after(retry_after_s),
        Busy::Store(error) => fault(ApiError::store(failed, &error)),
    }
}

/// Converts a refusal by the exchange: either the caller can fix the reason, or the service has a
/// fault.
fn refused(action: Action, refusal: &Refusal) -> ApiError {
    tracing::warn!(kind = ?refusal.kind, text = %refusal.text, "exchange refused");
    let failed = action.failed();
    let advised = |code, advice: String| ApiError::new(422, code, failed).advise(advice);
    let said = &refusal.text;
    match refusal.kind {
        RefusalKind::DepositRequired => advised(
            "DEPOSIT_REQUIRED",
            format!(
                "Deposit to the wallet's account on the exchange. The exchange responded: {said}"
            ),
        ),
        RefusalKind::NoAgentSlot => advised(
            "NO_AGENT_SLOT",
            format!(
                "Every agent slot of this account is taken. List the agents and remove one: \
                 GET and DELETE /api/trading/{{exchange}}/agents. The exchange responded: {said}"
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
            advised("EXCHANGE_REJECTED", format!("The exchange responded: {said}"))
        }
    }
}
