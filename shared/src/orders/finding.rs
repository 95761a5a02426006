//! Questions to the exchange about orders whose outcome is unknown.

use domain::eth::AgentKey;
use domain::ids::Exchange;
use futures_util::future::try_join_all;

use super::Trader;
use super::client::call::{Asker, Entry, LookupId, entry_of};
use super::outcome::Outcome;
use super::plan::legs_of;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::hyperliquid::trade::action::Cloid;
use crate::exchanges::trade::{ExchangeOrder, Found};
use crate::store::{Change, OrderRecord, OrderState, StoredOutcome, TradingAccount, TradingView};
use crate::trading::decimal::Decimal;
use crate::trading::ids::Leg;
use crate::trading::order::OrderType;

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
    pub(super) key: Option<&'a AgentKey>,
}

/// What the exchange has of a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ChangeFound {
    /// The order with the new price and quantity.
    pub(super) new: Option<Box<ExchangeOrder>>,
    /// The order as it was before. It may have ended.
    pub(super) old: Option<Box<ExchangeOrder>>,
}

impl Finder<'_> {
    /// Looks up one order. Hyperliquid does not use the market's name.
    pub(super) async fn find(
        &self,
        symbol: &str,
        id: LookupId<'_>,
    ) -> Result<Option<Box<ExchangeOrder>>, AskError> {
        let asker = Asker { wallet: self.view.wallet.address, key: self.key };
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
    ) -> Result<Vec<Option<Outcome>>, AskError> {
        try_join_all(records.iter().map(|record| self.outcome(record, until_ms))).await
    }

    async fn outcome(
        &self,
        record: &OrderRecord,
        until_ms: u64,
    ) -> Result<Option<Outcome>, AskError> {
        if let Some(known) = known_outcome(record) {
            return Ok(Some(known));
        }
        let id = KnownId::at(self.account, record, record.generation);
        let Some(order) = self.find(&record.symbol.name, id.lookup()).await? else {
            return Ok(None);
        };
        let entry = entry_of(&order);
        let mut attached = Vec::new();
        for leg in legs_of(&record.request).into_iter().filter(|leg| *leg != Leg::Entry) {
            attached.push((leg, self.attached(record, &order, leg, until_ms).await));
        }
        let attached: Vec<_> = attached.iter().map(|(leg, entry)| (*leg, entry)).collect();
        let is_market = record.request.order_type == OrderType::Market;
        let bound = (is_market && !order.price.is_zero()).then_some(order.price);
        Ok(Some(Outcome::of(&entry, &attached, bound, self.trader.now_ms())))
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
        if let Some(child) = entry.children.iter().find(is_it) {
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
    ) -> Result<ChangeFound, AskError> {
        let symbol = record.symbol.name.as_str();
        let old = KnownId::present(self.account, record);
        if self.account.exchange == Exchange::Aster {
            // The order keeps its id.
            let order = self.find(symbol, old.lookup()).await?;
            let is_new = order.as_deref().is_some_and(|order| has_values(order, change));
            return Ok(if is_new {
                ChangeFound { new: order, old: None }
            } else {
                ChangeFound { new: None, old: order }
            });
        }
        let new = KnownId::at(self.account, record, change.generation);
        let new = self.find(symbol, new.lookup()).await?;
        let old = match new {
            Some(_) => None,
            None => self.find(symbol, old.lookup()).await?,
        };
        Ok(ChangeFound { new, old })
    }
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
