//! What an order is worth for the policy: its quantity at the highest price at which it can execute.
//!
//! A purchase never costs more than its own price. A sale executes at the best bid, however low its
//! own price is, so it counts at least with the market's present price.

use domain::ids::Tenant;

use super::{Planned, of_hyperliquid, slippage_of};
use crate::exchanges::hyperliquid::trade::markets::Market as HyperliquidMarket;
pub(super) use crate::exchanges::hyperliquid::trade::rules::TRIGGER_SLIPPAGE;
use crate::exchanges::trade::ExchangeOrder;
use crate::orders::markets::Market;
use crate::orders::{BrokenRule, TradeError, Trader};
use crate::trading::decimal::Decimal;
use crate::trading::order::{Amount, ChangeRequest, OrderRequest, OrderType, Side};
use crate::trading::policy::Slippage;

/// What an order is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::orders) struct Value {
    /// The value in the quote asset. `None` means that the price is unknown, or that the value has
    /// too many digits.
    pub(in crate::orders) notional: Option<Decimal>,
    /// Whether the quote asset is a dollar token.
    pub(in crate::orders) is_in_dollars: bool,
}

/// Returns whether the value or the bound of an order follows from the market's present price.
pub(super) fn requires_price(market: &Market, request: &OrderRequest) -> bool {
    // Aster receives a price only with the orders that have one, and the others with every order.
    let has_bound = match market {
        Market::Aster(_) => request.order_type.has_price(),
        Market::Hyperliquid(_) | Market::Lighter(_) => request.order_type != OrderType::Market,
    };
    request.side == Side::Sell || !has_bound
}

/// Returns how far the price of an order may move on Aster, which bounds only orders with a price.
pub(super) const fn slippage_on_aster(request: &OrderRequest) -> Slippage {
    if request.order_type.has_price() { Slippage::Fixed } else { Slippage::Unbounded }
}

/// Returns how far the price of an order, or of one that is attached to it, may move on Hyperliquid and
/// Lighter.
pub(super) fn slippage_of_orders(request: &OrderRequest) -> Slippage {
    let own = match request.order_type {
        OrderType::Market => Some(slippage_of(request)),
        OrderType::StopMarket | OrderType::TakeProfitMarket => Some(TRIGGER_SLIPPAGE),
        OrderType::Limit | OrderType::StopLimit => None,
    };
    let mut attached = [&request.take_profit, &request.stop_loss].into_iter().flatten();
    let is_triggered = attached.any(|attached| attached.price.is_none());
    let widest = own.max(is_triggered.then_some(TRIGGER_SLIPPAGE));
    widest.map_or(Slippage::Fixed, Slippage::Bound)
}

impl Planned {
    /// Returns the value of an order on Hyperliquid. `mid` is the middle of the book.
    pub(super) fn hyperliquid_notional(
        &self,
        market: &HyperliquidMarket,
        mid: Option<Decimal>,
    ) -> Result<Option<Decimal>, BrokenRule> {
        let request = &self.named.request;
        let signed = market.signed_price(&self.new_order(None));
        let signed = signed.map_err(|rule| of_hyperliquid(rule, &request.symbol))?;
        let trigger = request.trigger_price.as_ref().map(Amount::value);
        let own = trigger.map_or(signed, |trigger| signed.max(trigger));
        let price = match (request.side, mid) {
            (Side::Buy, _) => own,
            (Side::Sell, Some(mid)) => own.max(mid),
            (Side::Sell, None) if request.is_reducing() => own,
            (Side::Sell, None) => return Ok(None),
        };
        let quantity = self.named.whole.unwrap_or(request.quantity.value());
        Ok(price.checked_mul(quantity))
    }
}

impl Trader {
    /// Returns the value of a changed order. Hyperliquid never executes it at once, and the others do.
    pub(in crate::orders) async fn value_of_change(
        &self,
        tenant: &Tenant,
        market: &Market,
        order: &ExchangeOrder,
        change: &ChangeRequest,
    ) -> Result<Value, TradeError> {
        let markets = self.markets(tenant);
        let sells_at_once = !matches!(market, Market::Hyperliquid(_)) && order.side == Side::Sell;
        let present = if sells_at_once { markets.price(market).await? } else { None };
        let price = change.price.value();
        let price = present.map_or(price, |present| price.max(present));
        Ok(Value {
            notional: price.checked_mul(change.quantity.value()),
            is_in_dollars: markets.is_in_dollars(market).await?,
        })
    }
}
