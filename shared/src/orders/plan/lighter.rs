//! The orders of Lighter, in exact integers. An order with attached ones is a group: the attached
//! orders start when it is filled, and one of them cancels the other.

use lighter_signer::{
    Action, Grouping, Order, OrderGroup, OrderType as Kind, TimeInForce as Rests,
};

use super::value::TRIGGER_SLIPPAGE;
use super::{Planned, Signing, of_violation, slippage_of};
use crate::exchanges::aster::trade::markets::Violation;
use crate::exchanges::lighter::trade::markets::Market;
use crate::exchanges::trade::TradeCode;
use crate::orders::markets::Market as AnyMarket;
use crate::orders::{BrokenRule, TradeError};
use crate::trading::decimal::Decimal;
use crate::trading::ids::{ExchangeOrderId, Leg};
use crate::trading::order::{Amount, Attached, OrderRequest, OrderType, Side, TimeInForce};

/// How long an order rests or waits at most, in milliseconds: 28 days. The exchange has no orders
/// without an end.
const RESTS_MS: u64 = 28 * 24 * 60 * 60 * 1_000;

/// Returns the worst price of a market order.
pub(super) fn bound(
    market: &Market,
    request: &OrderRequest,
    price: Decimal,
) -> Result<Decimal, BrokenRule> {
    let bound = market.bound(price, request.side == Side::Sell, slippage_of(request));
    bound.ok_or_else(|| BrokenRule {
        index: 0,
        code: TradeCode::PriceOutOfRange,
        symbol: request.symbol.to_string(),
        limit: None,
        advice: "Use a smaller slippage.".to_owned(),
    })
}

/// Returns the price of an order that becomes a market order at its trigger.
fn triggered(market: &Market, trigger: Decimal, is_ask: bool) -> Decimal {
    market.bound(trigger, is_ask, TRIGGER_SLIPPAGE).unwrap_or(Decimal::ZERO)
}

impl Planned {
    /// Checks the order and its attached orders against the market.
    pub(super) fn check_on_lighter(&self, market: &Market) -> Result<(), BrokenRule> {
        let request = &self.named.request;
        let broken = |violation| BrokenRule {
            index: self.named.index,
            ..of_violation(violation, &request.symbol)
        };
        let has_attached = request.take_profit.is_some() || request.stop_loss.is_some();
        if market.is_spot
            && (request.order_type.has_trigger() || request.reduce_only || has_attached)
        {
            return Err(broken(Violation {
                code: TradeCode::NotOffered,
                limit: market.name.clone(),
                advice: "Name a perpetual market, or place a MARKET or LIMIT order that is not \
                         reduce-only."
                    .to_owned(),
            }));
        }
        let (quantity, price) = (request.quantity.value(), self.lighter_price(market));
        // A price out of range must not be refused for the value of the order.
        market.price_units(price).map_err(broken)?;
        let rests = request.order_type.has_price()
            && request.time_in_force != Some(TimeInForce::Ioc)
            && !request.reduce_only;
        if rests {
            market.check_minimum(quantity, price).map_err(broken)?;
        }
        market.check_maximum(quantity, price).map_err(broken)?;
        self.lighter_orders(market, None).map(drop).map_err(broken)
    }

    /// Returns the price that is signed.
    fn lighter_price(&self, market: &Market) -> Decimal {
        let request = &self.named.request;
        let is_ask = request.side == Side::Sell;
        match (&request.price, &request.trigger_price) {
            (Some(price), _) => price.value(),
            (None, Some(trigger)) => triggered(market, trigger.value(), is_ask),
            (None, None) => self.bound.unwrap_or(Decimal::ZERO),
        }
    }

    /// Returns the value of an order at the highest price at which it can execute.
    pub(super) fn lighter_notional(
        &self,
        market: &Market,
        present: Option<Decimal>,
    ) -> Option<Decimal> {
        let request = &self.named.request;
        let signed = self.lighter_price(market);
        let own = request.trigger_price.as_ref().map_or(signed, |it| signed.max(it.value()));
        let price = match (request.side, present) {
            (Side::Buy, _) => own,
            (Side::Sell, Some(present)) => own.max(present),
            (Side::Sell, None) if request.is_reducing() => own,
            (Side::Sell, None) => return None,
        };
        price.checked_mul(self.named.whole.unwrap_or(request.quantity.value()))
    }

    /// Returns the transaction that places the order.
    pub(super) fn lighter_call(&self, signing: Signing) -> Result<Action, TradeError> {
        let AnyMarket::Lighter(market) = &self.market else {
            return Err(TradeError::DamagedOrder("a market of another exchange"));
        };
        let orders = self.lighter_orders(market, Some(signing));
        let broken = |violation| of_violation(violation, &self.named.request.symbol);
        let mut orders = orders.map_err(broken)?;
        Ok(match orders.len() {
            0 => return Err(TradeError::NoOrder),
            1 => Action::CreateOrder(orders.remove(0)),
            2 => Action::CreateGroupedOrders(OrderGroup {
                grouping: Grouping::OneTriggersOther,
                orders,
            }),
            _ => Action::CreateGroupedOrders(OrderGroup {
                grouping: Grouping::OneTriggersOneCancelsOther,
                orders,
            }),
        })
    }

    /// Returns the order and its attached orders. Without a signature they have no ids and no time.
    fn lighter_orders(
        &self,
        market: &Market,
        signing: Option<Signing>,
    ) -> Result<Vec<Order>, Violation> {
        let request = &self.named.request;
        let index = |leg| match signing {
            Some(_) => ExchangeOrderId::of_lighter(self.named.key, leg).lighter_index(),
            None => 0,
        };
        let end_ms = signing.map_or(0, |signing| signing.created_at_ms + RESTS_MS);
        let is_ask = request.side == Side::Sell;
        let (kind, rests) = kind(request);
        let is_over_at_once =
            rests == Rests::ImmediateOrCancel && !request.order_type.has_trigger();
        let trigger = request.trigger_price.as_ref().map(Amount::value);
        let quantity = request.quantity.value();
        let mut orders = vec![Order {
            market_index: market.id,
            client_order_index: index(Leg::Entry),
            base_amount: if self.named.whole.is_some() { 0 } else { market.size(quantity)? },
            price: market.price_units(self.lighter_price(market))?,
            is_ask,
            order_type: kind,
            time_in_force: rests,
            reduce_only: request.reduce_only,
            trigger_price: trigger
                .map(|trigger| market.price_units(trigger))
                .transpose()?
                .unwrap_or(0),
            expiry_ms: if is_over_at_once { 0 } else { end_ms },
        }];
        let attached = |attached: &Attached, leg, market_kind, limit_kind| {
            let trigger = attached.trigger_price.value();
            let limit = attached.price.as_ref().map(Amount::value);
            Ok(Order {
                market_index: market.id,
                client_order_index: index(leg),
                // The filled part of the first order.
                base_amount: 0,
                price: market
                    .price_units(limit.unwrap_or_else(|| triggered(market, trigger, !is_ask)))?,
                is_ask: !is_ask,
                order_type: if limit.is_some() { limit_kind } else { market_kind },
                time_in_force: match limit {
                    Some(_) => Rests::GoodTillTime,
                    None => Rests::ImmediateOrCancel,
                },
                reduce_only: true,
                trigger_price: market.price_units(trigger)?,
                expiry_ms: end_ms,
            })
        };
        if let Some(take) = &request.take_profit {
            orders.push(attached(take, Leg::TakeProfit, Kind::TakeProfit, Kind::TakeProfitLimit)?);
        }
        if let Some(stop) = &request.stop_loss {
            orders.push(attached(stop, Leg::StopLoss, Kind::StopLoss, Kind::StopLossLimit)?);
        }
        Ok(orders)
    }
}

/// Returns the exchange's type of an order, and how long it rests.
fn kind(request: &OrderRequest) -> (Kind, Rests) {
    let rests = match request.time_in_force {
        Some(TimeInForce::Ioc | TimeInForce::Fok) => Rests::ImmediateOrCancel,
        Some(TimeInForce::PostOnly) => Rests::PostOnly,
        Some(TimeInForce::Gtc) | None => Rests::GoodTillTime,
    };
    match request.order_type {
        OrderType::Market => (Kind::Market, Rests::ImmediateOrCancel),
        OrderType::Limit => (Kind::Limit, rests),
        OrderType::StopMarket => (Kind::StopLoss, Rests::ImmediateOrCancel),
        OrderType::TakeProfitMarket => (Kind::TakeProfit, Rests::ImmediateOrCancel),
        OrderType::StopLimit => (Kind::StopLossLimit, rests),
    }
}
