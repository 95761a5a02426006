//! The outcomes of trading calls, for both exchanges.

use super::http::{SendError, TransportError};
use super::{Unclear, bounded, without_secrets};
use crate::trading::decimal::Decimal;
use crate::trading::order::{OrderStatus, OrderType, PositionSide, Side, TimeInForce};

/// The outcome of sending signed bytes that change orders.
#[derive(Debug)]
pub enum Sent<T> {
    /// The exchange processed the call.
    Accepted(T),
    /// The exchange refused the whole call: it executed nothing and cannot execute these bytes.
    Refused(TradeRefusal),
    /// The bytes did not reach the exchange.
    NotSent(TransportError),
    /// The exchange may have executed the bytes, or may still do so.
    Unknown(Unresolved),
}

impl<T> Sent<T> {
    /// Makes the outcome of a call without a response.
    #[must_use]
    pub fn without_answer(error: SendError) -> Self {
        match error {
            SendError::NotSent(cause) => Self::NotSent(cause),
            SendError::NoAnswer(cause) => Self::Unknown(Unclear::NoAnswer(cause).into()),
            SendError::Broken(cause) => Self::Unknown(Unclear::Broken(cause).into()),
        }
    }
}

/// An unknown outcome.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Unresolved {
    /// The reason, for the log.
    #[source]
    pub why: Unclear,
    /// Whether the nonce is known to be used, so that the bytes cannot execute later.
    pub fenced: bool,
    /// The exchange's own text, if it sent one of unknown meaning; bounded, without secrets.
    pub text: Option<String>,
}

impl From<Unclear> for Unresolved {
    fn from(why: Unclear) -> Self {
        Self { why, fenced: false, text: None }
    }
}

/// What a `noop` with the nonce of other bytes proves about these bytes. Either way, they cannot
/// execute later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fence {
    /// The nonce was free and is taken now: the bytes have not executed.
    Taken,
    /// The nonce was used before, or is outside the exchange's window: the bytes may have executed.
    Spent,
}

/// A refusal of an order, or of a whole call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TradeRefusal {
    /// The meaning.
    pub code: TradeCode,
    /// The exchange's own text, bounded and without control characters and secrets.
    pub text: String,
}

impl TradeRefusal {
    pub(crate) fn new(code: TradeCode, text: &str) -> Self {
        Self { code, text: shown(text) }
    }
}

/// Returns an exchange's text for a response or a log line.
pub(crate) fn shown(text: &str) -> String {
    bounded(&without_secrets(text))
}

/// Returns a transaction's hash, which [`shown`] would hide as a secret.
pub(crate) fn shown_hash(hash: &str) -> String {
    hash.chars().filter(char::is_ascii_alphanumeric).take(80).collect()
}

/// The meaning of a refusal. Each exchange's folder has its closed list of texts and codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TradeCode {
    /// The exchange does not know the agent, or the agent expired.
    AgentUnknown,
    /// The account does not exist before a deposit.
    DepositRequired,
    /// The market does not exist or does not trade.
    MarketUnknown,
    /// The price is not a multiple of the tick size.
    TickSize,
    /// The quantity is not a multiple of the lot size, or is out of its range.
    LotSize,
    /// The order's value is below the minimum.
    BelowMinimum,
    /// The price is too far from the market.
    PriceOutOfRange,
    /// A post-only order would execute at once.
    WouldCross,
    /// A trigger order would trigger at once.
    WouldTrigger,
    /// Nothing to execute against.
    NoLiquidity,
    /// Not enough margin or balance.
    InsufficientFunds,
    /// A reduce-only order would not reduce a position.
    ReduceOnlyRefused,
    /// The position side does not fit the account's mode.
    PositionSideMismatch,
    /// The market's open interest is capped.
    OpenInterestCap,
    /// The account has too many open orders.
    TooManyOrders,
    /// The order to cancel or to change is not open.
    OrderNotOpen,
    /// The market does not have such a leverage, or the margin does not cover it.
    LeverageOutOfRange,
    /// The market's margin mode cannot change now, or it has only one.
    MarginModeLocked,
    /// The exchange does not offer what the order asks for.
    NotOffered,
    /// Too many requests.
    RateLimited {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// The bytes arrived after their expiry.
    Expired,
    /// The nonce is below the exchange's window. It cannot be used later.
    NonceTooLow,
    /// The exchange recovered a signer other than the agent.
    SignatureFault,
    /// The request's form was invalid in a way that only the service can fix.
    OurFault,
    /// The wallet has not approved the order's builder, or not its fee.
    BuilderNotApproved,
    /// The exchange serves nobody from the region of the caller's or of the service's address.
    RegionBlocked,
    /// The exchange requires a newer form of signatures.
    SignerOutdated,
    /// An order with the client's id exists. It can be this one.
    ClientIdTaken,
    /// The exchange or the market does not accept the order now. A later attempt can succeed.
    TryLater,
    /// Any other refusal; the text may be meaningful to the caller.
    OrderRejected,
}

/// The outcome for one order of an accepted call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EntryOutcome {
    /// The exchange accepted the order.
    Placed(Placed),
    /// The exchange refused the order.
    Refused(TradeRefusal),
}

/// An accepted order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placed {
    /// The exchange's id, if it states one.
    pub order_id: Option<String>,
    /// The exchange's own word.
    pub exchange_status: String,
    /// The filled quantity.
    pub filled: Decimal,
    /// The average price of the filled part.
    pub average_price: Option<Decimal>,
}

/// The result of looking for one order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// The exchange has the order.
    Order(Box<ExchangeOrder>),
    /// The exchange does not have it now. This is final only if the bytes cannot execute later.
    Nothing,
}

/// An order, as the exchange states it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExchangeOrder {
    /// The exchange's id.
    pub order_id: String,
    /// The client's id at the exchange.
    pub client_id: Option<String>,
    /// The exchange's name of the market.
    pub symbol: String,
    /// The side.
    pub side: Side,
    /// The type, if it is one of the API's.
    pub order_type: Option<OrderType>,
    /// The exchange's own word for the type.
    pub exchange_type: String,
    /// How long the order stays open, if stated.
    pub time_in_force: Option<TimeInForce>,
    /// Whether the order may only reduce a position.
    pub reduce_only: bool,
    /// The position that the order changes.
    pub position_side: PositionSide,
    /// The status.
    pub status: OrderStatus,
    /// The exchange's own word for the status.
    pub exchange_status: String,
    /// The meaning of a rejection that the status word states.
    pub rejection: Option<TradeCode>,
    /// The price.
    pub price: Decimal,
    /// The price that triggers the order.
    pub trigger_price: Option<Decimal>,
    /// The original quantity.
    pub quantity: Decimal,
    /// The filled quantity.
    pub filled: Decimal,
    /// The average price of the filled part, if stated.
    pub average_price: Option<Decimal>,
    /// When the exchange accepted the order, Unix milliseconds.
    pub at_ms: u64,
    /// Orders that wait for this one to fill.
    pub children: Vec<Self>,
}
