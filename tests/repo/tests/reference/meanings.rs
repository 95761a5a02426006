//! When each error is returned: the statuses, the code, and the condition.

/// The errors of the API.
pub(super) const MEANINGS: &[(&[u16], &str, &str)] = &[
    (&[400], "MISSING_PARAMETER", "a field is absent, null or empty"),
    (
        &[400],
        "BAD_REQUEST",
        "malformed JSON, a duplicate field at any depth, a wrong type, an invalid identifier, a \
         message that is too long or reserved",
    ),
    (&[400], "EXCHANGE_NOT_SUPPORTED", "Lighter, or an unknown exchange"),
    (
        &[401],
        "MISSING_API_KEY",
        "no tenant key (API Gateway does not distinguish this and returns 403)",
    ),
    (&[403], "INVALID_API_KEY", "an unknown tenant key"),
    (&[401], "TENANT_KEY_REVOKED", "the tenant key is revoked"),
    (&[401], "TENANT_KEY_EXPIRED", "the tenant key is expired"),
    (
        &[403],
        "SCOPE_MISSING",
        "the tenant key lacks the scope of the operation; `error` names the scope",
    ),
    (
        &[403],
        "ADDRESS_NOT_ALLOWED",
        "the tenant key lists networks, and none of them has the caller's address",
    ),
    (&[403], "TENANT_SUSPENDED", "the tenant is suspended: it can only read and delete"),
    (
        &[403],
        "GRANT_NOT_ALLOWED",
        "the tenant key does not have a scope, a network or a time that it would give another key",
    ),
    (
        &[403],
        "EXCHANGE_REGION_BLOCKED",
        "the exchange refuses the country of the service's address; nothing was executed",
    ),
    (&[404], "TENANT_KEY_NOT_FOUND", "the tenant has no such key"),
    (&[409], "TENANT_KEY_EXISTS", "a usable key has this label"),
    (&[409], "TOO_MANY_TENANT_KEYS", "the tenant has 20 keys"),
    (&[409], "TENANT_KEY_REPLACED", "another key replaces this key"),
    (&[409], "TENANT_KEY_NOT_ACTIVE", "the key is revoked or expired"),
    (&[409], "TENANT_KEY_IN_USE", "it is the key that calls"),
    (&[404], "WALLET_NOT_FOUND", "the tenant has no such wallet"),
    (
        &[404],
        "API_KEY_NOT_FOUND",
        "the wallet has no trading key at this exchange, or no key of the Lighter account is stored",
    ),
    (&[404], "NOT_FOUND", "the route does not exist"),
    (
        &[404],
        "ORDER_NOT_FOUND",
        "the exchange and the service know no such order of the wallet in any market",
    ),
    (&[404], "POSITION_NOT_FOUND", "the wallet has no such open position at the exchange"),
    (&[404], "WEBHOOK_NOT_FOUND", "the tenant has no such webhook"),
    (&[404], "EVENT_NOT_FOUND", "the event does not exist or is older than 30 days"),
    (&[404], "AGENT_NOT_FOUND", "the exchange lists no such agent"),
    (&[405], "METHOD_NOT_ALLOWED", "the route does not have this method"),
    (&[408], "REQUEST_TIMEOUT", "local stack: the body did not arrive within 10 s"),
    (
        &[409],
        "ORDER_IN_PROGRESS",
        "another request is placing or changing the order; `Retry-After` states when a retry takes \
         over at the latest",
    ),
    (
        &[409],
        "ORDER_NOT_OPEN",
        "the order is filled, cancelled or rejected; `data` has it in its present state",
    ),
    (
        &[409],
        "LEVERAGE_IN_PROGRESS",
        "another request is changing the leverage of the market; `Retry-After` states when a retry \
         takes over at the latest",
    ),
    (&[409], "TOO_MANY_WEBHOOKS", "the tenant has ten webhooks"),
    (&[409], "WEBHOOK_DISABLED", "the receiver returned 410, or you disabled the webhook"),
    (&[409], "AGENT_IN_USE", "a trading key uses the agent: rotate or delete the key"),
    (&[409], "AGENT_LIST_UNAVAILABLE", "the exchange shows the list only to a registered agent"),
    (
        &[409],
        "API_KEY_EXISTS",
        "the wallet has an active, unexpired trading key; `advice` states how to get a usable one",
    ),
    (
        &[409],
        "REGISTRATION_IN_PROGRESS",
        "another call works on the credential; `Retry-After` starts at 1 s and grows with the age \
         of the other call, up to the 30 s after which a later call takes over",
    ),
    (&[409], "REGISTRATION_UNFINISHED", "an earlier registration stopped; a retry resumes it"),
    (&[409], "REVOCATION_UNFINISHED", "an earlier revocation stopped; a retry resumes it"),
    (&[409], "IDEMPOTENCY_IN_PROGRESS", "the request with this `Idempotency-Key` is running"),
    (
        &[410],
        "SECRET_NOT_SHOWN_AGAIN",
        "the response contained a secret and is older than ten minutes",
    ),
    (&[413], "PAYLOAD_TOO_LARGE", "the body is larger than 64 KiB"),
    (&[415], "UNSUPPORTED_MEDIA_TYPE", "the body is not JSON, or is compressed"),
    (&[400], "IDEMPOTENCY_KEY_INVALID", "the `Idempotency-Key` is invalid, or the request has two"),
    (
        &[422],
        "IDEMPOTENCY_KEY_REUSED",
        "the `Idempotency-Key` belongs to another method, path, query or body",
    ),
    (
        &[422],
        "CLIENT_ORDER_ID_REUSED",
        "the `clientOrderId` belongs to another order of the wallet at this exchange, or to another \
         batch",
    ),
    (&[422], "API_KEY_NOT_LISTED", "the exchange lists another key, or none, in the slot"),
    (&[422], "MARKET_UNKNOWN", "the exchange has no such market, or it does not trade"),
    (&[422], "TICK_SIZE", "the price is not a multiple of the market's step"),
    (&[422], "LOT_SIZE", "the quantity is not a multiple of the market's step, or out of range"),
    (&[422], "BELOW_MINIMUM", "the order's value is below the minimum of the market"),
    (&[422], "PRICE_OUT_OF_RANGE", "the price is too far from the market's"),
    (&[422], "WOULD_CROSS", "a post-only order would match at once"),
    (&[422], "WOULD_TRIGGER", "the order would trigger at once"),
    (&[422], "NO_LIQUIDITY", "the book has no order to match with"),
    (&[422], "INSUFFICIENT_FUNDS", "the account has not enough margin or balance"),
    (&[422], "REDUCE_ONLY_REFUSED", "a reduce-only order would not reduce a position"),
    (
        &[422],
        "POSITION_SIDE_MISMATCH",
        "`positionSide` does not fit the account's mode, one-way or hedge",
    ),
    (&[422], "LEVERAGE_OUT_OF_RANGE", "the leverage is outside the market's range"),
    (
        &[422],
        "MARGIN_MODE_LOCKED",
        "the margin mode cannot be changed while the market has a position or orders",
    ),
    (&[422], "OPEN_INTEREST_CAP", "the open interest of the market is capped"),
    (&[422], "TOO_MANY_ORDERS", "the account has too many open orders"),
    (
        &[422],
        "ORDER_REJECTED",
        "the exchange refused the order for another reason; `exchangeMessage` has its text",
    ),
    (&[422], "AGENT_NOT_OURS", "the service did not make the agent"),
    (
        &[422],
        "NOT_OFFERED_BY_EXCHANGE",
        "the exchange does not offer what the order needs; for a trading key of Aster V1, it has no \
         call that rotates or deletes it, and the service places no orders with it",
    ),
    (&[400], "IDEMPOTENCY_KEY_REQUIRED", "a payment has no Idempotency-Key, and is not a dry run"),
    (&[404], "TRANSFER_NOT_FOUND", "the wallet has no such payment at this exchange"),
    (
        &[409],
        "APPROVAL_REQUIRED",
        "the payment exceeds `approveAbove`, or a cancellation has no signature; `data` has the text \
         that approvers sign",
    ),
    (&[409], "PAYMENT_IN_PROGRESS", "another request makes this payment"),
    (
        &[422],
        "NOT_OFFERED",
        "the service does not make this payment or deposit; `message` and `data` state the way",
    ),
    (&[422], "DESTINATION_REFUSED", "Hyperliquid refuses the destination of a transfer"),
    (&[422], "EXCHANGE_LIMIT_EXCEEDED", "the amount exceeds the exchange's own limit"),
    (&[422], "NONCE_EXPIRED", "the exchange did not execute a payment while its nonce was valid"),
    (&[422], "NOT_EXECUTED", "the nonce of a payment is used, and the ledger has no payment"),
    (&[422], "EXCHANGE_FAILED", "the exchange reports the payment as failed"),
    (&[422], "PAYMENT_REJECTED", "the exchange refused the payment for another reason"),
    (
        &[422],
        "NOT_SENT",
        "the exchange was not reached, took no more requests, or no time was left; nothing was paid",
    ),
    (&[422], "REVERTED", "the chain reverted the transaction"),
    (&[422], "NONCE_TAKEN", "another transaction used the account's nonce"),
    (&[502], "CHAIN_UNAVAILABLE", "the chain's node refused the call or is not available"),
    (
        &[504],
        "PAYMENT_UNKNOWN",
        "the outcome of the payment is not known; retry with the same Idempotency-Key",
    ),
    (&[422], "DEPOSIT_REQUIRED", "the exchange requires a deposit first"),
    (&[422], "NO_AGENT_SLOT", "the exchange has no free slot for another agent"),
    (
        &[422],
        "EXCHANGE_REJECTED",
        "the exchange refused for a reason that you can fix; `message` contains its text",
    ),
    (
        &[404],
        "POLICY_CHANGE_NOT_FOUND",
        "the payment policy has no pending change with this number",
    ),
    (
        &[409],
        "POLICY_SEQUENCE",
        "another change of the payment policy came first; sign the change again with the next number",
    ),
    (
        &[422],
        "APPROVAL_INVALID",
        "a signature is not an approver's over the text of this change or payment, tenant and policy \
         chain; for a payment, `data` has the text, and `data.rejected` each approval that does not count",
    ),
    (
        &[422],
        "POLICY_CHANGE_REFUSED",
        "the payment policy does not allow the change; `reason` and `message` state why",
    ),
    (
        &[422],
        "POLICY_REFUSED",
        "the cosigner's policy refuses a signature, or the trading policy an order; `message` states \
         why, and for an order `reason` and `limit` state the rule",
    ),
    (
        &[422],
        "WALLET_FROZEN",
        "the wallet is barred from signing, or an operator froze it; after a freeze its trading keys \
         can still be deleted and its orders cancelled",
    ),
    (&[429], "RATE_LIMITED", "this tenant key's requests per second are used up"),
    (&[429], "QUOTA_EXCEEDED", "this tenant key's requests of the day (UTC) are used up"),
    (
        &[429],
        "EXCHANGE_RATE_LIMIT",
        "your part of the exchange's limit is used up, or all of it; nothing changed",
    ),
    (
        &[429],
        "SIGNING_RATE_LIMIT",
        "the signing policy allows no more signatures of this kind for now; nothing changed",
    ),
    (
        &[429],
        "REPLAYS_OUTSTANDING",
        "500 replayed events of the webhook wait for their first attempt; nothing was queued",
    ),
    (&[422], "WALLET_QUOTA_REACHED", "your quota of wallets is used up; no key was made"),
    (
        &[429],
        "AGENT_REMOVAL_PENDING",
        "the exchange is still removing an agent of this name; nothing changed",
    ),
    (&[500], "INTERNAL", "a fault of the service; the log has the cause under `x-request-id`"),
    (
        &[503],
        "SIGNER_UNAVAILABLE",
        "the cosigner did not respond or lost a run, or too many calls use this wallet; nothing \
         was signed",
    ),
    (
        &[500],
        "SIGNER_UNAVAILABLE",
        "the same in a call for a trading key, where the contract requires 500",
    ),
    (
        &[503],
        "STORE_BUSY",
        "the table rejected every attempt because of other transactions or throttling; nothing was \
         written",
    ),
    (&[500], "STORE_BUSY", "the same in a call for a trading key, where the contract requires 500"),
    (
        &[500],
        "CLOCK_SKEW",
        "the service's clock differs from the exchange's by a minute or more; the operator must \
         correct it",
    ),
    (&[502], "EXCHANGE_UNAVAILABLE", "the exchange is down, or its response is invalid"),
    (&[502], "EXCHANGE_REJECTED", "the exchange refused for a reason that you cannot fix"),
    (
        &[502],
        "EXCHANGE_BLOCKED",
        "the exchange blocks calls from the service's address; an alarm informs the operator",
    ),
    (
        &[503],
        "UNHEALTHY",
        "local stack, `GET /api/health`: the disk is full, or a KMS key does not decrypt its \
         ciphertext; `error` states which",
    ),
    (
        &[502],
        "EXCHANGE_UPGRADE_REQUIRED",
        "the exchange accepts only a newer form of signatures; the service must be updated",
    ),
    (&[504], "EXCHANGE_TIMEOUT", "the exchange did not respond in time"),
    (
        &[504],
        "LEVERAGE_UNKNOWN",
        "the exchange may have changed the leverage or the margin mode, or may still do so; a retry \
         sets the same values",
    ),
    (
        &[504],
        "ORDER_UNKNOWN",
        "the response of the exchange was lost: it may have executed the order, or may still do so",
    ),
    (
        &[504],
        "TIMEOUT",
        "the service did not respond in time, or the exchange did not respond to a read of orders",
    ),
];
