//! Request bodies, as a client writes them and the OpenAPI document describes them. The functions
//! read them with [`JsonBody`](super::body::JsonBody), which names what is wrong.

use serde::Serialize;
use utoipa::ToSchema;

use crate::schema;

/// `POST /api/wallets`.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateWallet {
    /// Not a UUID, an address, a single dot or two dots.
    #[schema(value_type = schema::UserName)]
    pub user_id: String,
}

/// `POST /api/wallets/{walletIdOrAddress}/sign`.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignMessage {
    /// What is signed.
    #[schema(value_type = schema::MessageText)]
    pub message: String,
}

/// `POST /api/trading/{exchange}/apikey`.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterApiKey {
    /// The wallet.
    #[schema(value_type = schema::WalletName)]
    pub wallet_id_or_address: String,
    /// `false` keeps the renewal job away from the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_renew: Option<bool>,
}

/// `POST /api/trading/{exchange}/apikey/rotate`.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotateApiKey {
    /// The wallet.
    #[schema(value_type = schema::WalletName)]
    pub wallet_id_or_address: String,
}

/// `DELETE /api/trading/{exchange}/apikey`.
#[derive(Serialize, ToSchema, Clone, Default, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteApiKey {
    /// The wallet, where the query does not name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::WalletName>)]
    pub wallet_id_or_address: Option<String>,
    /// The caller has taken the key away in the exchange's own settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed_on_exchange: Option<bool>,
}

/// `POST /api/webhooks`.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateWebhook {
    /// Where events are sent.
    #[schema(value_type = schema::WebhookUrl)]
    pub url: String,
    /// Which ones; all of them when it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<schema::EventTypeName>>, min_items = 1, max_items = 6)]
    pub events: Option<Vec<String>>,
    /// Words of the tenant's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::WebhookDescription>)]
    pub description: Option<String>,
}

/// `POST /api/webhooks/{webhookId}/replay`: one event, or those of a time.
#[derive(Serialize, ToSchema, Clone, Default, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplayWebhook {
    /// One event. Nothing else stands beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::EventIdText>)]
    pub event_id: Option<String>,
    /// From when; thirty days ago when it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Moment>)]
    pub from: Option<String>,
    /// Until when; now when it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Moment>)]
    pub to: Option<String>,
    /// The nextCursor of the call before, with the same times.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::ReplayCursor>)]
    pub cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::super::body::JsonBody;
    use super::*;

    fn read(body: &impl Serialize) -> JsonBody {
        let bytes = serde_json::to_vec(body).unwrap();
        JsonBody::parse(&HeaderMap::new(), &bytes).unwrap()
    }

    #[test]
    fn what_a_client_writes_is_what_the_functions_read() {
        let user = "user_123".to_owned();
        let create = read(&CreateWallet { user_id: user.clone() });
        assert_eq!(create.user_id().unwrap().as_str(), user);
        let sign = read(&SignMessage { message: "Hello".to_owned() });
        assert_eq!(sign.message().unwrap().as_str(), "Hello");
        let rotate = read(&RotateApiKey { wallet_id_or_address: user.clone() });
        assert!(rotate.wallet_ref().is_ok());
        for (auto_renew, renewed) in [(None, true), (Some(true), true), (Some(false), false)] {
            let body = RegisterApiKey { wallet_id_or_address: user.clone(), auto_renew };
            assert!(read(&body).wallet_ref().is_ok());
            assert_eq!(read(&body).flag("autoRenew", true).unwrap(), renewed);
        }
        let delete =
            DeleteApiKey { wallet_id_or_address: Some(user), removed_on_exchange: Some(true) };
        assert!(read(&delete).wallet_ref().is_ok());
        assert!(read(&delete).flag("removedOnExchange", false).unwrap());
        assert!(!read(&DeleteApiKey::default()).flag("removedOnExchange", false).unwrap());
    }
}
