//! Reads Lighter's orders, and what has become of a transaction.

use serde_json::Value;

use super::answer::meaning;
use super::markets::Markets;
use crate::exchanges::trade::{ExchangeOrder, TradeCode, TradeRefusal, shown};
use crate::trading::decimal::Decimal;
use crate::trading::order::{OrderStatus, OrderType, PositionSide, Side, TimeInForce};

/// Parses an order. `None` means that it has not the form of one, or that its market is not known.
#[must_use]
pub fn order(value: &Value, markets: &Markets) -> Option<ExchangeOrder> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let decimal = |name: &str| Decimal::parse(text(name)?).ok();
    let number = |name: &str| value.get(name).and_then(Value::as_u64);
    let flag = |name: &str| value.get(name).and_then(Value::as_bool);
    let market = u16::try_from(number("market_index")?).ok()?;
    let word = text("status")?;
    let (quantity, filled) = (decimal("initial_base_amount")?, decimal("filled_base_amount")?);
    let is_part = !filled.is_zero() && filled < quantity;
    let quote = decimal("filled_quote_amount").filter(|quote| !quote.is_zero());
    let kind = text("type").unwrap_or_default();
    Some(ExchangeOrder {
        order_id: number("order_index")?.to_string(),
        client_id: number("client_order_index").filter(|id| *id > 0).map(|id| id.to_string()),
        symbol: markets.name_of(market)?.to_owned(),
        side: if flag("is_ask")? { Side::Sell } else { Side::Buy },
        order_type: order_type(kind),
        exchange_type: shown(kind),
        time_in_force: text("time_in_force").and_then(time_in_force),
        reduce_only: flag("reduce_only").unwrap_or_default(),
        position_side: PositionSide::Both,
        status: status(word, is_part),
        exchange_status: shown(word),
        rejection: rejection(word),
        price: decimal("price").unwrap_or(Decimal::ZERO),
        trigger_price: decimal("trigger_price").filter(|price| !price.is_zero()),
        average_price: quote.and_then(|quote| quote.checked_div(filled, AVERAGE_PLACES)),
        quantity,
        filled,
        at_ms: time_ms(number("updated_at").or_else(|| number("timestamp")).unwrap_or_default()),
        children: Vec::new(),
    })
}

/// Returns the order of a client's id: the open one, or else the last one. The id of an order that has
/// ended can be used again.
#[must_use]
pub fn newest(orders: Vec<ExchangeOrder>, client_id: &str) -> Option<ExchangeOrder> {
    let is_it = |order: &ExchangeOrder| order.client_id.as_deref() == Some(client_id);
    let number = |order: &ExchangeOrder| order.order_id.parse::<u64>().unwrap_or_default();
    let matching = orders.into_iter().filter(is_it);
    matching.max_by_key(|order| (order.status.is_open(), number(order)))
}

/// Number of places of an average price, which the exchange does not state.
const AVERAGE_PLACES: u8 = 12;

/// Converts a time, which the exchange states in seconds or in milliseconds.
const fn time_ms(stated: u64) -> u64 {
    if stated < 100_000_000_000 { stated * 1_000 } else { stated }
}

fn order_type(word: &str) -> Option<OrderType> {
    match word {
        "market" => Some(OrderType::Market),
        "limit" => Some(OrderType::Limit),
        "stop-loss" => Some(OrderType::StopMarket),
        "stop-loss-limit" => Some(OrderType::StopLimit),
        "take-profit" => Some(OrderType::TakeProfitMarket),
        _ => None,
    }
}

fn time_in_force(word: &str) -> Option<TimeInForce> {
    match word {
        "good-till-time" => Some(TimeInForce::Gtc),
        "immediate-or-cancel" => Some(TimeInForce::Ioc),
        "post-only" => Some(TimeInForce::PostOnly),
        _ => None,
    }
}

/// Returns the published word for the exchange's word. An executed transaction whose order was not
/// read has the word `executed`.
#[must_use]
pub fn status(word: &str, is_part: bool) -> OrderStatus {
    match word {
        "in-progress" | "pending" | "open" if is_part => OrderStatus::PartiallyFilled,
        "in-progress" | "pending" | "open" => OrderStatus::Open,
        "filled" => OrderStatus::Filled,
        _ if word == "canceled" || word.starts_with("canceled-") => OrderStatus::Canceled,
        _ => OrderStatus::Unknown,
    }
}

/// Returns the meaning of a cancellation that is a refusal of a new order.
fn rejection(word: &str) -> Option<TradeCode> {
    match word {
        "canceled-post-only" => Some(TradeCode::WouldCross),
        "canceled-reduce-only" => Some(TradeCode::ReduceOnlyRefused),
        "canceled-position-not-allowed" => Some(TradeCode::OrderRejected),
        "canceled-margin-not-allowed" | "canceled-invalid-balance" => {
            Some(TradeCode::InsufficientFunds)
        }
        "canceled-too-much-slippage" | "canceled-not-enough-liquidity" => {
            Some(TradeCode::NoLiquidity)
        }
        "canceled-self-trade" => Some(TradeCode::OrderRejected),
        _ => None,
    }
}

/// What has become of a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Executed {
    /// The exchange does not know its hash now.
    Absent,
    /// It is in the queue.
    Pending,
    /// It was executed, which changes the account.
    Done,
    /// It was executed, and changed nothing.
    Failed(TradeRefusal),
}

/// Returns what a transaction's answer states. `None` means that it has not the form of one.
#[must_use]
pub fn executed(body: &Value) -> Option<Executed> {
    match body.get("status")?.as_u64()? {
        0 => Some(Executed::Failed(failure(body))),
        1 => Some(Executed::Pending),
        2 | 3 => Some(Executed::Done),
        _ => None,
    }
}

/// Returns why a transaction failed. `event_info` is JSON text whose member `ae` is the reason: JSON
/// text of an error of the API, or words.
fn failure(body: &Value) -> TradeRefusal {
    let event = body.get("event_info").and_then(Value::as_str).unwrap_or_default();
    let event: Value = serde_json::from_str(event).unwrap_or_default();
    let reason = event.get("ae").cloned().unwrap_or_default();
    let parsed = reason.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let error =
        parsed.filter(Value::is_object).or_else(|| reason.is_object().then(|| reason.clone()));
    let code = error.as_ref().and_then(|error| error.get("code")?.as_u64()).and_then(meaning);
    let message = error.as_ref().and_then(|error| error.get("message")?.as_str());
    let words = message.or_else(|| reason.as_str()).filter(|words| !words.is_empty());
    TradeRefusal::new(code.unwrap_or(TradeCode::OrderRejected), words.unwrap_or("execution failed"))
}

#[cfg(test)]
mod tests;
