//! Requests for a wallet's API keys and agents on an exchange.

use http::Uri;
use utoipa::ToSchema;

use crate::api::body::JsonBody;
use crate::api::error::ApiError;
use crate::api::wallet_names::WalletNames;
use crate::schema;

/// `POST /api/trading/{exchange}/apikey`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterApiKey {
    /// The wallet.
    #[schema(value_type = schema::WalletName)]
    pub wallet_id_or_address: WalletNames,
    /// Whether the renewal job renews the key.
    #[schema(value_type = Option<bool>)]
    pub auto_renew: bool,
}

impl RegisterApiKey {
    /// Parses and checks a request.
    ///
    /// # Errors
    /// 400, naming the field or the parameter.
    pub fn read(uri: &Uri, body: &JsonBody) -> Result<Self, ApiError> {
        body.only::<Self>()?;
        let wallet_id_or_address = WalletNames::in_body(body)?.and_in_query(uri)?;
        Ok(Self { wallet_id_or_address, auto_renew: body.flag("autoRenew", true)? })
    }
}

/// `POST /api/trading/{exchange}/apikey/rotate`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotateApiKey {
    /// The wallet.
    #[schema(value_type = schema::WalletName)]
    pub wallet_id_or_address: WalletNames,
}

impl RotateApiKey {
    /// Parses and checks a request.
    ///
    /// # Errors
    /// 400, naming the field or the parameter.
    pub fn read(uri: &Uri, body: &JsonBody) -> Result<Self, ApiError> {
        body.only::<Self>()?;
        Ok(Self { wallet_id_or_address: WalletNames::in_body(body)?.and_in_query(uri)? })
    }
}

/// `DELETE /api/trading/{exchange}/apikey`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteApiKey {
    /// The wallet, unless the query names it.
    #[schema(value_type = Option<schema::WalletName>)]
    pub wallet_id_or_address: WalletNames,
    /// Whether you have removed the key in the exchange's own settings.
    #[schema(value_type = Option<bool>)]
    pub removed_on_exchange: bool,
}

impl DeleteApiKey {
    /// Parses and checks a request. The query or the body names the wallet, because some clients
    /// send no body with `DELETE`. If both do, they must name the same wallet.
    ///
    /// # Errors
    /// 400, naming the field or the parameter.
    pub fn read(uri: &Uri, body: &JsonBody) -> Result<Self, ApiError> {
        body.only::<Self>()?;
        let wallet_id_or_address = WalletNames::in_query_or_body(uri, body)?;
        let removed_on_exchange = body.flag("removedOnExchange", false)?;
        Ok(Self { wallet_id_or_address, removed_on_exchange })
    }
}

/// `DELETE /api/trading/{exchange}/agents/{agentName}`. Its body may only repeat the wallet's
/// name.
#[derive(ToSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct DeleteAgent {
    /// The wallet, named by the query. The body may name it as well.
    #[schema(ignore)]
    pub names: WalletNames,
}

impl DeleteAgent {
    /// Parses and checks a request.
    ///
    /// # Errors
    /// 400, naming the field or the parameter.
    pub fn read(uri: &Uri, body: &JsonBody) -> Result<Self, ApiError> {
        body.only_with_wallet::<Self>()?;
        Ok(Self { names: WalletNames::in_query(uri)?.and_in_body(body)? })
    }
}
