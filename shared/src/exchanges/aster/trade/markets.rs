//! Aster's markets and their filters, from `exchangeInfo`.
//!
//! The filters are exact: nothing is rounded. The precision fields of `exchangeInfo` are not used,
//! because they contradict the tick size for most markets. A zero in a filter switches the rule off.

use std::collections::HashMap;

use serde_json::Value;

use crate::exchanges::LookupError;
use crate::exchanges::http::Answer;
use crate::exchanges::trade::TradeCode;
use crate::trading::decimal::Decimal;
use crate::trading::dollar::{ends_in_dollars, is_dollar};
use crate::trading::order::{Amount, ChangeRequest, OrderRequest, OrderType, Side, SymbolText};

/// The quote asset of a market that a caller names without one.
const QUOTE: &str = "USDT";

/// The bound of a market order's price for a limit of its notional: 5 percent above the mark price
/// or its trigger.
const MARKET_BOUND: (u128, u8) = (105, 2);

/// A rule of a market that an order violates. It is found before anything is signed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the order violates a rule of the market: {code:?} {limit}")]
pub struct Violation {
    /// The rule.
    pub code: TradeCode,
    /// The step, bound or minimum that the order must meet, or the unknown name.
    pub limit: String,
    /// The action to take, as a sentence.
    pub advice: String,
}

/// The exchange's markets.
#[derive(Clone, Debug, Default)]
pub struct Markets(HashMap<String, Market>);

/// A market with its filters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Market {
    /// The exchange's name.
    pub name: String,
    /// Whether orders are accepted.
    pub is_trading: bool,
    /// Whether the market is quoted in a dollar token.
    pub is_in_dollars: bool,
    price: Steps,
    lot: Steps,
    market_lot: Steps,
    min_notional: Amount,
}

/// The allowed values of a price or a quantity.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Steps {
    min: Amount,
    max: Amount,
    step: Amount,
}

impl Markets {
    /// Parses `exchangeInfo`. Markets that cannot be read, and markets that share a name, are left
    /// out.
    ///
    /// # Errors
    /// Fails when the response has no market.
    pub fn parse(answer: &Answer) -> Result<Self, LookupError> {
        let fault = || LookupError::unreadable("markets", answer);
        if answer.status != 200 {
            return Err(fault());
        }
        let body: Value = serde_json::from_str(&answer.body).map_err(|_| fault())?;
        let listed = body.get("symbols").and_then(Value::as_array).ok_or_else(fault)?;
        let mut markets: HashMap<String, Option<Market>> = HashMap::new();
        for market in listed.iter().filter_map(Market::parse) {
            let name = market.name.clone();
            markets.entry(name).and_modify(|known| *known = None).or_insert(Some(market));
        }
        let unique = markets.into_iter().filter_map(|(name, market)| Some((name, market?)));
        let unique: HashMap<_, _> = unique.collect();
        if unique.is_empty() { Err(fault()) } else { Ok(Self(unique)) }
    }

    /// Returns the market that a caller means: by its exact name, or by its base asset with or
    /// without `-PERP`.
    ///
    /// # Errors
    /// Fails when the market does not exist or accepts no orders, or when the name means a spot
    /// market.
    pub fn find(&self, symbol: &SymbolText) -> Result<&Market, Violation> {
        let text = symbol.as_str();
        let base = text.strip_suffix("-PERP").unwrap_or(text);
        let found = self.0.get(text).or_else(|| self.0.get(&format!("{base}{QUOTE}")));
        if let Some(market) = found.filter(|market| market.is_trading) {
            return Ok(market);
        }
        if found.is_none() && text.contains('/') {
            return Err(Violation {
                code: TradeCode::NotOffered,
                limit: text.to_owned(),
                advice: "Name a perpetual market, such as BTCUSDT.".to_owned(),
            });
        }
        Err(Violation {
            code: TradeCode::MarketUnknown,
            limit: text.to_owned(),
            advice: "Use the name of an open market of Aster, such as BTCUSDT.".to_owned(),
        })
    }
}

impl Market {
    fn parse(value: &Value) -> Option<Self> {
        let name = value.get("symbol")?.as_str()?;
        let filters = value.get("filters")?.as_array()?;
        let filter = |wanted: &str| {
            let is_it = |it: &&Value| it.get("filterType").and_then(Value::as_str) == Some(wanted);
            filters.iter().find(is_it)
        };
        let lot = Steps::parse(filter("LOT_SIZE")?, ["minQty", "maxQty", "stepSize"])?;
        Some(Self {
            name: name.parse::<SymbolText>().ok()?.into(),
            is_trading: value.get("status")?.as_str()? == "TRADING",
            is_in_dollars: match value.get("quoteAsset").and_then(Value::as_str) {
                Some(quote) => is_dollar(quote),
                None => ends_in_dollars(name),
            },
            price: Steps::parse(filter("PRICE_FILTER")?, ["minPrice", "maxPrice", "tickSize"])?,
            market_lot: match filter("MARKET_LOT_SIZE") {
                Some(filter) => Steps::parse(filter, ["minQty", "maxQty", "stepSize"])?,
                None => lot.clone(),
            },
            lot,
            min_notional: match filter("MIN_NOTIONAL") {
                Some(filter) => amount(filter, "notional")?,
                None => "0".parse().ok()?,
            },
        })
    }

    /// Checks an order against the filters. `mark` is the mark price, for the minimum notional of a
    /// market order; the exchange checks the distance of a price from it.
    ///
    /// # Errors
    /// Fails at the first filter that the order violates.
    pub fn check(&self, order: &OrderRequest, mark: Option<Decimal>) -> Result<(), Violation> {
        for price in [&order.price, &order.trigger_price].into_iter().flatten() {
            self.check_price(price.value())?;
        }
        let is_market = order.order_type == OrderType::Market;
        let lot = if is_market { &self.market_lot } else { &self.lot };
        self.check_quantity(lot, order.quantity.value())?;
        if order.is_reducing() {
            return Ok(());
        }
        let price = order.price.as_ref().or(order.trigger_price.as_ref()).map(Amount::value);
        self.check_notional(price.or(mark), order.quantity.value())
    }

    /// Checks the change of an order against the filters.
    ///
    /// # Errors
    /// Fails at the first filter that the change violates.
    pub fn check_change(&self, change: &ChangeRequest, is_reducing: bool) -> Result<(), Violation> {
        let (price, quantity) = (change.price.value(), change.quantity.value());
        self.check_price(price)?;
        self.check_quantity(&self.lot, quantity)?;
        if is_reducing { Ok(()) } else { self.check_notional(Some(price), quantity) }
    }

    fn check_price(&self, price: Decimal) -> Result<(), Violation> {
        let Steps { min, max, step } = &self.price;
        if self.price.is_below(price) || self.price.is_above(price) {
            let limit = format!("{} to {}", min.text(), max.text());
            return Err(self.violation(TradeCode::PriceOutOfRange, limit, "Use a price of"));
        }
        if !price.is_step_from(min.value(), step.value()) {
            return Err(self.violation(TradeCode::TickSize, step.text(), "Use a multiple of"));
        }
        Ok(())
    }

    fn check_quantity(&self, lot: &Steps, quantity: Decimal) -> Result<(), Violation> {
        let Steps { min, max, step } = lot;
        if lot.is_below(quantity) {
            let advice = "Use a quantity of at least";
            return Err(self.violation(TradeCode::BelowMinimum, min.text(), advice));
        }
        if lot.is_above(quantity) {
            let advice = "Use a quantity of at most";
            return Err(self.violation(TradeCode::LotSize, max.text(), advice));
        }
        if !quantity.is_step_from(min.value(), step.value()) {
            return Err(self.violation(TradeCode::LotSize, step.text(), "Use a multiple of"));
        }
        Ok(())
    }

    /// Checks the minimum notional. An unknown price is left to the exchange.
    fn check_notional(&self, price: Option<Decimal>, quantity: Decimal) -> Result<(), Violation> {
        let Some(price) = price else { return Ok(()) };
        // A product with too many digits is large.
        match price.checked_mul(quantity) {
            Some(notional) if notional < self.min_notional.value() => {
                let advice = "Use a quantity whose value is at least";
                Err(self.violation(TradeCode::BelowMinimum, self.min_notional.text(), advice))
            }
            _ => Ok(()),
        }
    }

    fn violation(&self, code: TradeCode, limit: impl Into<String>, advice: &str) -> Violation {
        let limit = limit.into();
        Violation { code, advice: format!("{advice} {limit} for {}.", self.name), limit }
    }
}

impl Steps {
    fn parse(filter: &Value, [min, max, step]: [&str; 3]) -> Option<Self> {
        Some(Self {
            min: amount(filter, min)?,
            max: amount(filter, max)?,
            step: amount(filter, step)?,
        })
    }

    fn is_below(&self, value: Decimal) -> bool {
        value < self.min.value()
    }

    fn is_above(&self, value: Decimal) -> bool {
        !self.max.value().is_zero() && value > self.max.value()
    }
}

fn amount(filter: &Value, name: &str) -> Option<Amount> {
    filter.get(name)?.as_str()?.parse().ok()
}

/// Returns the notional of an order for the policy, at the highest price at which it can execute:
/// its own price, or at least the mark price for a sale, which executes at the best bid however low
/// its own price is. An order without a price, also one that waits for a trigger, counts with 5
/// percent more than the mark price or the trigger. `None` means that the price is unknown or the
/// value has too many digits; the policy then refuses the order.
#[must_use]
pub fn notional(order: &OrderRequest, mark: Option<Decimal>) -> Option<Decimal> {
    let of = |amount: &Option<Amount>| amount.as_ref().map(Amount::value);
    let own = of(&order.price).max(of(&order.trigger_price));
    let has_price = order.order_type.has_price();
    let price = match mark {
        _ if has_price && order.side == Side::Buy => own?,
        Some(mark) => own.map_or(mark, |own| own.max(mark)),
        None if order.is_reducing() => own?,
        None => return None,
    };
    let price = if has_price { price } else { at_market(price)? };
    price.checked_mul(order.quantity.value())
}

/// Returns the bound of a price at which an order without a price executes.
#[must_use]
pub fn at_market(price: Decimal) -> Option<Decimal> {
    price.checked_mul(Decimal::new(MARKET_BOUND.0, MARKET_BOUND.1)?)
}

#[cfg(test)]
mod tests;
