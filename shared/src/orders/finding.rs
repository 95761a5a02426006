//! Questions to the exchange about orders whose outcome is unknown.

mod lighter;

use domain::ids::Exchange;
use futures_util::future::try_join_all;

use super::Trader;
use super::access::SigningKey;
use super::client::call::{Asker, Entry, LookupId, entry_of};
use super::made::has_ended;
use super::outcome::Outcome;
use super::plan::legs_of;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::hyperliquid::trade::action::Cloid;
use crate::exchanges::trade::{ExchangeOrder, Found, TradeRefusal};
use crate::store::{Change, OrderRecord, OrderState, StoredOutcome, TradingAccount, TradingView};
use crate::trading::decimal::Decimal;
use crate::trading::ids::Leg;
use crate::trading::order::{OrderStatus, OrderType, PositionSide};

/// Number of lookups of a replaced order that the exchange still lists as open.
const LOOKUPS: u32 = 3;

/// The wait between them, in milliseconds.
const BETWEEN_LOOKUPS_MS: u64 = 300;

/// Why a question about the orders of a submission has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum FindFault {
    /// The question failed.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The exchange has another order under the id of this one. Another client of the account
    /// can use the id.
    #[error("the exchange has another order under the id {id}: its {what} differs")]
    OtherOrder {
        /// The id.
        id: String,
        /// The property that differs.
        what: &'static str,
    },
    /// The exchange has the transaction, and has not executed it yet.
    #[error("the exchange has not executed the transaction yet")]
    Pending,
    /// The exchange took the transaction under another hash than the signed one, and does not find
    /// it by that hash. That proves nothing.
    #[error("the exchange does not find the transaction by the hash that it stated")]
    OtherHash,
}

/// The id under which the exchange has an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum KnownId {
    /// The exchange's.
    Exchange(u64),
    /// The service's.
    Client(String),
}

impl KnownId {
    pub(super) fn lookup(&self) -> LookupId<'_> {
        match self {
            Self::Exchange(id) => LookupId::Exchange(*id),
            Self::Client(id) => LookupId::Client(id),
        }
    }

    /// Returns whether the exchange can have an order of this id.
    pub(super) fn is_possible(&self, exchange: Exchange) -> bool {
        match (self, exchange) {
            (Self::Client(id), Exchange::Hyperliquid) => Cloid::parse(id).is_some(),
            (Self::Client(id), Exchange::Lighter) => id.parse::<u64>().is_ok(),
            (Self::Client(_), Exchange::Aster) | (Self::Exchange(_), _) => true,
        }
    }

    /// Returns the id of an order at a signature.
    pub(super) fn at(account: &TradingAccount, record: &OrderRecord, generation: u8) -> Self {
        let id = account.exchange_id(record, generation, Leg::Entry);
        Self::Client(id.text(account.exchange))
    }

    /// Returns the id under which the exchange has a placed order now. An order that someone else
    /// placed has an id of the service only after it was changed.
    pub(super) fn present(account: &TradingAccount, record: &OrderRecord) -> Self {
        let is_of_others = record.submission.is_none() && record.lead.is_none();
        let is_replaced = record.placed_generation > 0;
        if is_of_others
            && !is_replaced
            && let Some(StoredOutcome::Placed { order_id: Some(id), .. }) = &record.outcome
            && let Ok(id) = id.parse()
        {
            return Self::Exchange(id);
        }
        Self::at(account, record, record.placed_generation)
    }
}

/// Asks about the orders of one wallet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finder<'a> {
    pub(super) trader: &'a Trader,
    pub(super) account: &'a TradingAccount,
    pub(super) view: &'a TradingView,
    pub(super) key: Option<&'a SigningKey>,
}

/// What the exchange has of a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ChangeFound {
    /// The order with the new price and quantity.
    pub(super) new: Option<Box<ExchangeOrder>>,
    /// The order as it was before. It may have ended.
    pub(super) old: Option<Box<ExchangeOrder>>,
    /// Why the exchange did not make the change, if it states it.
    pub(super) refusal: Option<TradeRefusal>,
}

impl Finder<'_> {
    /// Looks up one order. Hyperliquid does not use the market's name.
    pub(super) async fn find(
        &self,
        symbol: &str,
        id: LookupId<'_>,
    ) -> Result<Option<Box<ExchangeOrder>>, AskError> {
        let asker = Asker { wallet: self.view.address(), key: self.key };
        let found = self.trader.client.look_up(&self.account.tenant, asker, symbol, id).await?;
        Ok(match found {
            Found::Order(order) => Some(order),
            Found::Nothing => None,
        })
    }

    /// Looks up the orders of a submission. `None` means that the exchange does not have the order
    /// now. Attached orders are not looked up after `until_ms`.
    pub(super) async fn outcomes(
        &self,
        records: &[OrderRecord],
        until_ms: u64,
    ) -> Result<Vec<Option<Outcome>>, FindFault> {
        try_join_all(records.iter().map(|record| self.outcome(record, until_ms))).await
    }

    async fn outcome(
        &self,
        record: &OrderRecord,
        until_ms: u64,
    ) -> Result<Option<Outcome>, FindFault> {
        if let Some(known) = known_outcome(record) {
            return Ok(Some(known));
        }
        if self.account.exchange == Exchange::Lighter {
            return self.lighter_outcome(record, until_ms).await;
        }
        let id = KnownId::at(self.account, record, record.generation);
        let Some(order) = self.find(&record.symbol.name, id.lookup()).await? else {
            return Ok(None);
        };
        self.outcome_of(record, &order, until_ms).await.map(Some)
    }

    /// Returns the outcome of an order that the exchange states.
    async fn outcome_of(
        &self,
        record: &OrderRecord,
        order: &ExchangeOrder,
        until_ms: u64,
    ) -> Result<Outcome, FindFault> {
        ensure_own(record, record.request.quantity.value(), order)?;
        let entry = entry_of(order);
        let mut attached = Vec::new();
        for leg in legs_of(&record.request).into_iter().filter(|leg| *leg != Leg::Entry) {
            attached.push((leg, self.attached(record, order, leg, until_ms).await));
        }
        let attached: Vec<_> = attached.iter().map(|(leg, entry)| (*leg, entry)).collect();
        let is_market = record.request.order_type == OrderType::Market;
        let bound = (is_market && !order.price.is_zero()).then_some(order.price);
        Ok(Outcome::of(&entry, &attached, bound, self.trader.now_ms()))
    }

    /// Returns the state of an attached order. It does not decide about the entry, so a failed
    /// question leaves it unknown.
    async fn attached(
        &self,
        record: &OrderRecord,
        entry: &ExchangeOrder,
        leg: Leg,
        until_ms: u64,
    ) -> Entry {
        let id = self.account.exchange_id(record, record.generation, leg);
        let id = id.text(self.account.exchange);
        let is_it = |child: &&ExchangeOrder| child.client_id.as_deref() == Some(id.as_str());
        let child = entry.children.iter().find(is_it);
        if let Some(child) = child.filter(|child| child.status != OrderStatus::Unknown) {
            return entry_of(child);
        }
        if self.trader.now_ms() >= until_ms {
            return Entry::Unknown;
        }
        match self.find(&record.symbol.name, LookupId::Client(&id)).await {
            Ok(Some(order)) => entry_of(&order),
            Ok(None) | Err(_) => Entry::Unknown,
        }
    }

    /// Looks up an order whose change is under way.
    pub(super) async fn change(
        &self,
        record: &OrderRecord,
        change: &Change,
    ) -> Result<ChangeFound, FindFault> {
        let symbol = record.symbol.name.as_str();
        let old = KnownId::present(self.account, record);
        if self.account.exchange == Exchange::Lighter {
            return self.lighter_change(record, change, &old).await;
        }
        if self.account.exchange == Exchange::Aster {
            // The order keeps its id.
            let order = self.find(symbol, old.lookup()).await?;
            let is_new = order.as_deref().is_some_and(|order| has_values(order, change));
            return Ok(if is_new {
                ChangeFound { new: order, old: None, refusal: None }
            } else {
                ChangeFound { new: None, old: order, refusal: None }
            });
        }
        let new = KnownId::at(self.account, record, change.generation);
        let new = self.find(symbol, new.lookup()).await?;
        if let Some(new) = &new {
            ensure_own(record, rest_of(change), new)?;
        }
        let old = match &new {
            // The new order replaced this one, so its fills are final once a lookup shows its end.
            Some(new) if new.rejection.is_none() => self.find_ended(symbol, &old).await?,
            _ => self.find(symbol, old.lookup()).await?,
        };
        Ok(ChangeFound { new, old, refusal: None })
    }

    /// Looks up an order that has ended. The exchange's reads can lag, so an order that is still
    /// listed as open is looked up again, a few times.
    pub(super) async fn find_ended(
        &self,
        symbol: &str,
        id: &KnownId,
    ) -> Result<Option<Box<ExchangeOrder>>, AskError> {
        let mut found = self.find(symbol, id.lookup()).await?;
        for _ in 1..LOOKUPS {
            if has_ended(found.as_deref()) {
                break;
            }
            self.trader.clock().sleep_ms(BETWEEN_LOOKUPS_MS).await;
            found = self.find(symbol, id.lookup()).await?;
        }
        Ok(found)
    }
}

impl ChangeFound {
    /// Returns whether the fills of the order before the change are final, if it was made.
    pub(super) fn is_final(&self) -> bool {
        let is_made = self.new.as_deref().is_some_and(|new| new.rejection.is_none());
        !is_made || has_ended(self.old.as_deref())
    }
}

/// Returns an error unless an order of the exchange is the one that the service sent. `quantity` is
/// the quantity that was sent. The price is not compared, because another client can change it.
pub(super) fn ensure_own(
    record: &OrderRecord,
    quantity: Decimal,
    order: &ExchangeOrder,
) -> Result<(), FindFault> {
    let request = &record.request;
    let is_one_way = request.position_side == PositionSide::Both;
    // The exchange may cap the quantity of an order that only reduces a position.
    let is_whole = quantity.is_zero() || (record.whole && quantity == request.quantity.value());
    let may_be_capped = request.reduce_only && (is_whole || order.quantity < quantity);
    let is_size = order.quantity == quantity || order.quantity.is_zero() || may_be_capped;
    let what = if order.symbol != record.symbol.name {
        "market"
    } else if order.side != request.side {
        "side"
    } else if order.position_side != request.position_side {
        "position side"
    } else if is_one_way && order.reduce_only != request.reduce_only {
        "reduce-only flag"
    } else if !is_size {
        "quantity"
    } else {
        return Ok(());
    };
    let id = order.client_id.clone().unwrap_or_else(|| order.order_id.clone());
    Err(FindFault::OtherOrder { id, what })
}

/// Returns the quantity that a change sends to Hyperliquid: without what was filled.
fn rest_of(change: &Change) -> Decimal {
    let number = |text: &str| Decimal::parse(text).unwrap_or(Decimal::ZERO);
    let filled = change.filled.as_deref().map_or(Decimal::ZERO, number);
    number(&change.quantity).checked_sub(filled).unwrap_or(Decimal::ZERO)
}

/// Returns the outcome of an order of a batch that is known while others are not.
fn known_outcome(record: &OrderRecord) -> Option<Outcome> {
    if !record.state.is_unresolved() {
        return Some(Outcome { state: record.state, stored: None });
    }
    let state = match record.outcome.as_ref()? {
        StoredOutcome::Placed { .. } => OrderState::Placed,
        StoredOutcome::Refused(_) => OrderState::Refused,
    };
    Some(Outcome { state, stored: None })
}

/// Returns whether an order has the price and the quantity of a change.
fn has_values(order: &ExchangeOrder, change: &Change) -> bool {
    let is = |text: &str, value: Decimal| Decimal::parse(text) == Ok(value);
    is(&change.price, order.price) && is(&change.quantity, order.quantity)
}

#[cfg(test)]
mod tests;
