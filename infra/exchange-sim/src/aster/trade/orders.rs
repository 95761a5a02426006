//! `POST order`, `POST order/test` and `POST batchOrders`.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::super::{Exchange, Parameters, refusal::Refusal};
use super::fields::{Fields, precision};
use super::markets::{Filters, MIN_NOTIONAL, filters, number};
use super::{Trader, reads, trade};
use crate::market::{BuilderFee, Engine, NewOrder, Num, Order, Reject, Side, Spec, Tif, Trigger};

/// Distance of a market order's limit from the mark, in percent (`marketTakeBound`).
const TAKE_BOUND: i128 = 5;

/// Number of open orders, and of trigger orders, of one account and symbol.
const MAX_ORDERS: usize = 200;
const MAX_TRIGGERS: usize = 10;

/// `POST /fapi/v3/order`
pub(in crate::aster) fn place(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    trade(exchange, parameters, |engine, trader| add(engine, trader, &Fields::of(parameters)))
}

/// `POST /fapi/v3/order/test`: checks an order, and places nothing.
pub(in crate::aster) fn test(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    trade(exchange, parameters, |engine, trader| {
        read(engine, trader, &Fields::of(parameters)).map(|_| json!({}))
    })
}

/// `POST /fapi/v3/batchOrders`: each order has its own result.
pub(in crate::aster) fn batch(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    trade(exchange, parameters, |engine, trader| {
        let orders = Fields::batch(parameters.text("batchOrders")?, "batchOrders")?;
        Ok(orders.iter().map(|order| element(add(engine, trader, order))).collect())
    })
}

/// Returns the element of a batch for a result.
pub(super) fn element(result: Result<Value, Refusal>) -> Value {
    result.unwrap_or_else(|refusal| json!({"code": refusal.code(), "msg": refusal.to_string()}))
}

fn add(engine: &mut Engine, trader: &Trader, fields: &Fields) -> Result<Value, Refusal> {
    let (new, spec) = read(engine, trader, fields)?;
    let is_result = fields.get("newOrderRespType") == Some("RESULT");
    let made = format!("sim{:x}", engine.next_number());
    let client = Some(new.client.clone().unwrap_or(made));
    let placed = engine.place(NewOrder { client, ..new }, trader.now).map_err(refusal)?;
    if let Some(reject) = placed.refused {
        return Err(refusal(reject));
    }
    let order = engine.order(placed.oid).ok_or(Refusal::Unknown)?;
    let shown = if is_result {
        reads::order(&spec, order)
    } else {
        // An acknowledgement is written before the order matches.
        let (filled, value) = (Num::ZERO, Num::ZERO);
        let status = crate::market::Status::Open;
        reads::order(&spec, &Order { filled, value, status, ..order.clone() })
    };
    Ok(shown)
}

/// Reads and checks an order.
fn read(engine: &Engine, trader: &Trader, fields: &Fields) -> Result<(NewOrder, Spec), Refusal> {
    let symbol = fields.text("symbol")?;
    let (spec, filters) = listed(engine, symbol)?;
    let buy = match fields.text("side")? {
        "BUY" => true,
        "SELL" => false,
        _ => return Err(fail(-1_117, "Invalid side.")),
    };
    let kind = fields.text("type")?;
    let (has_price, has_trigger) = match kind {
        "LIMIT" => (true, false),
        "MARKET" => (false, false),
        "STOP" | "TAKE_PROFIT" => (true, true),
        "STOP_MARKET" | "TAKE_PROFIT_MARKET" => (false, true),
        // Trailing stops are not simulated.
        _ => return Err(fail(-1_116, "Invalid orderType.")),
    };
    let (side, reduces) = position_side(engine, trader.account, fields, buy)?;
    let whole = fields.flag("closePosition")?;
    let closes_by_trigger = has_trigger && !has_price;
    if whole && !closes_by_trigger {
        return Err(fail(-4_137, "Quantity and closePosition do not fit the order's type."));
    }
    let tif = time_in_force(fields, kind, has_price)?;
    if !has_price {
        fields.without(&["price"])?;
    }
    if !has_trigger {
        fields.without(&["stopPrice", "activationPrice", "callbackRate", "workingType"])?;
    }
    if whole {
        fields.without(&["quantity", "reduceOnly"])?;
    }
    let mark = engine.market(spec.name).map_or(Num::ZERO, |market| market.mark);
    let size = if whole { Num::ZERO } else { fields.number("quantity")? };
    if !whole {
        check_quantity(size, filters, kind == "MARKET")?;
    }
    let price = if has_price { fields.number("price")? } else { bound(mark, buy) };
    let trigger = match has_trigger {
        false => None,
        true => {
            let stop = fields.number("stopPrice")?;
            check_price(stop, filters)?;
            let profit = kind.starts_with("TAKE_PROFIT");
            Some(Trigger { price: stop, profit, market: !has_price })
        }
    };
    if has_price {
        check_price(price, filters)?;
        if trigger.is_none() {
            check_distance(price, mark, buy, filters)?;
        }
    }
    let valued = trigger.map_or(if has_price { price } else { mark }, |it| it.price);
    if !reduces && !whole && valued.times(size) < number(MIN_NOTIONAL) {
        let text = "Order's notional must be no smaller than 5.0 (unless you choose reduce only)";
        return Err(fail(-4_164, text));
    }
    check_open(engine, trader.account, &spec, trigger.is_some())?;
    let client = client(fields)?;
    let builder = trader.builders.of_order(fields.get("builder"), fields.get("feeRate"))?;
    let new = NewOrder {
        account: trader.account,
        market: spec.name.to_owned(),
        buy,
        price,
        size,
        tif,
        is_market: !has_price,
        trigger,
        reduce_only: reduces || whole,
        whole_position: whole,
        side,
        client,
        entry: None,
        words: (kind.to_owned(), word(tif).to_owned()),
        request: trader.request.clone(),
        builder: builder.map(|(builder, rate)| BuilderFee { builder, rate }),
    };
    Ok((new, spec))
}

/// Returns a market that accepts orders.
pub(super) fn listed(engine: &Engine, symbol: &str) -> Result<(Spec, &'static Filters), Refusal> {
    let known = engine.spec(symbol).zip(filters(symbol));
    let (spec, filters) = known.ok_or_else(|| fail(-1_121, "Invalid symbol."))?;
    if !spec.listed {
        return Err(fail(-4_140, "Invalid symbol status for opening position."));
    }
    Ok((spec, filters))
}

/// Returns the position that an order changes, and whether it can only reduce it.
fn position_side(
    engine: &Engine,
    account: Address,
    fields: &Fields,
    buy: bool,
) -> Result<(Side, bool), Refusal> {
    let hedge = engine.account(account).is_some_and(|account| account.hedge);
    let reduce_only = fields.flag("reduceOnly")?;
    match (fields.get("positionSide").unwrap_or("BOTH"), hedge) {
        ("BOTH", false) => Ok((Side::Both, reduce_only)),
        ("LONG" | "SHORT", true) if fields.get("reduceOnly").is_some() => {
            Err(fail(-1_106, "Parameter 'reduceonly' sent when not required."))
        }
        ("LONG", true) => Ok((Side::Long, !buy)),
        ("SHORT", true) => Ok((Side::Short, buy)),
        ("BOTH", true) | ("LONG" | "SHORT", false) => {
            Err(fail(-4_061, "Order's position side does not match user's setting."))
        }
        _ => Err(fail(-4_060, "Invalid position side.")),
    }
}

fn time_in_force(fields: &Fields, kind: &str, has_price: bool) -> Result<Tif, Refusal> {
    if kind == "MARKET" {
        fields.without(&["timeInForce"])?;
        return Ok(Tif::Ioc);
    }
    let word = if kind == "LIMIT" {
        fields.text("timeInForce")?
    } else {
        fields.get("timeInForce").unwrap_or("GTC")
    };
    match word {
        "GTC" | "HIDDEN" => Ok(Tif::Gtc),
        "IOC" if has_price => Ok(Tif::Ioc),
        "FOK" if has_price => Ok(Tif::Fok),
        "GTX" if has_price => Ok(Tif::PostOnly),
        _ => Err(fail(-1_115, "Invalid timeInForce.")),
    }
}

fn word(tif: Tif) -> &'static str {
    match tif {
        Tif::Gtc => "GTC",
        Tif::Ioc => "IOC",
        Tif::Fok => "FOK",
        Tif::PostOnly => "GTX",
    }
}

/// Returns the limit of a market order.
fn bound(mark: Num, buy: bool) -> Num {
    let away = mark.ratio(TAKE_BOUND, 100);
    if buy { mark + away } else { mark - away }
}

pub(super) fn check_quantity(size: Num, filters: &Filters, is_market: bool) -> Result<(), Refusal> {
    if !size.is_positive() {
        return Err(fail(-4_003, "Quantity less than or equal to zero."));
    }
    if !size.is_multiple_of(Num::step(filters.quantity_precision)) {
        return Err(precision());
    }
    if size < number(filters.step) {
        return Err(fail(-4_004, "Quantity less than min quantity."));
    }
    let most = if is_market { filters.max_market } else { filters.max_quantity };
    if size > number(most) {
        return Err(fail(-4_005, "Quantity greater than max quantity."));
    }
    if !size.is_multiple_of(number(filters.step)) {
        return Err(fail(-4_023, "Qty not increased by step size."));
    }
    Ok(())
}

pub(super) fn check_price(price: Num, filters: &Filters) -> Result<(), Refusal> {
    let (lowest, highest) = (number(filters.min_price), number(filters.max_price));
    if !price.is_multiple_of(Num::step(filters.price_precision)) {
        return Err(precision());
    }
    if price > highest && !highest.is_zero() {
        return Err(fail(-4_002, "Price greater than max price."));
    }
    if price < lowest || price.is_zero() {
        return Err(fail(-4_013, "Price less than min price."));
    }
    if !(price - lowest).is_multiple_of(number(filters.tick)) {
        return Err(fail(-4_014, "Price not increased by tick size."));
    }
    Ok(())
}

pub(super) fn check_distance(
    price: Num,
    mark: Num,
    buy: bool,
    filters: &Filters,
) -> Result<(), Refusal> {
    let (highest, lowest) = (mark.times(number(filters.up)), mark.times(number(filters.down)));
    if buy && price > highest {
        let text = format!("Limit price can't be higher than {}.", highest.text());
        return Err(Refusal::Trade(-4_016, text));
    }
    if !buy && price < lowest {
        let text = format!("Limit price can't be lower than {}.", lowest.text());
        return Err(Refusal::Trade(-4_024, text));
    }
    Ok(())
}

fn check_open(
    engine: &Engine,
    account: Address,
    spec: &Spec,
    is_trigger: bool,
) -> Result<(), Refusal> {
    let open = engine.open_orders(account).filter(|order| order.market == spec.name);
    let (triggers, plain): (Vec<_>, Vec<_>) = open.partition(|order| order.is_dormant());
    if plain.len() + triggers.len() >= MAX_ORDERS {
        return Err(fail(-2_025, "Reach max open order limit."));
    }
    if is_trigger && triggers.len() >= MAX_TRIGGERS {
        return Err(fail(-4_045, "Reach max stop order limit."));
    }
    Ok(())
}

/// Returns the client's id: `^[\.A-Z\:/a-z0-9_-]{1,36}$`.
fn client(fields: &Fields) -> Result<Option<String>, Refusal> {
    let Some(client) = fields.get("newClientOrderId") else { return Ok(None) };
    let permitted = |it: u8| it.is_ascii_alphanumeric() || b".:/_-".contains(&it);
    if client.len() > 36 || !client.bytes().all(permitted) {
        return Err(fail(-4_015, "Client order id is not valid."));
    }
    Ok(Some(client.to_owned()))
}

/// Returns the refusal for a reason of the engine.
pub(super) fn refusal(reject: Reject) -> Refusal {
    match reject {
        Reject::Margin | Reject::SpotBalance => fail(-2_019, "Margin is insufficient."),
        Reject::ReduceOnly => fail(-2_022, "ReduceOnly Order is rejected."),
        Reject::ReduceOnlyUsed => fail(
            -4_118,
            "ReduceOnly Order Failed. Please check your existing position and open orders",
        ),
        Reject::TriggerPrice => fail(-2_021, "Order would immediately trigger."),
        // The real code is not published. This is Binance's.
        Reject::DuplicateClient => fail(-4_116, "ClientOrderId is duplicated."),
        // Only for a change: a new order expires.
        Reject::PostOnly { .. } | Reject::NoMatch | Reject::NoLiquidity => {
            fail(-2_010, "Post only order would have matched.")
        }
    }
}

pub(super) fn fail(code: i32, text: &str) -> Refusal {
    Refusal::Trade(code, text.to_owned())
}
