//! Trading on the simulated Lighter: what the sequencer makes of an accepted transaction.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::refusal::{
    BELOW_INITIAL_MARGIN, CLIENT_INDEX_TAKEN, INVALID_MARKET, MODE_CHANGE, NOT_AN_ACTIVE_LIMIT,
    ORDER_EMPTY, ORDER_INACTIVE, ORDER_MARGIN, Refusal,
};
use super::wire::{Act, CANCEL_ALL_MARKET, CancelAll, Group, Leverage, Modify, Tx, WireOrder};
use crate::market::{Engine, NewOrder, Num, Order, Reject, Side, Spec, Status, Tif, Trigger};

mod check;
pub(super) mod markets;
pub(super) mod reads;
mod steer;

pub(super) use check::check;
use markets::{by_index, scaled};

/// Funds of a new account, in dollars: for perpetuals and as spot.
const FIRST_DEPOSIT: Num = Num::whole(10_000);

/// The first number of the exchange. Smaller ones are clients' numbers.
const FIRST_ORDER_INDEX: u64 = 1 << 48;

/// Returns the engine's name of an account.
pub(super) fn trader(account: u64) -> Address {
    let mut bytes = [0; 20];
    bytes[12..].copy_from_slice(&account.to_be_bytes());
    Address::from(bytes)
}

/// Credits a new account with the funds of a first deposit.
pub(super) fn fund(engine: &mut Engine, account: u64) {
    for pocket in ["perp:", "spot:USDC"] {
        engine.credit(trader(account), pocket, FIRST_DEPOSIT);
    }
}

/// Result of a transaction: the text of its event, and when all orders are cancelled if it changes
/// that.
pub(super) struct Executed {
    pub(super) event: Value,
    pub(super) cancel_all_at: Option<u64>,
}

fn order_event(engine: &Engine, oid: u64) -> Value {
    engine.order(oid).map(|order| reads::event(engine, order)).unwrap_or_default()
}

/// Executes a transaction with this hash.
pub(super) fn execute(
    engine: &mut Engine,
    tx: &Tx,
    hash: &str,
    now: u64,
) -> Result<Executed, Refusal> {
    let account = trader(tx.account);
    let mut cancel_all_at = None;
    let event = match &tx.act {
        Act::Create(order) => {
            let oid = place(engine, account, order, (None, order.reduce_only == 1), (hash, now))?;
            json!({"to": order_event(engine, oid)})
        }
        Act::Group(group) => {
            let oids = place_group(engine, account, group, (hash, now))?;
            let events: Vec<_> = oids.into_iter().map(|oid| order_event(engine, oid)).collect();
            json!({"to": events.first(), "children": events.get(1..)})
        }
        Act::Cancel(cancel) => {
            let oid = find_open(engine, account, cancel.market_index, cancel.index)?;
            engine.cancel(oid, now);
            json!({"to": order_event(engine, oid)})
        }
        Act::CancelAll(cancel) => {
            let market = tx.attributes.get(&CANCEL_ALL_MARKET).copied();
            cancel_all_at = cancel_all(engine, account, cancel, (market, now));
            json!({})
        }
        Act::Modify(change) => {
            let oid = modify(engine, account, change, now)?;
            json!({"to": order_event(engine, oid)})
        }
        Act::Leverage(change) => {
            update_leverage(engine, account, change)?;
            json!({"m": change.market_index})
        }
    };
    Ok(Executed { event, cancel_all_at })
}

fn place_group(
    engine: &mut Engine,
    account: Address,
    group: &Group,
    (hash, now): (&str, u64),
) -> Result<Vec<u64>, Refusal> {
    let mut placed = Vec::new();
    let mut parent = None;
    for (nth, order) in group.orders.iter().enumerate() {
        if group.grouping_type == 2 {
            placed.push(place(engine, account, order, (None, true), (hash, now))?);
            continue;
        }
        // The entry's own size is that of its children.
        let entry = &group.orders[0];
        let size = if nth == 0 { order.base_amount } else { entry.base_amount };
        let order = WireOrder { base_amount: size, ..order.clone() };
        let oid = place(engine, account, &order, (parent, false), (hash, now))?;
        parent = parent.or(Some(oid));
        placed.push(oid);
    }
    if group.grouping_type == 2 {
        engine.tie(&placed, now);
    }
    Ok(placed)
}

/// Places an order, and returns its number. An order that the market refuses is a cancelled order.
fn place(
    engine: &mut Engine,
    account: Address,
    order: &WireOrder,
    (entry, whole): (Option<u64>, bool),
    (hash, now): (&str, u64),
) -> Result<u64, Refusal> {
    let spec = by_index(engine, order.market_index).ok_or(INVALID_MARKET)?;
    let client = order.client_order_index;
    let is_market = matches!(order.kind, check::MARKET | 2 | 4 | check::TWAP);
    let trigger = (order.trigger_price > 0).then(|| Trigger {
        price: scaled(order.trigger_price.into(), spec.price_places),
        profit: matches!(order.kind, 4 | 5),
        market: is_market,
    });
    let tif = match order.time_in_force {
        // A trigger order waits first.
        0 if trigger.is_none() => Tif::Ioc,
        2 => Tif::PostOnly,
        _ => Tif::Gtc,
    };
    let new = NewOrder {
        account,
        market: spec.name.to_owned(),
        buy: order.is_ask == 0,
        price: scaled(order.price.into(), spec.price_places),
        size: scaled(order.base_amount, spec.size_places),
        tif: if order.kind == check::TWAP { Tif::Ioc } else { tif },
        is_market: is_market && trigger.is_none(),
        trigger,
        reduce_only: order.reduce_only == 1,
        whole_position: whole && order.base_amount == 0,
        side: Side::Both,
        client: (client > 0).then(|| client.to_string()),
        entry,
        words: (order.kind.to_string(), format!("{}:{}", order.time_in_force, order.order_expiry)),
        request: hash.to_owned(),
        builder: None,
    };
    let rests = order.time_in_force > 0 && new.trigger.is_none();
    let placed = engine.place(new, now).map_err(|_| CLIENT_INDEX_TAKEN)?;
    match placed.refused {
        // The transaction of a resting order without margin fails, and leaves its nonce.
        Some(Reject::Margin | Reject::SpotBalance) if rests => Err(ORDER_MARGIN),
        _ => Ok(placed.oid),
    }
}

/// Returns an account's order by the client's number, or from 2^48 on the exchange's.
fn find(engine: &Engine, account: Address, index: u64) -> Option<&Order> {
    if index < FIRST_ORDER_INDEX {
        let client = index.to_string();
        let open = engine.open_of_client(account, &client);
        return open.or_else(|| engine.order_of_client(account, &client));
    }
    engine.order(index).filter(|order| order.account == account)
}

fn find_open(engine: &Engine, account: Address, market: u32, index: u64) -> Result<u64, Refusal> {
    let spec = by_index(engine, market).ok_or(INVALID_MARKET)?;
    let order = find(engine, account, index).filter(|order| order.market == spec.name);
    let order = order.ok_or(ORDER_EMPTY)?;
    if order.is_open() { Ok(order.oid) } else { Err(ORDER_INACTIVE) }
}

/// Cancels all orders, and returns when that happens later: 0 for never.
fn cancel_all(
    engine: &mut Engine,
    account: Address,
    cancel: &CancelAll,
    (market, now): (Option<u64>, u64),
) -> Option<u64> {
    match cancel.time_in_force {
        0 => {
            let spec = market.and_then(|it| by_index(engine, u32::try_from(it).ok()?));
            cancel_open(engine, account, spec.filter(|_| market != Some(255)).as_ref(), now);
            None
        }
        1 => Some(cancel.time),
        _ => Some(0),
    }
}

/// Cancels the open orders of an account, of one market or of all.
pub(super) fn cancel_open(engine: &mut Engine, account: Address, only: Option<&Spec>, now: u64) {
    let open = engine.open_orders(account);
    let named = open.filter(|order| only.is_none_or(|spec| spec.name == order.market));
    let oids: Vec<u64> = named.map(|order| order.oid).collect();
    for oid in oids {
        engine.cancel(oid, now);
    }
}

fn modify(
    engine: &mut Engine,
    account: Address,
    change: &Modify,
    now: u64,
) -> Result<u64, Refusal> {
    let oid = find_open(engine, account, change.market_index, change.index)?;
    let spec = by_index(engine, change.market_index).ok_or(INVALID_MARKET)?;
    let order = engine.order(oid).cloned().ok_or(ORDER_EMPTY)?;
    let price = scaled(change.price.into(), spec.price_places);
    let size = scaled(change.base_amount, spec.size_places);
    let trigger = scaled(change.trigger_price.into(), spec.price_places);
    if order.is_dormant() && order.trigger.is_some() {
        engine.amend_trigger(oid, (price, trigger), size, now);
        return Ok(oid);
    }
    let is_limit = order.status == Status::Open && !trigger.is_positive();
    if !is_limit || size <= order.filled {
        return Err(NOT_AN_ACTIVE_LIMIT);
    }
    match engine.amend(oid, price, size, now) {
        Ok(()) => Ok(oid),
        // A changed post-only order that would match is cancelled: a guess.
        Err(Reject::PostOnly { .. }) => {
            engine.cancel(oid, now);
            Ok(oid)
        }
        Err(_) => Err(ORDER_MARGIN),
    }
}

fn update_leverage(
    engine: &mut Engine,
    account: Address,
    change: &Leverage,
) -> Result<(), Refusal> {
    let spec = by_index(engine, change.market_index).ok_or(INVALID_MARKET)?;
    let is_cross = change.margin_mode == 0;
    let held =
        engine.account(account).is_some_and(|it| it.position(spec.name, Side::Both).is_some());
    let busy = held || engine.open_orders(account).any(|order| order.market == spec.name);
    if busy && engine.leverage(account, &spec).1 != is_cross {
        return Err(MODE_CHANGE);
    }
    let leverage = 10_000 / u32::from(change.initial_margin_fraction.max(1));
    if !engine.covers_leverage(account, &spec, leverage) {
        return Err(BELOW_INITIAL_MARGIN);
    }
    engine.set_leverage(account, &spec, leverage, is_cross);
    Ok(())
}
