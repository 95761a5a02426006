//! An order as a caller requests it: parsed and validated before anything else happens.

mod close;
mod fields;
mod fingerprint;

use std::fmt;
use std::str::FromStr;

use domain::ids::Exchange;
use serde::{Deserialize, Serialize};

pub use self::close::{CloseFields, CloseRequest, ClosedMarket};
pub use self::fields::{AttachedFields, ChangeFields, OrderFault, OrderFields, check_batch};
pub use self::fingerprint::Fingerprint;
use super::decimal::{Decimal, DecimalError};

/// The direction of an order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    /// Buys.
    Buy,
    /// Sells.
    Sell,
}

impl Side {
    /// Returns the word in requests and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }

    /// Returns the other direction.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// Returns whether an order of this direction can only reduce the position of a side, as in an
    /// account in hedge mode.
    #[must_use]
    pub const fn reduces(self, position: PositionSide) -> bool {
        matches!(
            (self, position),
            (Self::Sell, PositionSide::Long) | (Self::Buy, PositionSide::Short)
        )
    }
}

/// The kind of an order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderType {
    /// Executes at once at the market's price.
    Market,
    /// Executes at a price or better.
    Limit,
    /// Becomes a market order when the market moves against the position.
    StopMarket,
    /// Becomes a market order when the market moves in favour of the position.
    TakeProfitMarket,
    /// Becomes a limit order when the market reaches the trigger.
    StopLimit,
}

impl OrderType {
    /// All types, in declaration order.
    pub const ALL: [Self; 5] =
        [Self::Market, Self::Limit, Self::StopMarket, Self::TakeProfitMarket, Self::StopLimit];

    /// Returns the word in requests and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Market => "MARKET",
            Self::Limit => "LIMIT",
            Self::StopMarket => "STOP_MARKET",
            Self::TakeProfitMarket => "TAKE_PROFIT_MARKET",
            Self::StopLimit => "STOP_LIMIT",
        }
    }

    /// Returns whether the order has a price of its own.
    #[must_use]
    pub const fn has_price(self) -> bool {
        matches!(self, Self::Limit | Self::StopLimit)
    }

    /// Returns whether the order waits for a trigger.
    #[must_use]
    pub const fn has_trigger(self) -> bool {
        matches!(self, Self::StopMarket | Self::TakeProfitMarket | Self::StopLimit)
    }
}

/// How long an order with a price rests.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TimeInForce {
    /// Until it is cancelled.
    Gtc,
    /// Executes what it can at once, and cancels the rest.
    Ioc,
    /// Executes whole at once, or not at all.
    Fok,
    /// Rests only; never matches at once.
    PostOnly,
}

impl TimeInForce {
    /// All values, in declaration order.
    pub const ALL: [Self; 4] = [Self::Gtc, Self::Ioc, Self::Fok, Self::PostOnly];

    /// Returns the word in requests and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Ioc => "IOC",
            Self::Fok => "FOK",
            Self::PostOnly => "POST_ONLY",
        }
    }
}

/// The position that an order changes. An account in hedge mode has a long and a short one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PositionSide {
    /// The only position of a market.
    #[default]
    Both,
    /// The long position.
    Long,
    /// The short position.
    Short,
}

impl PositionSide {
    /// All values, in declaration order.
    pub const ALL: [Self; 3] = [Self::Both, Self::Long, Self::Short];

    /// Returns the word in requests and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "BOTH",
            Self::Long => "LONG",
            Self::Short => "SHORT",
        }
    }

    const fn is_both(&self) -> bool {
        matches!(self, Self::Both)
    }
}

/// The state of an order at an exchange, in the published words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    /// Rests or waits, without a fill.
    Open,
    /// Rests, with a part filled.
    PartiallyFilled,
    /// Filled.
    Filled,
    /// Ended before it was filled.
    Canceled,
    /// The exchange refused it after it had accepted the request.
    Rejected,
    /// A word outside the exchange's list.
    Unknown,
}

impl OrderStatus {
    /// All values, in declaration order.
    pub const ALL: [Self; 6] = [
        Self::Open,
        Self::PartiallyFilled,
        Self::Filled,
        Self::Canceled,
        Self::Rejected,
        Self::Unknown,
    ];

    /// Returns the word in responses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::PartiallyFilled => "PARTIALLY_FILLED",
            Self::Filled => "FILLED",
            Self::Canceled => "CANCELED",
            Self::Rejected => "REJECTED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Returns whether the order can still execute.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::PartiallyFilled)
    }
}

/// The name of a market as a caller writes it: 1 to 40 characters without spaces and control
/// characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SymbolText(String);

/// The text cannot name a market.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("symbol must have 1 to 40 characters, without spaces and control characters")]
pub struct SymbolError;

impl SymbolText {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SymbolText {
    type Err = SymbolError;
    fn from_str(text: &str) -> Result<Self, SymbolError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for SymbolText {
    type Error = SymbolError;
    fn try_from(text: String) -> Result<Self, SymbolError> {
        let fits = (1..=40).contains(&text.chars().count())
            && !text.chars().any(|letter| letter.is_control() || letter.is_whitespace());
        if fits { Ok(Self(text)) } else { Err(SymbolError) }
    }
}

impl From<SymbolText> for String {
    fn from(symbol: SymbolText) -> Self {
        symbol.0
    }
}

impl fmt::Display for SymbolText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A decimal number with its text, which is sent as the caller wrote it. `0.10` and `0.1` are equal
/// in value and differ in text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount {
    text: String,
    value: Decimal,
}

impl Amount {
    /// Returns the caller's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the value.
    #[must_use]
    pub const fn value(&self) -> Decimal {
        self.value
    }
}

impl FromStr for Amount {
    type Err = DecimalError;
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Amount {
    type Error = DecimalError;
    fn try_from(text: String) -> Result<Self, DecimalError> {
        let value = Decimal::parse(&text)?;
        Ok(Self { text, value })
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.text
    }
}

/// A take profit or a stop loss that is attached to an order: a limit order with a price, a market
/// order without one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attached {
    /// The price that triggers it.
    pub trigger_price: Amount,
    /// The limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Amount>,
}

/// A validated request for an order. The stored form has the same fields.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRequest {
    /// The market's name as the caller wrote it.
    pub symbol: SymbolText,
    /// The direction.
    pub side: Side,
    /// The kind.
    #[serde(rename = "type")]
    pub order_type: OrderType,
    /// The quantity in the market's base unit. Zero closes the whole position.
    pub quantity: Amount,
    /// The limit, for the types that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Amount>,
    /// The trigger, for the types that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_price: Option<Amount>,
    /// For the types with a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_in_force: Option<TimeInForce>,
    /// Whether the order may only reduce a position.
    pub reduce_only: bool,
    /// The position that the order changes.
    #[serde(default, skip_serializing_if = "PositionSide::is_both")]
    pub position_side: PositionSide,
    /// Attached take profit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_profit: Option<Attached>,
    /// Attached stop loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_loss: Option<Attached>,
    /// Maximum slippage of a market order, as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slippage: Option<Amount>,
}

impl OrderRequest {
    /// Returns whether the order can only reduce a position: by its flag, or by its direction in an
    /// account in hedge mode.
    #[must_use]
    pub const fn is_reducing(&self) -> bool {
        self.reduce_only || self.side.reduces(self.position_side)
    }
}

/// Returns the maximum number of orders in one request.
#[must_use]
pub const fn max_batch(exchange: Exchange) -> usize {
    match exchange {
        Exchange::Aster => 5,
        Exchange::Hyperliquid => 20,
        // Lighter takes the orders of a batch one after the other, each with an outcome of its own.
        Exchange::Lighter => 1,
    }
}

/// A validated change of an open order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeRequest {
    /// The new limit.
    pub price: Amount,
    /// The new quantity, including the part that is filled.
    pub quantity: Amount,
}

#[cfg(test)]
mod tests;
