//! Checks of a transaction's fields that the API makes before it accepts the transaction.

use alloy_primitives::Address;

use super::markets::{MIN_QUOTE, by_index, min_fraction, minimum, scaled};
use crate::lighter::refusal::{
    ACCIDENTAL_PRICE, BASE_AMOUNT, CANCEL_ALL_KIND, CANCEL_ALL_TIME, CLIENT_INDEX,
    CLIENT_INDEX_TAKEN, EXPIRY, GROUP_SIZE, GROUPING, INVALID_FRACTION, INVALID_MARKET,
    INVALID_MODE, IS_ASK, MARKET_STATUS, MINIMUM, NOT_APPROVED, ORDER_INDEX, ORDER_TYPE, PRICE,
    REDUCE_ONLY, Refusal, TIME_IN_FORCE, TRIGGER_PRICE,
};
use crate::lighter::wire::{
    Act, CANCEL_ALL_MARKET, CancelAll, Group, Leverage, Modify, Tx, WireOrder,
};
use crate::market::{Engine, Spec};

const MAX_48_BITS: u64 = (1 << 48) - 1;
const MAX_ORDER_INDEX: u64 = (1 << 60) - 1;
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 1_440 * MINUTE_MS;

/// A price that differs from the mark by more than this factor counts as an accident: a guess.
const ACCIDENT: i128 = 5;

/// Number of the first attribute of integrators, whose approval is not simulated.
const INTEGRATOR: u8 = 1;

/// The number that means no market.
const NO_MARKET: u64 = 255;

/// Types of orders.
pub(super) const MARKET: u8 = 1;
pub(super) const TWAP: u8 = 6;

fn require(fits: bool, refusal: Refusal) -> Result<(), Refusal> {
    if fits { Ok(()) } else { Err(refusal) }
}

/// Checks a transaction of a trader.
pub(in crate::lighter) fn check(
    engine: &Engine,
    trader: Address,
    tx: &Tx,
    now: u64,
) -> Result<(), Refusal> {
    require(!tx.attributes.contains_key(&INTEGRATOR), NOT_APPROVED)?;
    match &tx.act {
        Act::Create(order) => {
            check_order(engine, trader, order, now)?;
            require(order.base_amount > 0 || order.reduce_only == 1, BASE_AMOUNT)
        }
        Act::Group(group) => check_group(engine, trader, group, now),
        Act::Cancel(cancel) => {
            by_index(engine, cancel.market_index).ok_or(INVALID_MARKET)?;
            require((1..=MAX_ORDER_INDEX).contains(&cancel.index), ORDER_INDEX)
        }
        Act::CancelAll(cancel) => {
            let market = tx.attributes.get(&CANCEL_ALL_MARKET).filter(|index| **index != NO_MARKET);
            let known =
                |index: &u64| u32::try_from(*index).is_ok_and(|it| by_index(engine, it).is_some());
            require(market.is_none_or(known), INVALID_MARKET)?;
            check_cancel_all(cancel, now)
        }
        Act::Modify(change) => check_modify(engine, change),
        Act::Leverage(change) => check_leverage(engine, change),
    }
}

/// Returns a market that trades.
fn tradable(engine: &Engine, index: u32) -> Result<Spec, Refusal> {
    let spec = by_index(engine, index).ok_or(INVALID_MARKET)?;
    require(spec.listed, MARKET_STATUS)?;
    Ok(spec)
}

fn check_order(
    engine: &Engine,
    trader: Address,
    order: &WireOrder,
    now: u64,
) -> Result<(), Refusal> {
    let spec = tradable(engine, order.market_index)?;
    let client = order.client_order_index;
    require(client <= MAX_48_BITS, CLIENT_INDEX)?;
    // Sources disagree whether the number may be used again after the order's end. The simulator
    // permits it, so that a client that sends an order twice is seen.
    let taken = engine.open_of_client(trader, &client.to_string()).is_some();
    require(client == 0 || !taken, CLIENT_INDEX_TAKEN)?;
    require(order.base_amount <= MAX_48_BITS, BASE_AMOUNT)?;
    require(order.price > 0, PRICE)?;
    require(order.is_ask <= 1, IS_ASK)?;
    let is_spot = spec.base.is_some();
    require(order.reduce_only == 0 || (order.reduce_only == 1 && !is_spot), REDUCE_ONLY)?;
    require(order.time_in_force <= 2, TIME_IN_FORCE)?;
    check_type(order, is_spot, now)?;
    let (price, mark) = (scaled(order.price.into(), spec.price_places), engine.mark(&spec));
    let close = price <= mark.ratio(ACCIDENT, 1) && mark <= price.ratio(ACCIDENT, 1);
    require(close, ACCIDENTAL_PRICE)?;
    let rests = order.time_in_force > 0 && order.base_amount > 0;
    let size = scaled(order.base_amount, spec.size_places);
    let is_large = size >= minimum(&spec) && size.times(price) >= MIN_QUOTE;
    require(!rests || is_large, MINIMUM)
}

/// Checks type, time in force, expiry and trigger against each other.
fn check_type(order: &WireOrder, is_spot: bool, now: u64) -> Result<(), Refusal> {
    let (times, has_trigger): (&[u8], bool) = match order.kind {
        0 => (&[0, 1, 2], false),
        MARKET => (&[0], false),
        2 | 4 => (&[0], true),
        3 | 5 => (&[0, 1, 2], true),
        TWAP => (&[1], false),
        _ => return Err(ORDER_TYPE),
    };
    require(!(is_spot && has_trigger), ORDER_TYPE)?;
    require(times.contains(&order.time_in_force), TIME_IN_FORCE)?;
    require((order.trigger_price > 0) == has_trigger, TRIGGER_PRICE)?;
    if order.time_in_force == 0 && !has_trigger {
        return require(order.order_expiry == 0, EXPIRY);
    }
    let ahead = order.order_expiry.saturating_sub(now);
    require((5 * MINUTE_MS..=30 * DAY_MS).contains(&ahead), EXPIRY)
}

fn check_group(engine: &Engine, trader: Address, group: &Group, now: u64) -> Result<(), Refusal> {
    let orders = &group.orders;
    let entries = match (group.grouping_type, orders.len()) {
        (2, 2) => 0,
        (1, 2) | (3, 3) => 1,
        (1..=3, _) => return Err(GROUP_SIZE),
        _ => return Err(GROUPING),
    };
    for order in orders {
        check_order(engine, trader, order, now)?;
    }
    let (entry, exits) = orders.split_at(entries);
    let [first, rest @ ..] = exits else { return Err(GROUP_SIZE) };
    let is_exit = |order: &WireOrder| matches!(order.kind, 2..=5);
    let stops = exits.iter().filter(|it| matches!(it.kind, 2 | 3)).count();
    require(exits.iter().all(is_exit) && (rest.is_empty() || stops == 1), ORDER_TYPE)?;
    for order in orders {
        require(order.market_index == first.market_index, INVALID_MARKET)?;
        let same = |other: &&WireOrder| other.client_order_index == order.client_order_index;
        let named = order.client_order_index == 0 || orders.iter().filter(same).count() == 1;
        require(named, CLIENT_INDEX)?;
    }
    for order in rest {
        require(order.order_expiry == first.order_expiry, EXPIRY)?;
        require(order.is_ask == first.is_ask, IS_ASK)?;
    }
    let Some(entry) = entry.first() else {
        require(exits.iter().all(|it| it.reduce_only == 1), REDUCE_ONLY)?;
        return require(rest.iter().all(|it| it.base_amount == first.base_amount), BASE_AMOUNT);
    };
    require(entry.kind <= MARKET, ORDER_TYPE)?;
    require(entry.base_amount > 0, BASE_AMOUNT)?;
    // The size of a child is that of the entry.
    require(exits.iter().all(|it| it.base_amount == 0 && it.reduce_only == 1), BASE_AMOUNT)?;
    require(first.is_ask != entry.is_ask, IS_ASK)?;
    require(entry.order_expiry == 0 || entry.order_expiry == first.order_expiry, EXPIRY)
}

fn check_cancel_all(cancel: &CancelAll, now: u64) -> Result<(), Refusal> {
    match cancel.time_in_force {
        0 | 2 => require(cancel.time == 0, CANCEL_ALL_TIME),
        1 => {
            let ahead = cancel.time.saturating_sub(now);
            require((5 * MINUTE_MS..=15 * DAY_MS).contains(&ahead), CANCEL_ALL_TIME)
        }
        _ => Err(CANCEL_ALL_KIND),
    }
}

fn check_modify(engine: &Engine, change: &Modify) -> Result<(), Refusal> {
    let spec = tradable(engine, change.market_index)?;
    require((1..=MAX_ORDER_INDEX).contains(&change.index), ORDER_INDEX)?;
    require((1..=MAX_48_BITS).contains(&change.base_amount), BASE_AMOUNT)?;
    require(change.price > 0, PRICE)?;
    let (price, mark) = (scaled(change.price.into(), spec.price_places), engine.mark(&spec));
    let close = price <= mark.ratio(ACCIDENT, 1) && mark <= price.ratio(ACCIDENT, 1);
    require(close, ACCIDENTAL_PRICE)?;
    let size = scaled(change.base_amount, spec.size_places);
    require(size >= minimum(&spec) && size.times(price) >= MIN_QUOTE, MINIMUM)
}

fn check_leverage(engine: &Engine, change: &Leverage) -> Result<(), Refusal> {
    let spec = by_index(engine, change.market_index).ok_or(INVALID_MARKET)?;
    require(spec.base.is_none(), INVALID_MARKET)?;
    require(change.margin_mode <= 1, INVALID_MODE)?;
    let fraction = u32::from(change.initial_margin_fraction);
    require((min_fraction(&spec)..=10_000).contains(&fraction), INVALID_FRACTION)
}
