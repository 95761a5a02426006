//! Lighter's markets, from `orderBookDetails`, and the exact integers of their orders.
//!
//! The exchange counts quantities and prices in whole units of a market: a decimal times ten to the
//! market's number of places. A decimal with more places is refused, and never rounded.

use std::collections::HashMap;

use serde_json::Value;

use super::answer::{stated, unreadable};
use crate::exchanges::aster::trade::markets::Violation;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::http::Answer;
use crate::exchanges::trade::TradeCode;
use crate::trading::decimal::Decimal;
use crate::trading::order::SymbolText;

/// The largest quantity in units: 48 bits.
const MAX_SIZE: u64 = (1 << 48) - 1;

/// The initial margin fraction of a leverage of 1.
pub const WHOLE_MARGIN: u32 = 10_000;

/// The exchange's markets.
#[derive(Clone, Debug, Default)]
pub struct Markets(HashMap<String, Market>);

/// A market.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Market {
    /// The exchange's number.
    pub id: u16,
    /// The exchange's name: `BTC` for a perpetual, `ETH/USDC` for a spot market.
    pub name: String,
    /// Whether it is a spot market.
    pub is_spot: bool,
    /// Whether orders are accepted.
    pub is_active: bool,
    /// Number of places of a quantity.
    pub size_places: u8,
    /// Number of places of a price.
    pub price_places: u8,
    /// The smallest quantity of an order that rests.
    pub min_size: Decimal,
    /// The smallest value of an order that rests.
    pub min_value: Decimal,
    /// The largest value of an order, if the exchange states it.
    pub max_value: Option<Decimal>,
    /// The smallest initial margin fraction, which is that of the highest leverage.
    pub min_margin: u32,
    /// The initial margin fraction before the first change.
    pub default_margin: u32,
    /// The present price: the mark price, or that of the last trade. `None` before the first trade.
    pub price: Option<Decimal>,
    /// Whether the price is the mark price.
    pub has_mark: bool,
}

impl Markets {
    /// Parses `orderBookDetails`. Markets that cannot be read, and markets that share a name, are left
    /// out.
    ///
    /// # Errors
    /// Fails when the response has no market.
    pub fn parse(answer: &Answer) -> Result<Self, AskError> {
        let body = stated("markets", answer)?;
        let lists = ["order_book_details", "spot_order_book_details"];
        let listed = lists.iter().filter_map(|name| body.get(*name)?.as_array()).flatten();
        let mut markets: HashMap<String, Option<Market>> = HashMap::new();
        for market in listed.filter_map(Market::parse) {
            let name = market.name.clone();
            markets.entry(name).and_modify(|known| *known = None).or_insert(Some(market));
        }
        let unique = markets.into_iter().filter_map(|(name, market)| Some((name, market?)));
        let unique: HashMap<_, _> = unique.collect();
        if unique.is_empty() { Err(unreadable("markets", answer)) } else { Ok(Self(unique)) }
    }

    /// Returns the market that a caller means: by its exact name, or by that of a perpetual with
    /// `-PERP`. It can be one that accepts no orders now.
    ///
    /// # Errors
    /// Fails when the market does not exist.
    pub fn find(&self, symbol: &SymbolText) -> Result<&Market, Violation> {
        let text = symbol.as_str();
        let perpetual = text.strip_suffix("-PERP").and_then(|base| self.0.get(base));
        let found = self.0.get(text).or_else(|| perpetual.filter(|market| !market.is_spot));
        found.ok_or_else(|| not_open(text))
    }

    /// Returns the market with a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Market> {
        self.0.get(name)
    }

    /// Returns the number of the market with a name.
    #[must_use]
    pub fn id_of(&self, name: &str) -> Option<u16> {
        self.0.get(name).map(|market| market.id)
    }

    /// Returns the name of the market with a number.
    #[must_use]
    pub fn name_of(&self, id: u16) -> Option<&str> {
        self.0.values().find(|market| market.id == id).map(|market| market.name.as_str())
    }
}

impl Market {
    fn parse(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let number = |name: &str| value.get(name).and_then(Value::as_u64);
        let places = |name: &str| u8::try_from(number(name)?).ok().filter(|places| *places <= 12);
        let decimal = |name: &str| Decimal::parse(text(name)?).ok();
        let margin = |name: &str| {
            number(name).and_then(|fraction| u32::try_from(fraction).ok()).unwrap_or_default()
        };
        // The last price is a JSON number, whose text is read as it is.
        let last = value.get("last_trade_price").map(Value::to_string);
        let last =
            last.and_then(|text| Decimal::parse(text.strip_suffix(".0").unwrap_or(&text)).ok());
        let mark = decimal("mark_price").filter(|price| !price.is_zero());
        Some(Self {
            id: u16::try_from(number("market_id")?).ok()?,
            name: text("symbol")?.parse::<SymbolText>().ok()?.into(),
            is_spot: match text("market_type") {
                Some(kind) => kind == "spot",
                None => text("symbol")?.contains('/'),
            },
            is_active: text("status")? == "active",
            size_places: places("supported_size_decimals")?,
            price_places: places("supported_price_decimals")?,
            min_size: decimal("min_base_amount")?,
            min_value: decimal("min_quote_amount")?,
            max_value: decimal("order_quote_limit").filter(|limit| !limit.is_zero()),
            min_margin: margin("min_initial_margin_fraction"),
            default_margin: margin("default_initial_margin_fraction"),
            price: mark.or(last).filter(|price| !price.is_zero()),
            has_mark: mark.is_some(),
        })
    }

    /// Checks that the market accepts orders and changes.
    ///
    /// # Errors
    /// Fails when the market is inactive.
    pub fn ensure_active(&self) -> Result<(), Violation> {
        if self.is_active { Ok(()) } else { Err(not_open(&self.name)) }
    }

    /// Returns a quantity in the market's units.
    ///
    /// # Errors
    /// Fails for a quantity with more places than the market has, and for one above 48 bits.
    pub fn size(&self, quantity: Decimal) -> Result<u64, Violation> {
        let step = step(self.size_places);
        let units = quantity.units_of(self.size_places).ok_or_else(|| {
            let advice = format!("Use a quantity that is a multiple of {step} for {}.", self.name);
            Violation { code: TradeCode::LotSize, limit: step, advice }
        })?;
        let units = u64::try_from(units).ok().filter(|units| *units <= MAX_SIZE);
        units.ok_or_else(|| {
            let limit = Decimal::new(MAX_SIZE.into(), self.size_places).unwrap_or(Decimal::ZERO);
            let advice = format!("Use a quantity of at most {} for {}.", limit.text(), self.name);
            Violation { code: TradeCode::LotSize, limit: limit.text(), advice }
        })
    }

    /// Returns a price in the market's units.
    ///
    /// # Errors
    /// Fails for a price with more places than the market has, for zero, and for one above 32 bits.
    pub fn price_units(&self, price: Decimal) -> Result<u32, Violation> {
        let step = step(self.price_places);
        let units = price.units_of(self.price_places).ok_or_else(|| {
            let advice = format!("Use a multiple of {step} for {}.", self.name);
            Violation { code: TradeCode::TickSize, limit: step.clone(), advice }
        })?;
        let units = u32::try_from(units).ok().filter(|units| *units > 0);
        units.ok_or_else(|| {
            let most = Decimal::new(u32::MAX.into(), self.price_places).unwrap_or(Decimal::ZERO);
            let limit = format!("{step} to {}", most.text());
            let advice = format!("Use a price of {limit} for {}.", self.name);
            Violation { code: TradeCode::PriceOutOfRange, limit, advice }
        })
    }

    /// Returns the worst price of an order that executes at once: the present price and a fraction of
    /// it, on the market's grid.
    #[must_use]
    pub fn bound(&self, price: Decimal, is_ask: bool, slippage: Decimal) -> Option<Decimal> {
        let factor = if is_ask {
            Decimal::ONE.checked_sub(slippage)?
        } else {
            Decimal::ONE.checked_add(slippage)?
        };
        let bound = price.checked_mul(factor)?.rounded(39, self.price_places);
        (!bound.is_zero()).then_some(bound)
    }

    /// Checks the size and the value of an order that can rest.
    ///
    /// # Errors
    /// Fails below the market's minimum.
    pub fn check_minimum(&self, quantity: Decimal, price: Decimal) -> Result<(), Violation> {
        let below = |limit: Decimal, what: &str| Violation {
            code: TradeCode::BelowMinimum,
            limit: limit.text(),
            advice: format!("Use a quantity {what} at least {} for {}.", limit.text(), self.name),
        };
        if quantity < self.min_size {
            return Err(below(self.min_size, "of"));
        }
        match quantity.checked_mul(price) {
            Some(value) if value < self.min_value => Err(below(self.min_value, "whose value is")),
            _ => Ok(()),
        }
    }

    /// Checks the value of an order against the market's limit.
    ///
    /// # Errors
    /// Fails above the limit.
    pub fn check_maximum(&self, quantity: Decimal, price: Decimal) -> Result<(), Violation> {
        let Some(limit) = self.max_value else { return Ok(()) };
        if quantity.checked_mul(price).is_some_and(|value| value <= limit) {
            return Ok(());
        }
        let limit = limit.text();
        let advice = format!("Use a quantity whose value is at most {limit} for {}.", self.name);
        Err(Violation { code: TradeCode::LotSize, limit, advice })
    }

    /// Returns the leverage before the first change.
    #[must_use]
    pub fn default_leverage(&self) -> u32 {
        WHOLE_MARGIN / self.default_margin.max(1)
    }

    /// Returns the initial margin fraction of a leverage, as the exchange computes it: 10,000 divided
    /// by the leverage, without the rest.
    ///
    /// # Errors
    /// Fails for a leverage that the market does not have.
    pub fn margin_of(&self, leverage: u32) -> Result<u16, Violation> {
        let highest = WHOLE_MARGIN / self.min_margin.max(1);
        let fraction = WHOLE_MARGIN.checked_div(leverage);
        let fraction = fraction.filter(|fraction| *fraction >= self.min_margin.max(1));
        fraction.and_then(|fraction| u16::try_from(fraction).ok()).ok_or_else(|| Violation {
            code: TradeCode::LeverageOutOfRange,
            limit: highest.to_string(),
            advice: format!("Use a leverage from 1 to {highest} for {}.", self.name),
        })
    }
}

/// Makes the refusal of a market that does not exist or accepts no orders.
fn not_open(name: &str) -> Violation {
    Violation {
        code: TradeCode::MarketUnknown,
        limit: name.to_owned(),
        advice: "Use the name of an open market of Lighter, such as BTC or ETH/USDC.".to_owned(),
    }
}

/// Returns the smallest step of a number of places.
fn step(places: u8) -> String {
    Decimal::new(1, places).unwrap_or(Decimal::ONE).text()
}

/// Returns the leverage of an initial margin fraction in percent, as positions state it: `4.34` means
/// 23.
#[must_use]
pub fn leverage_of(percent: Decimal) -> Option<u32> {
    let hundred = Decimal::new(100, 0)?;
    let leverage = hundred.checked_div(percent, 0)?;
    u32::try_from(leverage.units_of(0)?).ok().filter(|leverage| *leverage > 0)
}

#[cfg(test)]
mod tests;
