//! `order`, `modify` and `batchModify`.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::wire::{BatchModify, Grouping, Kind, OrderName, Orders, Tpsl, WireOrder, WireTif};
use super::words::{live, refusal, tif};
use crate::market::{BuilderFee, Engine, NewOrder, Num, Order, Side, Spec, Status, Tif, Trigger};

/// Minimum value of an order, in dollars.
const MINIMUM: Num = Num::whole(10);

/// Number of open orders from which reduce-only and trigger orders are refused.
const MAX_OPEN: usize = 1_000;

/// The exchange refuses prices that are further from the mark than this, in percent.
const FARTHEST: i128 = 80;

/// Who sent an action, and when.
#[derive(Clone, Copy)]
pub(in crate::hyperliquid) struct Sender<'a> {
    pub(in crate::hyperliquid) account: Address,
    /// Hash of the signed action.
    pub(in crate::hyperliquid) request: &'a str,
    /// The builder of the action, which the account has approved.
    pub(in crate::hyperliquid) builder: Option<BuilderFee>,
    pub(in crate::hyperliquid) now: u64,
}

/// Places orders, and returns the entries of `statuses`: one for each order, or one error for all.
pub(super) fn place(engine: &mut Engine, sender: Sender<'_>, action: &Orders) -> Vec<Value> {
    if let Some(error) = prevalidate(engine, action) {
        return vec![json!({"error": error})];
    }
    let mut entry = None;
    let mut statuses = Vec::new();
    for (nth, order) in action.orders.iter().enumerate() {
        let is_child = action.grouping == Grouping::NormalTpsl && nth > 0;
        if is_child && entry.is_none() {
            // A guess: the children of a refused entry get its error.
            let error = statuses.first().cloned().unwrap_or_default();
            statuses.push(error);
            continue;
        }
        let whole = action.grouping == Grouping::PositionTpsl;
        match add(engine, sender, order, entry.filter(|_| is_child), whole) {
            Ok(oid) => {
                if nth == 0 {
                    entry = Some(oid);
                }
                statuses.push(status(engine, oid, order.c.as_deref()));
            }
            Err(error) => statuses.push(json!({"error": error})),
        }
    }
    statuses
}

/// Returns the error that counts for the whole batch.
fn prevalidate(engine: &Engine, action: &Orders) -> Option<String> {
    let triggers = action.orders.iter().filter(|it| matches!(it.t, Kind::Trigger { .. }));
    match action.grouping {
        Grouping::Na => {}
        Grouping::NormalTpsl => {
            let children = action.orders.get(1..).unwrap_or_default();
            let all_triggers = children.iter().all(|it| matches!(it.t, Kind::Trigger { .. }));
            let entry_is_limit =
                action.orders.first().is_some_and(|it| matches!(it.t, Kind::Limit { .. }));
            if children.is_empty() || children.len() > 2 || !all_triggers || !entry_is_limit {
                return Some("Unexpected number of trigger orders".to_owned());
            }
            // The real text is not published.
            if children.iter().any(|it| !it.r) {
                return Some("TP/SL orders must be reduce only.".to_owned());
            }
        }
        Grouping::PositionTpsl => {
            if triggers.count() != action.orders.len() || action.orders.iter().any(|it| !it.r) {
                return Some("Unexpected number of trigger orders".to_owned());
            }
        }
    }
    for order in &action.orders {
        let Some(market) = by_asset(engine, order.a).and_then(|spec| engine.market(spec.name))
        else {
            continue;
        };
        let limit = market.mark.ratio(FARTHEST, 100);
        if matches!(order.t, Kind::Limit { .. }) && (order.p - market.mark).abs() > limit {
            let text = "Order price cannot be more than 80% away from the reference price";
            return Some(live(text, order.a));
        }
    }
    None
}

/// Places one order, and returns its number.
fn add(
    engine: &mut Engine,
    sender: Sender<'_>,
    order: &WireOrder,
    entry: Option<u64>,
    whole_position: bool,
) -> Result<u64, String> {
    let spec = by_asset(engine, order.a).filter(|spec| spec.listed);
    // The real text is not published.
    let spec = spec.ok_or_else(|| live("Order has invalid asset.", order.a))?;
    check(engine, sender.account, order, &spec, whole_position)?;
    let is_limited = order.r || matches!(order.t, Kind::Trigger { .. });
    if is_limited && engine.open_orders(sender.account).count() >= MAX_OPEN {
        // The real text is not published.
        return Err(live("Too many open orders.", order.a));
    }
    let (time, word, is_market, trigger) = match order.t {
        Kind::Limit { tif: WireTif::Gtc } => (Tif::Gtc, "Gtc", false, None),
        Kind::Limit { tif: WireTif::Alo } => (Tif::PostOnly, "Alo", false, None),
        Kind::Limit { tif: WireTif::Ioc } => (Tif::Ioc, "Ioc", false, None),
        Kind::Limit { tif: WireTif::FrontendMarket } => (Tif::Ioc, "FrontendMarket", true, None),
        Kind::Trigger { is_market, trigger_px, tpsl } => {
            let profit = tpsl == Tpsl::Tp;
            let trigger = Trigger { price: trigger_px, profit, market: is_market };
            (Tif::Gtc, "Gtc", is_market, Some(trigger))
        }
    };
    let new = NewOrder {
        account: sender.account,
        market: spec.name.to_owned(),
        buy: order.b,
        price: order.p,
        size: order.s,
        tif: time,
        is_market,
        trigger,
        reduce_only: order.r,
        whole_position,
        side: Side::Both,
        client: order.c.clone(),
        entry,
        words: (String::new(), word.to_owned()),
        request: sender.request.to_owned(),
        builder: sender.builder,
    };
    let placed = engine.place(new, sender.now).map_err(|reject| refusal(reject, order.a))?;
    match placed.refused {
        None => Ok(placed.oid),
        Some(reject) => Err(refusal(reject, order.a)),
    }
}

/// Checks price, size and value.
fn check(
    engine: &Engine,
    account: Address,
    order: &WireOrder,
    spec: &Spec,
    whole_position: bool,
) -> Result<(), String> {
    let mut prices = vec![order.p];
    if let Kind::Trigger { trigger_px, .. } = order.t {
        prices.push(trigger_px);
    }
    for price in prices {
        if !price.is_multiple_of(Num::step(spec.price_places)) && !price.is_multiple_of(Num::ONE) {
            return Err(live("Price must be divisible by tick size.", order.a));
        }
        if !price.is_positive() || !price.is_multiple_of(price.step_of_five_figures()) {
            return Err(live("Order has invalid price.", order.a));
        }
    }
    if !order.s.is_multiple_of(Num::step(spec.size_places)) {
        return Err(live("Order has invalid size.", order.a));
    }
    if order.s.is_zero() {
        return if order.r || whole_position {
            Ok(())
        } else {
            Err(live("Order has zero size.", order.a))
        };
    }
    // Documents and reports disagree about reduce-only orders. Strict: only an order that closes
    // the whole position may have a lower value.
    let held = engine.account(account).map_or(Num::ZERO, |it| it.size_of(spec.name, Side::Both));
    let closes = order.r && order.s >= held.abs();
    if order.s.times(order.p) < MINIMUM && !closes {
        let text = if spec.base.is_some() {
            "Order must have minimum value of 10 USDC."
        } else {
            "Order must have minimum value of $10."
        };
        return Err(live(text, order.a));
    }
    Ok(())
}

/// Returns the entry of `statuses` for a placed order.
fn status(engine: &Engine, oid: u64, cloid: Option<&str>) -> Value {
    let Some(order) = engine.order(oid) else { return json!({"error": "unknown"}) };
    let named = |mut entry: Value| {
        if let Some(cloid) = cloid {
            entry["cloid"] = json!(cloid);
        }
        entry
    };
    match order.status {
        Status::Waiting => json!("waitingForFill"),
        Status::Open if order.entry.is_some() => json!("waitingForTrigger"),
        Status::Open | Status::Triggered => json!({"resting": named(json!({"oid": oid}))}),
        _ => {
            let (size, price) = (order.filled.text(), order.average().text());
            let filled = json!({"totalSz": size, "avgPx": price, "oid": oid});
            json!({"filled": named(filled)})
        }
    }
}

/// Changes orders, and returns the entries of `statuses`.
pub(super) fn modify(engine: &mut Engine, sender: Sender<'_>, action: &BatchModify) -> Vec<Value> {
    let modifies = action.modifies.iter();
    modifies
        .map(|entry| match modify_one(engine, sender, &entry.oid, &entry.order, action.a) {
            Ok(status) => status,
            Err(error) => json!({"error": error}),
        })
        .collect()
}

/// Cancels an order and places another. Without `always` the new order must be a maker's limit
/// order: a `Gtc` that does not cross becomes `Alo` silently.
pub(super) fn modify_one(
    engine: &mut Engine,
    sender: Sender<'_>,
    name: &OrderName,
    order: &WireOrder,
    always: bool,
) -> Result<Value, String> {
    let old = find(engine, sender.account, name).filter(|old| old.is_open()).map(|old| old.oid);
    let mut order = order.clone();
    if !always {
        order.t = match order.t {
            Kind::Limit { tif: WireTif::Gtc | WireTif::Alo } => Kind::Limit { tif: WireTif::Alo },
            // The real text is not published.
            _ => return Err(live("Cannot modify to a trigger or IOC order.", order.a)),
        };
        if old.is_none() {
            return Err("Cannot modify canceled or filled order".to_owned());
        }
    }
    if let Some(oid) = old {
        engine.cancel(oid, sender.now);
    }
    // The old order is gone, whatever becomes of the new one.
    let failed = |cause: String| format!("Error placing new order during modify: {cause}");
    let oid = add(engine, sender, &order, None, false).map_err(failed)?;
    Ok(status(engine, oid, order.c.as_deref()))
}

/// Returns the order that a number or a client's id names: of several, the newest.
pub(super) fn find<'a>(
    engine: &'a Engine,
    account: Address,
    name: &OrderName,
) -> Option<&'a Order> {
    match name {
        OrderName::Oid(oid) => engine.order(*oid).filter(|order| order.account == account),
        OrderName::Cloid(cloid) => engine.order_of_client(account, &cloid.to_lowercase()),
    }
}

pub(super) fn by_asset(engine: &Engine, asset: u32) -> Option<Spec> {
    engine.specs().iter().find(|spec| spec.asset == asset).cloned()
}

/// Returns the word for the time in force of an order that waits for a match.
pub(super) fn shown_tif(order: &Order) -> Value {
    match order.trigger {
        Some(trigger) if trigger.market => Value::Null,
        _ if order.words.1 == "FrontendMarket" => json!("FrontendMarket"),
        _ => json!(tif(order.tif)),
    }
}
