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
    /// `false` keeps the renewal job away from the key.
    #[schema(value_type = Option<bool>)]
    pub auto_renew: bool,
}

impl RegisterApiKey {
    /// Reads and checks a request.
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
    /// Reads and checks a request.
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
    /// The wallet, where the query does not name it.
    #[schema(value_type = Option<schema::WalletName>)]
    pub wallet_id_or_address: WalletNames,
    /// The caller has taken the key away in the exchange's own settings.
    #[schema(value_type = Option<bool>)]
    pub removed_on_exchange: bool,
}

impl DeleteApiKey {
    /// Reads and checks a request. The query or the body names the wallet, because some clients send
    /// no body with `DELETE`. Where both do, they must name the same one.
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

/// `DELETE /api/trading/{exchange}/agents/{agentName}`. Its body may only name the wallet again.
#[derive(ToSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct DeleteAgent {
    /// The wallet: the query names it, the body may name it again.
    #[schema(ignore)]
    pub names: WalletNames,
}

impl DeleteAgent {
    /// Reads and checks a request.
    ///
    /// # Errors
    /// 400, naming the field or the parameter.
    pub fn read(uri: &Uri, body: &JsonBody) -> Result<Self, ApiError> {
        body.only_with_wallet::<Self>()?;
        Ok(Self { names: WalletNames::in_query(uri)?.and_in_body(body)? })
    }
}
