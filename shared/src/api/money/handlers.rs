//! The handlers of payments.

use crate::api::Handled;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::ids::WalletRef;
use domain::money::PaymentId;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};

use super::data::{PaymentData, QuoteData};
use super::error::payment_error;
use crate::api::body::{JsonBody, PathName, PathNames};
use crate::api::error::ApiError;
use crate::api::idempotency::{REPLAY, Replayed, key_of};
use crate::api::requests::PayRequest;
use crate::api::responses::DataBody;
use crate::api::wallet_names::WalletNames;
use crate::caller::Caller;
use crate::money::{Paid, Payer, Tracker};
use crate::store::PaymentState;

/// The payment's id. It is in every response to a payment that has one.
const TRANSFER_ID: HeaderName = HeaderName::from_static("transfer-id");

/// `POST /api/trading/aster/withdraw`.
///
/// # Errors
/// When the request is invalid, or the payment was not made.
pub fn withdraw_aster(
    State(payer): State<Payer>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Response> {
    Box::pin(async move {
        let key = key_of(&headers)?;
        let request = PayRequest::withdraw_aster((&headers, &uri, &body), key)?;
        pay(&payer, &caller, request).await
    })
}

/// `POST /api/trading/hyperliquid/withdraw`.
///
/// # Errors
/// As [`withdraw_aster`].
pub fn withdraw_hyperliquid(
    State(payer): State<Payer>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Response> {
    Box::pin(async move {
        let key = key_of(&headers)?;
        let chain_id = payer.tracker.withdrawal_chain();
        let request = PayRequest::withdraw_hyperliquid((&headers, &uri, &body), key, chain_id)?;
        pay(&payer, &caller, request).await
    })
}

/// `POST /api/trading/hyperliquid/transfer`.
///
/// # Errors
/// As [`withdraw_aster`].
pub fn transfer_hyperliquid(
    State(payer): State<Payer>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Response> {
    Box::pin(async move {
        let key = key_of(&headers)?;
        let request = PayRequest::transfer_hyperliquid((&headers, &uri, &body), key)?;
        pay(&payer, &caller, request).await
    })
}

/// `POST /api/wallets/{walletIdOrAddress}/transfers`.
///
/// # Errors
/// As [`withdraw_aster`].
pub fn send_tokens(
    State(payer): State<Payer>,
    caller: Caller,
    PathName(wallet): PathName,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Response> {
    Box::pin(async move {
        let key = key_of(&headers)?;
        let request = PayRequest::send_tokens(&wallet, (&headers, &uri, &body), key)?;
        pay(&payer, &caller, request).await
    })
}

/// Makes the payment of a request: 200 when it is completed, 202 when its outcome follows.
async fn pay(payer: &Payer, caller: &Caller, request: PayRequest) -> Result<Response, ApiError> {
    let PayRequest { names, request } = request;
    let tracker = &payer.tracker;
    let wallet = names.pointed(tracker.store(), &caller.tenant).await?;
    let venue = request.wanted.venue();
    let now_ms = || tracker.clock().now_ms();
    match payer.pay(caller, &wallet, &request).await {
        Ok(Paid::Quote { wallet, quote, verdict }) => {
            let data = QuoteData::new(&wallet, venue, &quote, verdict);
            Ok(Json(DataBody::new(None, data, now_ms())).into_response())
        }
        Ok(Paid::Payment { wallet, record, is_replay }) => {
            let status = match record.state {
                PaymentState::Completed => StatusCode::OK,
                _ => StatusCode::ACCEPTED,
            };
            let id = record.id.clone();
            let data = PaymentData::new(&wallet, &record);
            let body = Json(DataBody::new(None, data, now_ms()));
            let mut response = with_id((status, body).into_response(), &id);
            if is_replay {
                response.headers_mut().insert(REPLAY, HeaderValue::from_static("true"));
                response.extensions_mut().insert(Replayed);
            }
            Ok(response)
        }
        Err(error) => {
            let id = error.payment().cloned();
            let response = payment_error(error).into_response();
            Ok(match id {
                Some(id) => with_id(response, &id),
                None => response,
            })
        }
    }
}

fn with_id(mut response: Response, id: &PaymentId) -> Response {
    // The characters of an id are valid in a header.
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(TRANSFER_ID, value);
    }
    response
}

/// `GET /api/trading/{exchange}/transfers/{id}`: returns a payment in its present state.
///
/// # Errors
/// When the request is invalid, or the wallet has no such payment.
pub fn get_payment(
    State(tracker): State<Tracker>,
    caller: Caller,
    PathName(id): PathName,
    headers: HeaderMap,
    uri: Uri,
) -> Handled<Json<DataBody<PaymentData>>> {
    Box::pin(async move {
        let names = WalletNames::in_request(&headers, &uri, None)?;
        let wallet = names.pointed(tracker.store(), &caller.tenant).await?;
        view(&tracker, &caller, &wallet, &id).await
    })
}

/// `GET /api/wallets/{walletIdOrAddress}/transfers/{id}`: returns a transfer on a chain in its present
/// state.
///
/// # Errors
/// As [`get_payment`].
pub fn get_token_transfer(
    State(tracker): State<Tracker>,
    caller: Caller,
    PathNames(wallet, id): PathNames,
    headers: HeaderMap,
    uri: Uri,
) -> Handled<Json<DataBody<PaymentData>>> {
    Box::pin(async move {
        let names = WalletNames::of_request(Some(&wallet), &headers, &uri, None)?;
        let wallet = names.pointed(tracker.store(), &caller.tenant).await?;
        view(&tracker, &caller, &wallet, &id).await
    })
}

async fn view(
    tracker: &Tracker,
    caller: &Caller,
    wallet: &WalletRef,
    id: &str,
) -> Result<Json<DataBody<PaymentData>>, ApiError> {
    let wrong =
        |_| ApiError::bad_request("transferId must be 1 to 64 characters of A-Z a-z 0-9 . _ -");
    let id = id.parse::<PaymentId>().map_err(wrong)?;
    let view = tracker.view(caller, wallet, &id).await.map_err(payment_error)?;
    let data = PaymentData::new(&view.wallet, &view.record);
    Ok(Json(DataBody::new(None, data, tracker.clock().now_ms())))
}
