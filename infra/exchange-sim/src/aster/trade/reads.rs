//! Reads of markets, orders, positions and balances.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::super::{Exchange, Parameters, reads::authenticate, refusal::Refusal};
use super::NONCE_LIFE_MS;
use super::changes::no_such_order;
use super::fields::{Fields, OrderName};
use super::markets::{exchange_info, filters};
use super::orders::fail;
use crate::lock;
use crate::market::{Engine, Num, Order, Side, Spec, Status};

/// An order that ended without a fill is forgotten after this time.
const FORGOTTEN_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// `GET /fapi/v3/exchangeInfo`: public.
pub(in crate::aster) fn info(_: &Exchange, parameters: &Parameters) -> Result<Value, Refusal> {
    Ok(exchange_info(parameters.now()))
}

/// `GET /fapi/v3/premiumIndex`: public.
pub(in crate::aster) fn premium_index(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let now = parameters.now();
    let engine = lock(&exchange.0.engine);
    let row = |spec: &Spec| {
        let mark = engine.market(spec.name).map_or(Num::ZERO, |market| market.mark);
        json!({
            "symbol": spec.name,
            "markPrice": mark.fixed(8),
            "indexPrice": mark.fixed(8),
            "estimatedSettlePrice": mark.fixed(8),
            "lastFundingRate": "0.00010000",
            "interestRate": "0.00010000",
            "nextFundingTime": now + 3_600_000,
            "time": now,
        })
    };
    match parameters.get("symbol") {
        None => Ok(engine.specs().iter().map(row).collect()),
        Some(symbol) => Ok(row(&symbol_of(&engine, symbol)?)),
    }
}

/// Authenticates a read, and returns the response for the state that the request's lag selects.
pub(super) fn read(
    exchange: &Exchange,
    parameters: &Parameters,
    show: impl FnOnce(&Engine, Address, u64) -> Result<Value, Refusal>,
) -> Result<Value, Refusal> {
    let account = authenticate(exchange, parameters, NONCE_LIFE_MS)?;
    if exchange.rules().require_deposit && !lock(&exchange.0.accounts).has_deposited(account) {
        return Err(Refusal::NoDeposit);
    }
    let at = parameters.at();
    let engine = lock(&exchange.0.engine);
    if at.lags() {
        show(&engine.as_of(at.seen), account, at.now)
    } else {
        show(&engine, account, at.now)
    }
}

pub(super) fn symbol_of(engine: &Engine, symbol: &str) -> Result<Spec, Refusal> {
    engine.spec(symbol).ok_or_else(|| fail(-1_121, "Invalid symbol."))
}

/// `GET /fapi/v3/order`
pub(in crate::aster) fn order_status(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    read(exchange, parameters, |engine, account, now| {
        let (spec, found) = find(engine, account, parameters)?;
        let known = found
            .filter(|it| it.is_open() || !it.filled.is_zero() || now < it.updated + FORGOTTEN_MS);
        known.map(|found| order(&spec, found)).ok_or_else(no_such_order)
    })
}

/// `GET /fapi/v3/openOrder`
pub(in crate::aster) fn open_order(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    read(exchange, parameters, |engine, account, _| {
        let (spec, found) = find(engine, account, parameters)?;
        let open = found.filter(|found| found.is_open());
        open.map(|found| order(&spec, found)).ok_or_else(no_such_order)
    })
}

fn find<'a>(
    engine: &'a Engine,
    account: Address,
    parameters: &Parameters,
) -> Result<(Spec, Option<&'a Order>), Refusal> {
    let fields = Fields::of(parameters);
    let spec = symbol_of(engine, fields.text("symbol")?)?;
    let found = match fields.order_name()? {
        OrderName::Oid(oid) => engine.order(oid).filter(|order| order.account == account),
        // Of several, the newest that is accepted.
        OrderName::Client(client) => engine.order_of_client(account, &client),
    };
    let accepted = |it: &&Order| !matches!(it.status, Status::Rejected(_));
    Ok((spec.clone(), found.filter(accepted).filter(|it| it.market == spec.name)))
}

/// `GET /fapi/v3/openOrders`
pub(in crate::aster) fn open_orders(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    read(exchange, parameters, |engine, account, _| {
        let symbol = parameters.get("symbol");
        symbol.map_or(Ok(()), |symbol| symbol_of(engine, symbol).map(drop))?;
        let open = engine.open_orders(account);
        Ok(shown(engine, open.filter(|it| symbol.is_none_or(|symbol| it.market == symbol))))
    })
}

/// `GET /fapi/v3/allOrders`
pub(in crate::aster) fn all_orders(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    read(exchange, parameters, |engine, account, _| {
        let symbol = parameters.get("symbol");
        let orders = engine.all_orders(account).into_iter();
        let of_symbol = orders.filter(|it| symbol.is_none_or(|symbol| it.market == symbol));
        Ok(shown(engine, of_symbol.filter(|it| !matches!(it.status, Status::Rejected(_)))))
    })
}

fn shown<'a>(engine: &Engine, orders: impl Iterator<Item = &'a Order>) -> Value {
    orders.filter_map(|it| engine.spec(&it.market).map(|spec| order(&spec, it))).collect()
}

/// Returns the response for an order. Numbers have the digits of the market's precision.
pub(super) fn order(spec: &Spec, order: &Order) -> Value {
    let filters = filters(spec.name);
    let digits = filters.map_or((8, 8), |it| (it.price_precision, it.quantity_precision));
    let (price_digits, size_digits) = (usize::from(digits.0), usize::from(digits.1));
    let (kind, tif) = (order.words.0.as_str(), order.words.1.as_str());
    // A triggered order is then a plain one.
    let now_is = match (order.trigger, order.is_dormant(), order.status) {
        (Some(_), false, Status::Canceled) | (None, _, _) | (Some(_), true, _) => kind,
        (Some(trigger), false, _) if trigger.market => "MARKET",
        (Some(_), false, _) => "LIMIT",
    };
    let shown_tif = if kind == "MARKET" { "GTC" } else { tif };
    let price = if order.is_market { Num::ZERO } else { order.price };
    let stop = order.trigger.map_or(Num::ZERO, |trigger| trigger.price);
    json!({
        "orderId": order.oid,
        "symbol": order.market,
        "status": word(order),
        "clientOrderId": order.client,
        "price": price.fixed(price_digits),
        "avgPrice": order.average().fixed(5),
        "origQty": order.size.fixed(size_digits),
        "executedQty": order.filled.fixed(size_digits),
        "cumQty": order.filled.fixed(size_digits),
        "cumQuote": order.value.fixed(5),
        "timeInForce": shown_tif,
        "type": now_is,
        "reduceOnly": order.reduce_only && !order.whole_position,
        "closePosition": order.whole_position,
        "side": if order.buy { "BUY" } else { "SELL" },
        "positionSide": side(order.side),
        "stopPrice": stop.fixed(price_digits),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": false,
        "origType": kind,
        "time": order.at,
        "updateTime": order.updated,
    })
}

/// Returns the word for an order's state.
pub(super) fn word(order: &Order) -> &'static str {
    match order.status {
        Status::Waiting | Status::Open | Status::Triggered if order.filled.is_zero() => "NEW",
        Status::Waiting | Status::Open | Status::Triggered => "PARTIALLY_FILLED",
        Status::Filled => "FILLED",
        Status::Canceled => "CANCELED",
        Status::Rejected(_) if order.trigger.is_none() => "REJECTED",
        _ => "EXPIRED",
    }
}

pub(super) fn side(side: Side) -> &'static str {
    match side {
        Side::Both => "BOTH",
        Side::Long => "LONG",
        Side::Short => "SHORT",
    }
}
