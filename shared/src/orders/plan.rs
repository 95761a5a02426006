//! The orders of a request: their markets, the rules of these markets, their values for the
//! policy (`value`), and the call that the exchange receives. Nothing is signed here.

mod lighter;
mod value;

use domain::builder::Builder;
use domain::ids::{Exchange, Tenant};

use super::client::call::{SentOrder, Unsigned};
use super::markets::Market;
use super::{BrokenRule, TradeError, Trader};
use crate::exchanges::aster::trade::Call;
use crate::exchanges::aster::trade::markets::{Violation, notional as aster_notional};
use crate::exchanges::aster::trade::params::{Order as AsterOrder, Params};
use crate::exchanges::hyperliquid::trade::action::{Action, Cloid, OrderWire, Orders, Tpsl};
use crate::exchanges::hyperliquid::trade::markets::Market as HyperliquidMarket;
use crate::exchanges::hyperliquid::trade::rules::{
    Attached as AttachedOrder, BrokenRule as BrokenHyperliquidRule, NewOrder, OrderKind,
};
use crate::exchanges::trade::TradeCode;
use crate::trading::decimal::Decimal;
use crate::trading::ids::{ClientOrderId, ExchangeOrderId, Leg, OrderKey};
use crate::trading::order::{
    Amount, Attached, Fingerprint, OrderRequest, OrderType, SymbolText, TimeInForce,
};
use crate::trading::policy::{Priced, Slippage};
pub(super) use value::Value;

/// Slippage of a market order whose request states none: 5 percent.
const SLIPPAGE: (u128, u8) = (5, 2);

/// An order of a request with its names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Named {
    /// Its index in the request.
    pub(super) index: usize,
    /// The caller's id.
    pub(super) id: ClientOrderId,
    /// The key of its record.
    pub(super) key: OrderKey,
    /// The order.
    pub(super) request: OrderRequest,
    /// The size of the position that it closes whole. It is then sent with the quantity zero.
    pub(super) whole: Option<Decimal>,
    /// Its content.
    pub(super) fingerprint: Fingerprint,
}

/// An order that fits its market.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Planned {
    pub(super) named: Named,
    pub(super) market: Market,
    /// The worst price of a market order on Hyperliquid and Lighter.
    pub(super) bound: Option<Decimal>,
    value: Value,
    slippage: Slippage,
}

/// The signature of an order: the generation, and the time at which its record was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Signing {
    pub(super) generation: u8,
    pub(super) created_at_ms: u64,
}

/// Returns the parts of an order in the sequence in which the exchange receives them.
pub(super) fn legs_of(request: &OrderRequest) -> Vec<Leg> {
    let mut legs = vec![Leg::Entry];
    legs.extend(request.take_profit.as_ref().map(|_| Leg::TakeProfit));
    legs.extend(request.stop_loss.as_ref().map(|_| Leg::StopLoss));
    legs
}

/// Returns the names under which the exchange receives an order and its attached orders.
pub(super) fn sent_orders(
    exchange: Exchange,
    key: OrderKey,
    symbol: &str,
    request: &OrderRequest,
    signing: Signing,
) -> Vec<SentOrder> {
    let name = |leg| {
        let id = ExchangeOrderId::new(key, signing.generation, leg, signing.created_at_ms);
        SentOrder { symbol: symbol.to_owned(), client_id: id.text(exchange) }
    };
    legs_of(request).into_iter().map(name).collect()
}

impl Planned {
    /// Returns the order as the policy sees it.
    pub(super) fn priced(&self) -> Priced {
        let request = &self.named.request;
        let Value { notional, is_in_dollars } = self.value;
        Priced {
            key: self.named.key,
            symbol: self.market.name().to_owned(),
            side: request.side,
            notional,
            is_in_dollars,
            is_reducing: request.is_reducing(),
            slippage: self.slippage,
            orders: u32::try_from(legs_of(request).len()).unwrap_or(u32::MAX),
        }
    }

    /// Returns the names under which the exchange receives it.
    pub(super) fn sent(&self, exchange: Exchange, signing: Signing) -> Vec<SentOrder> {
        let Named { key, request, .. } = &self.named;
        sent_orders(exchange, *key, self.market.name(), request, signing)
    }

    fn cloid(&self, leg: Leg, signing: Signing) -> Option<Cloid> {
        let Signing { generation, created_at_ms } = signing;
        let id = ExchangeOrderId::new(self.named.key, generation, leg, created_at_ms);
        Cloid::parse(&id.text(Exchange::Hyperliquid))
    }

    /// Returns the order for Hyperliquid. Without a signature it has no id, to check its rules.
    fn new_order(&self, signing: Option<Signing>) -> NewOrder {
        let request = &self.named.request;
        NewOrder {
            side: request.side,
            kind: kind(request, self.bound.unwrap_or(Decimal::ZERO)),
            quantity: if self.named.whole.is_some() {
                Decimal::ZERO
            } else {
                request.quantity.value()
            },
            reduce_only: request.reduce_only,
            cloid: signing.and_then(|signing| self.cloid(Leg::Entry, signing)),
        }
    }

    fn attached(&self, signing: Option<Signing>) -> Vec<AttachedOrder> {
        let of = |leg, tpsl, attached: &Option<Attached>| {
            attached.as_ref().map(|attached| AttachedOrder {
                tpsl,
                trigger: attached.trigger_price.value(),
                price: attached.price.as_ref().map(Amount::value),
                cloid: signing.and_then(|signing| self.cloid(leg, signing)),
            })
        };
        let request = &self.named.request;
        let take_profit = of(Leg::TakeProfit, Tpsl::TakeProfit, &request.take_profit);
        let stop_loss = of(Leg::StopLoss, Tpsl::StopLoss, &request.stop_loss);
        take_profit.into_iter().chain(stop_loss).collect()
    }

    /// Builds the order for Hyperliquid without its attached orders.
    fn order(
        &self,
        market: &HyperliquidMarket,
        signing: Option<Signing>,
    ) -> Result<OrderWire, BrokenRule> {
        market.order(&self.new_order(signing)).map_err(|rule| self.broken(rule))
    }

    /// Builds the order for Hyperliquid with its attached orders.
    fn orders(
        &self,
        market: &HyperliquidMarket,
        signing: Option<Signing>,
    ) -> Result<Orders, BrokenRule> {
        let attached = self.attached(signing);
        if attached.is_empty() {
            return independent(vec![self.order(market, signing)?])
                .map_err(|rule| self.broken(rule));
        }
        let entry = self.new_order(signing);
        market.order_with_children(&entry, &attached).map_err(|rule| self.broken(rule))
    }

    fn broken(&self, rule: BrokenHyperliquidRule) -> BrokenRule {
        let broken = of_hyperliquid(rule, &self.named.request.symbol);
        BrokenRule { index: self.named.index, ..broken }
    }
}

fn independent(orders: Vec<OrderWire>) -> Result<Orders, BrokenHyperliquidRule> {
    let none = BrokenHyperliquidRule { code: TradeCode::NotOffered, limit: None };
    Orders::independent(orders).ok_or(none)
}

/// Returns the type of an order for Hyperliquid. `bound` is the worst price of a market order.
fn kind(request: &OrderRequest, bound: Decimal) -> OrderKind {
    let value = |amount: &Option<Amount>| amount.as_ref().map_or(Decimal::ZERO, Amount::value);
    let trigger = value(&request.trigger_price);
    match request.order_type {
        OrderType::Market => OrderKind::Market { bound },
        OrderType::Limit => OrderKind::Limit {
            price: value(&request.price),
            time_in_force: request.time_in_force.unwrap_or(TimeInForce::Gtc),
        },
        OrderType::StopMarket => OrderKind::Trigger { tpsl: Tpsl::StopLoss, trigger, price: None },
        OrderType::TakeProfitMarket => {
            OrderKind::Trigger { tpsl: Tpsl::TakeProfit, trigger, price: None }
        }
        OrderType::StopLimit => {
            let price = Some(value(&request.price));
            OrderKind::Trigger { tpsl: Tpsl::StopLoss, trigger, price }
        }
    }
}

/// States a broken rule of Hyperliquid with the action to take.
pub(super) fn of_hyperliquid(rule: BrokenHyperliquidRule, symbol: &SymbolText) -> BrokenRule {
    let limit = rule.limit.map(Decimal::text);
    let step = limit.as_deref().unwrap_or_default();
    let advice = match rule.code {
        TradeCode::TickSize => format!("Use a multiple of {step} for {symbol}."),
        TradeCode::LotSize => format!("Use a quantity that is a multiple of {step} for {symbol}."),
        TradeCode::BelowMinimum => format!("Use a quantity whose value is at least {step}."),
        TradeCode::PriceOutOfRange => "Use a smaller slippage.".to_owned(),
        _ => "Use another order type.".to_owned(),
    };
    BrokenRule { index: 0, code: rule.code, symbol: symbol.to_string(), limit, advice }
}

/// States a broken rule of Aster or Lighter with the action to take.
pub(super) fn of_violation(violation: Violation, symbol: &SymbolText) -> BrokenRule {
    let Violation { code, limit, advice } = violation;
    BrokenRule { index: 0, code, symbol: symbol.to_string(), limit: Some(limit), advice }
}

/// Returns the call that places these orders, with the builder that they carry.
pub(super) fn call(
    exchange: Exchange,
    orders: &[(&Planned, Signing)],
    builder: Option<Builder>,
) -> Result<Unsigned, TradeError> {
    match exchange {
        Exchange::Hyperliquid => {
            let market = |order: &Planned| match &order.market {
                Market::Hyperliquid(market) => Ok(market.clone()),
                Market::Aster(_) | Market::Lighter(_) => {
                    Err(TradeError::DamagedOrder("a market of another exchange"))
                }
            };
            let built = if let [(order, signing)] = orders {
                order.orders(&market(order)?, Some(*signing))?
            } else {
                let wires = orders
                    .iter()
                    .map(|(order, signing)| Ok(order.order(&market(order)?, Some(*signing))?));
                let wires = wires.collect::<Result<Vec<_>, TradeError>>()?;
                Orders::independent(wires).ok_or(TradeError::NoOrder)?
            };
            Ok(Unsigned::Hyperliquid(Action::Order(built.with_builder(builder))))
        }
        Exchange::Lighter => match orders {
            [(order, signing)] => order.lighter_call(*signing).map(Unsigned::Lighter),
            _ => Err(TradeError::NoOrder),
        },
        Exchange::Aster => {
            let ids: Vec<_> =
                orders.iter().flat_map(|(order, signing)| order.sent(exchange, *signing)).collect();
            let orders: Vec<_> = orders
                .iter()
                .zip(&ids)
                .map(|((order, _), sent)| AsterOrder {
                    symbol: &sent.symbol,
                    client_id: &sent.client_id,
                    request: &order.named.request,
                    builder,
                })
                .collect();
            match orders.as_slice() {
                [] => Err(TradeError::NoOrder),
                [only] => Ok(Unsigned::Aster(Call::Order, Params::placing(*only))),
                all => Ok(Unsigned::Aster(Call::BatchOrders, Params::placing_batch(all))),
            }
        }
    }
}

impl Trader {
    /// Checks orders against their markets. Every refusal that needs no account is found here.
    pub(super) async fn plan(
        &self,
        tenant: &Tenant,
        orders: &[Named],
    ) -> Result<Vec<Planned>, TradeError> {
        let mut planned = Vec::with_capacity(orders.len());
        for named in orders {
            let at = |error: TradeError| match error {
                TradeError::Rule(rule) => BrokenRule { index: named.index, ..*rule }.into(),
                other => other,
            };
            planned.push(self.plan_one(tenant, named).await.map_err(at)?);
        }
        Ok(planned)
    }

    async fn plan_one(&self, tenant: &Tenant, named: &Named) -> Result<Planned, TradeError> {
        let markets = self.markets(tenant);
        let (request, named) = (&named.request, named.clone());
        let market = markets.find(&request.symbol).await?;
        if let Market::Lighter(inner) = &market {
            inner.ensure_active().map_err(|rule| of_violation(rule, &request.symbol))?;
        }
        let is_market = request.order_type == OrderType::Market;
        let price = if is_market {
            markets.price_of_execution(&market, request.side).await?
        } else if value::requires_price(&market, request) {
            markets.price(&market).await?
        } else {
            None
        };
        let is_in_dollars = markets.is_in_dollars(&market).await?;
        match market {
            Market::Aster(ref inner) => {
                let broken = |violation| of_violation(violation, &request.symbol);
                inner.check(request, price).map_err(broken)?;
                let value = Value { notional: aster_notional(request, price), is_in_dollars };
                let slippage = value::slippage_on_aster(request);
                Ok(Planned { named, market, bound: None, value, slippage })
            }
            Market::Hyperliquid(ref inner) => {
                let bound = match price.filter(|_| is_market) {
                    Some(price) => {
                        let bound = inner.market_bound(price, request.side, slippage_of(request));
                        Some(bound.map_err(|rule| of_hyperliquid(rule, &request.symbol))?)
                    }
                    None if is_market => return Err(no_book(&request.symbol).into()),
                    None => None,
                };
                let (inner, value) = (inner.clone(), Value { notional: None, is_in_dollars });
                let slippage = value::slippage_of_orders(request);
                let mut planned = Planned { named, market, bound, value, slippage };
                planned.orders(&inner, None)?;
                planned.value.notional = planned.hyperliquid_notional(&inner, price)?;
                Ok(planned)
            }
            Market::Lighter(ref inner) => {
                let bound = match price.filter(|_| is_market) {
                    Some(price) => Some(lighter::bound(inner, request, price)?),
                    None if is_market => return Err(no_book(&request.symbol).into()),
                    None => None,
                };
                let (inner, value) = (inner.clone(), Value { notional: None, is_in_dollars });
                let slippage = value::slippage_of_orders(request);
                let mut planned = Planned { named, market, bound, value, slippage };
                planned.check_on_lighter(&inner)?;
                planned.value.notional = planned.lighter_notional(&inner, price);
                Ok(planned)
            }
        }
    }
}

fn slippage_of(request: &OrderRequest) -> Decimal {
    let usual = Decimal::new(SLIPPAGE.0, SLIPPAGE.1).unwrap_or(Decimal::ZERO);
    request.slippage.as_ref().map_or(usual, Amount::value)
}

fn no_book(symbol: &SymbolText) -> BrokenRule {
    BrokenRule {
        index: 0,
        code: TradeCode::NoLiquidity,
        symbol: symbol.to_string(),
        limit: None,
        advice: format!("Place a LIMIT order: {symbol} has no price now."),
    }
}
