//! The handlers of orders. One function per exchange and operation mounts each.

use crate::api::Handled;
use axum::Json;
use axum::response::{IntoResponse, Response};
use domain::ids::Exchange;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde::Serialize;
use serde_json::value::to_raw_value;

use super::desk::{Desk, done, failed, respond, wallet_of};
use super::error::Action;
use super::orders::{BatchData, BatchEntry, CanceledData, OpenOrdersBody, OrderData};
use crate::api::body::{JsonBody, PathName};
use crate::api::error::ApiError;
use crate::api::idempotency::{REPLAY, Replayed, key_of};
use crate::api::requests::{
    CancelOrders, ModifyOrder, PlaceOrderRequest, order_name, orders_in_query,
};
use crate::api::responses::DataBody;
use crate::caller::Caller;
use crate::orders::{ClosedPosition, OrderView, PlacedOrder, Placing, TradeError, Trader};
use crate::trading::ids::ClientOrderId;
use crate::trading::order::ChangeRequest;

/// The `clientOrderId` of each order of a request, also of those that the service has drawn. It is in
/// every response from the time when the orders have ids, so that a caller needs no body to retry.
const CLIENT_ORDER_ID: HeaderName = HeaderName::from_static("client-order-id");

/// `POST /api/trading/{exchange}/orders`: places an order, or a batch.
///
/// # Errors
/// When the request is invalid or nothing was placed.
pub fn place_orders(
    Desk(trader): Desk,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Response> {
    Box::pin(async move {
        let key = key_of(&headers)?;
        let request = PlaceOrderRequest::read(trader.exchange(), &headers, &uri, &body)?;
        place(&trader, &caller, request, key).await
    })
}

/// Places the orders of a request.
pub(super) async fn place(
    trader: &Trader,
    caller: &Caller,
    request: PlaceOrderRequest,
    key: Option<&str>,
) -> Result<Response, ApiError> {
    let PlaceOrderRequest { names, mut orders, is_batch } = request;
    let wallet = wallet_of(trader, caller, names).await?;
    let given = orders.iter_mut().map(|order| &mut order.client_order_id);
    let ids = trader.assign_ids(given, key);
    let ids = done(trader, Action::Place, ids)?;
    let response = match trader.place(caller, &wallet, &orders, key).await {
        Ok(placing) if is_batch => {
            let is_replay = placing.is_replay;
            let placed = batch(trader.exchange(), placing).map(|(data, _)| data);
            responded(trader, placed, is_replay)
        }
        Ok(placing) => single(trader, Action::Place, placing),
        Err(error) => failed(trader, Action::Place, error).into_response(),
    };
    Ok(with_ids(response, &ids))
}

/// Adds the ids of a request's orders to its response, in the sequence of the request.
pub(super) fn with_ids(mut response: Response, ids: &[ClientOrderId]) -> Response {
    let ids: Vec<&str> = ids.iter().map(ClientOrderId::as_str).collect();
    // The characters of an id are valid in a header.
    if let Ok(value) = HeaderValue::try_from(ids.join(", ")) {
        response.headers_mut().insert(CLIENT_ORDER_ID, value);
    }
    response
}

/// Returns the response of a single order.
pub(super) fn single(trader: &Trader, action: Action, placing: Placing) -> Response {
    let is_replay = placing.is_replay;
    let placed = done(trader, action, placing.single());
    responded(trader, placed.map(|(order, _)| OrderData::from(order)), is_replay)
}

/// Returns the response of placed orders. The refusal of an order is replayed, too.
pub(super) fn responded<T: Serialize>(
    trader: &Trader,
    data: Result<T, ApiError>,
    is_replay: bool,
) -> Response {
    let response = data.map(|data| respond(trader, data).into_response());
    with_replay(response.unwrap_or_else(ApiError::into_response), is_replay)
}

/// Returns a response, marked if it repeats an earlier one.
fn with_replay(mut response: Response, is_replay: bool) -> Response {
    if is_replay {
        response.headers_mut().insert(REPLAY, HeaderValue::from_static("true"));
        response.extensions_mut().insert(Replayed);
    }
    response
}

/// Returns the data of a batch of which at least one order was placed, and no outcome is open.
///
/// # Errors
/// The first error of an order whose outcome is open, otherwise the first error. Either has the
/// results of all orders in `data`.
pub(super) fn batch(exchange: Exchange, placing: Placing) -> Result<(BatchData, bool), ApiError> {
    let is_replay = placing.is_replay;
    let orders = placing.orders.into_iter().map(|order| (None, order));
    Ok((results(exchange, Action::Place, orders)?, is_replay))
}

/// Returns the data of the orders that close positions; see [`batch`].
pub(super) fn closed(
    exchange: Exchange,
    closed: Vec<ClosedPosition>,
) -> Result<BatchData, ApiError> {
    let orders = closed.into_iter().map(|position| (Some(position.symbol), position.order));
    results(exchange, Action::Close, orders)
}

/// Returns the results of several orders, each with the market if it is not the caller's own text.
fn results(
    exchange: Exchange,
    action: Action,
    orders: impl Iterator<Item = (Option<String>, PlacedOrder)>,
) -> Result<BatchData, ApiError> {
    let (mut first, mut open) = (None, None);
    let (mut entries, mut placed) = (Vec::new(), 0);
    for (symbol, PlacedOrder { client_order_id, result }) in orders {
        let id = String::from(client_order_id);
        let entry = match result {
            Ok(order) => {
                placed += 1;
                BatchEntry::placed(id, order)
            }
            Err(error) => {
                // A retry finds the outcome of such an order.
                let is_open =
                    matches!(error, TradeError::Unknown { .. } | TradeError::InProgress { .. });
                let error = ApiError::trade(exchange, action, error);
                let entry = BatchEntry::failed(id, &error);
                let place = if is_open { &mut open } else { &mut first };
                place.get_or_insert(error);
                entry
            }
        };
        entries.push(entry.of_market(symbol));
    }
    let refused = entries.len() - placed;
    let data = BatchData { orders: entries, placed, refused };
    match open.or(first.filter(|_| placed == 0)) {
        Some(error) => Err(with_data(error, &data)),
        None => Ok(data),
    }
}

/// Returns the error of a batch of one order of which nothing was placed, for the OpenAPI document.
#[must_use]
pub fn batch_refused(error: ApiError, client_order_id: ClientOrderId) -> ApiError {
    let entry = BatchEntry::failed(client_order_id.into(), &error);
    with_data(error, &BatchData { orders: vec![entry], placed: 0, refused: 1 })
}

/// Adds the state of orders to an error.
pub(super) fn with_data(error: ApiError, data: &impl Serialize) -> ApiError {
    error.detail(|details| details.data = to_raw_value(data).ok())
}

/// `PUT /api/trading/{exchange}/orders/{orderId}`: changes an open order.
///
/// # Errors
/// When the request is invalid or the order was not changed.
pub fn modify_order(
    Desk(trader): Desk,
    caller: Caller,
    PathName(order): PathName,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Json<DataBody<OrderData>>> {
    Box::pin(async move {
        let name = order_name(&order)?;
        let ModifyOrder { wallet_id_or_address, price, quantity, symbol } =
            ModifyOrder::read(&headers, &uri, &body)?;
        let wallet = wallet_of(&trader, &caller, wallet_id_or_address).await?;
        let change = ChangeRequest { price, quantity };
        let changed = trader.modify(&caller, &wallet, &name, &change, symbol.as_ref()).await;
        respond_order(&trader, Action::Modify, &order, changed)
    })
}

/// Returns the response to an operation on the order that the caller calls `name`.
fn respond_order(
    trader: &Trader,
    action: Action,
    name: &str,
    order: Result<OrderView, TradeError>,
) -> Result<Json<DataBody<OrderData>>, ApiError> {
    let order = done(trader, action, order).map_err(|error| with_given_id(error, name))?;
    Ok(respond(trader, order.into()))
}

/// Replaces the internal id of an order that the service did not place by the caller's name of it.
fn with_given_id(mut error: ApiError, name: &str) -> ApiError {
    let id = error.details.as_mut().and_then(|details| details.client_order_id.as_mut());
    if let Some(id) = id.filter(|id| ClientOrderId::is_of_others(id)) {
        *id = name.to_owned();
    }
    error
}

/// `DELETE /api/trading/{exchange}/orders/{orderId}`: cancels an open order.
///
/// # Errors
/// When the request is invalid or the order was not cancelled.
pub fn cancel_order(
    Desk(trader): Desk,
    caller: Caller,
    PathName(order): PathName,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Json<DataBody<OrderData>>> {
    Box::pin(async move {
        let name = order_name(&order)?;
        let CancelOrders { names, symbol } = CancelOrders::read(&headers, &uri, &body)?;
        let wallet = wallet_of(&trader, &caller, names).await?;
        let canceled = trader.cancel(&caller, &wallet, &name, symbol.as_ref()).await;
        respond_order(&trader, Action::Cancel, &order, canceled)
    })
}

/// `DELETE /api/trading/{exchange}/orders?symbol=`: cancels all open orders of a market.
///
/// # Errors
/// When the request is invalid, or the state of an order is unknown after it.
pub fn cancel_orders(
    Desk(trader): Desk,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Json<DataBody<CanceledData>>> {
    Box::pin(async move {
        let CancelOrders { names, symbol } = CancelOrders::read(&headers, &uri, &body)?;
        let symbol = symbol.ok_or_else(|| ApiError::missing("symbol"))?;
        let wallet = wallet_of(&trader, &caller, names).await?;
        let orders = trader.cancel_all(&caller, &wallet, &symbol).await;
        let orders = done(&trader, Action::CancelAll, orders)?;
        Ok(respond(&trader, CanceledData::new(symbol.into(), orders)))
    })
}

/// `GET /api/trading/{exchange}/orders?symbol=`: returns the open orders.
///
/// # Errors
/// When the request is invalid or the exchange cannot be asked.
pub fn open_orders(
    Desk(trader): Desk,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Handled<Json<OpenOrdersBody>> {
    Box::pin(async move {
        let (names, symbol) = orders_in_query(&headers, &uri)?;
        let wallet = wallet_of(&trader, &caller, names).await?;
        let orders = trader.open_orders(&caller, &wallet, symbol.as_ref()).await;
        let orders = done(&trader, Action::OpenOrders, orders)?;
        Ok(Json(OpenOrdersBody::new(orders, trader.clock().now_ms())))
    })
}

/// `GET /api/trading/{exchange}/orders/{orderId}/status`: returns an order in its present state.
///
/// # Errors
/// When the request is invalid, the exchange has no such order, or it cannot be asked.
pub fn order_status(
    Desk(trader): Desk,
    caller: Caller,
    PathName(order): PathName,
    headers: HeaderMap,
    uri: Uri,
) -> Handled<Json<DataBody<OrderData>>> {
    Box::pin(async move {
        let name = order_name(&order)?;
        let (names, symbol) = orders_in_query(&headers, &uri)?;
        let wallet = wallet_of(&trader, &caller, names).await?;
        let found = trader.status(&caller, &wallet, &name, symbol.as_ref()).await;
        respond_order(&trader, Action::Status, &order, found)
    })
}
