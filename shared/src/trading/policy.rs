//! The trading policy of a tenant or a wallet: limits that are checked before an order is signed.
//! Endpoint code enforces them, so a compromised endpoint can bypass them.

mod record;

use std::collections::BTreeMap;

use domain::ids::Exchange;
use serde::{Deserialize, Serialize};

pub use self::record::{Loosening, PendingPolicy, PolicyRecord};
use super::decimal::{Decimal, MAX_PLACES};
use super::ids::OrderKey;
use super::ledger::{Ledger, MAX_RESERVED, Reservation};
use super::order::Side;

/// Default maximum notional of an order, in dollars.
const MAX_ORDER_NOTIONAL: u128 = 1_000_000;

/// Default maximum number of orders in a minute.
const ORDERS_PER_MINUTE: u32 = 300;

/// Default maximum slippage of a market order, in percent.
const MAX_SLIPPAGE_PERCENT: u128 = 10;

/// The fields of a policy as they are set. A missing field has the next policy's value: a wallet's
/// override inherits from its tenant, and a tenant from the defaults.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyFields {
    /// The markets that may be traded, by the exchange's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbols: Option<Vec<String>>,
    /// Maximum notional of an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_order_notional: Option<Decimal>,
    /// Maximum notional of a position with everything that can still add to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_position_notional: Option<Decimal>,
    /// Maximum leverage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_leverage: Option<u32>,
    /// Maximum number of orders in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders_per_minute: Option<u32>,
    /// Whether orders may only reduce positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce_only: Option<bool>,
    /// Maximum slippage of a market order, as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_slippage: Option<Decimal>,
}

impl PolicyFields {
    /// Returns the fields of a wallet's override, with the tenant's for the missing ones.
    #[must_use]
    pub fn over(&self, tenant: &Self) -> Self {
        Self {
            symbols: self.symbols.clone().or_else(|| tenant.symbols.clone()),
            max_order_notional: self.max_order_notional.or(tenant.max_order_notional),
            max_position_notional: self.max_position_notional.or(tenant.max_position_notional),
            max_leverage: self.max_leverage.or(tenant.max_leverage),
            orders_per_minute: self.orders_per_minute.or(tenant.orders_per_minute),
            reduce_only: self.reduce_only.or(tenant.reduce_only),
            max_slippage: self.max_slippage.or(tenant.max_slippage),
        }
    }

    /// Returns the policy in effect, with the defaults for the missing fields.
    #[must_use]
    pub fn effective(&self) -> Policy {
        let percent = |units| Decimal::new(units, 2).unwrap_or(Decimal::ZERO);
        let whole = |units| Decimal::new(units, 0).unwrap_or(Decimal::ZERO);
        Policy {
            symbols: self.symbols.clone(),
            max_order_notional: self.max_order_notional.unwrap_or(whole(MAX_ORDER_NOTIONAL)),
            max_position_notional: self.max_position_notional,
            max_leverage: self.max_leverage,
            orders_per_minute: self.orders_per_minute.unwrap_or(ORDERS_PER_MINUTE),
            reduce_only: self.reduce_only.unwrap_or(false),
            max_slippage: self.max_slippage.unwrap_or(percent(MAX_SLIPPAGE_PERCENT)),
            is_slippage_set: self.max_slippage.is_some(),
        }
    }
}

/// A policy in effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The markets that may be traded, by the exchange's names; `None` means all.
    pub symbols: Option<Vec<String>>,
    /// Maximum notional of an order.
    pub max_order_notional: Decimal,
    /// Maximum notional of a position with everything that can still add to it.
    pub max_position_notional: Option<Decimal>,
    /// Maximum leverage.
    pub max_leverage: Option<u32>,
    /// Maximum number of orders in a minute.
    pub orders_per_minute: u32,
    /// Whether orders may only reduce positions.
    pub reduce_only: bool,
    /// Maximum slippage of a market order, as a fraction.
    pub max_slippage: Decimal,
    /// Whether someone has set the slippage. A market order without a bound is refused only then.
    pub is_slippage_set: bool,
}

/// How far the price of an order may move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slippage {
    /// The order has a price of its own, or waits for a trigger.
    Fixed,
    /// A market order with this bound, as a fraction.
    Bound(Decimal),
    /// A market order whose bound only the exchange sets.
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
    /// The notional at the order's price or bound. `None` means that it has too many digits, so it
    /// exceeds every limit.
    pub notional: Option<Decimal>,
    /// Whether it can only reduce a position.
    pub is_reducing: bool,
    /// The bound of its price.
    pub slippage: Slippage,
    /// When it can no longer arrive at the exchange, Unix milliseconds.
    pub until_ms: u64,
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
}

impl PolicyRule {
    /// All rules, in declaration order.
    pub const ALL: [Self; 6] = [
        Self::Symbol,
        Self::OrderNotional,
        Self::PositionNotional,
        Self::OrderRate,
        Self::ReduceOnly,
        Self::Slippage,
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
    let count = u32::try_from(orders.len()).unwrap_or(u32::MAX);
    let counted = ledger.at(now_ms).orders_counted();
    if counted.saturating_add(count) > policy.orders_per_minute {
        return Err(refusal(PolicyRule::OrderRate, policy.orders_per_minute.to_string()));
    }
    Ok(())
}

/// Checks orders that are sent with one nonce, and returns the next ledger: with their nonce, their
/// number, and their reservations if a limit for positions is set.
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
    let count = u32::try_from(orders.len()).unwrap_or(u32::MAX);
    let next = ledger.at(now_ms).with_orders(count).with_next_nonce(exchange, now_us);
    match policy.max_position_notional {
        Some(limit) => reserve(next, limit, exposure, orders),
        None => Ok(next),
    }
}

fn check_order(policy: &Policy, order: &Priced) -> Result<(), PolicyRefusal> {
    if let Some(symbols) = &policy.symbols
        && !symbols.contains(&order.symbol)
    {
        return Err(refusal(PolicyRule::Symbol, symbols.join(", ")));
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
/// against each other.
fn reserve(
    mut ledger: Ledger,
    limit: Decimal,
    exposure: Option<&Exposure>,
    orders: &[Priced],
) -> Result<Ledger, PolicyRefusal> {
    let refused = || refusal(PolicyRule::PositionNotional, limit.text());
    let exposure = exposure.ok_or_else(refused)?;
    for order in orders.iter().filter(|order| !order.is_reducing) {
        let notional = order.notional.and_then(storable).ok_or_else(refused)?;
        let known = exposure.0.get(&order.symbol);
        let (position, open) = known.map_or((Decimal::ZERO, Decimal::ZERO), |known| {
            let open = match order.side {
                Side::Buy => known.buys,
                Side::Sell => known.sells,
            };
            (known.position, open)
        });
        let reserved = ledger.reserved_of(&order.symbol, order.side).ok_or_else(refused)?;
        let parts = [position, open, reserved, notional];
        let whole = parts.into_iter().try_fold(Decimal::ZERO, Decimal::checked_add);
        if whole.is_none_or(|whole| whole > limit) || ledger.reserved.len() >= MAX_RESERVED {
            return Err(refused());
        }
        let (symbol, side, until_ms) = (order.symbol.clone(), order.side, order.until_ms);
        let reservation = Reservation { symbol, side, notional, until_ms };
        ledger.reserved.insert(order.key.to_hex(), reservation);
    }
    Ok(ledger)
}

/// Rounds a notional up to a number of places that can be stored and parsed.
fn storable(notional: Decimal) -> Option<Decimal> {
    let places = u8::try_from(MAX_PLACES).ok()?;
    let rounded = notional.rounded(u32::MAX, places);
    if rounded >= notional { Some(rounded) } else { rounded.checked_add(Decimal::new(1, places)?) }
}

/// Returns whether a policy allows anything that another one refuses: whether any field is wider.
#[must_use]
pub fn loosens(from: &Policy, to: &Policy) -> bool {
    tighter(from, to) != *to
}

/// Returns the tighter value of each field: the policy that allows only what both allow.
#[must_use]
pub fn tighter(one: &Policy, other: &Policy) -> Policy {
    let symbols = match (&one.symbols, &other.symbols) {
        (Some(one), Some(other)) => {
            Some(other.iter().filter(|symbol| one.contains(symbol)).cloned().collect())
        }
        (Some(only), None) | (None, Some(only)) => Some(only.clone()),
        (None, None) => None,
    };
    Policy {
        symbols,
        max_order_notional: one.max_order_notional.min(other.max_order_notional),
        max_position_notional: least(one.max_position_notional, other.max_position_notional),
        max_leverage: least(one.max_leverage, other.max_leverage),
        orders_per_minute: one.orders_per_minute.min(other.orders_per_minute),
        reduce_only: one.reduce_only || other.reduce_only,
        max_slippage: one.max_slippage.min(other.max_slippage),
        is_slippage_set: one.is_slippage_set || other.is_slippage_set,
    }
}

/// Returns the smaller limit. A missing one limits nothing.
fn least<T: Ord + Copy>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
