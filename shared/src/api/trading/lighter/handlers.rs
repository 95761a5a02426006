//! The handlers of stored keys, and of the reads that need no key.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::eth::Address;
use http::{HeaderMap, Uri};
use serde::Serialize;
use utoipa::ToSchema;

use super::given::{HEADERS, StoreLighterKey};
use super::without_key;
use crate::api::body::{JsonBody, PathName};
use crate::api::error::ApiError;
use crate::api::requests::symbol_in_query;
use crate::api::responses::DataBody;
use crate::api::trading::desk::{done, failed, respond};
use crate::api::trading::error::Action;
use crate::api::trading::{BalancesData, PositionsBody};
use crate::api::wallet_names::queried;
use crate::caller::Caller;
use crate::exchanges::lighter::credential::parse_account;
use crate::orders::{LighterKeyView, Trader};
use crate::schema;

/// A stored key. The private key is never returned.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = LighterKey)]
pub struct LighterKeyData {
    /// The account.
    account_index: u64,
    /// The slot of the key.
    api_key_index: u8,
    /// The public key, 80 hex digits.
    public_key: String,
    /// When it was stored, Unix milliseconds.
    #[schema(value_type = schema::UnixMs)]
    stored_at: u64,
}

impl From<LighterKeyView> for LighterKeyData {
    fn from(view: LighterKeyView) -> Self {
        Self {
            account_index: view.account_index,
            api_key_index: view.api_key_index,
            public_key: view.public_key,
            stored_at: view.stored_at_ms,
        }
    }
}

/// A deleted key.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = LighterKeyDeleted)]
pub struct KeyDeleted {
    /// The account.
    account_index: u64,
    /// Whether a key was stored before the call.
    deleted: bool,
}

/// `PUT /api/trading/lighter/credentials`: stores the key of an account. It returns an error when the
/// request is invalid, or Lighter does not list the key.
pub async fn set_lighter_key(
    State(trader): State<Trader>,
    caller: Caller,
    uri: Uri,
    body: JsonBody,
) -> Response {
    without_key(&trader, &uri, store(&trader, &caller, &body)).await
}

async fn store(
    trader: &Trader,
    caller: &Caller,
    body: &JsonBody,
) -> Result<Json<DataBody<LighterKeyData>>, ApiError> {
    let credential = StoreLighterKey::read(body)?;
    let stored = trader.store_lighter_key(&caller.tenant, &credential).await;
    Ok(respond(trader, done(trader, Action::Credentials, stored)?.into()))
}

/// `GET /api/trading/lighter/credentials?accountIndex=`: returns the stored key of an account, without
/// the private one. It returns an error when the request is invalid, or no key is stored.
pub async fn get_lighter_key(
    State(trader): State<Trader>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    without_key(&trader, &uri, describe(&trader, &caller, &headers, &uri)).await
}

async fn describe(
    trader: &Trader,
    caller: &Caller,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Json<DataBody<LighterKeyData>>, ApiError> {
    let account = account_of(headers, uri)?;
    let stored = trader.lighter_key(&caller.tenant, account).await;
    let stored = done(trader, Action::Credentials, stored)?;
    Ok(respond(trader, stored.ok_or_else(lighter_key_not_stored)?.into()))
}

/// `DELETE /api/trading/lighter/credentials?accountIndex=`: deletes the stored key of an account. It
/// returns an error when the request is invalid.
pub async fn delete_lighter_key(
    State(trader): State<Trader>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    without_key(&trader, &uri, remove(&trader, &caller, &headers, &uri)).await
}

async fn remove(
    trader: &Trader,
    caller: &Caller,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Json<DataBody<KeyDeleted>>, ApiError> {
    let account_index = account_of(headers, uri)?;
    let deleted = trader.delete_lighter_key(&caller.tenant, account_index).await;
    let deleted = done(trader, Action::Credentials, deleted)?;
    Ok(respond(trader, KeyDeleted { account_index, deleted }))
}

/// Returns the error of an account without a stored key.
#[must_use]
pub fn lighter_key_not_stored() -> ApiError {
    ApiError::api_key_not_found()
        .advise("Store the key with PUT /api/trading/lighter/credentials first.")
}

/// Returns the account that the query or the header names.
fn account_of(headers: &HeaderMap, uri: &Uri) -> Result<u64, ApiError> {
    named_account(headers, uri)?.ok_or_else(|| ApiError::missing("accountIndex"))
}

fn named_account(headers: &HeaderMap, uri: &Uri) -> Result<Option<u64>, ApiError> {
    let [.., header] = &HEADERS;
    let in_header = headers.get(header).map(|value| value.to_str().unwrap_or("?").to_owned());
    let text = match (queried(uri, "accountIndex")?, in_header) {
        (Some(_), Some(_)) => {
            let [_, twice, ..] = lighter_account_errors();
            return Err(twice);
        }
        (query, header) => query.or(header),
    };
    text.as_deref().map(account).transpose()
}

fn account(text: &str) -> Result<u64, ApiError> {
    parse_account(text).map_err(|fault| ApiError::bad_request(fault.to_string()))
}

/// Returns the account with an index, or the master account of an owner's address.
async fn account_named(
    trader: &Trader,
    caller: &Caller,
    action: Action,
    text: &str,
) -> Result<u64, ApiError> {
    let Ok(owner) = text.parse::<Address>() else { return account(text) };
    let found = trader.lighter_account_of(&caller.tenant, owner).await;
    let [unknown, ..] = lighter_account_errors();
    found.map_err(|error| failed(trader, action, error))?.ok_or(unknown)
}

/// Returns the errors of the name of an account: unknown, given twice, given in two ways, missing.
#[must_use]
pub fn lighter_account_errors() -> [ApiError; 4] {
    [
        ApiError::wallet_not_found().advise("The address has no account at Lighter."),
        ApiError::bad_request("accountIndex must be given once"),
        ApiError::bad_request("The request names an account in two ways")
            .advise("Name the account once, in accountIndex or in walletAddress."),
        ApiError::missing("accountIndex"),
    ]
}

/// `GET /api/trading/lighter/positions/{walletAddress}`: returns the open positions of an account, which
/// is named by its index or by its owner's address. It returns an error when the request is invalid or
/// Lighter cannot be asked.
pub async fn lighter_positions(
    State(trader): State<Trader>,
    caller: Caller,
    PathName(name): PathName,
    uri: Uri,
) -> Response {
    without_key(&trader, &uri, positions(&trader, &caller, &name, &uri)).await
}

async fn positions(
    trader: &Trader,
    caller: &Caller,
    name: &str,
    uri: &Uri,
) -> Result<Json<PositionsBody>, ApiError> {
    let index = account_named(trader, caller, Action::Positions, name).await?;
    let symbol = symbol_in_query(uri)?;
    let (trader, wallet) = trader.with_account(index).ok_or_else(ApiError::no_route)?;
    let view = trader.positions(caller, &wallet, symbol.as_ref()).await;
    let view = done(&trader, Action::Positions, view)?;
    Ok(Json(PositionsBody::new(trader.exchange(), &view, trader.clock().now_ms())))
}

/// `GET /api/trading/lighter/balances`: returns the balances of an account, which `accountIndex`, a
/// header or `walletAddress` names. It returns an error when the request is invalid or Lighter cannot be
/// asked.
pub async fn lighter_balances(
    State(trader): State<Trader>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    without_key(&trader, &uri, balances(&trader, &caller, &headers, &uri)).await
}

async fn balances(
    trader: &Trader,
    caller: &Caller,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Json<DataBody<BalancesData>>, ApiError> {
    let address = queried(uri, "walletAddress")?;
    let index = match (named_account(headers, uri)?, address) {
        (Some(_), Some(_)) => {
            let [_, _, two, _] = lighter_account_errors();
            return Err(two);
        }
        (Some(index), None) => index,
        (None, Some(address)) => account_named(trader, caller, Action::Balances, &address).await?,
        (None, None) => return Err(ApiError::missing("accountIndex")),
    };
    let (trader, wallet) = trader.with_account(index).ok_or_else(ApiError::no_route)?;
    let view = trader.balances(caller, &wallet).await;
    let view = done(&trader, Action::Balances, view)?;
    Ok(respond(&trader, BalancesData::new(trader.exchange(), view)))
}
