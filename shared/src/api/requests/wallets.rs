//! Requests for wallets and their signatures.

use domain::ids::UserId;
use domain::intent::PersonalMessage;
use http::Uri;
use utoipa::ToSchema;

use crate::api::body::{JsonBody, bad_id};
use crate::api::error::ApiError;
use crate::api::wallet_names::WalletNames;
use crate::schema;

/// `POST /api/wallets`.
#[derive(ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateWallet {
    /// Your own name for the user. Not a UUID, an address, a single dot or two dots.
    #[schema(value_type = schema::UserName)]
    pub user_id: UserId,
}

impl CreateWallet {
    /// Parses and checks a request.
    ///
    /// # Errors
    /// 400, naming the field.
    pub fn read(body: &JsonBody) -> Result<Self, ApiError> {
        body.only::<Self>()?;
        let user_id = UserId::for_creation(body.required("userId")?).map_err(bad_id)?;
        Ok(Self { user_id })
    }
}

/// `POST /api/wallets/{walletIdOrAddress}/sign`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignMessage {
    /// The wallet, named by the path. The query and the body may name it as well.
    #[schema(ignore)]
    pub names: WalletNames,
    /// The text to sign.
    #[schema(value_type = schema::MessageText)]
    pub message: PersonalMessage,
}

impl SignMessage {
    /// Parses and checks a request. `name` is the wallet in the path.
    ///
    /// # Errors
    /// 400, naming the field or the parameter.
    pub fn read(name: &str, uri: &Uri, body: &JsonBody) -> Result<Self, ApiError> {
        body.only_with_wallet::<Self>()?;
        let names = WalletNames::in_path(name)?.and_in_query(uri)?.and_in_body(body)?;
        let message = PersonalMessage::parse(body.required("message")?);
        let message = message.map_err(|error| ApiError::bad_request(error.to_string()))?;
        Ok(Self { names, message })
    }
}
