//! `POST /info`: markets, orders and accounts. An agent's address is an empty account.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::super::Chain;
use super::markets;
use super::orders::{find, shown_tif};
use super::wire::OrderName;
use super::words::{kind, number, side, word};
use crate::market::{Engine, Fill, Num, Order, Side};

/// Number of orders or fills in one response.
const MOST: usize = 2_000;

/// Number of fills of an account that can be asked for.
const REMEMBERED: usize = 10_000;

/// Number of prices on each side of `l2Book`.
const DEPTH: usize = 20;

pub(in crate::hyperliquid) fn all_mids(engine: &Engine, dex: &str) -> Value {
    // Spot markets are listed with the exchange's own DEX.
    let specs = engine.specs().iter().filter(|spec| spec.dex == dex && spec.listed);
    let mids = specs.filter_map(|spec| Some((spec.name.to_owned(), engine.mid(spec.name)?)));
    Value::Object(mids.map(|(name, mid)| (name, json!(mid.text()))).collect())
}

/// Returns the response to `metaAndAssetCtxs`, or `None` for an unknown DEX. Nothing trades there
/// but what the simulator's clients do, so volumes and funding are zero.
pub(in crate::hyperliquid) fn contexts(engine: &Engine, dex: &str) -> Option<Value> {
    let listed = engine.specs().iter().filter(|spec| spec.base.is_none() && spec.dex == dex);
    let contexts: Value = listed
        .map(|spec| {
            let (mark, mid) = (engine.mark(spec).text(), engine.mid(spec.name).map(Num::text));
            json!({
                "funding": "0.0",
                "openInterest": "0.0",
                "prevDayPx": mark,
                "dayNtlVlm": "0.0",
                "premium": "0.0",
                "oraclePx": mark,
                "markPx": mark,
                "midPx": mid,
                "impactPxs": null,
                "dayBaseVlm": "0.0",
            })
        })
        .collect();
    Some(json!([markets::meta(engine, dex)?, contexts]))
}

/// Returns the response to `spotMetaAndAssetCtxs`.
pub(in crate::hyperliquid) fn spot_contexts(engine: &Engine, chain: Chain) -> Value {
    let pairs = engine.specs().iter().filter(|spec| spec.base.is_some());
    let contexts: Value = pairs
        .map(|spec| {
            let (mark, mid) = (engine.mark(spec).text(), engine.mid(spec.name).map(Num::text));
            json!({
                "coin": spec.name,
                "prevDayPx": mark,
                "dayNtlVlm": "0.0",
                "markPx": mark,
                "midPx": mid,
                "circulatingSupply": "0.0",
                "totalSupply": "0.0",
                "dayBaseVlm": "0.0",
            })
        })
        .collect();
    json!([markets::spot_meta(engine, chain), contexts])
}

pub(in crate::hyperliquid) fn l2_book(engine: &Engine, coin: &str, now: u64) -> Value {
    if engine.spec(coin).is_none() {
        return Value::Null;
    }
    let levels = |bids| -> Value {
        let levels = engine.levels(coin, bids).into_iter().take(DEPTH);
        levels
            .map(|(level, offers)| {
                json!({"px": level.price.text(), "sz": level.size.text(), "n": offers})
            })
            .collect()
    };
    json!({"coin": coin, "time": now, "levels": [levels(true), levels(false)]})
}

pub(in crate::hyperliquid) fn order_status(
    engine: &Engine,
    user: Address,
    name: &OrderName,
) -> Value {
    let Some(order) = find(engine, user, name) else { return json!({"status": "unknownOid"}) };
    json!({
        "status": "order",
        "order": {
            "order": frontend(engine, order),
            "status": word(order),
            "statusTimestamp": order.updated,
        },
    })
}

/// Returns the fields of an order in `openOrders`.
fn plain(order: &Order) -> Value {
    let mut shown = json!({
        "coin": order.market,
        "side": side(order.buy),
        "limitPx": order.price.dotted(),
        "sz": order.left().dotted(),
        "oid": order.oid,
        "timestamp": order.at,
        "origSz": order.size.dotted(),
    });
    if let Some(cloid) = &order.client {
        shown["cloid"] = json!(cloid);
    }
    if order.reduce_only {
        shown["reduceOnly"] = json!(true);
    }
    shown
}

/// Returns all fields of an order.
fn frontend(engine: &Engine, order: &Order) -> Value {
    let (kind, condition) = kind(order);
    let children = order.children.iter().filter_map(|oid| engine.order(*oid));
    let children: Value =
        children.filter(|child| child.is_open()).map(|child| frontend(engine, child)).collect();
    json!({
        "coin": order.market,
        "side": side(order.buy),
        "limitPx": order.price.dotted(),
        "sz": order.left().dotted(),
        "oid": order.oid,
        "timestamp": order.at,
        "triggerCondition": condition,
        "isTrigger": order.trigger.is_some(),
        "triggerPx": number(order.trigger.map(|trigger| trigger.price)),
        "children": children,
        "isPositionTpsl": order.whole_position,
        "reduceOnly": order.reduce_only,
        "orderType": kind,
        "origSz": order.size.dotted(),
        "tif": shown_tif(order),
        "cloid": order.client,
    })
}

/// Returns the open orders of a DEX, newest first. Spot orders belong to the exchange's own DEX.
pub(in crate::hyperliquid) fn open_orders(
    engine: &Engine,
    user: Address,
    dex: &str,
    all_fields: bool,
) -> Value {
    let of_dex = |order: &&Order| engine.spec(&order.market).is_some_and(|it| it.dex == dex);
    let mut orders: Vec<_> = engine.open_orders(user).filter(of_dex).collect();
    orders.reverse();
    let show = |order: &Order| if all_fields { frontend(engine, order) } else { plain(order) };
    orders.into_iter().map(show).collect()
}

/// Returns the latest orders, newest first.
pub(in crate::hyperliquid) fn historical_orders(engine: &Engine, user: Address) -> Value {
    let orders = engine.all_orders(user).into_iter().rev().take(MOST);
    orders
        .map(|order| {
            json!({
                "order": frontend(engine, order),
                "status": word(order),
                "statusTimestamp": order.updated,
            })
        })
        .collect()
}

/// Returns the latest fills, newest first.
pub(in crate::hyperliquid) fn user_fills(engine: &Engine, user: Address) -> Value {
    let fills: Vec<_> = engine.fills(user).collect();
    fills.into_iter().rev().take(MOST).map(fill).collect()
}

/// Returns the fills of a period, oldest first. Only the latest 10,000 can be asked for.
pub(in crate::hyperliquid) fn fills_by_time(
    engine: &Engine,
    user: Address,
    (start, end): (u64, Option<u64>),
) -> Value {
    let period = start..=end.unwrap_or(u64::MAX);
    let forgotten = engine.fills(user).count().saturating_sub(REMEMBERED);
    let fills = engine.fills(user).skip(forgotten);
    fills.filter(|fill| period.contains(&fill.at)).take(MOST).map(fill).collect()
}

fn fill(fill: &Fill) -> Value {
    let spot = fill.fee_token != "USDC" || fill.market.contains(['/', '@']);
    let opens = fill.before.is_zero() || (fill.before.is_positive() == fill.buy);
    let dir = match (spot, opens, fill.buy) {
        (true, _, true) => "Buy",
        (true, _, false) => "Sell",
        (false, true, true) => "Open Long",
        (false, true, false) => "Open Short",
        (false, false, true) => "Close Short",
        (false, false, false) => "Close Long",
    };
    let mut shown = json!({
        "coin": fill.market,
        "px": fill.price.dotted(),
        "sz": fill.size.dotted(),
        "side": side(fill.buy),
        "time": fill.at,
        "startPosition": fill.before.dotted(),
        "dir": dir,
        "closedPnl": fill.profit.dotted(),
        "hash": format!("0x{:064x}", fill.id),
        "oid": fill.oid,
        "crossed": fill.taker,
        "fee": fill.fee.dotted(),
        "feeToken": fill.fee_token,
        "tid": fill.id,
        "twapId": null,
    });
    if let Some(cloid) = &fill.client {
        shown["cloid"] = json!(cloid);
    }
    if !fill.builder_fee.is_zero() {
        // Part of `fee`.
        shown["builderFee"] = json!(fill.builder_fee.dotted());
    }
    shown
}

pub(in crate::hyperliquid) fn rate_limit(engine: &Engine, user: Address) -> Value {
    let traded: Num = engine.fills(user).map(|fill| fill.price.times(fill.size)).sum();
    let used = engine.account(user).map_or(0, |account| account.actions);
    json!({
        "cumVlm": traded.dotted(),
        "nRequestsUsed": used,
        "nRequestsCap": 10_000,
        "nRequestsSurplus": 0,
    })
}

/// Returns an account's position in a market, with its sign.
pub(super) fn position(engine: &Engine, user: Address, coin: &str) -> Num {
    engine.account(user).map_or(Num::ZERO, |account| account.size_of(coin, Side::Both))
}
