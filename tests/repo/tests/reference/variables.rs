//! The meanings of the environment variables: name, default, description.

/// The variables of the functions.
pub(super) const VARIABLES: [(&str, &str, &str); 70] = [
    ("WALLETS_TABLE", "required", "Name of the wallets table."),
    ("WALLETS_KEY_ID", "required", "KMS key of party 1's shares and secrets."),
    ("COSIGNER_FUNCTION", "required", "Function of party 2, with the caller's alias."),
    (
        "REFRESH_FUNCTION",
        "the function itself refreshes",
        "Function that refreshes the shares of a wallet which must not sign before.",
    ),
    ("COSIGNER_TABLE", "required", "Name of the cosigner's table."),
    (
        "SEALS_TABLE",
        "no comparison with the newest seal",
        "Table that keeps the newest seal outside the cosigner's table.",
    ),
    (
        "RECOVERY_TABLE",
        "the function writes no recovery records",
        "Table of the side's recovery records.",
    ),
    (
        "RECOVERY_PUBLIC_KEY",
        "no recovery records; a warning at start",
        "Public recovery keys of the side: one, or two with a comma.",
    ),
    (
        "COSIGNER_RECOVERY_PUBLIC_KEY",
        "health reports no recovery key",
        "Public recovery keys of the cosigner, or `external` for a cosigner in another account.",
    ),
    ("COSIGNER_KEY_ID", "required", "KMS key of party 2's shares."),
    (
        "COSIGNER_POLICY",
        "`infra/cosigner-policy.json` at build time",
        "Policy of the cosigner, as JSON of `infra/cosigner-policy.schema.json`.",
    ),
    (
        "CALLER_WITHOUT_ALIAS",
        "such calls are refused",
        "`local` accepts calls of the cosigner without an alias, as those of a local stack.",
    ),
    ("AUDIT_KEY_ID", "required", "KMS key that signs the seals of the audit log."),
    ("HYPERLIQUID_URL", "required", "URL of Hyperliquid: https, or http on loopback."),
    ("HYPERLIQUID_CHAIN", "`Mainnet`", "Hyperliquid's network: `Mainnet` or `Testnet`."),
    (
        "HYPERLIQUID_WEIGHT_PER_MINUTE",
        "`960`",
        "Weight that may be used at Hyperliquid in a minute, from 200 to 100,000.",
    ),
    (
        "HYPERLIQUID_BUILDER",
        "none",
        "Builder that wallets approve at Hyperliquid and that orders carry.",
    ),
    (
        "HYPERLIQUID_BUILDER_FEE",
        "required with `HYPERLIQUID_BUILDER`",
        "Its fee in tenths of a basis point, from 1 to 100.",
    ),
    ("LIGHTER_URL", "required", "URL of Lighter: https, or http on loopback."),
    (
        "LIGHTER_CHAIN_ID",
        "`304`",
        "Chain id that Lighter's signatures cover: 304 on Mainnet, 300 on Testnet.",
    ),
    (
        "LIGHTER_WEIGHT_PER_MINUTE",
        "`54`",
        "Requests to Lighter in a minute, from 20 to 60, or weight, from 1,000 to 100,000.",
    ),
    (
        "LIGHTER_KEYS_IN_QUERY",
        "`true`",
        "Whether the published form with the private key in the query is accepted.",
    ),
    ("ASTER_BUILDER", "none", "Builder that wallets approve at Aster and that orders carry."),
    (
        "ASTER_BUILDER_FEE",
        "required with `ASTER_BUILDER`",
        "Its fee in tenths of a basis point, from 1 to 100.",
    ),
    ("ASTER_URL", "required", "URL of Aster: https, or http on loopback."),
    (
        "ASTER_SPOT_URL",
        "derived from `ASTER_URL`",
        "URL of Aster's spot API: https, or http on loopback.",
    ),
    (
        "ASTER_V1_URL",
        "derived from `ASTER_URL`",
        "URL at which API keys of Aster V1 are created, if `ASTER_API` is `v1`.",
    ),
    (
        "ASTER_CHAIN",
        "the network of `HYPERLIQUID_CHAIN`",
        "Aster's network: `Mainnet` or `Testnet`.",
    ),
    (
        "ASTER_AGENT_CHAIN_ID",
        "from the network",
        "Chain id of requests that an agent signs: 1666 on Mainnet, 714 on Testnet.",
    ),
    ("ASTER_SIGNATURE_CHAIN_ID", "`56`", "Chain id of a wallet's approval on Aster."),
    ("ASTER_API", "`v3`", "Aster's API: `v3` registers agents, `v1` creates API keys."),
    (
        "ASTER_IP_WHITELIST",
        "any address",
        "The only IPv4 address from which Aster accepts a registered trading key.",
    ),
    (
        "ASTER_WEIGHT_PER_MINUTE",
        "`1920`",
        "Weight that may be used at Aster in a minute, from 200 to 100,000.",
    ),
    ("EGRESS_ADDRESS", "`shared`", "Name of the address from which calls to exchanges leave."),
    ("JOB_BUDGET_PERCENT", "`50`", "Share of the weight for jobs, from 1 to 100."),
    (
        "TENANT_BUDGET_PERCENT",
        "`75`",
        "Part of a pool of the weight that one tenant may use while it is alone, from 1 to 100.",
    ),
    ("EXCHANGE_TIMEOUT_MS", "`10000`", "Timeout of a call to an exchange, from 100 to 10,000 ms."),
    (
        "ORDER_TIMEOUT_MS",
        "`6000`",
        "Timeout of a call that places, changes or cancels orders, from 100 to 6,000 ms.",
    ),
    (
        "DATA_KEY_CACHE_SECONDS",
        "`60`",
        "Time for which a process keeps the data key of a trading key in memory, from 0 to 300 s.",
    ),
    (
        "POLICY_DELAY_HOURS",
        "`24`",
        "Time before a wider trading policy takes effect, from 0 to 168 hours.",
    ),
    ("EVM_RPC_URL_1", "none: transfers are returned signed", "URL of a JSON-RPC node of Ethereum."),
    (
        "EVM_RPC_URL_56",
        "none: transfers are returned signed",
        "URL of a JSON-RPC node of BNB Smart Chain.",
    ),
    ("EVM_RPC_URL_8453", "none: transfers are returned signed", "URL of a JSON-RPC node of Base."),
    (
        "EVM_RPC_URL_42161",
        "none: transfers are returned signed",
        "URL of a JSON-RPC node of Arbitrum One.",
    ),
    (
        "EVM_RPC_URL_421614",
        "none: transfers are returned signed",
        "URL of a JSON-RPC node of Arbitrum Sepolia.",
    ),
    ("AGENT_VALIDITY_DAYS", "`180`", "Validity of a registered trading key, from 8 to 180 days."),
    (
        "RETURN_API_PRIVATE_KEY",
        "`true`",
        "Whether a registration with Hyperliquid returns the agent's private key.",
    ),
    ("RENEW_WITHIN_DAYS", "`14`", "Days before its expiry at which a trading key is renewed."),
    ("RENEW_LIMIT", "`500`", "Maximum number of trading keys in one run of the renewal."),
    ("RECONCILE_EVERY_DAYS", "`7`", "Interval of the reconciliation of a trading key, in days."),
    ("RECONCILE_LIMIT", "`500`", "Maximum number of trading keys in one reconciliation run."),
    ("REFRESH_EVERY_DAYS", "`90`", "Age at which a wallet's shares are refreshed, in days."),
    ("REFRESH_LIMIT", "`200`", "Maximum number of wallets in one run of the refresh."),
    ("DELIVERIES_QUEUE_URL", "required", "URL of the queue of webhook deliveries."),
    (
        "WEBHOOK_TARGETS",
        "required",
        "`public` accepts only public webhook URLs, `public-and-loopback` also loopback.",
    ),
    ("WALLETS_PER_TENANT", "`1000000`", "Maximum number of wallets of a tenant; 0 means no limit."),
    (
        "KEYS_WITHOUT_RECORD",
        "`tenant`",
        "`tenant` accepts a tenant key without a record as a tenant of its own, `refuse` rejects it.",
    ),
    ("ALLOWED_ORIGINS", "none", "Browser origins that may call the API, comma-separated."),
    (
        "TENANT_WITHOUT_KEY",
        "such calls are refused",
        "Tenant of calls without a tenant key, for an emulator of API Gateway.",
    ),
    ("SERVICE_NAME", "`hyperdex-keys`", "Name of the stack, the dimension of the metrics."),
    (
        "AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH",
        "`false`",
        "Read by the library `lambda_http`: the path does not begin with the stage.",
    ),
    ("AWS_LAMBDA_FUNCTION_NAME", "empty", "Name of the function. Lambda sets it."),
    ("AWS_ENDPOINT_URL", "AWS's endpoints", "URL of all AWS services."),
    ("AWS_ENDPOINT_URL_DYNAMODB", "`AWS_ENDPOINT_URL`", "URL of DynamoDB."),
    ("AWS_ENDPOINT_URL_KMS", "`AWS_ENDPOINT_URL`", "URL of KMS."),
    ("AWS_ENDPOINT_URL_LAMBDA", "`AWS_ENDPOINT_URL`", "URL of Lambda."),
    ("AWS_ENDPOINT_URL_API_GATEWAY", "`AWS_ENDPOINT_URL`", "URL of API Gateway."),
    ("AWS_ENDPOINT_URL_SQS", "`AWS_ENDPOINT_URL`", "URL of SQS."),
    ("AWS_REGION", "`AWS_DEFAULT_REGION`", "AWS region. Lambda sets it."),
    ("AWS_DEFAULT_REGION", "required without `AWS_REGION`", "AWS region. Lambda sets it."),
];

/// The variables of the program that are not options.
pub(super) const LOCAL: [(&str, &str, &str); 8] = [
    (
        "RUST_LOG",
        "`info`",
        "Filter of the log: `level` or `target=level`, comma-separated. The functions read it too. \
         Release builds of the functions contain no messages below `info`.",
    ),
    (
        "AWS_ACCESS_KEY_ID",
        "a placeholder, with external engines",
        "Access key for external engines or a deployment. Lambda sets it for the functions.",
    ),
    ("AWS_SECRET_ACCESS_KEY", "a placeholder, with external engines", "Its secret."),
    ("AWS_SESSION_TOKEN", "none", "Session token of temporary credentials."),
    ("USER", "`LOGNAME`", "Name of the operator in the record of a freeze."),
    ("LOGNAME", "`unknown`", "Name of the operator, if `USER` is not set."),
    (
        "HYPERDEX_API_KEY",
        "none",
        "Tenant key with which `hyperdex policy --api-url` calls the API.",
    ),
    (
        "TOKIO_WORKER_THREADS",
        "8 for each core",
        "Threads of the program, and as many for the functions that sign. `1` uses one thread for \
         everything, as Lambda does.",
    ),
];
