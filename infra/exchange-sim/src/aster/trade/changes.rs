//! Changes and cancels of orders, and an account's settings.

use serde_json::{Value, json};

use super::super::reads::authenticate_with;
use super::super::{Exchange, Noop, Parameters, refusal::Refusal, success};
use super::fields::{Fields, OrderName};
use super::markets::filters;
use super::orders::{check_distance, check_price, check_quantity, element, fail, listed, refusal};
use super::{NONCE_LIFE_MS, Trader, may_trade, reads, trade};
use crate::market::{Engine, Num, Order};

/// Number of changes of one order.
const MAX_CHANGES: u32 = 10_000;

/// `PUT /fapi/v3/order`: changes price and quantity of a limit order, which keeps its number.
pub(in crate::aster) fn modify(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    trade(exchange, parameters, |engine, trader| change(engine, trader, &Fields::of(parameters)))
}

/// `PUT /fapi/v3/batchOrders`
pub(in crate::aster) fn modify_batch(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    trade(exchange, parameters, |engine, trader| {
        let orders = Fields::batch(parameters.text("batchOrders")?, "batchOrders")?;
        Ok(orders.iter().map(|order| element(change(engine, trader, order))).collect())
    })
}

fn change(engine: &mut Engine, trader: &Trader, fields: &Fields) -> Result<Value, Refusal> {
    let symbol = fields.text("symbol")?;
    let (spec, filters) = listed(engine, symbol)?;
    let name = fields.order_name()?;
    let (size, price) = (fields.number("quantity")?, fields.number("price")?);
    let found = open(engine, trader, symbol, &name).ok_or_else(no_such_order)?;
    let (oid, buy, filled) = (found.oid, found.buy, found.filled);
    if found.words.0 != "LIMIT" || found.changes >= MAX_CHANGES {
        return Err(fail(-2_010, "This order cannot be modified."));
    }
    check_quantity(size, filters, false)?;
    check_price(price, filters)?;
    let mark = engine.market(spec.name).map_or(Num::ZERO, |market| market.mark);
    check_distance(price, mark, buy, filters)?;
    if size <= filled {
        return Err(fail(-4_003, "Quantity less than or equal to the executed quantity."));
    }
    engine.amend(oid, price, size, trader.now).map_err(refusal)?;
    let order = engine.order(oid).ok_or(Refusal::Unknown)?;
    Ok(reads::order(&spec, order))
}

/// `DELETE /fapi/v3/order`
pub(in crate::aster) fn cancel(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    trade(exchange, parameters, |engine, trader| {
        let fields = Fields::of(parameters);
        cancel_one(engine, trader, fields.text("symbol")?, &fields.order_name()?)
    })
}

/// `DELETE /fapi/v3/allOpenOrders`: the code is a text.
pub(in crate::aster) fn cancel_all(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    trade(exchange, parameters, |engine, trader| {
        let symbol = parameters.text("symbol")?;
        filters(symbol).ok_or_else(|| fail(-1_121, "Invalid symbol."))?;
        let open: Vec<_> = engine
            .open_orders(trader.account)
            .filter(|order| order.market == symbol)
            .map(|order| order.oid)
            .collect();
        for oid in open {
            engine.cancel(oid, trader.now);
        }
        Ok(json!({"code": "200", "msg": "The operation of cancel all open order is done."}))
    })
}

/// `DELETE /fapi/v3/batchOrders`: at most 10 orders, by number or by the client's id.
pub(in crate::aster) fn cancel_batch(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    trade(exchange, parameters, |engine, trader| {
        let symbol = parameters.text("symbol")?;
        let names: Vec<OrderName> = match parameters.get("orderIdList") {
            Some(text) => {
                let oids: Vec<u64> =
                    serde_json::from_str(text).map_err(|_| Refusal::Invalid("orderIdList"))?;
                oids.into_iter().map(OrderName::Oid).collect()
            }
            None => {
                let text = parameters.text("origClientOrderIdList")?;
                let clients: Vec<String> = serde_json::from_str(text)
                    .map_err(|_| Refusal::Invalid("origClientOrderIdList"))?;
                clients.into_iter().map(OrderName::Client).collect()
            }
        };
        if names.is_empty() || names.len() > 10 {
            return Err(Refusal::Invalid("orderIdList"));
        }
        let cancel = |name| element(cancel_one(engine, trader, symbol, name));
        Ok(names.iter().map(cancel).collect())
    })
}

fn cancel_one(
    engine: &mut Engine,
    trader: &Trader,
    symbol: &str,
    name: &OrderName,
) -> Result<Value, Refusal> {
    let (spec, _) = listed(engine, symbol)?;
    let found = open(engine, trader, symbol, name);
    let oid = found.map(|order| order.oid).ok_or_else(|| fail(-2_011, "Unknown order sent."))?;
    engine.cancel(oid, trader.now);
    let order = engine.order(oid).ok_or(Refusal::Unknown)?;
    Ok(reads::order(&spec, order))
}

/// Returns an open order of a symbol.
fn open<'a>(
    engine: &'a Engine,
    trader: &Trader,
    symbol: &str,
    name: &OrderName,
) -> Option<&'a Order> {
    let found = match name {
        OrderName::Oid(oid) => engine.order(*oid).filter(|it| it.account == trader.account),
        OrderName::Client(client) => engine.open_of_client(trader.account, client),
    };
    found.filter(|order| order.is_open() && order.market == symbol)
}

pub(super) fn no_such_order() -> Refusal {
    fail(-2_013, "Order does not exist.")
}

/// `POST /fapi/v3/noop`: uses the nonce, so that a late request with the same nonce is refused.
/// [`Rules::noop`](super::super::Rules) decides about a nonce that was used before.
pub(in crate::aster) fn noop(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    if exchange.rules().noop == Noop::Proof {
        return trade(exchange, parameters, |_, _| Ok(success()));
    }
    let account = authenticate_with(exchange, parameters, |accounts, agent, nonce| {
        accounts.reuse_nonce(agent, nonce, (parameters.now(), NONCE_LIFE_MS))
    })?;
    may_trade(exchange, parameters, account)?;
    Ok(success())
}

/// `POST /fapi/v3/leverage`
pub(in crate::aster) fn leverage(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    trade(exchange, parameters, |engine, trader| {
        let (spec, _) = listed(engine, parameters.text("symbol")?)?;
        let value = u32::try_from(parameters.number("leverage")?).unwrap_or(u32::MAX);
        if value == 0 || value > spec.max_leverage {
            return Err(fail(-4_028, &format!("Leverage {value} is not valid")));
        }
        let (before, cross) = engine.leverage(trader.account, &spec);
        let known = engine.account(trader.account);
        let held = known.is_some_and(|it| it.positions().any(|it| it.market == spec.name));
        if held && !cross && value < before {
            let text = "Leverage reduction is not supported in Isolated Margin Mode with open \
                        positions.";
            return Err(fail(-4_161, text));
        }
        if !engine.covers_leverage(trader.account, &spec, value) {
            let text = "Leverage is smaller than permitted: insufficient margin balance.";
            return Err(fail(-2_028, text));
        }
        engine.set_leverage(trader.account, &spec, value, cross);
        Ok(json!({"leverage": value, "maxNotionalValue": "1000000", "symbol": spec.name}))
    })
}

/// `POST /fapi/v3/marginType`
pub(in crate::aster) fn margin_type(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    trade(exchange, parameters, |engine, trader| {
        let (spec, _) = listed(engine, parameters.text("symbol")?)?;
        let cross = match parameters.text("marginType")? {
            "CROSSED" => true,
            "ISOLATED" => false,
            _ => return Err(Refusal::Invalid("marginType")),
        };
        let known = engine.account(trader.account);
        let (value, before) = engine.leverage(trader.account, &spec);
        if before == cross {
            return Err(fail(-4_046, "No need to change margin type."));
        }
        if engine.open_orders(trader.account).any(|order| order.market == spec.name) {
            let text = "Margin type cannot be changed if there exists open orders.";
            return Err(fail(-4_047, text));
        }
        if known.is_some_and(|it| it.positions().any(|it| it.market == spec.name)) {
            let text = "Margin type cannot be changed if there exists position.";
            return Err(fail(-4_048, text));
        }
        engine.set_leverage(trader.account, &spec, value, cross);
        Ok(success())
    })
}

/// `POST /fapi/v3/positionSide/dual`
pub(in crate::aster) fn set_position_mode(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    trade(exchange, parameters, |engine, trader| {
        let hedge = parameters.boolean("dualSidePosition")?;
        let known = engine.account(trader.account);
        if known.is_some_and(|it| it.hedge) == hedge {
            return Err(fail(-4_059, "No need to change position side."));
        }
        if engine.open_orders(trader.account).next().is_some() {
            let text = "Position side cannot be changed if there exists open orders.";
            return Err(fail(-4_067, text));
        }
        if known.is_some_and(|it| it.positions().next().is_some()) {
            let text = "Position side cannot be changed if there exists position.";
            return Err(fail(-4_068, text));
        }
        engine.account_mut(trader.account).hedge = hedge;
        Ok(success())
    })
}
