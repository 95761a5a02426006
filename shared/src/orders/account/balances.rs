//! Reading the balances of an account: the futures and the spot account of Aster, and on Hyperliquid
//! those of every DEX and the spot tokens.

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt};

use super::{DEXS, Reads};
use crate::exchanges::LookupError;
use crate::exchanges::account::{AccountMode, Balances, Pocket};
use crate::exchanges::aster::trade::Client as AsterClient;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::hyperliquid::trade::Client as HyperliquidClient;
use crate::exchanges::hyperliquid::trade::account::{DexAccount, PerpsAccount, balances};
use crate::orders::client::wire::Wire;
use crate::orders::{TradeError, Trader};

/// How long a request waits for Aster's spot API, in milliseconds.
const SPOT_MS: u64 = 5_000;

impl Trader {
    /// Reads the balances of an account.
    pub(super) async fn read_balances(
        &self,
        reads: &Reads,
        until_ms: u64,
    ) -> Result<Balances, TradeError> {
        match &self.client.wire {
            Wire::Aster(client) => self.aster_balances(client, reads, until_ms).await,
            Wire::Lighter(client) => {
                let tenant = &reads.account.tenant;
                let read = async { Ok(self.client.lighter_account(client, tenant).await?) };
                Ok(self.until(until_ms, read).await?.balances)
            }
            Wire::Hyperliquid(client) => {
                self.until(until_ms, self.hyperliquid_balances(client, reads)).await
            }
        }
    }

    /// Reads the balances of the futures account, and those of the spot account if its API responds.
    /// The spot API is a service of its own, and a failure of it does not hide the futures account.
    async fn aster_balances(
        &self,
        client: &AsterClient,
        reads: &Reads,
        until_ms: u64,
    ) -> Result<Balances, TradeError> {
        let (tenant, asker) = (&reads.account.tenant, reads.asker());
        let futures = async { Ok(self.client.aster_futures(client, tenant, asker).await?) };
        let (mut rows, sums) = self.until(until_ms, futures).await?;
        let spot = async { Ok(self.client.aster_spot(client, tenant, asker).await?) };
        let spot_until_ms = until_ms.min(self.now_ms() + SPOT_MS);
        let unread = match self.until(spot_until_ms, spot).await {
            Ok(spot) => {
                rows.extend(spot);
                Vec::new()
            }
            Err(error) => {
                tracing::warn!(%error, "the balances of the spot account are unknown");
                vec![Pocket::Spot]
            }
        };
        Ok(Balances {
            mode: AccountMode::Standard,
            rows,
            withdrawable: sums.withdrawable,
            account_value: sums.value,
            unread,
        })
    }

    async fn hyperliquid_balances(
        &self,
        client: &HyperliquidClient,
        reads: &Reads,
    ) -> Result<Balances, TradeError> {
        let (tenant, wallet) = (&reads.account.tenant, reads.view.address());
        let mode = self.client.account_mode(client, tenant, wallet).await?;
        let main = self.client.perps(client, tenant, wallet, "").await?;
        let others = match mode {
            AccountMode::Unified | AccountMode::PortfolioMargin => Vec::new(),
            AccountMode::Standard | AccountMode::Other => self.other_dexs(client, reads).await?,
        };
        let spot = self.client.spot_account(client, tenant, wallet).await?;
        let what = "balances with too many digits";
        let sums = balances(mode, &main, &others, &spot);
        sums.ok_or_else(|| LookupError::Unreadable { what, status: 200 }.into())
    }

    /// Reads the accounts of the other DEXs that have a value, with the tokens that settle them.
    async fn other_dexs(
        &self,
        client: &HyperliquidClient,
        reads: &Reads,
    ) -> Result<Vec<DexAccount>, TradeError> {
        let (tenant, wallet) = (&reads.account.tenant, reads.view.address());
        let markets = self.markets(tenant);
        let dexs = markets.all_dexs(client).await?;
        let others = dexs.iter().filter(|dex| !dex.name.is_empty());
        let asked: Vec<BoxFuture<'_, Result<_, AskError>>> = others
            .map(|dex| {
                let read = async move {
                    let account = self.client.perps(client, tenant, wallet, &dex.name).await?;
                    Ok((dex.name.as_str(), account))
                };
                read.boxed()
            })
            .collect();
        let asked = futures_util::stream::iter(asked).buffered(DEXS);
        let mut accounts: Vec<(&str, PerpsAccount)> = asked.try_collect().await?;
        accounts.retain(|(_, account)| !account.value.is_zero());
        let mut named = Vec::with_capacity(accounts.len());
        for (dex, account) in accounts {
            let token = markets.settlement(client, dex).await?;
            named.push(DexAccount { dex: dex.to_owned(), token, account });
        }
        Ok(named)
    }
}
