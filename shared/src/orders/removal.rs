//! Resolving a wallet's orders before its trading key is removed.
//!
//! Aster answers questions only to an agent of the account, and a `noop` must come from the agent
//! that signed the order. Without the key, the outcome of an order can stay unknown until the wallet
//! registers again. The removal never waits for it longer than [`LIMIT_MS`].
//!
//! The index of unknown orders has no entry of a wallet without a ledger: see
//! [`Store::has_ledger`](crate::store::Store::has_ledger). So for most wallets a removal reads one
//! item instead of all shards.

use futures_util::future::BoxFuture;
use std::time::Duration;

use domain::ids::{Exchange, WalletRef};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use platform::env::ConfigError;
use platform::items::{SHARDS, StoreError};
use platform::metrics::Metric;

use super::job::One;
use super::resolve::REQUEST_WAIT_MS;
use super::{TradeError, Trader};
use crate::caller::Caller;
use crate::exchanges::budget::Spender;
use crate::runtime::Runtime;
use crate::store::{DueOrder, TradingAccount};

/// Maximum duration, in milliseconds.
const LIMIT_MS: u64 = 5_000;

/// Until when a question may begin, in milliseconds after the start.
const BEGIN_MS: u64 = 3_000;

/// Maximum number of pages of a shard of the index.
const MAX_PAGES: u32 = 5;

/// The orders of the exchanges at which wallets are registered, for functions that remove trading keys.
#[derive(Clone, Debug)]
pub struct Resolvers {
    aster: Trader,
    hyperliquid: Trader,
}

impl Resolvers {
    /// Returns the resolvers of these orders.
    #[must_use]
    pub const fn new(aster: Trader, hyperliquid: Trader) -> Self {
        Self { aster, hyperliquid }
    }

    /// Returns the resolvers, with clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        let aster = Trader::aster_from_env(runtime, Spender::Caller)?;
        let hyperliquid = Trader::hyperliquid_from_env(runtime, Spender::Caller)?;
        Ok(Self { aster, hyperliquid })
    }

    /// Tries to find the outcome of a wallet's orders, while its trading key can still be used for
    /// it. A failure is logged: the job tries again.
    pub fn resolve<'a>(
        &'a self,
        exchange: Exchange,
        caller: &'a Caller,
        wallet: &'a WalletRef,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let trader = match exchange {
                Exchange::Aster => &self.aster,
                Exchange::Hyperliquid => &self.hyperliquid,
                // No wallet is registered there.
                Exchange::Lighter => return,
            };
            let work = trader.resolve_of(caller, wallet);
            match tokio::time::timeout(Duration::from_millis(LIMIT_MS), work).await {
                Ok(Ok(0)) => {}
                Ok(Ok(open)) => {
                    tracing::warn!(open, "orders are unknown when their key is removed");
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, "orders are not resolved before a removal");
                }
                Err(_) => tracing::warn!("orders are not resolved in time before a removal"),
            }
        })
    }
}

impl Trader {
    /// Tries each order of a wallet whose outcome is unknown, and returns how many still are.
    async fn resolve_of(&self, caller: &Caller, wallet: &WalletRef) -> Result<u64, TradeError> {
        let until_ms = self.now_ms() + BEGIN_MS;
        let account = self.account(caller, wallet).await?;
        if !self.store.has_ledger(&account, self.clock()).await? {
            return Ok(0);
        }
        let (mut resolved, mut open) = (0, 0);
        let due = self.unresolved_of(&account).await?;
        let mut under_way: FuturesUnordered<_> =
            due.iter().map(|due| self.try_due(due, REQUEST_WAIT_MS, until_ms)).collect();
        while let Some(tried) = under_way.next().await {
            match tried {
                Ok(One::Resolved(orders)) => resolved += orders,
                Ok(One::NotDue) => {}
                Ok(One::Unknown { .. }) => open += 1,
                Err(error) => {
                    open += 1;
                    tracing::warn!(%error, "order not resolved");
                }
            }
        }
        if resolved > 0 {
            self.client.emit(Metric::OrdersResolved, resolved);
        }
        Ok(open)
    }

    /// Returns the orders of an account whose outcome is unknown and whose lease has ended. All
    /// tenants share the index, so a part of it is read.
    async fn unresolved_of(&self, account: &TradingAccount) -> Result<Vec<DueOrder>, StoreError> {
        let now_ms = self.now_ms();
        let of_shard = async |shard| {
            let (mut found, mut from) = (Vec::new(), None);
            for _ in 0..MAX_PAGES {
                let page = self.store.due_orders(account.exchange, shard, now_ms, from).await?;
                found.extend(page.keys.into_iter().filter(|due| due.account == *account));
                match page.next {
                    Some(next) => from = Some(next),
                    None => break,
                }
            }
            Ok::<_, StoreError>(found)
        };
        let shards = join_all((0..SHARDS).map(of_shard)).await;
        let found: Vec<Vec<DueOrder>> = shards.into_iter().collect::<Result<_, _>>()?;
        Ok(found.into_iter().flatten().collect())
    }
}
