//! The parameters of the operations.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Required, Schema};

pub(crate) fn form(name: &str) -> RefOr<Schema> {
    Ref::from_schema_name(name).into()
}

pub(crate) fn parameter(
    place: ParameterIn,
    name: &str,
    must: Required,
    schema: RefOr<Schema>,
) -> ParameterBuilder {
    ParameterBuilder::new().name(name).parameter_in(place).required(must).schema(Some(schema))
}

pub(crate) fn wallet_in_path() -> Parameter {
    parameter(ParameterIn::Path, "walletIdOrAddress", Required::True, form("WalletName"))
        .description(Some("The wallet: its userId, walletId or address."))
        .build()
}

pub(crate) fn wallet_in_query(must: Required) -> Parameter {
    parameter(ParameterIn::Query, "walletIdOrAddress", must, form("WalletName"))
        .description(Some("The wallet: its userId, walletId or address."))
        .build()
}

pub(crate) fn agent_in_path() -> Parameter {
    parameter(ParameterIn::Path, "agentName", Required::True, form("AgentName"))
        .description(Some("The agent: its name on the exchange, or its address."))
        .build()
}

/// Returns the header of the orders' routes that names the wallet.
pub(crate) fn wallet_in_header() -> Parameter {
    parameter(ParameterIn::Header, "x-wallet-id", Required::False, form("WalletName"))
        .description(Some(
            "The wallet: its userId, walletId or address. The query or the body can name it instead.",
        ))
        .build()
}

pub(crate) fn order_in_path() -> Parameter {
    parameter(ParameterIn::Path, "orderId", Required::True, form("OrderName"))
        .description(Some("The order: the exchange's id, or its clientOrderId."))
        .build()
}

pub(crate) fn symbol_in_query(must: Required) -> Parameter {
    parameter(ParameterIn::Query, "symbol", must, form("SymbolName"))
        .description(Some("The market."))
        .build()
}

/// Returns the headers with the key of a Lighter account.
pub(crate) fn lighter_headers() -> [Parameter; 3] {
    [
        ("X-LIGHTER-API-KEY-PRIVATE-KEY", "The private key of the API key, 80 hex digits."),
        ("X-LIGHTER-API-KEY-INDEX", "The slot of the API key, 0 to 254."),
        ("X-LIGHTER-ACCOUNT-INDEX", "The account. Alone, it names a stored key."),
    ]
    .map(|(name, means)| {
        parameter(ParameterIn::Header, name, Required::False, text())
            .description(Some(means))
            .build()
    })
}

/// Returns the published form of a key in the query.
pub(crate) fn lighter_query() -> [Parameter; 3] {
    [
        ("apiKeyPrivateKey", "The published form. Proxies and logs keep a query: use the headers."),
        ("apiKeyIndex", "The slot of the API key, with apiKeyPrivateKey."),
        ("accountIndex", "The account. Alone, it names a stored key."),
    ]
    .map(|(name, means)| {
        parameter(ParameterIn::Query, name, Required::False, text())
            .description(Some(means))
            .build()
    })
}

fn text() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).build().into()
}

pub(crate) fn lighter_account_in_query(must: Required) -> Parameter {
    parameter(ParameterIn::Query, "accountIndex", must, text())
        .description(Some("The account. The header X-LIGHTER-ACCOUNT-INDEX can name it instead."))
        .build()
}

pub(crate) fn lighter_owner_in_query() -> Parameter {
    parameter(ParameterIn::Query, "walletAddress", Required::False, form("AddressText"))
        .description(Some("The owner's address, which means its master account."))
        .build()
}

pub(crate) fn lighter_account_in_path() -> Parameter {
    parameter(ParameterIn::Path, "walletAddress", Required::True, text())
        .description(Some("The account's index, or its owner's address."))
        .build()
}

/// Returns the wallet in the path of positions.
pub(crate) fn wallet_address_in_path() -> Parameter {
    parameter(ParameterIn::Path, "walletAddress", Required::True, form("WalletName"))
        .description(Some("The wallet: its address, walletId or userId."))
        .build()
}

pub(crate) fn wallet_id_in_path() -> Parameter {
    parameter(ParameterIn::Path, "walletId", Required::True, form("WalletName"))
        .description(Some("The wallet: its walletId, address or userId."))
        .build()
}

pub(crate) fn market_in_path() -> Parameter {
    parameter(ParameterIn::Path, "symbol", Required::True, form("SymbolName"))
        .description(Some("The market."))
        .build()
}

pub(crate) fn from_in_query() -> Parameter {
    parameter(ParameterIn::Query, "from", Required::False, form("FillCursorText"))
        .description(Some(
            "The earliest time in Unix milliseconds, or nextFrom of the previous page. Absent: seven \
             days ago.",
        ))
        .build()
}

/// Returns the header that derives the ids of orders.
pub(crate) fn order_key() -> Parameter {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[!-~]+$"))
        .min_length(Some(1))
        .max_length(Some(255))
        .examples(["6e4bf6a5-1c4e-4a52-9f0c-8f5c0d3f7a10"]);
    parameter(ParameterIn::Header, "Idempotency-Key", Required::False, key.build().into())
        .description(Some(
            "Determines the clientOrderId of each order that has none. Use a new value for each new \
             request of a wallet. Within 7 days, the same orders with the same key are executed \
             once.",
        ))
        .build()
}

/// Returns the header from which a payment's id follows.
pub(crate) fn payment_key() -> Parameter {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[!-~]+$"))
        .min_length(Some(1))
        .max_length(Some(255))
        .examples(["6e4bf6a5-1c4e-4a52-9f0c-8f5c0d3f7a10"]);
    parameter(ParameterIn::Header, "Idempotency-Key", Required::False, key.build().into())
        .description(Some(
            "Required unless dryRun is true. Use a new value for each new payment of a wallet. The same \
             payment with the same key is made once, at any time.",
        ))
        .build()
}

pub(crate) fn transfer_in_path() -> Parameter {
    parameter(ParameterIn::Path, "transferId", Required::True, form("TransferIdText"))
        .description(Some("The payment's id: transferId of its response."))
        .build()
}

/// Returns the parameter for an exchange without its own routes.
pub(crate) fn other_exchange() -> Parameter {
    let name = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
    parameter(
        ParameterIn::Path,
        "exchange",
        Required::True,
        name.examples(["binance"]).build().into(),
    )
    .description(Some("Any exchange without its own routes."))
    .build()
}

pub(crate) fn change_in_path() -> Parameter {
    parameter(ParameterIn::Path, "sequence", Required::True, form("ChangeNumber"))
        .description(Some("The number of the change."))
        .build()
}

pub(crate) fn tenant_key_in_path() -> Parameter {
    parameter(ParameterIn::Path, "keyId", Required::True, form("TenantKeyId"))
        .description(Some("The key's id."))
        .build()
}

pub(crate) fn webhook_in_path() -> Parameter {
    parameter(ParameterIn::Path, "webhookId", Required::True, form("WebhookIdText"))
        .description(Some("The webhook's id."))
        .build()
}
