//! The stable words of the API's errors.

use std::fmt;

macro_rules! codes {
    ($($(#[$about:meta])+ $name:ident = $word:literal,)+) => {
        /// What is wrong, as a word that a program can switch on. `docs/reference/api.md` says of each when
        /// it comes.
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$about])+ $name,)+
            /// One that this version of the crate does not know; `HTTP_` and the status where the
            /// answer had none, because it is not the service's own.
            Other(String),
        }

        impl Code {
            /// Every code that has a name here.
            pub const KNOWN: &[Self] = &[$(Self::$name,)+];

            /// The word as the API writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for Code {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$name,)+
                    _ => Self::Other(word.to_owned()),
                }
            }
        }
    };
}

codes! {
    /// A credential uses the agent: rotate or delete the API key.
    AgentInUse = "AGENT_IN_USE",
    /// The exchange shows its list only to a registered agent, and the wallet has none.
    AgentListUnavailable = "AGENT_LIST_UNAVAILABLE",
    /// The exchange lists no such agent.
    AgentNotFound = "AGENT_NOT_FOUND",
    /// The agent was not made by the service.
    AgentNotOurs = "AGENT_NOT_OURS",
    /// The exchange still removes another agent of this account.
    AgentRemovalPending = "AGENT_REMOVAL_PENDING",
    /// There is an active key that has not expired.
    ApiKeyExists = "API_KEY_EXISTS",
    /// The wallet has no key there.
    ApiKeyNotFound = "API_KEY_NOT_FOUND",
    /// Something that was sent is no such thing.
    BadRequest = "BAD_REQUEST",
    /// The service's clock differs from the exchange's clock.
    ClockSkew = "CLOCK_SKEW",
    /// The account on the exchange wants a deposit first.
    DepositRequired = "DEPOSIT_REQUIRED",
    /// The exchange blocks calls from the service's address.
    ExchangeBlocked = "EXCHANGE_BLOCKED",
    /// Keys of this exchange are not made here.
    ExchangeNotSupported = "EXCHANGE_NOT_SUPPORTED",
    /// There is no such event, or it is too old.
    EventNotFound = "EVENT_NOT_FOUND",
    /// The exchange's own limit of requests is reached.
    ExchangeRateLimit = "EXCHANGE_RATE_LIMIT",
    /// The exchange said no; its words are in the message.
    ExchangeRejected = "EXCHANGE_REJECTED",
    /// The exchange did not answer in time.
    ExchangeTimeout = "EXCHANGE_TIMEOUT",
    /// The exchange is down, or answered nonsense.
    ExchangeUnavailable = "EXCHANGE_UNAVAILABLE",
    /// The first request with this key is still running.
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS",
    /// The `Idempotency-Key` is none.
    IdempotencyKeyInvalid = "IDEMPOTENCY_KEY_INVALID",
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED",
    /// A fault of the service; its log has the cause under the request's id.
    Internal = "INTERNAL",
    /// No tenant has this `X-API-KEY`.
    InvalidApiKey = "INVALID_API_KEY",
    /// The path has no such method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED",
    /// No `X-API-KEY` was sent.
    MissingApiKey = "MISSING_API_KEY",
    /// A field is absent, null or empty.
    MissingParameter = "MISSING_PARAMETER",
    /// No such route.
    NotFound = "NOT_FOUND",
    /// The exchange lets nobody do this by a call.
    NotOfferedByExchange = "NOT_OFFERED_BY_EXCHANGE",
    /// Every agent slot of the account is taken.
    NoAgentSlot = "NO_AGENT_SLOT",
    /// More than 64 KiB.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE",
    /// The cosigner's policy does not allow it.
    PolicyRefused = "POLICY_REFUSED",
    /// This `X-API-KEY` has sent the requests of its day.
    QuotaExceeded = "QUOTA_EXCEEDED",
    /// This `X-API-KEY` sends too many requests a second.
    RateLimited = "RATE_LIMITED",
    /// Another call works on this key.
    RegistrationInProgress = "REGISTRATION_IN_PROGRESS",
    /// A registration did not come to its end: register again.
    RegistrationUnfinished = "REGISTRATION_UNFINISHED",
    /// The request's body did not arrive in time.
    RequestTimeout = "REQUEST_TIMEOUT",
    /// A deletion did not come to its end: delete again.
    RevocationUnfinished = "REVOCATION_UNFINISHED",
    /// The response of a request with this key held a secret, and it is not shown any more.
    SecretNotShownAgain = "SECRET_NOT_SHOWN_AGAIN",
    /// The cosigner did not answer; nothing was signed.
    SignerUnavailable = "SIGNER_UNAVAILABLE",
    /// The table was busy; nothing was written. Retry.
    StoreBusy = "STORE_BUSY",
    /// It took too long.
    Timeout = "TIMEOUT",
    /// There are as many webhooks as there may be.
    TooManyWebhooks = "TOO_MANY_WEBHOOKS",
    /// The local stack's disk or keys have failed.
    Unhealthy = "UNHEALTHY",
    /// The body is no JSON.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE",
    /// The wallet is barred from signing.
    WalletFrozen = "WALLET_FROZEN",
    /// This tenant has no such wallet.
    WalletNotFound = "WALLET_NOT_FOUND",
    /// The webhook's receiver has answered 410: nothing is sent there.
    WebhookDisabled = "WEBHOOK_DISABLED",
    /// This tenant has no such webhook.
    WebhookNotFound = "WEBHOOK_NOT_FOUND",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
