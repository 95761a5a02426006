//! Reading an account: positions, balances, executions and past orders. It writes nothing. Each read
//! ends before API Gateway ends the request.

mod balances;

use std::collections::{BTreeSet, HashMap};

use domain::eth::Address;
use domain::ids::{Exchange, WalletRef};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt};

use super::access::SigningKey;
use super::client::call::Asker;
use super::client::fills::Asking;
use super::client::wire::Wire;
use super::view::OrderView;
use super::{REQUEST_MS, TradeError, Trader};
use crate::caller::Caller;
use crate::exchanges::account::{AccountPosition, Balances, Fill};
use crate::exchanges::lighter::trade::Client as LighterClient;
use crate::store::{TradingAccount, TradingView};
use crate::trading::ids::{ExchangeOrderId, Leg};
use crate::trading::order::{OrderFault, SymbolText};

/// Number of DEXs that are asked at once.
const DEXS: usize = 8;

/// The open positions of a wallet at one exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PositionsView {
    /// The wallet.
    pub wallet: Address,
    /// The positions.
    pub positions: Vec<AccountPosition>,
}

/// The balances of a wallet at one exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BalancesView {
    /// The wallet.
    pub wallet: Address,
    /// The balances.
    pub balances: Balances,
}

/// An execution with the service's id of its order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FillView {
    /// The execution.
    pub fill: Fill,
    /// The caller's id of an order of this service; otherwise the client's id that the exchange
    /// states.
    pub client_order_id: Option<String>,
}

/// A page of executions, the oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FillsView {
    /// The executions.
    pub fills: Vec<FillView>,
    /// Where the next page starts, Unix milliseconds. `None` means that no more are known now.
    pub next_ms: Option<u64>,
}

/// What a read needs of a wallet.
struct Reads {
    account: TradingAccount,
    view: TradingView,
    key: Option<SigningKey>,
}

impl Reads {
    fn asker(&self) -> Asker<'_> {
        Asker { wallet: self.view.address(), key: self.key.as_ref() }
    }
}

impl Trader {
    async fn reads(&self, caller: &Caller, wallet: &WalletRef) -> Result<Reads, TradeError> {
        let account = self.account(caller, wallet).await?;
        let view = self.view(&account, &[]).await?;
        let key = self.key_to_ask(&view).await?;
        Ok(Reads { account, view, key })
    }

    /// Returns the open positions of a wallet, in one market or in all.
    ///
    /// # Errors
    /// Fails when the exchange does not state them. A list with a gap is an error.
    pub async fn positions(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        symbol: Option<&SymbolText>,
    ) -> Result<PositionsView, TradeError> {
        let read = async {
            let account = self.account(caller, wallet).await?;
            let view = self.view(&account, &[]).await?;
            let wallet = match &self.client.wire {
                // The exchange states the owner with the positions.
                Wire::Lighter(client) => {
                    return self.lighter_positions(client, &account, symbol).await;
                }
                Wire::Aster(_) | Wire::Hyperliquid(_) => view.address(),
            };
            let positions = self.all_positions(&account, &view, symbol).await?;
            Ok(PositionsView { wallet, positions })
        };
        self.until(self.now_ms() + REQUEST_MS, read).await
    }

    async fn lighter_positions(
        &self,
        client: &LighterClient,
        account: &TradingAccount,
        symbol: Option<&SymbolText>,
    ) -> Result<PositionsView, TradeError> {
        let market = match symbol {
            Some(symbol) => Some(self.markets(&account.tenant).find(symbol).await?),
            None => None,
        };
        let stated = self.client.lighter_account(client, &account.tenant).await?;
        let mut positions = stated.positions;
        let name = market.as_ref().map(super::markets::Market::name);
        positions.retain(|position| name.is_none_or(|name| position.symbol == name));
        Ok(PositionsView { wallet: stated.owner, positions })
    }

    /// Asks for the positions in one market or in all, on Hyperliquid on every DEX.
    pub(super) async fn all_positions(
        &self,
        account: &TradingAccount,
        view: &TradingView,
        symbol: Option<&SymbolText>,
    ) -> Result<Vec<AccountPosition>, TradeError> {
        let (tenant, markets) = (&account.tenant, self.markets(&account.tenant));
        let key = self.key_to_ask(view).await?;
        let asker = Asker { wallet: view.address(), key: key.as_ref() };
        let market = match symbol {
            Some(symbol) => Some(markets.find(symbol).await?.stored()),
            None => None,
        };
        let mut positions = match (&self.client.wire, &market) {
            (Wire::Aster(_), market) => {
                let name = market.as_ref().map(|market| market.name.as_str());
                self.client.positions(tenant, asker, name).await?
            }
            (Wire::Lighter(_), market) => {
                let name = market.as_ref().map(|market| market.name.as_str());
                self.client.positions(tenant, asker, name).await?
            }
            (Wire::Hyperliquid(_), Some(market)) => {
                let dex = market.dex.as_deref().filter(|dex| !dex.is_empty());
                self.client.positions(tenant, asker, dex).await?
            }
            (Wire::Hyperliquid(client), None) => {
                let dexs = markets.all_dexs(client).await?;
                let asked: Vec<BoxFuture<'_, _>> = dexs
                    .iter()
                    .map(|dex| {
                        let dex = Some(dex.name.as_str()).filter(|dex| !dex.is_empty());
                        self.client.positions(tenant, asker, dex).boxed()
                    })
                    .collect();
                let asked = futures_util::stream::iter(asked).buffered(DEXS);
                asked.try_collect::<Vec<_>>().await?.into_iter().flatten().collect()
            }
        };
        if let Some(market) = &market {
            positions.retain(|position| position.symbol == market.name);
        }
        Ok(positions)
    }

    /// Returns the balances of a wallet.
    ///
    /// # Errors
    /// Fails when the exchange does not state them. Without Aster's spot account, the others are
    /// returned, and the spot account is named as unread.
    pub async fn balances(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
    ) -> Result<BalancesView, TradeError> {
        let until_ms = self.now_ms() + REQUEST_MS;
        let reads = self.until(until_ms, self.reads(caller, wallet)).await?;
        if let Wire::Lighter(client) = &self.client.wire {
            let tenant = &reads.account.tenant;
            let read = async { Ok(self.client.lighter_account(client, tenant).await?) };
            let stated = self.until(until_ms, read).await?;
            return Ok(BalancesView { wallet: stated.owner, balances: stated.balances });
        }
        let balances = self.read_balances(&reads, until_ms).await?;
        Ok(BalancesView { wallet: reads.view.address(), balances })
    }

    /// Returns a page of the executions of a wallet, the oldest first. Aster lists those of one
    /// market at a time.
    ///
    /// # Errors
    /// Fails when the exchange does not list them, and on Aster without a market.
    pub async fn fills(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        symbol: Option<&SymbolText>,
        from_ms: u64,
    ) -> Result<FillsView, TradeError> {
        if symbol.is_none() && self.exchange() == Exchange::Aster {
            return Err(OrderFault::Missing("symbol").into());
        }
        let until_ms = self.now_ms() + REQUEST_MS;
        let before = async {
            let reads = self.reads(caller, wallet).await?;
            let market = match symbol {
                Some(symbol) => Some(self.markets(&reads.account.tenant).find(symbol).await?),
                None => None,
            };
            Ok((reads, market))
        };
        let (reads, market) = self.until(until_ms, before).await?;
        let name = market.as_ref().map(super::markets::Market::name);
        let (tenant, asker) = (&reads.account.tenant, reads.asker());
        let asking = Asking { tenant, asker, until_ms };
        let page = self.client.fills(asking, name, from_ms).await?;
        let ids = page.fills.iter().map(|fill| fill.client_id.as_deref());
        let ids = self.ids_of_callers(&reads.account, ids).await?;
        let fills = page.fills.into_iter().map(|fill| {
            let own = fill.client_id.as_ref().and_then(|id| ids.get(id)).cloned();
            FillView { client_order_id: own.or_else(|| fill.client_id.clone()), fill }
        });
        Ok(FillsView { fills: fills.collect(), next_ms: page.next_ms })
    }

    /// Returns the callers' ids of orders of this service, by the client's ids at the exchange. An
    /// attached order has none.
    async fn ids_of_callers(
        &self,
        account: &TradingAccount,
        ids: impl Iterator<Item = Option<&str>>,
    ) -> Result<HashMap<String, String>, TradeError> {
        let parse = |id: &str| ExchangeOrderId::parse(account.exchange, id);
        let distinct: BTreeSet<&str> = ids.flatten().collect();
        let entry = |id: &ExchangeOrderId| id.leg == Leg::Entry;
        let parsed: Vec<_> = distinct
            .into_iter()
            .filter_map(|id| Some((id, parse(id).filter(entry)?.key)))
            .collect();
        if parsed.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: Vec<_> = parsed.iter().map(|(_, key)| *key).collect();
        let records = self.store.orders_by_keys(account, &keys, self.clock()).await?;
        let names: HashMap<_, _> = records
            .into_iter()
            .map(|record| {
                (account.order_key(&record.client_order_id), record.client_order_id.to_string())
            })
            .collect();
        let named = parsed.into_iter().filter_map(|(id, key)| {
            let name = names.get(&key)?;
            Some((id.to_owned(), name.clone()))
        });
        Ok(named.collect())
    }

    /// Returns the last orders of a wallet in any state, the newest first: at most 2,000. Only
    /// Hyperliquid lists them.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn past_orders(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
    ) -> Result<Vec<OrderView>, TradeError> {
        let read = async {
            let Reads { account, view, .. } = self.reads(caller, wallet).await?;
            let wallet = view.address();
            let orders = self.client.historical_orders(&account.tenant, wallet).await?;
            self.with_records(&account, &orders).await
        };
        self.until(self.now_ms() + REQUEST_MS, read).await
    }
}
