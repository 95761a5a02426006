//! Reads of orders, positions and balances.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::markets::min_fraction;
use super::trader;
use crate::lighter::book::Account;
use crate::market::{Engine, Num, Order, Position, Reject, Side, Spec, Status};

/// Words for the types of orders.
const TYPES: [&str; 7] =
    ["limit", "market", "stop-loss", "stop-loss-limit", "take-profit", "take-profit-limit", "twap"];

/// Words for the times in force.
const TIMES: [&str; 3] = ["immediate-or-cancel", "good-till-time", "post-only"];

/// Returns the word for an order's state.
pub(super) fn word(order: &Order) -> &'static str {
    match order.status {
        Status::Waiting => "pending",
        Status::Open if order.trigger.is_some() => "pending",
        Status::Open | Status::Triggered => "open",
        Status::Filled => "filled",
        Status::Canceled => "canceled",
        Status::Expired => "canceled-expired",
        Status::ReduceOnlyCanceled => "canceled-reduce-only",
        Status::SiblingFilledCanceled => "canceled-oco",
        Status::SelfTradeCanceled => "canceled-self-trade",
        Status::EntryCanceled => "canceled-child",
        Status::Rejected(reject) => match reject {
            Reject::Margin => "canceled-margin-not-allowed",
            Reject::SpotBalance => "canceled-invalid-balance",
            Reject::ReduceOnly | Reject::ReduceOnlyUsed => "canceled-reduce-only",
            Reject::PostOnly { .. } => "canceled-post-only",
            Reject::NoMatch if order.is_market => "canceled-too-much-slippage",
            Reject::NoLiquidity => "canceled-not-enough-liquidity",
            // The real words are not published.
            Reject::NoMatch | Reject::TriggerPrice | Reject::DuplicateClient => "canceled",
        },
    }
}

fn trigger_word(order: &Order) -> &'static str {
    match order.status {
        Status::Waiting => "parent-order",
        Status::Triggered => "ready",
        Status::Open if order.trigger.is_some() => "mark-price",
        _ => "na",
    }
}

/// Returns a number as the integer of the market's units.
fn units(number: Num, places: u8) -> u64 {
    let scaled = number.over(Num::step(places)).fixed(0);
    scaled.parse().unwrap_or_default()
}

fn client_index(order: &Order) -> u64 {
    order.client.as_deref().and_then(|client| client.parse().ok()).unwrap_or_default()
}

/// Returns the number of the type, of the time in force, and the expiry.
fn words(order: &Order) -> (usize, usize, u64) {
    let (time, expiry) = order.words.1.split_once(':').unwrap_or_default();
    let number = |text: &str| text.parse().unwrap_or_default();
    (number(&order.words.0), number(time), expiry.parse().unwrap_or_default())
}

/// Returns an order in the form of `event_info`. The names are those of recorded responses as far
/// as they are known.
pub(super) fn event(engine: &Engine, order: &Order) -> Value {
    let spec = engine.spec(&order.market);
    let (sizes, prices) = spec.map_or((0, 0), |spec| (spec.size_places, spec.price_places));
    let (kind, time, expiry) = words(order);
    json!({
        "i": order.oid,
        "u": client_index(order),
        "is": units(order.size, sizes),
        "rs": units(order.left(), sizes),
        "p": units(order.price, prices),
        "ia": u8::from(!order.buy),
        "ot": kind,
        "f": time,
        "ro": u8::from(order.reduce_only),
        "e": expiry,
        "st": word(order),
    })
}

/// Returns an order in the form of the lists.
fn shown(engine: &Engine, account: u64, order: &Order) -> Option<Value> {
    let spec = engine.spec(&order.market)?;
    let (sizes, prices) = (usize::from(spec.size_places), usize::from(spec.price_places));
    let (kind, time, expiry) = words(order);
    let parent = order.entry.filter(|entry| *entry != order.oid).unwrap_or_default();
    let client = client_index(order);
    let trigger = order.trigger.map_or(Num::ZERO, |trigger| trigger.price);
    Some(json!({
        "order_index": order.oid,
        "client_order_index": client,
        "order_id": order.oid.to_string(),
        "client_order_id": client.to_string(),
        "market_index": spec.asset,
        "owner_account_index": account,
        "initial_base_amount": order.size.fixed(sizes),
        "price": order.price.fixed(prices),
        "remaining_base_amount": order.left().fixed(sizes),
        "is_ask": !order.buy,
        "base_size": units(order.size, spec.size_places),
        "base_price": units(order.price, spec.price_places),
        "filled_base_amount": order.filled.fixed(sizes),
        "filled_quote_amount": order.value.fixed(6),
        "side": if order.buy { "buy" } else { "sell" },
        "type": TYPES.get(kind),
        "time_in_force": TIMES.get(time),
        "reduce_only": order.reduce_only,
        "trigger_price": trigger.fixed(prices),
        "order_expiry": expiry,
        "status": word(order),
        "trigger_status": trigger_word(order),
        "parent_order_index": parent,
        "parent_order_id": parent.to_string(),
        "created_at": order.at / 1_000,
        "updated_at": order.updated / 1_000,
        "timestamp": order.updated,
    }))
}

/// Which orders a list has.
pub(in crate::lighter) enum Which<'a> {
    Active,
    /// Newest first, at most so many.
    Inactive(usize),
    /// With these numbers of the client.
    Clients(&'a [u64]),
}

/// Returns a list of an account's orders, of one market or of all.
pub(in crate::lighter) fn orders(
    engine: &Engine,
    account: u64,
    which: &Which<'_>,
    market: Option<u32>,
) -> Value {
    let all = engine.all_orders(trader(account));
    let of_market = |order: &&Order| {
        market.is_none_or(|index| engine.spec(&order.market).is_some_and(|it| it.asset == index))
    };
    let chosen: Vec<&Order> = match which {
        Which::Active => {
            all.into_iter().filter(|order| order.is_open()).filter(of_market).collect()
        }
        Which::Inactive(limit) => {
            let done = all.into_iter().rev().filter(|order| !order.is_open());
            done.filter(of_market).take(*limit).collect()
        }
        Which::Clients(indexes) => {
            all.into_iter().filter(|order| indexes.contains(&client_index(order))).collect()
        }
    };
    let shown: Vec<_> =
        chosen.into_iter().filter_map(|order| shown(engine, account, order)).collect();
    json!({"code": 200, "orders": shown})
}

/// Returns an entry of `accounts`.
pub(in crate::lighter) fn account(engine: &Engine, index: u64, account: &Account) -> Value {
    let name = trader(index);
    let known = engine.account(name);
    let collateral = known.map_or(Num::ZERO, |known| known.balance("perp:"));
    let perps = engine.specs().iter().filter(|spec| spec.base.is_none());
    let rows: Vec<_> = perps.map(|spec| position(engine, name, spec)).collect();
    let spot = known.into_iter().flat_map(|known| &known.balances).filter_map(|(pocket, total)| {
        let token = pocket.strip_prefix("spot:")?;
        let locked = (*total - engine.available(name, pocket)).max(Num::ZERO);
        Some(json!({
            "symbol": token,
            "asset_id": if token == "USDC" { 3 } else { 1 },
            "balance": total.fixed(6),
            "locked_balance": locked.fixed(6),
        }))
    });
    let available = engine.available(name, "perp:").max(Num::ZERO);
    let total = engine.cross_value(name, "perp:");
    let open = engine.open_orders(name);
    let (waiting, open): (Vec<_>, Vec<_>) = open.partition(|order| order.is_dormant());
    json!({
        "code": 200,
        "account_type": 0,
        "index": index,
        "account_index": index,
        "l1_address": account.l1_address.to_string(),
        "cancel_all_time": account.cancel_all_at,
        "total_order_count": open.len() + waiting.len(),
        "pending_order_count": waiting.len(),
        "status": 1,
        "collateral": collateral.fixed(6),
        "available_balance": available.fixed(6),
        "total_asset_value": total.fixed(6),
        "cross_asset_value": total.fixed(6),
        "positions": rows,
        "assets": spot.collect::<Vec<_>>(),
    })
}

/// Returns the row of a market, also without a position.
fn position(engine: &Engine, name: Address, spec: &Spec) -> Value {
    let held = engine.account(name).and_then(|known| known.position(spec.name, Side::Both));
    let none = Position {
        market: spec.name.to_owned(),
        side: Side::Both,
        size: Num::ZERO,
        entry: Num::ZERO,
        added: Num::ZERO,
        updated: 0,
    };
    let held = held.unwrap_or(&none);
    let (leverage, is_cross) = engine.leverage(name, spec);
    let fraction = (10_000 / leverage.max(1)).max(min_fraction(spec));
    let mark = engine.mark(spec);
    let is_held = !held.size.is_zero();
    let liquidation = engine.liquidation(name, spec, held).filter(|_| is_held);
    let margin = if is_held && !is_cross { engine.margin_of(name, spec, held) } else { Num::ZERO };
    let places = usize::from(spec.price_places);
    json!({
        "market_id": spec.asset,
        "symbol": spec.name,
        "initial_margin_fraction": format!("{}.{:02}", fraction / 100, fraction % 100),
        "open_order_count": engine.open_orders(name).filter(|it| it.market == spec.name).count(),
        "sign": if held.size < Num::ZERO { -1 } else { 1 },
        "position": held.size.abs().fixed(spec.size_places.into()),
        "avg_entry_price": held.entry.fixed(places),
        "position_value": held.size.abs().times(mark).fixed(6),
        "unrealized_pnl": held.profit(mark).fixed(6),
        "realized_pnl": "0.000000",
        "liquidation_price": liquidation.map_or_else(|| "0".to_owned(), |it| it.fixed(places)),
        "margin_mode": u8::from(!is_cross),
        "allocated_margin": margin.fixed(6),
    })
}
