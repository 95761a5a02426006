//! The exchange's own error texts; all are HTTP 400.

/// Why a request was refused; the text is the answer's `msg`
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Mandatory parameter '{0}' was not sent, was empty/null, or malformed.")]
    Missing(&'static str),
    #[error("Too many parameters; '{0}' is unknown or was sent twice.")]
    TooMany(String),
    #[error("Data sent for parameter '{0}' is not valid.")]
    Invalid(&'static str),
    #[error("Signature check failed")]
    Signature,
    /// Stale, or used before: the exchange does not tell them apart
    #[error("Nonce Expired")]
    Nonce,
    /// Also for an agent that has expired; the real text for that is not published
    #[error("No agent found")]
    NoAgent,
    #[error("No aster user found")]
    NoUser,
    #[error("Illegal agentName")]
    AgentName,
    /// The real text is not published
    #[error("Illegal agentAddress")]
    AgentAddress,
    #[error("Agent quantity over limit")]
    TooManyAgents,
    #[error("Agent expired time too short")]
    ExpiresTooSoon,
    #[error("Builder address:{0} not registered in Aster")]
    UnknownBuilder(String),
    #[error("This function can only be used after deposit")]
    NoDeposit,
}

impl Refusal {
    pub(super) fn code(&self) -> i32 {
        match self {
            Self::TooMany(_) => -1101,
            Self::Missing(_) => -1102,
            Self::Invalid(_) => -1130,
            Self::Nonce => -4225,
            Self::NoDeposit => -5050,
            Self::Signature
            | Self::NoAgent
            | Self::NoUser
            | Self::AgentName
            | Self::AgentAddress
            | Self::TooManyAgents
            | Self::ExpiresTooSoon
            | Self::UnknownBuilder(_) => -1000,
        }
    }
}
