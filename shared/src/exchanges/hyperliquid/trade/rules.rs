//! The rules of a market: builds orders that the exchange can accept, and states which rule an
//! order breaks. Nothing that a caller gives is rounded; only the bound of a market order is.

use super::action::{Cloid, Modify, OrderId, OrderKindWire, OrderWire, Orders, Tif, Tpsl, Wire};
use super::markets::Market;
use crate::exchanges::trade::TradeCode;
use crate::trading::decimal::Decimal;
use crate::trading::order::{Side, TimeInForce};

/// Maximum number of significant digits of a price that is not an integer.
const PRICE_FIGURES: u32 = 5;

/// Minimum value of an order, in the quote token.
const MINIMUM_VALUE: Decimal = constant(10, 0);

/// Slippage of a triggered market order, which is signed as its price.
pub const TRIGGER_SLIPPAGE: Decimal = constant(1, 1);

const fn constant(units: u128, scale: u8) -> Decimal {
    match Decimal::new(units, scale) {
        Some(value) => value,
        None => Decimal::ZERO,
    }
}

/// An order to build.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewOrder {
    /// The side.
    pub side: Side,
    /// The type with its prices.
    pub kind: OrderKind,
    /// The quantity. Zero closes the whole position and requires `reduce_only`.
    pub quantity: Decimal,
    /// Whether the order may only reduce a position.
    pub reduce_only: bool,
    /// The client's id.
    pub cloid: Option<Cloid>,
}

/// The type of an order with its prices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderKind {
    /// Executes at once, up to a bound from [`Market::market_bound`].
    Market {
        /// The worst price.
        bound: Decimal,
    },
    /// Executes at its price or a better one.
    Limit {
        /// The price.
        price: Decimal,
        /// How long it stays open.
        time_in_force: TimeInForce,
    },
    /// Waits for the mark price.
    Trigger {
        /// The direction.
        tpsl: Tpsl,
        /// The mark price.
        trigger: Decimal,
        /// The price of the limit order that it becomes; `None` for a market order.
        price: Option<Decimal>,
    },
}

/// A take profit or stop loss that is attached to an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attached {
    /// The direction.
    pub tpsl: Tpsl,
    /// The mark price.
    pub trigger: Decimal,
    /// The price of the limit order that it becomes; `None` for a market order.
    pub price: Option<Decimal>,
    /// The client's id.
    pub cloid: Option<Cloid>,
}

/// A rule that an order breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the order breaks a rule of the market: {code:?}")]
pub struct BrokenRule {
    /// The rule.
    pub code: TradeCode,
    /// The step or the minimum, if the rule has one.
    pub limit: Option<Decimal>,
}

impl BrokenRule {
    const fn new(code: TradeCode, limit: Decimal) -> Self {
        Self { code, limit: Some(limit) }
    }

    const fn not_offered() -> Self {
        Self { code: TradeCode::NotOffered, limit: None }
    }
}

impl Market {
    /// Builds an order.
    ///
    /// # Errors
    /// States the first rule that the order breaks.
    pub fn order(&self, order: &NewOrder) -> Result<OrderWire, BrokenRule> {
        let kind = match order.kind {
            OrderKind::Market { .. } => OrderKindWire::Limit(Tif::Ioc),
            OrderKind::Limit { time_in_force, .. } => OrderKindWire::Limit(match time_in_force {
                TimeInForce::Gtc => Tif::Gtc,
                TimeInForce::Ioc => Tif::Ioc,
                TimeInForce::PostOnly => Tif::Alo,
                TimeInForce::Fok => return Err(BrokenRule::not_offered()),
            }),
            OrderKind::Trigger { tpsl, trigger, price } => {
                let (trigger_price, is_market) = (self.price(trigger)?, price.is_none());
                OrderKindWire::Trigger { is_market, trigger_price, tpsl }
            }
        };
        let price = self.signed_price(order)?;
        let wire = OrderWire {
            asset: self.asset,
            side: order.side,
            price: self.price(price)?,
            size: self.size(order.quantity, order.reduce_only)?,
            reduce_only: order.reduce_only,
            kind,
            cloid: order.cloid,
        };
        if !order.reduce_only && is_below_minimum(price, order.quantity) {
            return Err(BrokenRule::new(TradeCode::BelowMinimum, MINIMUM_VALUE));
        }
        Ok(wire)
    }

    /// Returns the price that [`Self::order`] signs: the worst one at which the order executes.
    ///
    /// # Errors
    /// Fails when no price is left.
    pub fn signed_price(&self, order: &NewOrder) -> Result<Decimal, BrokenRule> {
        match order.kind {
            OrderKind::Market { bound } => Ok(bound),
            OrderKind::Limit { price, .. } | OrderKind::Trigger { price: Some(price), .. } => {
                Ok(price)
            }
            OrderKind::Trigger { trigger, price: None, .. } => {
                self.market_bound(trigger, order.side, TRIGGER_SLIPPAGE)
            }
        }
    }

    /// Builds an order with its take profit and stop loss, which have the order's quantity.
    ///
    /// # Errors
    /// States the first rule that one of the orders breaks.
    pub fn order_with_children(
        &self,
        entry: &NewOrder,
        attached: &[Attached],
    ) -> Result<Orders, BrokenRule> {
        let children = attached.iter().map(|child| {
            let Attached { tpsl, trigger, price, cloid } = *child;
            self.order(&NewOrder {
                side: entry.side.opposite(),
                kind: OrderKind::Trigger { tpsl, trigger, price },
                quantity: entry.quantity,
                reduce_only: true,
                cloid,
            })
        });
        let children = children.collect::<Result<_, _>>()?;
        Orders::with_children(self.order(entry)?, children).ok_or(BrokenRule::not_offered())
    }

    /// Builds the replacement of a resting limit order by one with another price and quantity.
    ///
    /// # Errors
    /// States the first rule that the order breaks. Only a resting limit order can replace one.
    pub fn modification(&self, target: OrderId, order: &NewOrder) -> Result<Modify, BrokenRule> {
        Modify::new(target, self.order(order)?).ok_or(BrokenRule::not_offered())
    }

    /// Returns the bound of a market order: the price plus or minus the slippage, a fraction below
    /// one, rounded once to what the exchange accepts.
    ///
    /// # Errors
    /// Fails when no price is left.
    pub fn market_bound(
        &self,
        price: Decimal,
        side: Side,
        slippage: Decimal,
    ) -> Result<Decimal, BrokenRule> {
        let factor = match side {
            Side::Buy => Decimal::ONE.checked_add(slippage),
            Side::Sell => Decimal::ONE.checked_sub(slippage),
        };
        let bound = factor.and_then(|factor| price.checked_mul(factor));
        let bound = bound.map(|bound| bound.rounded(PRICE_FIGURES, self.price_places));
        match bound {
            Some(bound) if !bound.is_zero() => Ok(bound),
            _ => Err(BrokenRule { code: TradeCode::PriceOutOfRange, limit: None }),
        }
    }

    /// Checks a price: an integer, or at most five figures and the market's places.
    fn price(&self, price: Decimal) -> Result<Wire, BrokenRule> {
        let has_few_digits =
            price.significant() <= PRICE_FIGURES && price.places() <= self.price_places;
        let is_valid = !price.is_zero() && (price.is_integer() || has_few_digits);
        let wire = if is_valid { Wire::new(price) } else { None };
        wire.ok_or(BrokenRule::new(TradeCode::TickSize, self.tick_at(price)))
    }

    /// Returns the step of prices of this magnitude.
    fn tick_at(&self, price: Decimal) -> Decimal {
        let figures = i32::try_from(PRICE_FIGURES).unwrap_or(i32::MAX);
        let places = figures.saturating_sub(price.whole_digits()).max(0);
        let places = u8::try_from(places).unwrap_or(u8::MAX).min(self.price_places);
        constant(1, places)
    }

    fn size(&self, quantity: Decimal, reduce_only: bool) -> Result<Wire, BrokenRule> {
        let is_valid =
            quantity.places() <= self.size_places && (!quantity.is_zero() || reduce_only);
        let wire = if is_valid { Wire::new(quantity) } else { None };
        wire.ok_or(BrokenRule::new(TradeCode::LotSize, constant(1, self.size_places)))
    }
}

/// A value with too many digits is above every limit.
fn is_below_minimum(price: Decimal, quantity: Decimal) -> bool {
    price.checked_mul(quantity).is_some_and(|value| value < MINIMUM_VALUE)
}

#[cfg(test)]
mod tests;
