//! The exchange's own error texts. All have status 400.

/// Reason for a refusal. The text is the response's `msg`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Mandatory parameter '{0}' was not sent, was empty/null, or malformed.")]
    Missing(&'static str),
    #[error("Too many parameters; '{0}' is unknown or was sent twice.")]
    TooMany(String),
    #[error("Data sent for parameter '{0}' is not valid.")]
    Invalid(&'static str),
    #[error("Signature check failed")]
    Signature,
    /// Stale or already used: the exchange has one error for both.
    #[error("Nonce Expired")]
    Nonce,
    /// Also for an expired agent. The real text for that is not published.
    #[error("No agent found")]
    NoAgent,
    #[error("No aster user found")]
    NoUser,
    #[error("Illegal agentName")]
    AgentName,
    /// The real text is not published.
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
    /// The text is from Aster's documents. The server's response is unknown.
    #[error("V1 new API Key creation is no longer supported")]
    V1Closed,
    /// The account has a key with this `desc`. The real text is not published.
    #[error("Duplicate desc")]
    Desc,
    #[error("Timestamp for this request is outside of the recvWindow.")]
    Timestamp,
    /// The signature of a key with a secret is invalid.
    #[error("Signature for this request is not valid.")]
    Hmac,
    #[error("API-key format invalid.")]
    ApiKeyFormat,
    #[error("Invalid API-key, IP, or permissions for action.")]
    ApiKey,
    #[error("An unknown error occurred while processing the request.")]
    Unknown,
    /// Of a trading call: the code and the text.
    #[error("{1}")]
    Trade(i32, String),
}

impl Refusal {
    pub(super) fn code(&self) -> i32 {
        match self {
            Self::V1Closed => -1020,
            Self::Timestamp => -1021,
            Self::Hmac => -1022,
            Self::TooMany(_) => -1101,
            Self::Missing(_) => -1102,
            Self::Invalid(_) => -1130,
            Self::ApiKeyFormat => -2014,
            Self::ApiKey => -2015,
            Self::Nonce => -4225,
            Self::NoDeposit => -5050,
            Self::Trade(code, _) => *code,
            Self::Signature
            | Self::NoAgent
            | Self::NoUser
            | Self::AgentName
            | Self::AgentAddress
            | Self::TooManyAgents
            | Self::ExpiresTooSoon
            | Self::UnknownBuilder(_)
            | Self::Desc
            | Self::Unknown => -1000,
        }
    }
}
