//! What the handlers of orders and of accounts share: the wallet of a request, and the response to an
//! operation.

use std::convert::Infallible;

use axum::Json;
use axum::extract::FromRequestParts;
use domain::ids::WalletRef;
use http::request::Parts;

use super::error::Action;
use crate::api::error::ApiError;
use crate::api::responses::DataBody;
use crate::api::wallet_names::WalletNames;
use crate::caller::Caller;
use crate::orders::{TradeError, Trader};

/// The orders of a request: the route's, or on Lighter those with the caller's key.
#[derive(Clone, Debug)]
pub struct Desk(pub Trader);

impl FromRequestParts<Trader> for Desk {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, trader: &Trader) -> Result<Self, Infallible> {
        let own = parts.extensions.get::<Self>().cloned();
        Ok(own.unwrap_or_else(|| Self(trader.clone())))
    }
}

/// Returns the wallet that a request names.
pub(super) async fn wallet_of(
    trader: &Trader,
    caller: &Caller,
    names: WalletNames,
) -> Result<WalletRef, ApiError> {
    names.pointed(trader.store(), &caller.tenant).await
}

/// Returns the API's error of an operation.
pub(super) fn failed(trader: &Trader, action: Action, error: TradeError) -> ApiError {
    ApiError::trade(trader.exchange(), action, error)
}

/// Returns the result of an operation, or the API's error.
pub(super) fn done<T>(
    trader: &Trader,
    action: Action,
    result: Result<T, TradeError>,
) -> Result<T, ApiError> {
    result.map_err(|error| failed(trader, action, error))
}

/// Returns the response with this data.
pub(super) fn respond<D>(trader: &Trader, data: D) -> Json<DataBody<D>> {
    Json(DataBody::new(None, data, trader.clock().now_ms()))
}

/// The code, the problem and the action of an error, for an entry of a list.
pub(super) type Stated = (Option<&'static str>, Option<String>, Option<String>);

/// Returns what an entry of a list states of an error.
pub(super) fn stated(error: Option<&ApiError>) -> Stated {
    let text = |text: &std::borrow::Cow<'static, str>| text.clone().into_owned();
    (
        error.map(|error| error.code),
        error.map(|error| text(&error.error)),
        error.map(|error| text(&error.message)),
    )
}
