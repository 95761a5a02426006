//! Reads request bodies as the functions do.

use domain::ids::Exchange;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde_json::Value;
use shared::api::body::JsonBody;
use shared::api::error::ApiError;
use shared::api::requests::{
    ApprovePolicyChange, CreateTenantKey, CreateWallet, CreateWebhook, ModifyOrder, PayRequest,
    PlaceOrderRequest, ProposePolicyChange, RegisterApiKey, RotateApiKey, SetLeverage,
    SetTradingPolicy, SignMessage, UpdateWebhook,
};
use shared::api::trading::StoreLighterKey;
use shared::webhooks::Targets;

/// A receiver of payments.
pub(super) const ADDRESS: &str = "0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7";

/// Returns the error with which a function refuses a body.
pub(super) fn read_as(model: &str, body: &Value) -> Option<ApiError> {
    let body = JsonBody::parse(&HeaderMap::new(), body.to_string().as_bytes());
    let uri = Uri::default();
    let wallet = HeaderMap::from_iter([(
        HeaderName::from_static("x-wallet-id"),
        HeaderValue::from_static("a"),
    )]);
    let read = body.and_then(|body| match model {
        "CreateWallet" => CreateWallet::read(&body).map(|_| ()),
        "SignMessage" => SignMessage::read("a", &uri, &body).map(|_| ()),
        "RotateApiKey" => RotateApiKey::read(&uri, &body).map(|_| ()),
        "RegisterApiKey" => RegisterApiKey::read(&uri, &body).map(|_| ()),
        "CreateWebhook" => CreateWebhook::read(&body, Targets::Public).map(|_| ()),
        "CreateTenantKey" => CreateTenantKey::read(&body, 0).map(|_| ()),
        "PlaceOrderRequest" => {
            PlaceOrderRequest::read(Exchange::Aster, &wallet, &uri, &body).map(|_| ())
        }
        "StoreLighterKey" => StoreLighterKey::read(&body).map(|_| ()),
        "ModifyOrder" => ModifyOrder::read(&wallet, &uri, &body).map(|_| ()),
        "SetTradingPolicy" => SetTradingPolicy::read(&HeaderMap::new(), &uri, &body).map(|_| ()),
        "ProposePolicyChange" => ProposePolicyChange::read(&body).map(|_| ()),
        "ApprovePolicyChange" => ApprovePolicyChange::read("7", &body).map(|_| ()),
        "UpdateWebhook" => {
            let id = "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a";
            UpdateWebhook::read(id, &body, Targets::Public).map(|_| ())
        }
        "SetLeverage" => SetLeverage::read(&wallet, &uri, &body).map(|_| ()),
        "WithdrawFromAster" => PayRequest::withdraw_aster((&wallet, &uri, &body), None).map(|_| ()),
        "WithdrawFromHyperliquid" => {
            PayRequest::withdraw_hyperliquid((&wallet, &uri, &body), None, 42_161).map(|_| ())
        }
        "TransferAtHyperliquid" => {
            PayRequest::transfer_hyperliquid((&wallet, &uri, &body), None).map(|_| ())
        }
        "SendTokens" => PayRequest::send_tokens("a", (&wallet, &uri, &body), None).map(|_| ()),
        _ => panic!("the model {model} is not supported here"),
    });
    read.err()
}
