//! Response bodies of orders. The fields of the published contract are fixed.

use serde::Serialize;
use utoipa::ToSchema;

use super::desk::stated;
use crate::api::error::ApiError;
use crate::orders::{LegView, OrderView};
use crate::schema;

/// An order with its state at the exchange.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = Order)]
pub struct OrderData {
    /// The exchange's id. Absent until the exchange has stated one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    order_id: Option<String>,
    /// The market as you named it.
    symbol: String,
    #[schema(value_type = schema::OrderSideName)]
    side: &'static str,
    /// The type, or the exchange's own word for a type that this API does not have.
    #[serde(rename = "type")]
    order_type: String,
    #[schema(value_type = schema::OrderStatusName)]
    status: &'static str,
    /// The limit; 0 for a market order.
    #[schema(value_type = schema::NumberText)]
    price: String,
    /// The original quantity.
    #[schema(value_type = schema::NumberText)]
    quantity: String,
    /// The filled quantity.
    #[schema(value_type = schema::NumberText)]
    filled_quantity: String,
    /// The average price of the filled part.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::NumberText, required = false)]
    average_price: Option<String>,
    /// When the exchange accepted or last changed the order, Unix milliseconds.
    #[schema(value_type = schema::UnixMs)]
    timestamp: u64,
    #[schema(value_type = schema::ExchangeName)]
    exchange: &'static str,
    /// Your id of the order, or the client's id that the exchange states.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    client_order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::TimeInForceName, required = false)]
    time_in_force: Option<&'static str>,
    /// Whether the order may only reduce a position.
    reduce_only: bool,
    #[schema(value_type = schema::PositionSideName)]
    position_side: &'static str,
    /// The price that triggers the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::NumberText, required = false)]
    trigger_price: Option<String>,
    /// The exchange's own word for the status.
    exchange_status: String,
    /// The exchange's name of the market.
    exchange_symbol: String,
    /// The price at the exchange, if it differs: the bound of a market order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::NumberText, required = false)]
    exchange_price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = AttachedData, required = false)]
    take_profit: Option<AttachedData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = AttachedData, required = false)]
    stop_loss: Option<AttachedData>,
}

/// An attached take profit or stop loss.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = AttachedOrder)]
struct AttachedData {
    /// The exchange's id. Absent until the exchange has stated one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    order_id: Option<String>,
    /// The client's id at the exchange. It names the order in a path.
    client_order_id: String,
    #[schema(value_type = schema::OrderStatusName)]
    status: &'static str,
}

impl From<LegView> for AttachedData {
    fn from(leg: LegView) -> Self {
        let LegView { order_id, client_order_id, status } = leg;
        Self { order_id, client_order_id, status: status.as_str() }
    }
}

impl From<OrderView> for OrderData {
    fn from(view: OrderView) -> Self {
        Self {
            order_id: view.order_id,
            symbol: view.symbol,
            side: view.side.as_str(),
            order_type: view.order_type,
            status: view.status.as_str(),
            price: view.price,
            quantity: view.quantity,
            filled_quantity: view.filled_quantity,
            average_price: view.average_price,
            timestamp: view.at_ms,
            exchange: view.exchange.as_str(),
            client_order_id: view.client_order_id,
            time_in_force: view.time_in_force.map(crate::trading::order::TimeInForce::as_str),
            reduce_only: view.reduce_only,
            position_side: view.position_side.as_str(),
            trigger_price: view.trigger_price,
            exchange_status: view.exchange_status,
            exchange_symbol: view.exchange_symbol,
            exchange_price: view.exchange_price,
            take_profit: view.take_profit.map(AttachedData::from),
            stop_loss: view.stop_loss.map(AttachedData::from),
        }
    }
}

/// The `data` of a batch.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderBatch)]
pub struct BatchData {
    /// The result of each order, in the request's sequence.
    pub(super) orders: Vec<BatchEntry>,
    /// Number of placed orders.
    pub(super) placed: usize,
    /// Number of orders that were not placed.
    pub(super) refused: usize,
}

/// The result of one order of a batch: the order, or an error.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchEntry {
    /// Whether the order was placed.
    success: bool,
    client_order_id: String,
    /// The exchange's name of the market, if the request closes all positions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    symbol: Option<String>,
    /// The order, if it was placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = OrderData, required = false)]
    order: Option<OrderData>,
    /// The code of the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Code, required = false)]
    code: Option<&'static str>,
    /// The problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    error: Option<String>,
    /// The action to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    message: Option<String>,
    /// The exchange's own text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    exchange_message: Option<String>,
    /// The limit, step or minimum that the order violates.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    limit: Option<String>,
}

impl BatchEntry {
    /// Adds the market.
    pub(super) fn of_market(self, symbol: Option<String>) -> Self {
        Self { symbol, ..self }
    }

    /// Returns the entry of a placed order.
    pub(super) fn placed(client_order_id: String, order: OrderView) -> Self {
        Self { order: Some(order.into()), ..Self::of(client_order_id, None) }
    }

    /// Returns the entry of an order that was not placed.
    pub(super) fn failed(client_order_id: String, error: &ApiError) -> Self {
        Self::of(client_order_id, Some(error))
    }

    fn of(client_order_id: String, error: Option<&ApiError>) -> Self {
        let details = error.and_then(|error| error.details.as_deref());
        let exchange_message = details.and_then(|it| it.exchange_message.clone());
        let limit = details.and_then(|it| it.limit.clone());
        let success = error.is_none();
        let (code, error, message) = stated(error);
        Self {
            success,
            client_order_id,
            symbol: None,
            order: None,
            code,
            error,
            message,
            exchange_message,
            limit,
        }
    }
}

/// The `data` of the cancellation of all orders of a market.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = CanceledOrders)]
pub struct CanceledData {
    /// The market as you named it.
    symbol: String,
    /// The orders that were open, in their state after the cancellation. An order that has filled
    /// in the meantime is FILLED.
    orders: Vec<OrderData>,
    /// Number of the orders.
    count: usize,
}

impl CanceledData {
    /// Returns the data of a cancellation.
    #[must_use]
    pub fn new(symbol: String, orders: Vec<OrderView>) -> Self {
        let orders: Vec<OrderData> = orders.into_iter().map(OrderData::from).collect();
        Self { symbol, count: orders.len(), orders }
    }
}

/// `GET /api/trading/{exchange}/orders`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct OpenOrdersBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    data: OpenOrdersData,
    /// Number of the orders.
    count: usize,
    #[schema(value_type = schema::UnixMs)]
    timestamp: u64,
}

/// The open orders of a wallet.
#[derive(Serialize, ToSchema, Debug)]
#[schema(as = OrderList)]
struct OpenOrdersData {
    orders: Vec<OrderData>,
}

impl OpenOrdersBody {
    /// Returns the body for the open orders of a wallet.
    #[must_use]
    pub fn new(orders: Vec<OrderView>, now_ms: u64) -> Self {
        let orders: Vec<OrderData> = orders.into_iter().map(OrderData::from).collect();
        let count = orders.len();
        Self { success: true, data: OpenOrdersData { orders }, count, timestamp: now_ms }
    }
}
