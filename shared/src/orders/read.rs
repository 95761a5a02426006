//! Reading orders. It writes nothing.

use domain::clock::wait_for_lease_s;
use domain::ids::{Exchange, WalletRef};
use futures_util::future::try_join_all;

use super::access::SigningKey;
use super::client::call::Asker;
use super::client::wire::Wire;
use super::finding::{FindFault, Finder, KnownId, ensure_own};
use super::legs::with_listed;
use super::made::change_outcome;
use super::outcome::refusal_of;
use super::place::unknown;
use super::target::Target;
use super::view::{self, OrderView, of_exchange};
use super::{REQUEST_MS, TradeError, Trader};
use crate::caller::Caller;
use crate::exchanges::trade::{ExchangeOrder, TradeCode};
use crate::store::{Change, OrderRecord, OrderState, StoredOutcome, TradingAccount, TradingView};
use crate::trading::ids::{ExchangeOrderId, Leg, OrderName};
use crate::trading::order::SymbolText;

/// Maximum number of DEXs that a request without a symbol asks.
const MAX_DEXS: usize = 8;

impl Trader {
    /// Returns an order in its present state.
    ///
    /// # Errors
    /// Fails when the exchange has no such order, or does not respond.
    pub async fn status(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        order: &OrderName,
        symbol: Option<&SymbolText>,
    ) -> Result<OrderView, TradeError> {
        let read = async {
            let mut target = self.target(caller, wallet, order, symbol).await?;
            let key = self.key_to_ask(&target.view).await?;
            match target.record.clone().filter(|_| !target.is_attached) {
                Some(record) if record.is_at_rest() => {
                    self.settled_status(&mut target, key.as_ref(), &record).await
                }
                Some(record) => self.open_status(&target, key.as_ref(), &record).await,
                None => self.found_status(&mut target, key.as_ref()).await,
            }
        };
        self.until(self.now_ms() + REQUEST_MS, read).await
    }

    /// Returns the state of an order whose name does not lead to a record: it can have one, and the
    /// exchange can have replaced it.
    async fn found_status(
        &self,
        target: &mut Target,
        key: Option<&SigningKey>,
    ) -> Result<OrderView, TradeError> {
        let found = self.look_up(target, key).await?.ok_or_else(|| target.not_found())?;
        if let Some(record) = target.record.clone().filter(|_| !target.is_attached) {
            if !record.is_at_rest() {
                return self.open_status(target, key, &record).await;
            }
            if target.is_replaced(&found) {
                target.move_to_present();
                return self.settled_status(target, key, &record).await;
            }
        }
        let Target { account, view, record, .. } = &*target;
        let Some(record) = record else { return Ok(of_exchange(account, &found, None)) };
        let found = Finder { trader: self, account, view, key }.with_legs(*found, record).await;
        Ok(of_exchange(account, &found, Some(record)))
    }

    /// Returns the state of an order whose outcome is known.
    async fn settled_status(
        &self,
        target: &mut Target,
        key: Option<&SigningKey>,
        record: &OrderRecord,
    ) -> Result<OrderView, TradeError> {
        let account = target.account.clone();
        match record.state {
            // The next request with its id places it.
            OrderState::Refused if is_overtaken(record) => Err(target.not_found()),
            OrderState::Refused => {
                view::of_refused(&account, record).ok_or_else(|| target.not_found())
            }
            OrderState::Dead => Err(target.not_found()),
            OrderState::Placed | OrderState::Sending | OrderState::Unknown => {
                match self.look_up(target, key).await? {
                    Some(order) => {
                        let finder =
                            Finder { trader: self, account: &account, view: &target.view, key };
                        let order = finder.with_legs(*order, record).await;
                        Ok(of_exchange(&account, &order, Some(record)))
                    }
                    // The exchange forgets orders that ended long ago.
                    None => {
                        let stored = view::of_record(&account, record);
                        let stored = stored.map(OrderView::with_unknown_legs);
                        stored.ok_or_else(|| target.not_found())
                    }
                }
            }
        }
    }

    /// Returns the state of an order with a submission under way. It only looks; a repeat of the
    /// submission or the job resolves it.
    async fn open_status(
        &self,
        target: &Target,
        key: Option<&SigningKey>,
        record: &OrderRecord,
    ) -> Result<OrderView, TradeError> {
        let Target { account, view, .. } = target;
        let finder = Finder { trader: self, account, view, key };
        let found = match &record.change {
            Some(change) if !record.state.is_unresolved() => {
                self.changing_status(&finder, record, change).await
            }
            _ => {
                let id = KnownId::at(account, record, record.generation);
                let found = finder.find(&record.symbol.name, id.lookup()).await?;
                let quantity = record.request.quantity.value();
                match found {
                    Some(order) => match ensure_own(record, quantity, &order) {
                        Ok(()) => {
                            let order = finder.with_legs(*order, record).await;
                            Ok(Some(of_exchange(account, &order, Some(record))))
                        }
                        Err(other) => Err(other),
                    },
                    None => Ok(None),
                }
            }
        };
        match found {
            Ok(Some(view)) => return Ok(view),
            Ok(None) => {}
            Err(FindFault::Ask(error)) => return Err(error.into()),
            Err(
                other @ (FindFault::OtherOrder { .. } | FindFault::Pending | FindFault::OtherHash),
            ) => {
                return Err(unknown(std::slice::from_ref(record), other.to_string(), 1));
            }
        }
        let now_ms = self.now_ms();
        if now_ms < record.lease_until_ms {
            return Err(TradeError::InProgress {
                client_order_id: record.client_order_id.clone(),
                retry_after_s: wait_for_lease_s(record.lease_until_ms, REQUEST_MS, now_ms),
            });
        }
        let cause = "the exchange does not list it now".to_owned();
        Err(unknown(std::slice::from_ref(record), cause, 1))
    }

    /// Returns the state of an order with a change under way: as it will be stored, if the change
    /// was made.
    async fn changing_status(
        &self,
        finder: &Finder<'_>,
        record: &OrderRecord,
        change: &Change,
    ) -> Result<Option<OrderView>, FindFault> {
        let found = finder.change(record, change).await?;
        let made = found.new.as_deref().filter(|new| new.rejection.is_none());
        let settled = change_outcome(record, &found, record.revision, self.now_ms());
        let (order, record) = match (made, &settled) {
            (Some(new), Ok(settled)) => (Some(new), settled),
            _ => (found.old.as_deref(), record),
        };
        Ok(order.map(|order| of_exchange(finder.account, order, Some(record))))
    }

    /// Returns the open orders of a market, or of all markets.
    ///
    /// # Errors
    /// Fails when the exchange does not list them. A list with a gap is an error.
    pub async fn open_orders(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        symbol: Option<&SymbolText>,
    ) -> Result<Vec<OrderView>, TradeError> {
        let read = async {
            let account = self.account(caller, wallet).await?;
            let view = self.view(&account, &[]).await?;
            let key = self.key_to_ask(&view).await?;
            let orders = self.listed(&account, &view, key.as_ref(), symbol).await?;
            self.with_records(&account, &orders).await
        };
        self.until(self.now_ms() + REQUEST_MS, read).await
    }

    /// Asks for the open orders of a market, or of all markets.
    pub(super) async fn listed(
        &self,
        account: &TradingAccount,
        view: &TradingView,
        key: Option<&SigningKey>,
        symbol: Option<&SymbolText>,
    ) -> Result<Vec<ExchangeOrder>, TradeError> {
        let (tenant, markets) = (&account.tenant, self.markets(&account.tenant));
        let asker = Asker { wallet: view.address(), key };
        let market = match symbol {
            Some(symbol) => Some(markets.find(symbol).await?.stored()),
            None => None,
        };
        let mut orders = match (&self.client.wire, &market) {
            (Wire::Aster(_), market) => {
                let name = market.as_ref().map(|market| market.name.as_str());
                self.client.open_orders(tenant, asker, name).await?
            }
            (Wire::Lighter(_), market) => {
                let name = market.as_ref().map(|market| market.name.as_str());
                self.client.open_orders(tenant, asker, name).await?
            }
            (Wire::Hyperliquid(_), Some(market)) => {
                self.client.open_orders(tenant, asker, market.dex.as_deref()).await?
            }
            (Wire::Hyperliquid(client), None) => {
                let dexs = markets.all_dexs(client).await?;
                if dexs.len() > MAX_DEXS {
                    return Err(TradeError::SymbolRequired);
                }
                let asked = dexs
                    .iter()
                    .map(|dex| self.client.open_orders(tenant, asker, Some(dex.name.as_str())));
                try_join_all(asked).await?.into_iter().flatten().collect()
            }
        };
        if let Some(market) = &market {
            orders.retain(|order| order.symbol == market.name);
        }
        // A waiting child is listed within its order and on its own.
        let mut seen = std::collections::HashSet::new();
        orders.retain(|order| seen.insert(order.order_id.clone()));
        Ok(orders)
    }

    /// Returns the views of orders with the records of the service's own.
    pub(super) async fn with_records(
        &self,
        account: &TradingAccount,
        orders: &[ExchangeOrder],
    ) -> Result<Vec<OrderView>, TradeError> {
        let parse = |order: &ExchangeOrder| {
            ExchangeOrderId::parse(account.exchange, order.client_id.as_deref()?)
        };
        let mut keys: Vec<_> = orders.iter().filter_map(parse).map(|id| id.key).collect();
        keys.sort_unstable();
        keys.dedup();
        let records = if keys.is_empty() {
            Vec::new()
        } else {
            self.store.orders_by_keys(account, &keys, self.clock()).await?
        };
        let records: std::collections::HashMap<_, _> = records
            .iter()
            .map(|record| (account.order_key(&record.client_order_id), record))
            .collect();
        let mut attached = std::collections::HashMap::new();
        for order in orders.iter().filter(|it| parse(it).is_some_and(|id| id.leg != Leg::Entry)) {
            // The newest comes first.
            attached.entry(order.client_id.as_deref().unwrap_or_default()).or_insert(order);
        }
        let views = orders.iter().map(|order| {
            // A record of a later day has the same key, but another id at the exchange.
            let record = parse(order).and_then(|id| {
                records.get(&id.key).copied().filter(|record| account.has_id(record, id))
            });
            let listed = |id: &str| attached.get(id).copied();
            match record.and_then(|record| with_listed(account, order, record, listed)) {
                Some(order) => of_exchange(account, &order, record),
                None => of_exchange(account, order, record),
            }
        });
        Ok(views.collect())
    }
}

/// Returns whether Lighter refused an order only because a later nonce of the slot was faster. The order
/// was not placed, and nothing refuses it.
fn is_overtaken(record: &OrderRecord) -> bool {
    let Some(StoredOutcome::Refused(stored)) = &record.outcome else { return false };
    record.exchange == Exchange::Lighter && refusal_of(stored).code == TradeCode::NonceTooLow
}
