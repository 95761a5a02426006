//! Orders and results as callers see them.

use domain::ids::Exchange;

use super::TradeError;
use super::legs::{ids_of_legs, legs_attached_to, stored_leg};
use super::made::carried_at;
use super::target::id_of_others;
use crate::exchanges::trade::ExchangeOrder;
use crate::exchanges::{aster, hyperliquid, lighter};
use crate::store::{OrderRecord, StoredOutcome, TradingAccount};
use crate::trading::decimal::Decimal;
use crate::trading::ids::{ClientOrderId, ExchangeOrderId, Leg};
use crate::trading::order::{
    Amount, OrderRequest, OrderStatus, OrderType, PositionSide, Side, TimeInForce,
};

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

impl OrderView {
    /// Returns the view of an order whose attached orders may have changed since.
    pub(super) fn with_unknown_legs(self) -> Self {
        let unknown =
            |leg: Option<LegView>| leg.map(|leg| LegView { status: OrderStatus::Unknown, ..leg });
        let (take_profit, stop_loss) = (unknown(self.take_profit), unknown(self.stop_loss));
        Self { take_profit, stop_loss, ..self }
    }
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

/// Returns the published status of an exchange's word.
fn status_of(exchange: Exchange, word: &str, filled: Decimal, quantity: Decimal) -> OrderStatus {
    let is_part = !filled.is_zero() && filled < quantity;
    match exchange {
        // The exchange also states `filled` when the rest of the order was cancelled.
        Exchange::Hyperliquid if word == "filled" && is_part => OrderStatus::Canceled,
        Exchange::Hyperliquid => hyperliquid::trade::read::status(word, is_part),
        Exchange::Lighter => lighter::trade::read::status(word, is_part),
        Exchange::Aster => match aster::trade::read::status(word) {
            OrderStatus::Open if is_part => OrderStatus::PartiallyFilled,
            status => status,
        },
    }
}

/// Returns whether an order on Lighter was placed by another client, and the service has changed it. The
/// id of its record is internal; callers know the order by that client's index.
pub(super) fn is_of_another_client(record: &OrderRecord) -> bool {
    record.exchange == Exchange::Lighter && record.submission.is_none() && record.lead.is_none()
}

/// Returns the view of a placed order as it was when its outcome was stored. `None` when the record
/// has no such outcome.
pub(super) fn of_record(account: &TradingAccount, record: &OrderRecord) -> Option<OrderView> {
    let Some(StoredOutcome::Placed {
        order_id,
        exchange_status,
        filled,
        average_price,
        exchange_price,
        at_ms,
        legs,
    }) = &record.outcome
    else {
        return None;
    };
    let request = &record.request;
    let filled_value = Decimal::parse(filled).unwrap_or(Decimal::ZERO);
    let quantity = request.quantity.value();
    let ids = ids_of_legs(account, record, record.placed_generation);
    let leg = |leg| {
        let client_order_id = ids.get(leg)?.clone();
        let stored = stored_leg(legs, leg);
        let word = stored.map(|stored| stored.exchange_status.as_str());
        let status =
            word.map(|word| status_of(account.exchange, word, Decimal::ZERO, Decimal::ZERO));
        Some(LegView {
            order_id: stored.and_then(|stored| stored.order_id.clone()),
            client_order_id,
            status: status.unwrap_or(OrderStatus::Unknown),
        })
    };
    Some(OrderView {
        order_id: order_id.clone(),
        client_order_id: (!is_of_another_client(record))
            .then(|| record.client_order_id.to_string()),
        symbol: request.symbol.to_string(),
        exchange_symbol: record.symbol.name.clone(),
        side: request.side,
        order_type: request.order_type.as_str().to_owned(),
        status: status_of(account.exchange, exchange_status, filled_value, quantity),
        exchange_status: exchange_status.clone(),
        price: text_of(request.price.as_ref()),
        exchange_price: exchange_price.clone(),
        quantity: request.quantity.text().to_owned(),
        filled_quantity: filled.clone(),
        average_price: average_price.clone(),
        at_ms: *at_ms,
        exchange: account.exchange,
        // Hyperliquid makes the order that replaces another one post-only.
        time_in_force: match &record.carried {
            Some(_) => Some(TimeInForce::PostOnly),
            None => request.time_in_force,
        },
        reduce_only: request.reduce_only,
        position_side: request.position_side,
        trigger_price: request.trigger_price.as_ref().map(|it| it.text().to_owned()),
        take_profit: leg(Leg::TakeProfit),
        stop_loss: leg(Leg::StopLoss),
    })
}

fn text_of(price: Option<&Amount>) -> String {
    price.map_or_else(|| "0".to_owned(), |price| price.text().to_owned())
}

/// Returns the view of an order as the exchange states it now. `record` is the service's own, if
/// it has one. The states of attached orders are those of `order.children`. What the exchange said of
/// them when the order was placed is not their state now.
pub(super) fn of_exchange(
    account: &TradingAccount,
    order: &ExchangeOrder,
    record: Option<&OrderRecord>,
) -> OrderView {
    let plain = of_others(account.exchange, order);
    let Some(record) = record else { return plain };
    let id = order.client_id.as_deref();
    let parsed = id.and_then(|id| ExchangeOrderId::parse(account.exchange, id));
    let own = parsed.filter(|id| account.has_id(record, *id));
    // A record of a later order with the same id says nothing about this one.
    let is_of_others = || id_of_others(account, order).as_ref() == Some(&record.client_order_id);
    if parsed.is_some() && own.is_none() && !is_of_others() {
        return plain;
    }
    let symbol = record.request.symbol.to_string();
    if own.is_some_and(|id| id.leg != Leg::Entry) {
        return OrderView { symbol, ..plain };
    }
    let request = &record.request;
    // Hyperliquid's order after a change has the rest of the quantity.
    let carried = own.map_or(Decimal::ZERO, |id| carried_at(record, id.generation));
    let filled = order.filled.checked_add(carried).unwrap_or(order.filled);
    let whole = order.quantity.checked_add(carried).unwrap_or(order.quantity);
    let is_market = request.order_type == OrderType::Market;
    let of_caller = |amount: Option<&Amount>, value: Decimal| match amount {
        Some(amount) if amount.value() == value => amount.text().to_owned(),
        Some(_) => value.text(),
        None => "0".to_owned(),
    };
    let stored = match &record.outcome {
        Some(StoredOutcome::Placed { legs, .. }) => legs.as_slice(),
        _ => &[],
    };
    let ids = legs_attached_to(account, order, record);
    let leg = |leg| {
        let id = ids.get(leg)?;
        let child = order.children.iter().find(|child| child.client_id.as_ref() == Some(id));
        let stored = stored_leg(stored, leg).and_then(|stored| stored.order_id.clone());
        Some(LegView {
            order_id: child.map(|child| child.order_id.clone()).or(stored),
            client_order_id: id.clone(),
            status: child.map_or(OrderStatus::Unknown, |child| child.status),
        })
    };
    // The exchange can state the quantity zero, with which such an order was sent.
    let is_whole = record.whole && whole.is_zero();
    OrderView {
        client_order_id: if is_of_another_client(record) {
            plain.client_order_id.clone()
        } else {
            Some(record.client_order_id.to_string())
        },
        symbol,
        order_type: request.order_type.as_str().to_owned(),
        status: match order.status {
            OrderStatus::Open if !filled.is_zero() => OrderStatus::PartiallyFilled,
            status => status,
        },
        price: of_caller(request.price.as_ref(), order.price),
        exchange_price: (is_market && !order.price.is_zero()).then(|| order.price.text()),
        quantity: if is_whole {
            request.quantity.text().to_owned()
        } else {
            of_caller(Some(&request.quantity), whole)
        },
        filled_quantity: filled.text(),
        time_in_force: request
            .time_in_force
            .map(|requested| order.time_in_force.unwrap_or(requested)),
        reduce_only: request.reduce_only || order.reduce_only,
        position_side: request.position_side,
        trigger_price: request
            .trigger_price
            .as_ref()
            .map(|trigger| trigger.text().to_owned())
            .or_else(|| order.trigger_price.map(Decimal::text)),
        take_profit: leg(Leg::TakeProfit),
        stop_loss: leg(Leg::StopLoss),
        ..plain
    }
}

/// Returns the view of an order without a record.
fn of_others(exchange: Exchange, order: &ExchangeOrder) -> OrderView {
    let order_type = order.order_type.map(|known| known.as_str().to_owned());
    OrderView {
        order_id: Some(order.order_id.clone()),
        client_order_id: order.client_id.clone(),
        symbol: order.symbol.clone(),
        exchange_symbol: order.symbol.clone(),
        side: order.side,
        order_type: order_type.unwrap_or_else(|| order.exchange_type.clone()),
        status: order.status,
        exchange_status: order.exchange_status.clone(),
        price: order.price.text(),
        exchange_price: None,
        quantity: order.quantity.text(),
        filled_quantity: order.filled.text(),
        average_price: order.average_price.map(Decimal::text),
        at_ms: order.at_ms,
        exchange,
        time_in_force: order.time_in_force,
        reduce_only: order.reduce_only,
        position_side: order.position_side,
        trigger_price: order.trigger_price.map(Decimal::text),
        take_profit: None,
        stop_loss: None,
    }
}

/// Returns the view of an order that the exchange refused. `None` when the record has no refusal.
pub(super) fn of_refused(account: &TradingAccount, record: &OrderRecord) -> Option<OrderView> {
    let Some(StoredOutcome::Refused(refusal)) = &record.outcome else { return None };
    let request = &record.request;
    Some(OrderView {
        order_id: None,
        client_order_id: Some(record.client_order_id.to_string()),
        symbol: request.symbol.to_string(),
        exchange_symbol: record.symbol.name.clone(),
        side: request.side,
        order_type: request.order_type.as_str().to_owned(),
        status: OrderStatus::Rejected,
        exchange_status: refusal.text.clone(),
        price: text_of(request.price.as_ref()),
        exchange_price: None,
        quantity: request.quantity.text().to_owned(),
        filled_quantity: "0".to_owned(),
        average_price: None,
        at_ms: refusal.at_ms,
        exchange: account.exchange,
        time_in_force: request.time_in_force,
        reduce_only: request.reduce_only,
        position_side: request.position_side,
        trigger_price: request.trigger_price.as_ref().map(|it| it.text().to_owned()),
        take_profit: None,
        stop_loss: None,
    })
}
