//! Orders and results as callers see them.

use domain::ids::Exchange;

use super::TradeError;
use crate::trading::ids::ClientOrderId;
use crate::trading::order::{OrderRequest, OrderStatus, PositionSide, Side, TimeInForce};

/// An order to place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrderToPlace {
    /// The caller's id. `None` derives it from the `Idempotency-Key`, or draws one.
    pub client_order_id: Option<ClientOrderId>,
    /// The order.
    pub request: OrderRequest,
}

/// An order with its state at the exchange. Numbers are decimal texts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrderView {
    /// The exchange's id; `None` until the exchange has stated one.
    pub order_id: Option<String>,
    /// The caller's id of an order of this service; otherwise the client's id that the exchange
    /// states.
    pub client_order_id: Option<String>,
    /// The market as the caller named it; for orders of others, the exchange's name.
    pub symbol: String,
    /// The exchange's name of the market.
    pub exchange_symbol: String,
    /// The side.
    pub side: Side,
    /// The published word for the type, or the exchange's own word.
    pub order_type: String,
    /// The status.
    pub status: OrderStatus,
    /// The exchange's own word for the status.
    pub exchange_status: String,
    /// The caller's limit; `0` for a market order.
    pub price: String,
    /// The price at the exchange, if it differs: the bound of a market order.
    pub exchange_price: Option<String>,
    /// The original quantity.
    pub quantity: String,
    /// The filled quantity.
    pub filled_quantity: String,
    /// The average price of the filled part.
    pub average_price: Option<String>,
    /// When the exchange accepted or last changed the order, Unix milliseconds.
    pub at_ms: u64,
    /// The exchange.
    pub exchange: Exchange,
    /// How long the order rests, for the types with a price.
    pub time_in_force: Option<TimeInForce>,
    /// Whether the order may only reduce a position.
    pub reduce_only: bool,
    /// The position that the order changes.
    pub position_side: PositionSide,
    /// The price that triggers the order.
    pub trigger_price: Option<String>,
    /// The attached take profit.
    pub take_profit: Option<LegView>,
    /// The attached stop loss.
    pub stop_loss: Option<LegView>,
}

/// An attached take profit or stop loss with its state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LegView {
    /// The exchange's id; `None` until the exchange has stated one.
    pub order_id: Option<String>,
    /// The client's id at the exchange. It names the order in a path.
    pub client_order_id: String,
    /// The status.
    pub status: OrderStatus,
}

/// The result of placing a single order or a batch.
#[derive(Debug)]
pub struct Placing {
    /// The result of each order, in the request's sequence.
    pub orders: Vec<PlacedOrder>,
    /// Whether this is the stored result of an earlier request: `Idempotent-Replay: true`.
    pub is_replay: bool,
}

/// The result of one order.
#[derive(Debug)]
pub struct PlacedOrder {
    /// The id of the order.
    pub client_order_id: ClientOrderId,
    /// The order, or why it was not placed.
    pub result: Result<OrderView, TradeError>,
}

impl Placing {
    /// Returns the number of placed orders.
    #[must_use]
    pub fn placed(&self) -> usize {
        self.orders.iter().filter(|order| order.result.is_ok()).count()
    }

    /// Returns the result of a single order, and whether it is a replay.
    ///
    /// # Errors
    /// Fails when the order was not placed.
    pub fn single(self) -> Result<(OrderView, bool), TradeError> {
        let is_replay = self.is_replay;
        match self.orders.into_iter().next() {
            Some(order) => Ok((order.result?, is_replay)),
            None => Err(TradeError::NoOrder),
        }
    }
}
