//! Prices and the house's liquidity of each market.

use serde::{Deserialize, Serialize};

use super::{Engine, Num, Spec, journal::Key};

/// Quantity of each default quote of the house.
const DEPTH: Num = Num::whole(1_000_000);

/// Distance of the default quotes from the mark, in millionths.
const HALF_SPREAD: i128 = 500;

/// An offer of the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Level {
    pub(crate) price: Num,
    pub(crate) size: Num,
}

/// Price of a market, and what the house buys and sells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Market {
    pub(crate) mark: Num,
    /// Best first.
    pub(crate) bids: Vec<Level>,
    /// Best first.
    pub(crate) asks: Vec<Level>,
}

impl Engine {
    /// Returns a market whose house quotes around a mark.
    pub(super) fn quote(&self, spec: &Spec, mark: Num) -> Market {
        let away = mark.ratio(HALF_SPREAD, 1_000_000);
        let step = self.price_step(spec, mark);
        let bid = (mark - away).down_to(step);
        let ask = (mark + away).up_to(step);
        let level = |price| Level { price, size: DEPTH };
        let bids = if bid.is_positive() { vec![level(bid)] } else { Vec::new() };
        Market { mark, bids, asks: vec![level(ask)] }
    }

    /// Returns the step of a market's prices near a price.
    pub(crate) fn price_step(&self, spec: &Spec, price: Num) -> Num {
        let step = spec.tick.max(Num::step(spec.price_places));
        if self.style.five_figures { step.max(price.step_of_five_figures()) } else { step }
    }

    pub(crate) fn market(&self, name: &str) -> Option<&Market> {
        self.markets.get(name)
    }

    /// Changes a market's price. The house quotes around it, fills the orders that its quotes
    /// cross, and triggers fire. Returns false for an unknown market or a price of zero.
    pub(crate) fn set_price(&mut self, name: &str, mark: Num, now: u64) -> bool {
        let Some(spec) = self.spec(name).filter(|_| mark.is_positive()) else { return false };
        let market = self.quote(&spec, mark);
        self.replace(name, market, now);
        true
    }

    /// Replaces the house's offers of a market. Returns false for an unknown market.
    pub(crate) fn set_liquidity(
        &mut self,
        name: &str,
        mut bids: Vec<Level>,
        mut asks: Vec<Level>,
        now: u64,
    ) -> bool {
        let Some(mark) = self.markets.get(name).map(|market| market.mark) else { return false };
        bids.sort_by_key(|level| -level.price);
        asks.sort_by_key(|level| level.price);
        self.replace(name, Market { mark, bids, asks }, now);
        true
    }

    fn replace(&mut self, name: &str, market: Market, now: u64) {
        self.touch(Key::Market(name.to_owned()));
        self.markets.insert(name.to_owned(), market);
        self.match_house(name, now);
        self.fire_triggers(name, now);
    }

    /// Returns the best price at which someone buys.
    pub(crate) fn best_bid(&self, name: &str) -> Option<Num> {
        let house = self.markets.get(name)?.bids.first().map(|level| level.price);
        let resting = self.books.get(name).and_then(|book| book.bids.first());
        house.max(resting.map(|(price, _)| -*price))
    }

    /// Returns the best price at which someone sells.
    pub(crate) fn best_ask(&self, name: &str) -> Option<Num> {
        let house = self.markets.get(name)?.asks.first().map(|level| level.price);
        let resting = self.books.get(name).and_then(|book| book.asks.first());
        match (house, resting.map(|(price, _)| *price)) {
            (Some(house), Some(resting)) => Some(house.min(resting)),
            (house, resting) => house.or(resting),
        }
    }

    /// Returns the middle of the best bid and ask. `None` if a side is empty.
    pub(crate) fn mid(&self, name: &str) -> Option<Num> {
        let (bid, ask) = (self.best_bid(name)?, self.best_ask(name)?);
        Some((bid + ask).ratio(1, 2))
    }

    /// Returns the offers of one side, best first, with the number of offers at each price.
    pub(crate) fn levels(&self, name: &str, bids: bool) -> Vec<(Level, usize)> {
        let Some(market) = self.markets.get(name) else { return Vec::new() };
        let house = if bids { &market.bids } else { &market.asks };
        let book = self.books.get(name).map(|book| if bids { &book.bids } else { &book.asks });
        let resting = book.into_iter().flatten().filter_map(|(_, oid)| self.orders.get(oid));
        let resting = resting.map(|order| Level { price: order.price, size: order.left() });
        let mut all: Vec<_> = house.iter().copied().chain(resting).collect();
        all.sort_by_key(|level| if bids { -level.price } else { level.price });
        let mut levels: Vec<(Level, usize)> = Vec::new();
        for offer in all {
            match levels.last_mut().filter(|(level, _)| level.price == offer.price) {
                Some((level, offers)) => {
                    level.size += offer.size;
                    *offers += 1;
                }
                None => levels.push((offer, 1)),
            }
        }
        levels
    }
}
