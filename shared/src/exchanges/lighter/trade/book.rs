//! The best prices of a market's book. They bound a market order where the exchange states no mark
//! price, because the last trade can be old.

use serde_json::Value;

use super::Client;
use super::answer::{stated, unreadable};
use crate::exchanges::aster::trade::read::AskError;
use crate::trading::decimal::Decimal;
use crate::trading::order::Side;

/// The best prices of a book. `None` means that nobody offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Best {
    /// The highest price of a purchase.
    pub bid: Option<Decimal>,
    /// The lowest price of a sale.
    pub ask: Option<Decimal>,
}

impl Best {
    /// Returns the price at which an order of this side executes first.
    #[must_use]
    pub const fn opposite(self, side: Side) -> Option<Decimal> {
        match side {
            Side::Buy => self.ask,
            Side::Sell => self.bid,
        }
    }

    fn parse(body: &Value) -> Option<Self> {
        let best = |name: &str| match body.get(name)?.as_array()?.first() {
            Some(order) => {
                let price = Decimal::parse(order.get("price")?.as_str()?).ok()?;
                Some(Some(price).filter(|price| !price.is_zero()))
            }
            None => Some(None),
        };
        Some(Self { bid: best("bids")?, ask: best("asks")? })
    }
}

impl Client {
    /// Reads the best prices of a market.
    ///
    /// # Errors
    /// Fails when the exchange does not state them.
    pub async fn best(&self, id: u16) -> Result<Best, AskError> {
        let id = id.to_string();
        let answer = self.get("orderBookOrders", &[("market_id", &id), ("limit", "1")]).await?;
        Best::parse(&stated("a book", &answer)?).ok_or_else(|| unreadable("a book", &answer))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn best_price_of_an_order_is_that_of_the_other_side() {
        let book = json!({ "asks": [{ "price": "60010.0" }], "bids": [{ "price": "59990.5" }] });
        let best = Best::parse(&book).unwrap();
        assert_eq!(best.opposite(Side::Buy), Decimal::parse("60010").ok());
        assert_eq!(best.opposite(Side::Sell), Decimal::parse("59990.5").ok());
        let empty = Best::parse(&json!({ "asks": [], "bids": [] })).unwrap();
        assert_eq!(empty, Best { bid: None, ask: None });
        assert_eq!(Best::parse(&json!({ "asks": [{}], "bids": [] })), None);
    }
}
