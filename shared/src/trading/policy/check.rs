//! The check of orders against a policy. It is pure: it returns the next ledger, which the store
//! writes together with the orders.

use std::collections::BTreeMap;

use domain::ids::Exchange;

use super::Policy;
use crate::trading::decimal::{Decimal, MAX_PLACES};
use crate::trading::ids::OrderKey;
use crate::trading::ledger::{Ledger, MAX_RESERVED, Reservation};
use crate::trading::order::Side;

/// How far the price of an order may move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slippage {
    /// The order has a price of its own.
    Fixed,
    /// A market order, also one that waits for a trigger, with this bound as a fraction.
    Bound(Decimal),
    /// A market order, also one that waits for a trigger, whose bound only the exchange sets.
    Unbounded,
}

/// An order as the policy sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Priced {
    /// The key of its record.
    pub key: OrderKey,
    /// The exchange's name of the market.
    pub symbol: String,
    /// The direction.
    pub side: Side,
    /// The notional at the highest price at which the order can execute, in the market's quote asset.
    /// `None` means that it is unknown or has too many digits, so it exceeds every limit.
    pub notional: Option<Decimal>,
    /// Whether the quote asset is a dollar token, as the limits are in dollars.
    pub is_in_dollars: bool,
    /// Whether it can only reduce a position.
    pub is_reducing: bool,
    /// The bound of its price.
    pub slippage: Slippage,
    /// The number of orders at the exchange: the order and its attached ones.
    pub orders: u32,
}

/// What a wallet already has in each market, read from the exchange after the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Exposure(pub BTreeMap<String, MarketExposure>);

/// The notional of a position and of the open orders of a market.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MarketExposure {
    /// The position, without its direction.
    pub position: Decimal,
    /// Open orders that buy and are not reduce-only.
    pub buys: Decimal,
    /// Open orders that sell and are not reduce-only.
    pub sells: Decimal,
}

/// The rule that an order violates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PolicyRule {
    /// The market is not in the list.
    Symbol,
    /// The order is too large.
    OrderNotional,
    /// The position could become too large.
    PositionNotional,
    /// Too many orders in a minute.
    OrderRate,
    /// Only reducing orders are allowed.
    ReduceOnly,
    /// The bound of a market order is too wide, or missing.
    Slippage,
    /// The leverage is too high.
    Leverage,
    /// The builder is not in the list.
    Builder,
    /// The builder's fee is too high.
    BuilderFee,
}

impl PolicyRule {
    /// All rules, in declaration order.
    pub const ALL: [Self; 9] = [
        Self::Symbol,
        Self::OrderNotional,
        Self::PositionNotional,
        Self::OrderRate,
        Self::ReduceOnly,
        Self::Slippage,
        Self::Leverage,
        Self::Builder,
        Self::BuilderFee,
    ];

    /// Returns the word in `reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Symbol => "SYMBOL",
            Self::OrderNotional => "ORDER_NOTIONAL",
            Self::PositionNotional => "POSITION_NOTIONAL",
            Self::OrderRate => "ORDER_RATE",
            Self::ReduceOnly => "REDUCE_ONLY",
            Self::Slippage => "SLIPPAGE",
            Self::Leverage => "LEVERAGE",
            Self::Builder => "BUILDER",
            Self::BuilderFee => "BUILDER_FEE",
        }
    }
}

/// A refusal by the policy.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the trading policy does not allow this order: {} {limit}", .rule.as_str())]
pub struct PolicyRefusal {
    /// The rule.
    pub rule: PolicyRule,
    /// The rule's limit as text.
    pub limit: String,
}

/// The limit in a refusal of a market without a dollar token as its quote asset.
const IN_DOLLARS: &str = "markets in dollars, unless symbols names the market";

const fn refusal(rule: PolicyRule, limit: String) -> PolicyRefusal {
    PolicyRefusal { rule, limit }
}

/// Checks everything that needs no knowledge of positions. It refuses early, before a key is opened
/// and before the exchange is asked.
///
/// # Errors
/// Fails when an order violates a rule.
pub fn precheck(
    policy: &Policy,
    ledger: &Ledger,
    orders: &[Priced],
    now_ms: u64,
) -> Result<(), PolicyRefusal> {
    for order in orders {
        check_order(policy, order)?;
    }
    let counted = ledger.at(now_ms).orders_counted();
    if counted.saturating_add(count(orders)) > policy.orders_per_minute {
        return Err(refusal(PolicyRule::OrderRate, policy.orders_per_minute.to_string()));
    }
    Ok(())
}

/// Returns the number of orders at the exchange.
fn count(orders: &[Priced]) -> u32 {
    orders.iter().fold(0, |sum, order| sum.saturating_add(order.orders))
}

/// Checks orders that are sent with one nonce, and returns the next ledger: with their nonce, their
/// number, and their reservations if a limit for positions is set. The caller sets the end of the
/// reservations, which follows from the signed bytes: see [`Ledger::reserved_until`].
///
/// `exposure` is required when such a limit is set, and must have been read after the ledger.
///
/// # Errors
/// Fails when an order violates a rule.
pub fn check(
    policy: &Policy,
    ledger: &Ledger,
    exposure: Option<&Exposure>,
    orders: &[Priced],
    exchange: Exchange,
    now_us: u64,
) -> Result<Ledger, PolicyRefusal> {
    let now_ms = now_us / 1_000;
    precheck(policy, ledger, orders, now_ms)?;
    let next = ledger.at(now_ms).with_orders(count(orders)).with_next_nonce(exchange, now_us);
    match policy.max_position_notional {
        Some(limit) => reserve(next, limit, exposure, orders, now_ms),
        None => Ok(next),
    }
}

fn check_order(policy: &Policy, order: &Priced) -> Result<(), PolicyRefusal> {
    if let Some(symbols) = &policy.symbols
        && !symbols.contains(&order.symbol)
    {
        return Err(refusal(PolicyRule::Symbol, symbols.join(", ")));
    }
    // Without dollars the limits mean something else. A policy that names the market allows it.
    if !order.is_in_dollars && !order.is_reducing && policy.symbols.is_none() {
        return Err(refusal(PolicyRule::Symbol, IN_DOLLARS.to_owned()));
    }
    if policy.reduce_only && !order.is_reducing {
        return Err(refusal(PolicyRule::ReduceOnly, "reduceOnly".to_owned()));
    }
    let is_too_wide = match order.slippage {
        Slippage::Fixed => false,
        Slippage::Bound(bound) => bound > policy.max_slippage,
        Slippage::Unbounded => policy.is_slippage_set,
    };
    if is_too_wide {
        return Err(refusal(PolicyRule::Slippage, policy.max_slippage.text()));
    }
    match order.notional {
        Some(notional) if notional <= policy.max_order_notional => Ok(()),
        _ => Err(refusal(PolicyRule::OrderNotional, policy.max_order_notional.text())),
    }
}

/// Reserves the notional of each order that can add to a position. Orders of one batch count
/// against each other. An order that is changed counts with the larger of its two values, because
/// the change may not be made.
fn reserve(
    mut ledger: Ledger,
    limit: Decimal,
    exposure: Option<&Exposure>,
    orders: &[Priced],
    now_ms: u64,
) -> Result<Ledger, PolicyRefusal> {
    let refused = || refusal(PolicyRule::PositionNotional, limit.text());
    let exposure = exposure.ok_or_else(refused)?;
    let before = ledger.clone();
    let mut batch: BTreeMap<(&str, Side), Decimal> = BTreeMap::new();
    for order in orders.iter().filter(|order| !order.is_reducing) {
        let (key, symbol, side) = (order.key.to_hex(), order.symbol.as_str(), order.side);
        let notional = order.notional.and_then(storable).ok_or_else(refused)?;
        let earlier = before.reserved.get(&key).filter(|it| it.symbol == symbol && it.side == side);
        let notional = earlier.map_or(notional, |earlier| notional.max(earlier.notional));
        let read = exposure.0.get(symbol).map_or(Some(Decimal::ZERO), |known| {
            known.position.checked_add(match side {
                Side::Buy => known.buys,
                Side::Sell => known.sells,
            })
        });
        let known = read.and_then(|read| before.exposed(symbol, side, read, &key, now_ms));
        let known = known.and_then(storable).ok_or_else(refused)?;
        let sum = batch.entry((symbol, side)).or_insert(Decimal::ZERO);
        *sum = sum.checked_add(notional).ok_or_else(refused)?;
        let whole = known.checked_add(*sum);
        if whole.is_none_or(|whole| whole > limit) || ledger.reserved.len() >= MAX_RESERVED {
            return Err(refused());
        }
        let reservation = Reservation {
            symbol: order.symbol.clone(),
            side,
            notional,
            until_ms: u64::MAX,
            rev: ledger.rev,
            before: Some(known),
        };
        ledger.reserved.insert(key, reservation);
    }
    Ok(ledger)
}

/// Rounds a notional up to a number of places that can be stored and parsed.
fn storable(notional: Decimal) -> Option<Decimal> {
    let places = u8::try_from(MAX_PLACES).ok()?;
    let rounded = notional.rounded(u32::MAX, places);
    if rounded >= notional { Some(rounded) } else { rounded.checked_add(Decimal::new(1, places)?) }
}
