//! The stable codes of the API's errors.

use std::fmt;

macro_rules! codes {
    ($($(#[$about:meta])+ $name:ident = $word:literal,)+) => {
        /// The stable code of an error, for programs to switch on. `docs/reference/api.md`
        /// explains when each one is returned.
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$about])+ $name,)+
            /// A code that this version of the crate does not know, or `HTTP_` and the status when
            /// the response did not come from the service itself.
            Other(String),
        }

        impl Code {
            /// Every code with a variant.
            pub const KNOWN: &[Self] = &[$(Self::$name,)+];

            /// Returns the code as the API writes it.
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
    /// The key's networks do not include the caller's address.
    AddressNotAllowed = "ADDRESS_NOT_ALLOWED",
    /// A credential uses the agent. Rotate or delete the trading key.
    AgentInUse = "AGENT_IN_USE",
    /// The exchange shows its list only to a registered agent, and the wallet has none.
    AgentListUnavailable = "AGENT_LIST_UNAVAILABLE",
    /// The exchange lists no such agent.
    AgentNotFound = "AGENT_NOT_FOUND",
    /// The agent was not made by the service.
    AgentNotOurs = "AGENT_NOT_OURS",
    /// The exchange is still removing another agent of this account.
    AgentRemovalPending = "AGENT_REMOVAL_PENDING",
    /// The wallet has an active credential that has not expired.
    ApiKeyExists = "API_KEY_EXISTS",
    /// The wallet has no credential for the exchange.
    ApiKeyNotFound = "API_KEY_NOT_FOUND",
    /// The exchange lists another key, or none, in the slot of the account.
    ApiKeyNotListed = "API_KEY_NOT_LISTED",
    /// A signature is not an approver's over this text.
    ApprovalInvalid = "APPROVAL_INVALID",
    /// Approvers must sign; `data` has the text.
    ApprovalRequired = "APPROVAL_REQUIRED",
    /// A value has the wrong form.
    BadRequest = "BAD_REQUEST",
    /// The order's value is below the exchange's minimum.
    BelowMinimum = "BELOW_MINIMUM",
    /// The chain's node is unavailable. Retry the call.
    ChainUnavailable = "CHAIN_UNAVAILABLE",
    /// The `clientOrderId` was used for another order.
    ClientOrderIdReused = "CLIENT_ORDER_ID_REUSED",
    /// The service's clock differs from the exchange's clock.
    ClockSkew = "CLOCK_SKEW",
    /// The account on the exchange requires a deposit first.
    DepositRequired = "DEPOSIT_REQUIRED",
    /// The exchange refuses the destination.
    DestinationRefused = "DESTINATION_REFUSED",
    /// The event does not exist, or it is too old.
    EventNotFound = "EVENT_NOT_FOUND",
    /// The exchange blocks calls from the service's address.
    ExchangeBlocked = "EXCHANGE_BLOCKED",
    /// The exchange reports the payment as failed.
    ExchangeFailed = "EXCHANGE_FAILED",
    /// The amount exceeds the exchange's own limit.
    ExchangeLimitExceeded = "EXCHANGE_LIMIT_EXCEEDED",
    /// The service does not make keys of this exchange.
    ExchangeNotSupported = "EXCHANGE_NOT_SUPPORTED",
    /// The exchange's request limit is reached.
    ExchangeRateLimit = "EXCHANGE_RATE_LIMIT",
    /// The exchange does not serve the region of the deployment.
    ExchangeRegionBlocked = "EXCHANGE_REGION_BLOCKED",
    /// The exchange refused; the message has its text.
    ExchangeRejected = "EXCHANGE_REJECTED",
    /// The exchange did not respond in time.
    ExchangeTimeout = "EXCHANGE_TIMEOUT",
    /// The exchange is down, or its response was invalid.
    ExchangeUnavailable = "EXCHANGE_UNAVAILABLE",
    /// The exchange accepts only a newer form of signatures.
    ExchangeUpgradeRequired = "EXCHANGE_UPGRADE_REQUIRED",
    /// The calling key cannot grant what it does not have itself.
    GrantNotAllowed = "GRANT_NOT_ALLOWED",
    /// The first request with this key is still running.
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS",
    /// The `Idempotency-Key` has the wrong form.
    IdempotencyKeyInvalid = "IDEMPOTENCY_KEY_INVALID",
    /// A payment requires an `Idempotency-Key`.
    IdempotencyKeyRequired = "IDEMPOTENCY_KEY_REQUIRED",
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED",
    /// Not enough margin or balance.
    InsufficientFunds = "INSUFFICIENT_FUNDS",
    /// A fault of the service; its log has the cause under the request's id.
    Internal = "INTERNAL",
    /// The `X-API-KEY` belongs to no tenant.
    InvalidApiKey = "INVALID_API_KEY",
    /// Another request is changing the leverage of the market.
    LeverageInProgress = "LEVERAGE_IN_PROGRESS",
    /// The leverage is outside the market's range.
    LeverageOutOfRange = "LEVERAGE_OUT_OF_RANGE",
    /// The outcome of a change is not known yet. Retry it; it sets the same values.
    LeverageUnknown = "LEVERAGE_UNKNOWN",
    /// The quantity is not a multiple of the lot size, or is out of its range.
    LotSize = "LOT_SIZE",
    /// The margin mode cannot be changed while orders or positions are open.
    MarginModeLocked = "MARGIN_MODE_LOCKED",
    /// The market does not exist or does not trade.
    MarketUnknown = "MARKET_UNKNOWN",
    /// The path does not support the method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED",
    /// The request has no `X-API-KEY`.
    MissingApiKey = "MISSING_API_KEY",
    /// A field is absent, null or empty.
    MissingParameter = "MISSING_PARAMETER",
    /// The exchange did not execute the payment in time.
    NonceExpired = "NONCE_EXPIRED",
    /// Another transaction used the account's nonce.
    NonceTaken = "NONCE_TAKEN",
    /// The exchange did not execute the payment.
    NotExecuted = "NOT_EXECUTED",
    /// The route does not exist.
    NotFound = "NOT_FOUND",
    /// The service does not offer this; `data` may state what to do.
    NotOffered = "NOT_OFFERED",
    /// The exchange offers no call for this operation.
    NotOfferedByExchange = "NOT_OFFERED_BY_EXCHANGE",
    /// The payment was not sent.
    NotSent = "NOT_SENT",
    /// All agent slots of the account are taken.
    NoAgentSlot = "NO_AGENT_SLOT",
    /// Nothing to match with.
    NoLiquidity = "NO_LIQUIDITY",
    /// The market's open interest is capped.
    OpenInterestCap = "OPEN_INTEREST_CAP",
    /// Another request is placing or changing the order.
    OrderInProgress = "ORDER_IN_PROGRESS",
    /// The exchange has no such order.
    OrderNotFound = "ORDER_NOT_FOUND",
    /// The order is not open any more; `data` has its state.
    OrderNotOpen = "ORDER_NOT_OPEN",
    /// The exchange refused the order; `exchange_message` has its text.
    OrderRejected = "ORDER_REJECTED",
    /// The outcome is not known yet. Retry the same request; it is executed at most once.
    OrderUnknown = "ORDER_UNKNOWN",
    /// The body exceeds 64 KiB.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE",
    /// Another request works on the payment. Retry with the same key.
    PaymentInProgress = "PAYMENT_IN_PROGRESS",
    /// The exchange rejected the payment.
    PaymentRejected = "PAYMENT_REJECTED",
    /// The outcome of the payment is not known. Retry with the same key.
    PaymentUnknown = "PAYMENT_UNKNOWN",
    /// The payment policy has no such pending change.
    PolicyChangeNotFound = "POLICY_CHANGE_NOT_FOUND",
    /// The payment policy does not allow the change; `reason` states why.
    PolicyChangeRefused = "POLICY_CHANGE_REFUSED",
    /// The cosigner's policy or the trading policy does not allow it.
    PolicyRefused = "POLICY_REFUSED",
    /// Another change of the payment policy came first. Sign again.
    PolicySequence = "POLICY_SEQUENCE",
    /// The wallet has no such position.
    PositionNotFound = "POSITION_NOT_FOUND",
    /// The position side does not fit the account's mode.
    PositionSideMismatch = "POSITION_SIDE_MISMATCH",
    /// The price is too far from the market.
    PriceOutOfRange = "PRICE_OUT_OF_RANGE",
    /// The daily quota of this `X-API-KEY` is used up.
    QuotaExceeded = "QUOTA_EXCEEDED",
    /// This `X-API-KEY` exceeds its requests per second.
    RateLimited = "RATE_LIMITED",
    /// A reduce-only order would not reduce a position.
    ReduceOnlyRefused = "REDUCE_ONLY_REFUSED",
    /// Another call is working on this credential.
    RegistrationInProgress = "REGISTRATION_IN_PROGRESS",
    /// A registration was not completed. Register again.
    RegistrationUnfinished = "REGISTRATION_UNFINISHED",
    /// As many replayed events as allowed wait for their first attempt.
    ReplaysOutstanding = "REPLAYS_OUTSTANDING",
    /// The request's body did not arrive in time.
    RequestTimeout = "REQUEST_TIMEOUT",
    /// The chain reverted the transaction.
    Reverted = "REVERTED",
    /// A deletion was not completed. Delete again.
    RevocationUnfinished = "REVOCATION_UNFINISHED",
    /// The tenant key lacks the scope that the operation requires.
    ScopeMissing = "SCOPE_MISSING",
    /// The response of a request with this key held a secret, which is no longer shown.
    SecretNotShownAgain = "SECRET_NOT_SHOWN_AGAIN",
    /// The cosigner did not respond; nothing was signed.
    SignerUnavailable = "SIGNER_UNAVAILABLE",
    /// The wallet or the tenant has had as many signatures as the policy allows for now.
    SigningRateLimit = "SIGNING_RATE_LIMIT",
    /// The table was busy; nothing was written. Retry.
    StoreBusy = "STORE_BUSY",
    /// The tenant has a usable key with this label.
    TenantKeyExists = "TENANT_KEY_EXISTS",
    /// The tenant key is expired.
    TenantKeyExpired = "TENANT_KEY_EXPIRED",
    /// The request would revoke the key that sent it.
    TenantKeyInUse = "TENANT_KEY_IN_USE",
    /// The tenant key is revoked or has expired.
    TenantKeyNotActive = "TENANT_KEY_NOT_ACTIVE",
    /// The tenant has no such key.
    TenantKeyNotFound = "TENANT_KEY_NOT_FOUND",
    /// Another key replaces the tenant key.
    TenantKeyReplaced = "TENANT_KEY_REPLACED",
    /// The tenant key is revoked.
    TenantKeyRevoked = "TENANT_KEY_REVOKED",
    /// The tenant is suspended: it can read and delete, and nothing else.
    TenantSuspended = "TENANT_SUSPENDED",
    /// The price is not a multiple of the tick size.
    TickSize = "TICK_SIZE",
    /// The request took too long.
    Timeout = "TIMEOUT",
    /// The account has too many open orders.
    TooManyOrders = "TOO_MANY_ORDERS",
    /// The tenant has as many keys as it may have.
    TooManyTenantKeys = "TOO_MANY_TENANT_KEYS",
    /// The tenant has the maximum number of webhooks.
    TooManyWebhooks = "TOO_MANY_WEBHOOKS",
    /// The wallet has no such payment.
    TransferNotFound = "TRANSFER_NOT_FOUND",
    /// The local stack's disk or keys failed.
    Unhealthy = "UNHEALTHY",
    /// The body is not JSON.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE",
    /// The wallet is barred from signing.
    WalletFrozen = "WALLET_FROZEN",
    /// The tenant has no such wallet.
    WalletNotFound = "WALLET_NOT_FOUND",
    /// The tenant has as many wallets as it may.
    WalletQuotaReached = "WALLET_QUOTA_REACHED",
    /// The webhook is disabled, because its receiver returned 410.
    WebhookDisabled = "WEBHOOK_DISABLED",
    /// The tenant has no such webhook.
    WebhookNotFound = "WEBHOOK_NOT_FOUND",
    /// A post-only order would have matched at once.
    WouldCross = "WOULD_CROSS",
    /// A trigger order would trigger at once.
    WouldTrigger = "WOULD_TRIGGER",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
