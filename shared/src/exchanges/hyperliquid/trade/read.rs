//! Questions for `POST /info` with their weights, and their responses. Sources: the info endpoint
//! and rate limits documents. A response that breaks the protocol in one place is not read at all,
//! so no order is hidden.

use domain::eth::Address;
use serde::Deserialize;
use serde_json::{Value, json};

use super::action::{Cloid, OrderId};
use super::markets::{Market, parsed};
use crate::exchanges::LookupError;
use crate::exchanges::http::Answer;
use crate::exchanges::trade::{ExchangeOrder, Found, TradeCode, shown};
use crate::trading::decimal::Decimal;
use crate::trading::order::{OrderStatus, OrderType, PositionSide, Side, TimeInForce};

/// Maximum size of most responses, in bytes.
const SMALL: usize = 256 * 1024;

/// Maximum size of metadata and of a list of up to 5,000 orders, in bytes.
const LARGE: usize = 4 * 1024 * 1024;

/// A question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// The body.
    pub body: String,
    /// The request weight.
    pub weight: u64,
    /// Maximum size of the response, in bytes.
    pub max_bytes: usize,
}

impl Question {
    fn new(body: &Value, weight: u64, max_bytes: usize) -> Self {
        Self { body: body.to_string(), weight, max_bytes }
    }

    /// Asks for one order of a wallet; see [`order_status`]. A wallet is the account itself:
    /// the exchange shows an agent's address an empty account.
    #[must_use]
    pub fn order_status(wallet: Address, id: OrderId) -> Self {
        let id = match id {
            OrderId::Exchange(id) => json!(id),
            OrderId::Client(cloid) => json!(cloid.to_string()),
        };
        let user = wallet.to_lower_hex();
        Self::new(&json!({ "type": "orderStatus", "user": user, "oid": id }), 2, SMALL)
    }

    /// Asks for the open orders of a wallet on one DEX; see [`open_orders`].
    #[must_use]
    pub fn open_orders(wallet: Address, dex: &str) -> Self {
        let user = wallet.to_lower_hex();
        Self::new(&with_dex(json!({ "type": "frontendOpenOrders", "user": user }), dex), 20, LARGE)
    }

    /// Asks for the book of a market; see [`book`].
    #[must_use]
    pub fn book(market: &Market) -> Self {
        Self::new(&json!({ "type": "l2Book", "coin": market.name }), 2, SMALL)
    }

    /// Asks for the middle prices of a DEX; see [`super::markets::mids`]. The main DEX also states
    /// those of spot pairs.
    #[must_use]
    pub fn mids(dex: &str) -> Self {
        Self::new(&with_dex(json!({ "type": "allMids" }), dex), 2, LARGE)
    }

    /// Asks for the markets of a DEX; see [`super::markets::perps`].
    #[must_use]
    pub fn perps(dex: &str) -> Self {
        Self::new(&with_dex(json!({ "type": "meta" }), dex), 20, LARGE)
    }

    /// Asks for the spot pairs; see [`super::markets::spots`].
    #[must_use]
    pub fn spots() -> Self {
        Self::new(&json!({ "type": "spotMeta" }), 20, LARGE)
    }

    /// Asks for the DEXs; see [`super::markets::dexs`].
    #[must_use]
    pub fn dexs() -> Self {
        Self::new(&json!({ "type": "perpDexs" }), 20, LARGE)
    }
}

fn with_dex(mut question: Value, dex: &str) -> Value {
    if !dex.is_empty() {
        question["dex"] = dex.into();
    }
    question
}

#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "camelCase")]
enum StatusAnswer {
    Order { order: Box<Tracked> },
    UnknownOid,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tracked {
    order: WireOrder,
    status: String,
}

impl Tracked {
    /// Returns the order. `None` means that it breaks the protocol.
    pub(super) fn read(self) -> Option<ExchangeOrder> {
        self.order.read(&self.status)
    }
}

/// An order of `orderStatus` or `frontendOpenOrders`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireOrder {
    coin: String,
    side: SideWord,
    limit_px: String,
    sz: String,
    orig_sz: String,
    oid: u64,
    timestamp: u64,
    #[serde(default)]
    cloid: Option<String>,
    #[serde(default)]
    reduce_only: bool,
    #[serde(default)]
    is_trigger: bool,
    #[serde(default)]
    trigger_px: Option<String>,
    #[serde(default)]
    order_type: String,
    #[serde(default)]
    tif: Option<String>,
    #[serde(default)]
    children: Vec<Self>,
}

/// The exchange's word for a side.
#[derive(Deserialize)]
pub(super) enum SideWord {
    #[serde(rename = "B")]
    Buy,
    #[serde(rename = "A")]
    Sell,
}

impl From<SideWord> for Side {
    fn from(word: SideWord) -> Self {
        match word {
            SideWord::Buy => Self::Buy,
            SideWord::Sell => Self::Sell,
        }
    }
}

/// Reads `orderStatus`. [`Found::Nothing`] is final only if the order can no longer arrive.
///
/// # Errors
/// Fails when the response does not answer the question, or is about another order.
pub fn order_status(answer: &Answer, id: OrderId) -> Result<Found, LookupError> {
    let unclear = || LookupError::unreadable("orderStatus", answer);
    let tracked = match parsed("orderStatus", answer)? {
        StatusAnswer::UnknownOid => return Ok(Found::Nothing),
        StatusAnswer::Order { order } => order,
    };
    let is_asked = match id {
        OrderId::Exchange(id) => tracked.order.oid == id,
        OrderId::Client(cloid) => tracked.order.cloid() == Some(cloid),
    };
    let order = tracked.read().filter(|_| is_asked).ok_or_else(unclear)?;
    Ok(Found::Order(Box::new(order)))
}

/// Reads `frontendOpenOrders`.
///
/// # Errors
/// Fails when the response is not a list of orders.
pub fn open_orders(answer: &Answer) -> Result<Vec<ExchangeOrder>, LookupError> {
    let what = "frontendOpenOrders";
    let orders: Vec<WireOrder> = parsed(what, answer)?;
    let orders = orders.into_iter().map(|order| order.read("open"));
    orders.collect::<Option<_>>().ok_or_else(|| LookupError::unreadable(what, answer))
}

impl WireOrder {
    fn cloid(&self) -> Option<Cloid> {
        self.cloid.as_deref().and_then(Cloid::parse)
    }

    fn read(self, word: &str) -> Option<ExchangeOrder> {
        let number = |text: &str| Decimal::parse(text).ok();
        let quantity = number(&self.orig_sz)?;
        let filled = quantity.checked_sub(number(&self.sz)?)?;
        let trigger_price = match self.trigger_px.as_deref() {
            Some(trigger) if self.is_trigger => Some(number(trigger)?),
            _ => None,
        };
        // The exchange lists a child without a state. It waits while the order is open.
        let child_word = if status(word, false).is_open() { "waitingForFill" } else { "unknown" };
        let children = self.children.into_iter().map(|child| child.read(child_word));
        Some(ExchangeOrder {
            order_id: self.oid.to_string(),
            client_id: self.cloid.map(|cloid| shown(&cloid)),
            symbol: shown(&self.coin),
            side: self.side.into(),
            order_type: order_type(&self.order_type),
            exchange_type: shown(&self.order_type),
            time_in_force: self.tif.as_deref().and_then(time_in_force),
            reduce_only: self.reduce_only,
            position_side: PositionSide::Both,
            status: status(word, !filled.is_zero()),
            exchange_status: shown(word),
            rejection: rejection(word),
            price: number(&self.limit_px)?,
            trigger_price,
            quantity,
            filled,
            average_price: None,
            at_ms: self.timestamp,
            children: children.collect::<Option<_>>()?,
        })
    }
}

fn order_type(word: &str) -> Option<OrderType> {
    match word {
        "Market" => Some(OrderType::Market),
        "Limit" => Some(OrderType::Limit),
        "Stop Market" => Some(OrderType::StopMarket),
        "Stop Limit" => Some(OrderType::StopLimit),
        "Take Profit Market" => Some(OrderType::TakeProfitMarket),
        _ => None,
    }
}

fn time_in_force(word: &str) -> Option<TimeInForce> {
    match word {
        "Gtc" => Some(TimeInForce::Gtc),
        "Ioc" | "FrontendMarket" => Some(TimeInForce::Ioc),
        "Alo" => Some(TimeInForce::PostOnly),
        _ => None,
    }
}

/// Returns the status of one of the exchange's words. Unknown words are read by their ending.
#[must_use]
pub fn status(word: &str, is_partly_filled: bool) -> OrderStatus {
    match word {
        "open" | "triggered" | "resting" | "waitingForFill" | "waitingForTrigger" => {
            if is_partly_filled {
                OrderStatus::PartiallyFilled
            } else {
                OrderStatus::Open
            }
        }
        "filled" => OrderStatus::Filled,
        "canceled" | "scheduledCancel" | "internalCancel" => OrderStatus::Canceled,
        "rejected" => OrderStatus::Rejected,
        _ if word.ends_with("Canceled") => OrderStatus::Canceled,
        _ if word.ends_with("Rejected") => OrderStatus::Rejected,
        _ => OrderStatus::Unknown,
    }
}

/// Returns the meaning of a word for a rejected order.
fn rejection(word: &str) -> Option<TradeCode> {
    let code = match word {
        "tickRejected" => TradeCode::TickSize,
        "minTradeNtlRejected" => TradeCode::BelowMinimum,
        "perpMarginRejected" | "perpMaxPositionRejected" | "insufficientSpotBalanceRejected" => {
            TradeCode::InsufficientFunds
        }
        "reduceOnlyRejected" => TradeCode::ReduceOnlyRefused,
        "badAloPxRejected" => TradeCode::WouldCross,
        "iocCancelRejected" | "marketOrderNoLiquidityRejected" => TradeCode::NoLiquidity,
        "badTriggerPxRejected" | "oracleRejected" => TradeCode::PriceOutOfRange,
        "positionIncreaseAtOpenInterestCapRejected"
        | "positionFlipAtOpenInterestCapRejected"
        | "tooAggressiveAtOpenInterestCapRejected"
        | "openInterestIncreaseRejected" => TradeCode::OpenInterestCap,
        "tooManyOpenOrdersRejected" => TradeCode::TooManyOrders,
        _ if status(word, false) == OrderStatus::Rejected => TradeCode::OrderRejected,
        _ => return None,
    };
    Some(code)
}

#[derive(Deserialize)]
struct WireBook {
    coin: String,
    levels: [Vec<Level>; 2],
}

#[derive(Deserialize)]
struct Level {
    px: String,
}

/// The best prices of a book.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Book {
    /// The highest bid.
    pub bid: Option<Decimal>,
    /// The lowest offer.
    pub ask: Option<Decimal>,
}

impl Book {
    /// Returns whether a limit order would execute at once.
    #[must_use]
    pub fn is_crossed_by(&self, side: Side, price: Decimal) -> bool {
        match side {
            Side::Buy => self.ask.is_some_and(|ask| price >= ask),
            Side::Sell => self.bid.is_some_and(|bid| price <= bid),
        }
    }
}

/// Reads `l2Book`.
///
/// # Errors
/// Fails when the response is not the book of this market.
pub fn book(answer: &Answer, market: &Market) -> Result<Book, LookupError> {
    let unclear = || LookupError::unreadable("l2Book", answer);
    let book: WireBook = parsed("l2Book", answer)?;
    if book.coin != market.name {
        return Err(unclear());
    }
    let [bids, asks] = book.levels.map(|levels| {
        let prices = levels.iter().map(|level| Decimal::parse(&level.px).ok());
        prices.collect::<Option<Vec<_>>>()
    });
    let (bids, asks) = (bids.ok_or_else(unclear)?, asks.ok_or_else(unclear)?);
    // The exchange sorts both sides; the best price does not depend on it.
    Ok(Book { bid: bids.into_iter().max(), ask: asks.into_iter().min() })
}

#[cfg(test)]
mod tests;
