//! The change of an order: its rules, and the call that the exchange receives.

use domain::ids::Exchange;
use lighter_signer::{Action as LighterAction, Modify};

use crate::exchanges::aster::trade::Call;
use crate::exchanges::aster::trade::params::{OrderId as AsterId, Params};
use crate::exchanges::hyperliquid::trade::action::{Action, Cloid, OrderId};
use crate::exchanges::hyperliquid::trade::rules::{NewOrder, OrderKind};
use crate::exchanges::lighter::trade::markets::Market as LighterMarket;
use crate::exchanges::trade::{ExchangeOrder, TradeCode};
use crate::orders::client::call::Unsigned;
use crate::orders::client::wire::Wire;
use crate::orders::markets::Market;
use crate::orders::outcome::placed_outcome;
use crate::orders::plan::{of_hyperliquid, of_violation};
use crate::orders::target::{Target, id_of_others};
use crate::orders::{BrokenRule, TradeError, Trader};
use crate::store::{OrderRecord, OrderState, Seen, TradingAccount};
use crate::trading::decimal::Decimal;
use crate::trading::ids::Leg;
use crate::trading::order::{
    Amount, ChangeRequest, Fingerprint, OrderFault, OrderRequest, OrderType, SymbolText,
    TimeInForce,
};

/// Request weight of a book.
const BOOK_WEIGHT: u64 = 2;

/// A change of an open order.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChangePlan<'a> {
    /// The order as the exchange has it.
    pub(super) found: &'a ExchangeOrder,
    pub(super) market: &'a Market,
    pub(super) change: &'a ChangeRequest,
    /// What is filled already.
    pub(super) filled: Decimal,
    /// The new quantity without the filled part.
    pub(super) rest: Decimal,
    /// The record without the change.
    pub(super) base: &'a OrderRecord,
}

/// The record of an order before its change.
pub(super) struct Base {
    pub(super) record: OrderRecord,
    pub(super) seen: Seen,
}

impl ChangePlan<'_> {
    pub(super) const fn is_reducing(&self) -> bool {
        self.found.reduce_only || self.found.side.reduces(self.found.position_side)
    }

    /// Returns the generation of the change.
    pub(super) fn generation(&self) -> Result<u8, TradeError> {
        self.base.generation.checked_add(1).ok_or_else(|| TradeError::IdReused {
            client_order_id: self.base.client_order_id.clone(),
            is_exhausted: true,
        })
    }

    fn order_id(&self) -> Result<u64, TradeError> {
        let id = self.found.order_id.parse();
        id.map_err(|_| TradeError::DamagedOrder("no id of the exchange"))
    }

    /// Returns the client's id of the new order.
    pub(super) fn client_id(&self, account: &TradingAccount) -> Result<String, TradeError> {
        let id = account.exchange_id(self.base, self.generation()?, Leg::Entry);
        Ok(id.text(account.exchange))
    }

    /// Builds the call.
    pub(super) fn call(&self, account: &TradingAccount) -> Result<Unsigned, TradeError> {
        let id = self.order_id()?;
        match self.market {
            Market::Aster(market) => {
                let params = Params::modifying(&market.name, AsterId::Exchange(id), self.change);
                Ok(Unsigned::Aster(Call::Modify, params))
            }
            Market::Hyperliquid(market) => {
                let is_post_only = self.found.time_in_force == Some(TimeInForce::PostOnly);
                let time_in_force =
                    if is_post_only { TimeInForce::PostOnly } else { TimeInForce::Gtc };
                let price = self.change.price.value();
                let order = NewOrder {
                    side: self.found.side,
                    kind: OrderKind::Limit { price, time_in_force },
                    quantity: self.rest,
                    reduce_only: self.found.reduce_only,
                    cloid: Cloid::parse(&self.client_id(account)?),
                };
                let modify = market.modification(OrderId::Exchange(id), &order);
                let modify = modify.map_err(|rule| of_hyperliquid(rule, self.symbol()))?;
                Ok(Unsigned::Hyperliquid(Action::BatchModify(modify)))
            }
            Market::Lighter(market) => Ok(Unsigned::Lighter(self.lighter_call(market, id)?)),
        }
    }

    fn lighter_call(
        &self,
        market: &LighterMarket,
        index: u64,
    ) -> Result<LighterAction, BrokenRule> {
        let broken = |violation| of_violation(violation, self.symbol());
        market.ensure_active().map_err(broken)?;
        let (price, quantity) = (self.change.price.value(), self.change.quantity.value());
        // A price out of range must not be refused for the value of the order.
        let units = market.price_units(price).map_err(broken)?;
        if !self.is_reducing() {
            market.check_minimum(quantity, price).map_err(broken)?;
        }
        market.check_maximum(quantity, price).map_err(broken)?;
        Ok(LighterAction::ModifyOrder(Modify {
            market_index: market.id,
            index,
            base_amount: market.size(quantity).map_err(broken)?,
            price: units,
            trigger_price: 0,
        }))
    }

    /// Returns the market as the caller named it.
    const fn symbol(&self) -> &SymbolText {
        &self.base.request.symbol
    }

    /// Returns an error unless the exchange can change an order of this type in place.
    fn ensure_changeable(&self, exchange: Exchange) -> Result<(), TradeError> {
        let rests = !matches!(self.found.time_in_force, Some(TimeInForce::Ioc | TimeInForce::Fok));
        let is_limit = self.found.order_type == Some(OrderType::Limit);
        let request = &self.base.request;
        let has_attached = request.take_profit.is_some() || request.stop_loss.is_some();
        // Lighter's documents do not say whether the new quantity includes what was filled.
        let is_clear = exchange != Exchange::Lighter || self.found.filled.is_zero();
        let is_plain = self.found.trigger_price.is_none() && !has_attached;
        if is_limit && rests && is_plain && is_clear {
            return Ok(());
        }
        let what = "changing an order of this type";
        let advice = "Cancel the order, and place another one.";
        Err(OrderFault::NotOffered { exchange, what, advice }.into())
    }
}

impl Trader {
    /// Checks a change against the market. On Hyperliquid a price that would execute at once is
    /// refused, because the exchange makes the new order post-only.
    pub(super) async fn check_change(
        &self,
        target: &Target,
        plan: &ChangePlan<'_>,
    ) -> Result<(), TradeError> {
        plan.ensure_changeable(target.account.exchange)?;
        plan.call(&target.account)?;
        match (&self.client.wire, plan.market) {
            (Wire::Aster(_), Market::Aster(market)) => {
                let checked = market.check_change(plan.change, plan.is_reducing());
                checked.map_err(|violation| of_violation(violation, plan.symbol()).into())
            }
            (Wire::Hyperliquid(client), Market::Hyperliquid(market)) => {
                let book = self.client.ask(&target.account.tenant, BOOK_WEIGHT, || {
                    Box::pin(async move { Ok(client.book(market).await?) })
                });
                let book = book.await?;
                if !book.is_crossed_by(plan.found.side, plan.change.price.value()) {
                    return Ok(());
                }
                let best = book.ask.filter(|_| plan.found.side == crate::trading::order::Side::Buy);
                Err(BrokenRule {
                    index: 0,
                    code: TradeCode::WouldCross,
                    symbol: plan.symbol().to_string(),
                    limit: best.or(book.bid).map(Decimal::text),
                    advice: "Use a price that does not execute at once, or cancel the order and \
                             place another one."
                        .to_owned(),
                }
                .into())
            }
            // The call was built with the market's rules. A price that crosses executes.
            (Wire::Lighter(_), Market::Lighter(_)) => Ok(()),
            _ => Err(TradeError::DamagedOrder("a market of another exchange")),
        }
    }

    /// Returns the record of the order before its change. An order that someone else placed gets a
    /// record of its own. Its id follows from the exchange's, so that only one change of the order
    /// can be under way.
    pub(super) fn base(
        &self,
        target: &Target,
        found: &ExchangeOrder,
        market: &Market,
    ) -> Result<Base, TradeError> {
        if let Some(record) = &target.record {
            let seen = Seen::Revision(record.revision);
            return Ok(Base { record: record.clone(), seen });
        }
        let client_order_id = id_of_others(&target.account, found);
        let client_order_id =
            client_order_id.ok_or(TradeError::DamagedOrder("no id of the exchange"))?;
        let amount = |value: Decimal| -> Result<Amount, TradeError> {
            let text = value.text();
            text.parse().map_err(|_| TradeError::DamagedOrder("a number with too many digits"))
        };
        let request = OrderRequest {
            symbol: found.symbol.parse().map_err(|_| target.not_found())?,
            side: found.side,
            order_type: OrderType::Limit,
            quantity: amount(found.quantity)?,
            price: Some(amount(found.price)?),
            trigger_price: None,
            time_in_force: found.time_in_force.or(Some(TimeInForce::Gtc)),
            reduce_only: found.reduce_only,
            position_side: found.position_side,
            take_profit: None,
            stop_loss: None,
            slippage: None,
        };
        let fingerprint = request.fingerprint();
        let now_ms = self.now_ms();
        let record = OrderRecord {
            schema: platform::items::SCHEMA,
            exchange: target.account.exchange,
            wallet_id: target.account.wallet_id,
            unit: Fingerprint::of_unit(&[(client_order_id.clone(), fingerprint.clone())]),
            client_order_id,
            fingerprint,
            generation: 0,
            placed_generation: 0,
            revision: self.random.uuid()?,
            state: OrderState::Placed,
            request,
            symbol: market.stored(),
            lead: None,
            submission: None,
            carried: None,
            whole: false,
            change: None,
            outcome: Some(placed_outcome(&found.into(), Vec::new(), None, now_ms)),
            reserved: false,
            created_at_ms: now_ms,
            lease_until_ms: now_ms,
            expires_at_s: None,
        };
        Ok(Base { record, seen: Seen::Absent })
    }
}
