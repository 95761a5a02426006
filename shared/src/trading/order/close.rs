//! A request to close a position: the whole of it or a part, at the market's price or at a limit.

use domain::ids::Exchange;
use serde::{Deserialize, Serialize};

use super::fields::{OrderFault, OrderFields, invalid, one_of};
use super::{Amount, Fingerprint, OrderRequest, OrderType, PositionSide, Side, SymbolText};

/// The types of an order that closes a position.
const TYPES: [OrderType; 2] = [OrderType::Market, OrderType::Limit];

/// The fields of a request to close a position.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CloseFields<'a> {
    /// `symbol`
    pub symbol: Option<&'a str>,
    /// `side`, which must be the opposite of the position. Absent: it follows from the position.
    pub side: Option<&'a str>,
    /// `type`. Absent: MARKET.
    pub order_type: Option<&'a str>,
    /// `quantity`. Absent: the whole position.
    pub quantity: Option<&'a str>,
    /// `price`
    pub price: Option<&'a str>,
    /// `timeInForce`
    pub time_in_force: Option<&'a str>,
    /// `positionSide`
    pub position_side: Option<&'a str>,
    /// `slippage`
    pub slippage: Option<&'a str>,
    /// `reduceOnly`, which must not be false.
    pub reduce_only: Option<bool>,
}

impl CloseFields<'_> {
    /// Validates the fields for an exchange.
    ///
    /// # Errors
    /// Fails at the first field that is missing, invalid, or not offered by the exchange.
    pub fn check(&self, exchange: Exchange) -> Result<CloseRequest, OrderFault> {
        if self.reduce_only == Some(false) {
            return Err(invalid("reduceOnly", "must be true: closing only reduces a position"));
        }
        let order_type = match self.order_type {
            Some(text) => {
                let (known, fault) = (&TYPES, invalid("type", "must be MARKET or LIMIT"));
                one_of(text, known, OrderType::as_str, fault)?
            }
            None => OrderType::Market,
        };
        // The side and the quantity of the position replace these.
        let side = self.side.unwrap_or(match self.position_side {
            Some("SHORT") => "BUY",
            _ => "SELL",
        });
        let shape = OrderFields {
            symbol: self.symbol,
            side: Some(side),
            order_type: Some(order_type.as_str()),
            quantity: Some(self.quantity.unwrap_or("1")),
            price: self.price,
            time_in_force: self.time_in_force,
            reduce_only: true,
            position_side: self.position_side,
            slippage: self.slippage,
            ..OrderFields::default()
        };
        let shape = shape.check(exchange)?;
        if shape.quantity.value().is_zero() {
            let expected = "must be above 0. Omit it to close the whole position.";
            return Err(invalid("quantity", expected));
        }
        Ok(CloseRequest {
            side: self.side.map(|_| shape.side),
            quantity: self.quantity.map(|_| shape.quantity.clone()),
            position_side: self.position_side.map(|_| shape.position_side),
            shape,
        })
    }
}

/// A validated request to close a position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CloseRequest {
    /// The order without the position's side and quantity.
    shape: OrderRequest,
    side: Option<Side>,
    quantity: Option<Amount>,
    position_side: Option<PositionSide>,
}

impl CloseRequest {
    /// Returns the request that closes a whole position at the market's price, and no position of
    /// the other direction.
    ///
    /// # Errors
    /// Fails when the exchange does not offer the slippage or the position side.
    pub fn whole(
        exchange: Exchange,
        market: &ClosedMarket,
        slippage: Option<&Amount>,
    ) -> Result<Self, OrderFault> {
        let position_side = match market.position_side {
            PositionSide::Both => None,
            side => Some(side.as_str()),
        };
        let fields = CloseFields {
            symbol: Some(market.symbol.as_str()),
            side: Some(market.side.as_str()),
            position_side,
            slippage: slippage.map(Amount::text),
            ..CloseFields::default()
        };
        fields.check(exchange)
    }

    /// Returns the market as the caller named it.
    #[must_use]
    pub const fn symbol(&self) -> &SymbolText {
        &self.shape.symbol
    }

    /// Returns the requested quantity. `None` means the whole position.
    #[must_use]
    pub const fn quantity(&self) -> Option<&Amount> {
        self.quantity.as_ref()
    }

    /// Returns whether the request means a position of this side, which an order of `closing`
    /// closes.
    #[must_use]
    pub fn means(&self, position_side: PositionSide, closing: Side) -> bool {
        self.side.is_none_or(|side| side == closing)
            && self
                .position_side
                .is_none_or(|side| side == position_side || side == PositionSide::Both)
    }

    /// Returns the reduce-only order that closes a position.
    #[must_use]
    pub fn order(&self, side: Side, quantity: Amount, position_side: PositionSide) -> OrderRequest {
        OrderRequest { side, quantity, position_side, ..self.shape.clone() }
    }

    /// Returns the fingerprint of the request. It does not depend on the position, so a repeat is
    /// the same request after the position has changed.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let value = |amount: Option<&Amount>| amount.map(|it| it.value().text());
        let word = |text: &str| Some(text.to_owned());
        Fingerprint::of(&[
            word("close-1"),
            word(self.shape.symbol.as_str()),
            self.side.map(|side| side.as_str().to_owned()),
            word(self.shape.order_type.as_str()),
            value(self.quantity.as_ref()),
            value(self.shape.price.as_ref()),
            self.shape.time_in_force.map(|it| it.as_str().to_owned()),
            self.position_side.map(|side| side.as_str().to_owned()),
            value(self.shape.slippage.as_ref()),
        ])
    }
}

/// A position that a request to close all positions closes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClosedMarket {
    /// The exchange's name of the market.
    pub symbol: SymbolText,
    /// The side of the order that closes it.
    pub side: Side,
    /// The side of the position in hedge mode.
    #[serde(default, skip_serializing_if = "PositionSide::is_both")]
    pub position_side: PositionSide,
}

impl Fingerprint {
    /// Returns the fingerprint of a request to close all positions.
    #[must_use]
    pub fn of_close_all(slippage: Option<&Amount>) -> Self {
        let slippage = slippage.map(|it| it.value().text());
        Self::of(&[Some("close-all-1".to_owned()), slippage])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: CloseFields<'static> = CloseFields {
        symbol: Some("BTC"),
        side: None,
        order_type: None,
        quantity: None,
        price: None,
        time_in_force: None,
        position_side: None,
        slippage: None,
        reduce_only: None,
    };

    #[test]
    fn symbol_alone_closes_the_whole_position_at_market() {
        for exchange in Exchange::ALL {
            let close = WHOLE.check(exchange).unwrap();
            assert_eq!(close.quantity(), None);
            let order = close.order(Side::Buy, "0.5".parse().unwrap(), PositionSide::Both);
            assert_eq!(order.order_type, OrderType::Market);
            assert_eq!(
                (order.side, order.quantity.text(), order.reduce_only),
                (Side::Buy, "0.5", true)
            );
            assert!(close.means(PositionSide::Both, Side::Buy));
            assert!(close.means(PositionSide::Short, Side::Buy));
        }
    }

    #[test]
    fn given_side_must_close_the_position() {
        let sell = CloseFields { side: Some("SELL"), ..WHOLE }.check(Exchange::Aster).unwrap();
        assert!(sell.means(PositionSide::Both, Side::Sell));
        assert!(!sell.means(PositionSide::Both, Side::Buy));
        let short = CloseFields { position_side: Some("SHORT"), ..WHOLE };
        let short = short.check(Exchange::Aster).unwrap();
        assert!(short.means(PositionSide::Short, Side::Buy));
        assert!(!short.means(PositionSide::Long, Side::Sell));
    }

    #[test]
    fn listed_position_of_the_other_direction_is_not_meant() {
        let symbol = || "BTC".parse().unwrap();
        let long =
            ClosedMarket { symbol: symbol(), side: Side::Sell, position_side: PositionSide::Both };
        let close = CloseRequest::whole(Exchange::Hyperliquid, &long, None).unwrap();
        assert!(close.means(PositionSide::Both, Side::Sell));
        assert!(!close.means(PositionSide::Both, Side::Buy));
        let short = PositionSide::Short;
        let short = ClosedMarket { symbol: symbol(), side: Side::Buy, position_side: short };
        let close = CloseRequest::whole(Exchange::Aster, &short, None).unwrap();
        assert!(close.means(PositionSide::Short, Side::Buy));
        assert!(!close.means(PositionSide::Long, Side::Sell));
    }

    #[test]
    fn invalid_close_is_refused() {
        for (fields, fault) in [
            (CloseFields { symbol: None, ..WHOLE }, "Missing required parameter: symbol"),
            (CloseFields { reduce_only: Some(false), ..WHOLE }, "reduceOnly must be true"),
            (CloseFields { order_type: Some("STOP_MARKET"), ..WHOLE }, "type must be MARKET"),
            (
                CloseFields { order_type: Some("LIMIT"), ..WHOLE },
                "Missing required parameter: price",
            ),
            (CloseFields { price: Some("1"), ..WHOLE }, "price is for LIMIT"),
            (CloseFields { quantity: Some("0"), ..WHOLE }, "quantity must be above 0"),
            (CloseFields { quantity: Some("-1"), ..WHOLE }, "quantity must be a decimal"),
        ] {
            let refused = fields.check(Exchange::Hyperliquid).unwrap_err().to_string();
            assert!(refused.starts_with(fault), "{refused}");
        }
        let hedge = CloseFields { position_side: Some("LONG"), ..WHOLE };
        assert!(matches!(hedge.check(Exchange::Hyperliquid), Err(OrderFault::NotOffered { .. })));
    }

    #[test]
    fn fingerprint_names_the_request_and_not_the_position() {
        let of =
            |fields: CloseFields<'_>| fields.check(Exchange::Hyperliquid).unwrap().fingerprint();
        assert_eq!(of(WHOLE), of(CloseFields { order_type: Some("MARKET"), ..WHOLE }));
        assert_eq!(of(WHOLE), of(CloseFields { reduce_only: Some(true), ..WHOLE }));
        let part = CloseFields { quantity: Some("0.5"), ..WHOLE };
        assert_eq!(of(part), of(CloseFields { quantity: Some("0.50"), ..WHOLE }));
        let others = [
            part,
            CloseFields { side: Some("SELL"), ..WHOLE },
            CloseFields { slippage: Some("0.01"), ..WHOLE },
            CloseFields { symbol: Some("ETH"), ..WHOLE },
            CloseFields { quantity: Some("1"), ..WHOLE },
        ];
        for other in others {
            assert_ne!(of(other), of(WHOLE), "{other:?}");
        }
        let order = WHOLE.check(Exchange::Hyperliquid).unwrap();
        let order = order.order(Side::Sell, "1".parse().unwrap(), PositionSide::Both);
        assert_ne!(order.fingerprint(), of(WHOLE));
        let ten = "0.1".parse().unwrap();
        assert_ne!(Fingerprint::of_close_all(None), Fingerprint::of_close_all(Some(&ten)));
    }
}
