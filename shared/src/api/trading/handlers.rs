//! The handlers of orders. One function per exchange and operation mounts each.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::ids::Exchange;
use http::{HeaderMap, HeaderValue, Uri};
use serde::Serialize;
use serde_json::value::to_raw_value;

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

/// `POST /api/trading/{exchange}/orders`: places an order, or a batch.
///
/// # Errors
/// When the request is invalid or nothing was placed.
pub async fn place_orders(
    State(trader): State<Trader>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let key = key_of(&headers)?;
    let request = PlaceOrderRequest::read(trader.exchange(), &headers, &uri, &body)?;
    place(&trader, &caller, request, key).await
}

/// Places the orders of a request.
pub(super) async fn place(
    trader: &Trader,
    caller: &Caller,
    request: PlaceOrderRequest,
    key: Option<&str>,
) -> Result<Response, ApiError> {
    let PlaceOrderRequest { names, orders, is_batch } = request;
    let wallet = names.pointed(trader.store(), &caller.tenant).await?;
    let placing = trader.place(caller, &wallet, &orders, key).await;
    let placing = placing.map_err(|error| failed(trader, Action::Place, error))?;
    if !is_batch {
        return Ok(single(trader, Action::Place, placing));
    }
    let is_replay = placing.is_replay;
    let placed = batch(trader.exchange(), placing).map(|(data, _)| data);
    Ok(responded(trader, placed, is_replay))
}

/// Returns the response of a single order.
pub(super) fn single(trader: &Trader, action: Action, placing: Placing) -> Response {
    let is_replay = placing.is_replay;
    let placed = placing.single().map_err(|error| failed(trader, action, error));
    responded(trader, placed.map(|(order, _)| OrderData::from(order)), is_replay)
}

/// Returns the response of placed orders. The refusal of an order is replayed, too.
pub(super) fn responded<T: Serialize>(
    trader: &Trader,
    data: Result<T, ApiError>,
    is_replay: bool,
) -> Response {
    let now_ms = trader.clock().now_ms();
    let response = data.map(|data| Json(DataBody::new(None, data, now_ms)).into_response());
    with_replay(response.unwrap_or_else(ApiError::into_response), is_replay)
}

pub(super) fn failed(trader: &Trader, action: Action, error: TradeError) -> ApiError {
    ApiError::trade(trader.exchange(), action, error)
}

/// Returns a response, marked if it repeats an earlier one.
fn with_replay(mut response: Response, is_replay: bool) -> Response {
    if is_replay {
        response.headers_mut().insert(REPLAY, HeaderValue::from_static("true"));
        response.extensions_mut().insert(Replayed);
    }
    response
}

/// Returns the data of a batch of which at least one order was placed and none is unknown.
///
/// # Errors
/// The first error of an order of unknown outcome, otherwise the first error. Either has the
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
    let (mut first, mut unknown) = (None, None);
    let (mut entries, mut placed) = (Vec::new(), 0);
    for (symbol, PlacedOrder { client_order_id, result }) in orders {
        let id = String::from(client_order_id);
        let entry = match result {
            Ok(order) => {
                placed += 1;
                BatchEntry::placed(id, order)
            }
            Err(error) => {
                let is_unknown = matches!(error, TradeError::Unknown { .. });
                let error = ApiError::trade(exchange, action, error);
                let entry = BatchEntry::failed(id, &error);
                let place = if is_unknown { &mut unknown } else { &mut first };
                place.get_or_insert(error);
                entry
            }
        };
        entries.push(entry.of_market(symbol));
    }
    let refused = entries.len() - placed;
    let data = BatchData { orders: entries, placed, refused };
    match unknown.or(first.filter(|_| placed == 0)) {
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
pub async fn modify_order(
    State(trader): State<Trader>,
    caller: Caller,
    PathName(order): PathName,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Result<Json<DataBody<OrderData>>, ApiError> {
    let order = order_name(&order)?;
    let ModifyOrder { wallet_id_or_address, price, quantity, symbol } =
        ModifyOrder::read(&headers, &uri, &body)?;
    let wallet = wallet_id_or_address.pointed(trader.store(), &caller.tenant).await?;
    let change = ChangeRequest { price, quantity };
    let changed = trader.modify(&caller, &wallet, &order, &change, symbol.as_ref()).await;
    done(&trader, Action::Modify, changed)
}

fn done(
    trader: &Trader,
    action: Action,
    order: Result<OrderView, TradeError>,
) -> Result<Json<DataBody<OrderData>>, ApiError> {
    let order = order.map_err(|error| failed(trader, action, error))?;
    Ok(Json(DataBody::new(None, order.into(), trader.clock().now_ms())))
}

/// `DELETE /api/trading/{exchange}/orders/{orderId}`: cancels an open order.
///
/// # Errors
/// When the request is invalid or the order was not cancelled.
pub async fn cancel_order(
    State(trader): State<Trader>,
    caller: Caller,
    PathName(order): PathName,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Result<Json<DataBody<OrderData>>, ApiError> {
    let order = order_name(&order)?;
    let CancelOrders { names, symbol } = CancelOrders::read(&headers, &uri, &body)?;
    let wallet = names.pointed(trader.store(), &caller.tenant).await?;
    let canceled = trader.cancel(&caller, &wallet, &order, symbol.as_ref()).await;
    done(&trader, Action::Cancel, canceled)
}

/// `DELETE /api/trading/{exchange}/orders?symbol=`: cancels all open orders of a market.
///
/// # Errors
/// When the request is invalid, or the state of an order is unknown after it.
pub async fn cancel_orders(
    State(trader): State<Trader>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Result<Json<DataBody<CanceledData>>, ApiError> {
    let CancelOrders { names, symbol } = CancelOrders::read(&headers, &uri, &body)?;
    let symbol = symbol.ok_or_else(|| ApiError::missing("symbol"))?;
    let wallet = names.pointed(trader.store(), &caller.tenant).await?;
    let orders = trader.cancel_all(&caller, &wallet, &symbol).await;
    let orders = orders.map_err(|error| failed(&trader, Action::CancelAll, error))?;
    let data = CanceledData::new(symbol.into(), orders);
    Ok(Json(DataBody::new(None, data, trader.clock().now_ms())))
}

/// `GET /api/trading/{exchange}/orders?symbol=`: returns the open orders.
///
/// # Errors
/// When the request is invalid or the exchange cannot be asked.
pub async fn open_orders(
    State(trader): State<Trader>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<OpenOrdersBody>, ApiError> {
    let (names, symbol) = orders_in_query(&headers, &uri)?;
    let wallet = names.pointed(trader.store(), &caller.tenant).await?;
    let orders = trader.open_orders(&caller, &wallet, symbol.as_ref()).await;
    let orders = orders.map_err(|error| failed(&trader, Action::OpenOrders, error))?;
    Ok(Json(OpenOrdersBody::new(orders, trader.clock().now_ms())))
}

/// `GET /api/trading/{exchange}/orders/{orderId}/status`: returns an order in its present state.
///
/// # Errors
/// When the request is invalid, the exchange has no such order, or it cannot be asked.
pub async fn order_status(
    State(trader): State<Trader>,
    caller: Caller,
    PathName(order): PathName,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<DataBody<OrderData>>, ApiError> {
    let order = order_name(&order)?;
    let (names, symbol) = orders_in_query(&headers, &uri)?;
    let wallet = names.pointed(trader.store(), &caller.tenant).await?;
    let order = trader.status(&caller, &wallet, &order, symbol.as_ref()).await;
    done(&trader, Action::Status, order)
}
