//! The order that a caller names.

use domain::ids::{Exchange, WalletRef};

use super::access::SigningKey;
use super::finding::{Finder, KnownId};
use super::resolve::{Case, REQUEST_WAIT_MS, Resolution};
use super::{REQUEST_MS, TradeError, Trader};
use crate::caller::Caller;
use crate::exchanges::trade::ExchangeOrder;
use crate::store::{OrderRecord, OrderState, StoredSymbol, TradingAccount, TradingView};
use crate::trading::ids::{ClientOrderId, ExchangeOrderId, Leg, OrderKey, OrderName};
use crate::trading::order::{OrderFault, SymbolText};

/// Number of times that an order is followed to the one that has replaced it.
const MOVES: u32 = 3;

/// An order that a caller names.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) account: TradingAccount,
    pub(super) view: TradingView,
    /// The service's record, if it has one.
    pub(super) record: Option<OrderRecord>,
    /// The id under which the exchange has the order.
    pub(super) id: KnownId,
    /// The market; unknown on Hyperliquid until the order is looked up.
    pub(super) symbol: Option<StoredSymbol>,
    /// The caller's name of the order.
    pub(super) name: String,
    /// Whether the name is that of an attached order.
    pub(super) is_attached: bool,
}

impl Trader {
    /// Finds the order that a caller names, with its record. `symbol` is required on Aster for an
    /// order without one.
    pub(super) async fn target(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        name: &OrderName,
        symbol: Option<&SymbolText>,
    ) -> Result<Target, TradeError> {
        let account = self.account(caller, wallet).await?;
        let (text, exact) = match name {
            // Lighter's ids of clients are numbers, too, and smaller than its own.
            OrderName::Exchange(id) if account.exchange == Exchange::Lighter => {
                (id.to_string(), ExchangeOrderId::parse(account.exchange, &id.to_string()))
            }
            OrderName::Exchange(id) => (id.to_string(), None),
            OrderName::Client(id) => {
                (id.to_string(), ExchangeOrderId::parse(account.exchange, id.as_str()))
            }
        };
        let key = match (name, exact) {
            // The record of an order that someone else placed, if it was changed.
            (_, Some(exact)) => exact.key,
            (OrderName::Exchange(id), None) => {
                let market = self.market_of_ids(&account, symbol).await?;
                account.order_key(&ClientOrderId::of_exchange_order(&market, *id))
            }
            (OrderName::Client(id), None) => account.order_key(id),
        };
        let is_attached = exact.is_some_and(|exact| exact.leg != Leg::Entry);
        let view = self.view(&account, &[key]).await?;
        let record = self.record_of(&account, &view.orders, key);
        // A record of a later day has the same key, but another id at the exchange.
        let record = record.filter(|it| exact.is_none_or(|id| account.has_id(it, id)));
        let id = match (name, &record) {
            (_, Some(record)) if !is_attached => KnownId::present(&account, record),
            (OrderName::Exchange(id), _) => KnownId::Exchange(*id),
            (OrderName::Client(id), _) => KnownId::Client(id.to_string()),
        };
        if !id.is_possible(account.exchange) {
            return Err(TradeError::OrderNotFound { order: text });
        }
        let symbol = self.symbol_of(&account, record.as_ref(), symbol).await?;
        Ok(Target { account, view, record, id, symbol, name: text, is_attached })
    }

    /// Returns the market within which the exchange's ids are unique. It is empty on Hyperliquid and
    /// Lighter, whose ids are unique in all markets.
    async fn market_of_ids(
        &self,
        account: &TradingAccount,
        symbol: Option<&SymbolText>,
    ) -> Result<String, TradeError> {
        match (account.exchange, symbol) {
            (Exchange::Hyperliquid | Exchange::Lighter, _) => Ok(String::new()),
            (Exchange::Aster, None) => Err(OrderFault::Missing("symbol").into()),
            (Exchange::Aster, Some(symbol)) => {
                Ok(self.markets(&account.tenant).find(symbol).await?.name().to_owned())
            }
        }
    }

    /// Returns the record of a key, unless it has expired.
    fn record_of(
        &self,
        account: &TradingAccount,
        records: &[OrderRecord],
        key: OrderKey,
    ) -> Option<OrderRecord> {
        let now_ms = self.now_ms();
        let is_it = |record: &&OrderRecord| {
            account.order_key(&record.client_order_id) == key && !record.is_expired(now_ms)
        };
        records.iter().find(is_it).cloned()
    }

    /// Returns the market of an order: the record's, which a given name must fit, or the named one.
    async fn symbol_of(
        &self,
        account: &TradingAccount,
        record: Option<&OrderRecord>,
        symbol: Option<&SymbolText>,
    ) -> Result<Option<StoredSymbol>, TradeError> {
        match (record, symbol) {
            (Some(record), None) => Ok(Some(record.symbol.clone())),
            (Some(record), Some(symbol)) => {
                let known = [record.request.symbol.as_str(), record.symbol.name.as_str()];
                let is_known = known.contains(&symbol.as_str());
                let fits = is_known || {
                    let market = self.markets(&account.tenant).find(symbol).await?;
                    market.name() == record.symbol.name
                };
                if !fits {
                    let symbol = record.request.symbol.to_string();
                    return Err(TradeError::SymbolMismatch { symbol });
                }
                Ok(Some(record.symbol.clone()))
            }
            (None, Some(symbol)) => {
                Ok(Some(self.markets(&account.tenant).find(symbol).await?.stored()))
            }
            (None, None) if account.exchange == Exchange::Aster => {
                Err(OrderFault::Missing("symbol").into())
            }
            (None, None) => Ok(None),
        }
    }

    /// Looks up an order that a caller names, and reads its record if the name does not lead to it.
    /// The exchange may have replaced the order, and this may be the old one: see
    /// [`Trader::look_up_present`].
    pub(super) async fn look_up(
        &self,
        target: &mut Target,
        key: Option<&SigningKey>,
    ) -> Result<Option<Box<ExchangeOrder>>, TradeError> {
        let Target { account, view, .. } = &*target;
        let finder = Finder { trader: self, account, view, key };
        let symbol = target.symbol.as_ref().map(|symbol| symbol.name.as_str());
        let found = finder.find(symbol.unwrap_or_default(), target.id.lookup()).await?;
        let Some(order) = found else { return Ok(None) };
        if let Some(named) = target.symbol.as_ref().filter(|named| named.name != order.symbol) {
            let symbol = order.symbol.clone();
            tracing::debug!(named.name, symbol, "the order belongs to another market");
            return Err(TradeError::SymbolMismatch { symbol });
        }
        if target.record.is_none() {
            let record = self.record_at(account, &order).await?;
            let own = own_id(account, &order);
            let own = own.filter(|id| record.as_ref().is_some_and(|it| account.has_id(it, *id)));
            target.is_attached = own.is_some_and(is_leg);
            target.record = record;
        }
        Ok(Some(order))
    }

    /// Looks up an order that a caller names, and follows it to the order that has replaced it. A
    /// change under way is resolved first.
    pub(super) async fn look_up_present(
        &self,
        target: &mut Target,
        key: Option<&SigningKey>,
    ) -> Result<Option<Box<ExchangeOrder>>, TradeError> {
        for _ in 0..MOVES {
            let found = self.look_up(target, key).await?;
            if target.record.as_ref().is_some_and(|record| !record.is_at_rest()) {
                self.settle_target(target).await?;
            } else if !found.as_deref().is_some_and(|order| target.is_replaced(order)) {
                return Ok(found);
            }
            target.move_to_present();
        }
        Err(TradeError::InProgress { client_order_id: target.client_order_id()?, retry_after_s: 1 })
    }

    /// Reads the record of an order that the exchange states: the service placed or changed it.
    async fn record_at(
        &self,
        account: &TradingAccount,
        order: &ExchangeOrder,
    ) -> Result<Option<OrderRecord>, TradeError> {
        let own = own_id(account, order);
        let of_others = id_of_others(account, order).map(|id| account.order_key(&id));
        let keys: Vec<_> = own.iter().map(|id| id.key).chain(of_others).collect();
        let records = self.store.orders_by_keys(account, &keys, self.clock()).await?;
        let own = own.and_then(|id| {
            let record = self.record_of(account, &records, id.key)?;
            account.has_id(&record, id).then_some(record)
        });
        Ok(own.or_else(|| self.record_of(account, &records, of_others?)))
    }

    /// Resolves a submission of the named order that is under way, so that its state is known
    /// before it is changed or cancelled.
    pub(super) async fn settle_target(&self, target: &mut Target) -> Result<(), TradeError> {
        let Some(record) = target.record.clone().filter(|record| !record.is_at_rest()) else {
            return Ok(());
        };
        let Target { account, view, .. } = &*target;
        let records = self.submission_of(account, record.clone()).await?;
        let lead = records.first().ok_or(TradeError::DamagedOrder("no lead"))?;
        let now_ms = self.now_ms();
        let client_order_id = record.client_order_id.clone();
        let in_progress = |until_ms| TradeError::InProgress {
            client_order_id: client_order_id.clone(),
            retry_after_s: domain::clock::wait_for_lease_s(until_ms, REQUEST_MS, now_ms),
        };
        if now_ms < lead.lease_until_ms {
            return Err(in_progress(lead.lease_until_ms));
        }
        let taken = self.take_over(account, records).await?;
        let records = taken.ok_or_else(|| in_progress(now_ms + REQUEST_MS))?;
        let (until_ms, max_wait_ms) = (now_ms + REQUEST_MS, REQUEST_WAIT_MS);
        let case = Case { account, view, records, until_ms, max_wait_ms };
        match self.resolve(case).await? {
            Resolution::Known(records) => {
                let is_it = |it: &OrderRecord| it.client_order_id == record.client_order_id;
                target.record = records.into_iter().find(is_it).or(Some(record));
            }
            Resolution::Open { cause, next, .. } => {
                let wait_s = next.wait_s(self.now_ms());
                return Err(super::place::unknown(&[record], cause, wait_s));
            }
        }
        target.move_to_present();
        Ok(())
    }

    /// Reads the orders of a submission, the lead first.
    pub(super) async fn submission_of(
        &self,
        account: &TradingAccount,
        record: OrderRecord,
    ) -> Result<Vec<OrderRecord>, TradeError> {
        let lead = match &record.lead {
            Some(lead) if record.state.is_unresolved() => {
                let key = account.order_key(lead);
                let records = self.store.orders_by_keys(account, &[key], self.clock()).await?;
                let is_lead = |it: &OrderRecord| it.client_order_id == *lead;
                records.into_iter().find(is_lead).ok_or(TradeError::DamagedOrder("no lead"))?
            }
            _ => record,
        };
        let members = match &lead.submission {
            Some(submission) if lead.state.is_unresolved() => submission.members.clone(),
            _ => Vec::new(),
        };
        let others = members.iter().filter(|id| **id != lead.client_order_id);
        let keys: Vec<_> = others.map(|id| account.order_key(id)).collect();
        if keys.is_empty() {
            return Ok(vec![lead]);
        }
        let mut found = self.store.orders_by_keys(account, &keys, self.clock()).await?;
        let mut records = vec![lead];
        for id in members.iter().skip(1) {
            let at = found.iter().position(|it| it.client_order_id == *id);
            let at = at.ok_or(TradeError::DamagedOrder("a batch without a member"))?;
            records.push(found.swap_remove(at));
        }
        Ok(records)
    }
}

/// Returns the service's id of an order that the exchange states.
fn own_id(account: &TradingAccount, order: &ExchangeOrder) -> Option<ExchangeOrderId> {
    ExchangeOrderId::parse(account.exchange, order.client_id.as_deref()?)
}

/// Returns the id of the record of an order that someone else placed.
pub(super) fn id_of_others(
    account: &TradingAccount,
    order: &ExchangeOrder,
) -> Option<ClientOrderId> {
    let market = match account.exchange {
        Exchange::Aster => order.symbol.as_str(),
        Exchange::Hyperliquid | Exchange::Lighter => "",
    };
    Some(ClientOrderId::of_exchange_order(market, order.order_id.parse().ok()?))
}

fn is_leg(id: ExchangeOrderId) -> bool {
    id.leg != Leg::Entry
}

impl Target {
    /// Returns whether the exchange has replaced this order by another one since.
    pub(super) fn is_replaced(&self, order: &ExchangeOrder) -> bool {
        let Some(record) = self.record.as_ref().filter(|_| !self.is_attached) else { return false };
        let is_kept = self.account.exchange == Exchange::Lighter;
        if is_kept || order.status.is_open() || record.state != OrderState::Placed {
            return false;
        }
        let own = own_id(&self.account, order).filter(|id| self.account.has_id(record, *id));
        match own {
            Some(id) => id.generation != record.placed_generation,
            // Someone else placed the order, and the service has changed it.
            None => record.carried.is_some(),
        }
    }

    /// Takes the id under which the exchange has the order now.
    pub(super) fn move_to_present(&mut self) {
        if let Some(record) = self.record.as_ref().filter(|_| !self.is_attached) {
            self.id = KnownId::present(&self.account, record);
        }
    }

    /// Returns the error for an order that does not exist at the exchange.
    pub(super) fn not_found(&self) -> TradeError {
        TradeError::OrderNotFound { order: self.name.clone() }
    }

    /// Returns the service's id of the order.
    pub(super) fn client_order_id(&self) -> Result<ClientOrderId, TradeError> {
        let record = self.record.as_ref().ok_or_else(|| self.not_found())?;
        Ok(record.client_order_id.clone())
    }

    /// Returns an error if the exchange never accepted the order.
    pub(super) fn ensure_placed(&self) -> Result<(), TradeError> {
        match self.record.as_ref().map(|record| record.state) {
            Some(OrderState::Refused | OrderState::Dead) => Err(self.not_found()),
            _ => Ok(()),
        }
    }
}
