//! The common types of both exchanges' trading clients: the outcome of a signed call, the meaning of
//! a refusal, and an order as an exchange reports it.

use super::http::{SendError, TransportError};
use super::{LookupError, Unclear, bounded, without_secrets};
use crate::trading::code::TradeCode;
use crate::trading::order::{OrderStatus, OrderType, PositionSide, Side, TimeInForce};

/// The outcome of a signed call.
#[derive(Debug)]
pub enum Sent<T> {
    /// The exchange applied it.
    Accepted(T),
    /// The exchange refused it. For the first send of these bytes, this proves that nothing was
    /// executed.
    Refused(TradeRefusal),
    /// The request did not reach the exchange. The same bytes may be sent again.
    NotSent(TransportError),
    /// The exchange may have applied it, or may still do so.
    Unknown(Unsettled),
}

impl<T> From<SendError> for Sent<T> {
    fn from(error: SendError) -> Self {
        match error {
            SendError::NotSent(cause) => Self::NotSent(cause),
            SendError::NoAnswer(cause) => Self::Unknown(Unclear::NoAnswer(cause).into()),
            SendError::Broken(cause) => Self::Unknown(Unclear::Broken(cause).into()),
        }
    }
}

impl<T> Sent<T> {
    /// Converts what was accepted.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Sent<U> {
        match self {
            Self::Accepted(value) => Sent::Accepted(convert(value)),
            Self::Refused(refusal) => Sent::Refused(refusal),
            Self::NotSent(cause) => Sent::NotSent(cause),
            Self::Unknown(unsettled) => Sent::Unknown(unsettled),
        }
    }
}

/// An unknown outcome.
#[derive(Debug)]
pub struct Unsettled {
    /// Why it is unknown. The text is for the log.
    pub why: Unclear,
    /// Whether the nonce can no longer execute anything: the exchange reports that it was used or
    /// is outside the window. A lookup afterwards is final.
    pub is_fenced: bool,
}

impl From<Unclear> for Unsettled {
    fn from(why: Unclear) -> Self {
        Self { why, is_fenced: false }
    }
}

/// The outcome of one order of a batch.
#[derive(Debug)]
pub enum Entry {
    /// The exchange has the order.
    Placed(Box<ExchangeOrder>),
    /// The exchange refused the order.
    Refused(TradeRefusal),
    /// The exchange may have the order.
    Unknown(Unsettled),
}

/// A refusal by the exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TradeRefusal {
    /// The code for callers.
    pub code: TradeCode,
    /// The exchange's own text, bounded, without control characters and without secrets.
    pub text: String,
    /// Seconds to wait, if the exchange's request limit is reached.
    pub retry_after_s: Option<u64>,
}

impl TradeRefusal {
    /// Makes a refusal with the exchange's text.
    #[must_use]
    pub fn new(code: TradeCode, text: &str) -> Self {
        Self { code, text: bounded(&without_secrets(text)), retry_after_s: None }
    }

    /// Makes the refusal of a call that the exchange did not read.
    #[must_use]
    pub fn limited(retry_after_s: u64, text: &str) -> Self {
        let refusal = Self::new(TradeCode::ExchangeRateLimit, text);
        Self { retry_after_s: Some(retry_after_s), ..refusal }
    }
}

/// The result of a lookup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// The exchange has the order.
    Order(Box<ExchangeOrder>),
    /// The exchange does not have it now. Only a lookup after the nonce is spent proves that it
    /// never will.
    Nothing,
}

/// Why a question about orders has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The exchange refused the question.
    #[error("the question was refused: {}", .0.text)]
    Refused(TradeRefusal),
    /// The question failed. It may be asked again.
    #[error(transparent)]
    Failed(#[from] LookupError),
}

/// An order as an exchange reports it. Numbers have the exchange's own text, which was checked to be
/// a plain decimal number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExchangeOrder {
    /// The exchange's id.
    pub order_id: u64,
    /// The id that was given when the order was placed.
    pub client_id: Option<String>,
    /// The exchange's name of the market.
    pub symbol: String,
    /// The direction.
    pub side: Side,
    /// The kind. `None` means a kind that the service does not place.
    pub order_type: Option<OrderType>,
    /// The state.
    pub status: OrderStatus,
    /// The exchange's word for the state.
    pub exchange_status: String,
    /// The limit; zero if the order has none.
    pub price: String,
    /// The trigger, if the order has one.
    pub trigger_price: Option<String>,
    /// The whole quantity.
    pub quantity: String,
    /// The filled part.
    pub filled: String,
    /// The average price of the filled part, if there is one.
    pub average_price: Option<String>,
    /// How long the order rests. `None` means a word that the service does not send.
    pub time_in_force: Option<TimeInForce>,
    /// Whether the order may only reduce a position.
    pub reduce_only: bool,
    /// The position that the order changes.
    pub position_side: PositionSide,
    /// Time of the last change, Unix milliseconds.
    pub at_ms: u64,
}
