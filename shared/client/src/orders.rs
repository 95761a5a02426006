//! The types of orders. Prices and quantities are decimal texts, so no digit is lost.

use serde::{Deserialize, Serialize};

use crate::Exchange;

macro_rules! words {
    ($($(#[$about:meta])+ $name:ident { $($(#[$means:meta])+ $word:ident = $text:literal,)+ })+) => {$(
        $(#[$about])+
        #[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$means])+ #[serde(rename = $text)] $word,)+
            /// A word that this version of the crate does not know.
            #[serde(untagged)]
            Other(String),
        }
    )+};
}

words! {
    /// The direction of an order.
    Side {
        /// Buys.
        Buy = "BUY",
        /// Sells.
        Sell = "SELL",
    }
    /// The kind of an order.
    OrderType {
        /// Executes at once at the market's price.
        Market = "MARKET",
        /// Executes at its price or better.
        Limit = "LIMIT",
        /// Becomes a market order when the market moves against the position.
        StopMarket = "STOP_MARKET",
        /// Becomes a market order when the market moves in favour of the position.
        TakeProfitMarket = "TAKE_PROFIT_MARKET",
        /// Becomes a limit order when the market reaches the trigger.
        StopLimit = "STOP_LIMIT",
    }
    /// How long an order with a price rests.
    TimeInForce {
        /// Until it is cancelled.
        Gtc = "GTC",
        /// Executes what it can at once, and cancels the rest.
        Ioc = "IOC",
        /// Executes whole at once, or not at all.
        Fok = "FOK",
        /// Rests only; never matches at once.
        PostOnly = "POST_ONLY",
    }
    /// The position that an order changes.
    PositionSide {
        /// The only position of a market.
        Both = "BOTH",
        /// The long position of an account in hedge mode.
        Long = "LONG",
        /// The short position of an account in hedge mode.
        Short = "SHORT",
    }
    /// The state of an order.
    OrderStatus {
        /// Rests or waits, without a fill.
        Open = "OPEN",
        /// Rests, with a part filled.
        PartiallyFilled = "PARTIALLY_FILLED",
        /// Filled.
        Filled = "FILLED",
        /// Ended before it was filled.
        Canceled = "CANCELED",
        /// The exchange refused it after it had accepted the request.
        Rejected = "REJECTED",
        /// A word of the exchange that the service does not know: see `exchange_status`.
        Unknown = "UNKNOWN",
    }
}

/// A take profit or stop loss that is attached to an order on Hyperliquid.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attached {
    /// The mark price that triggers it.
    pub trigger_price: String,
    /// The limit. `None`: it becomes a market order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
}

/// An order to place. Start from [`Self::market`] or [`Self::limit`], and set further fields.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewOrder {
    /// The market, such as `BTC` or `BTCUSDT`.
    pub symbol: String,
    /// The direction.
    pub side: Side,
    /// The kind.
    #[serde(rename = "type")]
    pub order_type: OrderType,
    /// The quantity in the market's base unit.
    pub quantity: String,
    /// The limit, for the types that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// The trigger, for the types that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_price: Option<String>,
    /// For the types with a price. `None`: [`TimeInForce::Gtc`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_in_force: Option<TimeInForce>,
    /// Whether the order may only reduce a position.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reduce_only: bool,
    /// The position that the order changes. `None`: [`PositionSide::Both`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position_side: Option<PositionSide>,
    /// Your own id of the order. `None`: the service derives it from the `Idempotency-Key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_order_id: Option<String>,
    /// A take profit, on Hyperliquid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take_profit: Option<Attached>,
    /// A stop loss, on Hyperliquid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_loss: Option<Attached>,
    /// The maximum slippage of a market order on Hyperliquid, as a fraction: `0.01` is 1 percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slippage: Option<String>,
}

impl NewOrder {
    /// Makes a market order.
    pub fn market(symbol: impl Into<String>, side: Side, quantity: impl Into<String>) -> Self {
        Self {
            symbol: symbol.into(),
            side,
            order_type: OrderType::Market,
            quantity: quantity.into(),
            price: None,
            trigger_price: None,
            time_in_force: None,
            reduce_only: false,
            position_side: None,
            client_order_id: None,
            take_profit: None,
            stop_loss: None,
            slippage: None,
        }
    }

    /// Makes a limit order.
    pub fn limit(
        symbol: impl Into<String>,
        side: Side,
        quantity: impl Into<String>,
        price: impl Into<String>,
    ) -> Self {
        let price = Some(price.into());
        Self { order_type: OrderType::Limit, price, ..Self::market(symbol, side, quantity) }
    }

    /// Sets your own id of the order: 1 to 36 characters of `A-Z a-z 0-9 . _ -`, and not only
    /// digits. A retry with the same id and order never executes it a second time.
    #[must_use]
    pub fn with_id(mut self, client_order_id: impl Into<String>) -> Self {
        self.client_order_id = Some(client_order_id.into());
        self
    }
}

/// The orders of one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement<'a> {
    /// One order.
    One(&'a NewOrder),
    /// A batch: at most 5 orders on Aster and 20 on Hyperliquid.
    Batch(&'a [NewOrder]),
}

impl<'a> From<&'a NewOrder> for Placement<'a> {
    fn from(order: &'a NewOrder) -> Self {
        Self::One(order)
    }
}

impl<'a> From<&'a [NewOrder]> for Placement<'a> {
    fn from(orders: &'a [NewOrder]) -> Self {
        Self::Batch(orders)
    }
}

/// An order with its state at the exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The exchange's id. `None` until the exchange has stated one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The market as the request named it.
    pub symbol: String,
    /// The direction.
    pub side: Side,
    /// The type, or the exchange's own word for one that the service does not have.
    #[serde(rename = "type")]
    pub order_type: OrderType,
    /// The state.
    pub status: OrderStatus,
    /// The limit; `0` for a market order.
    pub price: String,
    /// The original quantity.
    pub quantity: String,
    /// The filled quantity.
    pub filled_quantity: String,
    /// The average price of the filled part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_price: Option<String>,
    /// When the exchange accepted or last changed the order, Unix milliseconds.
    pub timestamp: u64,
    /// The exchange.
    pub exchange: Exchange,
    /// Your id of the order, or the client's id that the exchange states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_order_id: Option<String>,
    /// How long the order rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_in_force: Option<TimeInForce>,
    /// Whether the order may only reduce a position.
    pub reduce_only: bool,
    /// The position that the order changes.
    pub position_side: PositionSide,
    /// The price that triggers the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_price: Option<String>,
    /// The exchange's own word for the state.
    pub exchange_status: String,
    /// The exchange's name of the market.
    pub exchange_symbol: String,
    /// The price at the exchange, if it differs: the bound of a market order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_price: Option<String>,
    /// The attached take profit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_profit: Option<AttachedOrder>,
    /// The attached stop loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_loss: Option<AttachedOrder>,
}

/// An attached take profit or stop loss with its state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttachedOrder {
    /// The exchange's id. `None` until the exchange has stated one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The client's id at the exchange. It names the order in calls.
    pub client_order_id: String,
    /// The state.
    pub status: OrderStatus,
}

/// The response to a request for orders.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Placed {
    /// The results of a batch.
    Batch(OrderBatch),
    /// The order.
    One(Box<Order>),
}

/// The results of a batch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderBatch {
    /// The result of each order, in the request's sequence.
    pub orders: Vec<BatchEntry>,
    /// Number of placed orders.
    pub placed: u64,
    /// Number of orders that were not placed.
    pub refused: u64,
}

/// The error of one entry of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Problem {
    /// The code of the error: see [`Code`](crate::Code).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The action to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The result of one order of a batch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchEntry {
    /// Whether the order was placed.
    pub success: bool,
    /// The order's id.
    pub client_order_id: String,
    /// The exchange's name of the market, if the request closes all positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// The order, if it was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// The error; empty if the order was placed.
    #[serde(flatten)]
    pub problem: Problem,
    /// The exchange's own text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_message: Option<String>,
    /// The limit, step or minimum that the order violates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
}

/// The orders of a market that were open before a cancellation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CanceledOrders {
    /// The market as the request named it.
    pub symbol: String,
    /// The orders in their state after the cancellation.
    pub orders: Vec<Order>,
    /// Number of the orders.
    pub count: u64,
}

/// The open orders of a wallet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenOrders {
    /// The list.
    pub data: OrderList,
    /// Number of the orders.
    pub count: u64,
    /// The service's time in Unix milliseconds.
    pub timestamp: u64,
}

/// A list of orders.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderList {
    /// The orders.
    pub orders: Vec<Order>,
}
