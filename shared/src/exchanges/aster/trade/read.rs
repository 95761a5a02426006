//! Reads Aster's orders and prices.

use serde_json::Value;

use super::answer::{is_absent, is_nonce_taken, refusal};
use super::params::{OrderId, time_in_force_word, type_word};
use crate::exchanges::LookupError;
use crate::exchanges::http::Answer;
use crate::exchanges::trade::{ExchangeOrder, Found, TradeCode, TradeRefusal, shown};
use crate::trading::decimal::Decimal;
use crate::trading::order::{OrderStatus, OrderType, PositionSide, Side, TimeInForce};

/// Why a question about orders failed.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The exchange refused the question.
    #[error("the question was refused: {}", .0.text)]
    Refused(TradeRefusal),
    /// The question failed. It may be asked again.
    #[error(transparent)]
    Failed(#[from] LookupError),
}

/// Parses an order. `at_ms` is the time of the response, for an order without a time. Ids are read
/// as whole numbers, never as fractions.
#[must_use]
pub fn order(value: &Value, at_ms: u64) -> Option<ExchangeOrder> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let number = |name: &str| decimal(value.get(name)?);
    let word = text("status")?;
    let (quantity, filled) = (number("origQty")?, number("executedQty")?);
    let is_part = !filled.is_zero() && filled < quantity;
    let given = |name: &str| number(name).filter(|value| !value.is_zero());
    // A triggered order has the type that it became; `origType` has the type that was sent.
    let type_text = text("origType").or_else(|| text("type")).unwrap_or_default();
    Some(ExchangeOrder {
        order_id: value.get("orderId")?.as_u64()?.to_string(),
        client_id: text("clientOrderId").map(shown),
        symbol: shown(text("symbol")?),
        side: side(text("side")?)?,
        order_type: order_type(type_text),
        exchange_type: shown(type_text),
        status: match status(word) {
            OrderStatus::Open if is_part => OrderStatus::PartiallyFilled,
            status => status,
        },
        exchange_status: shown(word),
        rejection: (word == "REJECTED").then_some(TradeCode::OrderRejected),
        price: number("price").unwrap_or(Decimal::ZERO),
        trigger_price: given("stopPrice"),
        average_price: given("avgPrice"),
        quantity,
        filled,
        time_in_force: text("timeInForce").and_then(time_in_force),
        reduce_only: value.get("reduceOnly") == Some(&Value::Bool(true)),
        position_side: position_side(text("positionSide").unwrap_or("BOTH"))?,
        at_ms: ["updateTime", "time"]
            .iter()
            .find_map(|name| value.get(*name)?.as_u64().filter(|at_ms| *at_ms > 0))
            .unwrap_or(at_ms),
        children: Vec::new(),
    })
}

/// Returns a plain decimal number, which the exchange writes as a text.
fn decimal(value: &Value) -> Option<Decimal> {
    Decimal::parse(value.as_str()?).ok()
}

/// Returns the published word for the exchange's word.
#[must_use]
pub fn status(word: &str) -> OrderStatus {
    match word {
        "NEW" => OrderStatus::Open,
        "PARTIALLY_FILLED" => OrderStatus::PartiallyFilled,
        "FILLED" => OrderStatus::Filled,
        "CANCELED" | "EXPIRED" => OrderStatus::Canceled,
        "REJECTED" => OrderStatus::Rejected,
        _ => OrderStatus::Unknown,
    }
}

pub(super) fn side(word: &str) -> Option<Side> {
    [Side::Buy, Side::Sell].into_iter().find(|side| side.as_str() == word)
}

fn order_type(word: &str) -> Option<OrderType> {
    OrderType::ALL.into_iter().find(|order_type| type_word(*order_type) == word)
}

fn time_in_force(word: &str) -> Option<TimeInForce> {
    TimeInForce::ALL.into_iter().find(|it| time_in_force_word(*it) == word)
}

pub(super) fn position_side(word: &str) -> Option<PositionSide> {
    PositionSide::ALL.into_iter().find(|side| side.as_str() == word)
}

/// Returns why a response does not state what was asked.
pub(super) fn ask_error(what: &'static str, answer: &Answer) -> AskError {
    if is_nonce_taken(answer) {
        return LookupError::NonceRejected.into();
    }
    match refusal(answer) {
        Some(TradeRefusal { code: TradeCode::RateLimited { retry_after_s }, .. }) => {
            LookupError::RateLimited { retry_after_s }.into()
        }
        Some(refusal) => AskError::Refused(refusal),
        None => LookupError::unreadable(what, answer).into(),
    }
}

/// Interprets the response to the lookup of an order.
///
/// # Errors
/// Fails when the exchange does not say whether it has the order, or returns another one.
pub fn found(answer: &Answer, symbol: &str, asked: OrderId<'_>) -> Result<Found, AskError> {
    const WHAT: &str = "order";
    if answer.status == 200 {
        let body = serde_json::from_str::<Value>(&answer.body).ok();
        let order = body.and_then(|body| order(&body, answer.at_ms));
        let is_it = |order: &ExchangeOrder| {
            order.symbol == symbol
                && match asked {
                    OrderId::Exchange(id) => order.order_id == id.to_string(),
                    OrderId::Client(id) => order.client_id.as_deref() == Some(id),
                }
        };
        let order = order.filter(is_it).ok_or_else(|| LookupError::unreadable(WHAT, answer))?;
        return Ok(Found::Order(Box::new(order)));
    }
    if is_absent(answer) {
        return Ok(Found::Nothing);
    }
    Err(ask_error(WHAT, answer))
}

/// Interprets the list of open orders. One order that cannot be read fails the whole list, because
/// a list with a gap would look like a cancelled order.
///
/// # Errors
/// Fails when the response is not such a list.
pub fn open_orders(answer: &Answer) -> Result<Vec<ExchangeOrder>, AskError> {
    const WHAT: &str = "open orders";
    if answer.status == 200 {
        let orders = match serde_json::from_str(&answer.body) {
            Ok(Value::Array(orders)) => {
                orders.iter().map(|value| order(value, answer.at_ms)).collect::<Option<_>>()
            }
            _ => None,
        };
        return orders.ok_or_else(|| LookupError::unreadable(WHAT, answer).into());
    }
    Err(ask_error(WHAT, answer))
}

/// Interprets the mark price of a market.
///
/// # Errors
/// Fails when the response has no positive price of this market.
pub fn mark_price(answer: &Answer, symbol: &str) -> Result<Decimal, LookupError> {
    let price = || {
        let body: Value = serde_json::from_str(&answer.body).ok()?;
        let is_it = answer.status == 200 && body.get("symbol")?.as_str()? == symbol;
        let price = decimal(body.get("markPrice")?)?;
        (is_it && !price.is_zero()).then_some(price)
    };
    price().ok_or_else(|| LookupError::unreadable("mark price", answer))
}

#[cfg(test)]
mod tests;
