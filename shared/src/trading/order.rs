//! The words of an order, as the API writes them.

use serde::{Deserialize, Serialize};

/// The side of an order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    /// Buys.
    Buy,
    /// Sells.
    Sell,
}

impl Side {
    /// Returns the other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// The type of an order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderType {
    /// Executes at once.
    Market,
    /// Executes at its price or a better one.
    Limit,
    /// Becomes a market order when the price moves against the position.
    StopMarket,
    /// Becomes a market order when the price moves in favour of the position.
    TakeProfitMarket,
    /// Becomes a limit order when the price moves against the position.
    StopLimit,
}

/// How long an order with a price stays open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TimeInForce {
    /// Until it is filled or cancelled.
    Gtc,
    /// Not at all: the unfilled part is cancelled.
    Ioc,
    /// Not at all: it is filled as a whole or cancelled.
    Fok,
    /// Until it is filled or cancelled; refused if it would execute at once.
    PostOnly,
}

/// The status of an order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    /// Open, and no part is filled.
    Open,
    /// Open, and a part is filled.
    PartiallyFilled,
    /// Filled as a whole.
    Filled,
    /// Cancelled or expired. A part may be filled.
    Canceled,
    /// Refused by the exchange.
    Rejected,
    /// The exchange's word is not known to the service.
    Unknown,
}
