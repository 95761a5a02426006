//! Questions about an account, and changes of its leverage.

use domain::eth::{Address, AgentKey};
use domain::ids::Tenant;
use futures_util::future::try_join_all;

use super::call::Asker;
use super::wire::Wire;
use super::{Question, TradeClient};
use crate::exchanges::LookupError;
use crate::exchanges::account::{
    AccountMode, AccountPosition, Balances, FillPage, LeverageSet, LeverageState, LeverageStep,
    MarginMode,
};
use crate::exchanges::aster::trade::history::{MAX_TRADES, Window};
use crate::exchanges::aster::trade::params::Params;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::aster::trade::{Call, Client as AsterClient, Reader};
use crate::exchanges::hyperliquid::trade::Client as HyperliquidClient;
use crate::exchanges::hyperliquid::trade::account::{
    DexAccount, PerpsAccount, USDC_INDEX, balances,
};
use crate::exchanges::hyperliquid::trade::action::{Action, Leverage};
use crate::exchanges::hyperliquid::trade::answer::Sender;
use crate::exchanges::hyperliquid::trade::history::ENTRIES_PER_WEIGHT;
use crate::exchanges::hyperliquid::trade::markets::Dex;
use crate::exchanges::trade::{ExchangeOrder, Sent, TradeCode, TradeRefusal};
use crate::orders::TradeError;
use crate::store::StoredSymbol;

/// Request weight of one of Hyperliquid's states of an account.
const STATE_WEIGHT: u64 = 2;

/// Request weight of most of Hyperliquid's questions about an account.
const QUESTION_WEIGHT: u64 = 20;

/// Maximum number of questions for one page of executions.
const MAX_PAGES: usize = 8;

impl TradeClient {
    /// Reads the open positions: of a market or of all markets on Aster, of a DEX on Hyperliquid.
    pub(in crate::orders) async fn positions(
        &self,
        tenant: &Tenant,
        asker: Asker<'_>,
        within: Option<&str>,
    ) -> Result<Vec<AccountPosition>, AskError> {
        match &self.wire {
            Wire::Aster(client) => {
                let reader = asker.reader()?;
                let weight = Call::Positions.weight();
                self.ask(tenant, weight, || Box::pin(client.positions(reader, within))).await
            }
            Wire::Hyperliquid(client) => {
                let dex = within.unwrap_or_default();
                Ok(self.perps(client, tenant, asker.wallet, dex).await?.positions)
            }
        }
    }

    async fn perps(
        &self,
        client: &HyperliquidClient,
        tenant: &Tenant,
        wallet: Address,
        dex: &str,
    ) -> Result<PerpsAccount, AskError> {
        let account = self.ask(tenant, STATE_WEIGHT, || {
            Box::pin(async move { Ok(client.perps_account(wallet, dex).await?) })
        });
        account.await
    }

    /// Reads the balances. On Hyperliquid also those of DEXs other than the main one.
    pub(in crate::orders) async fn balances(
        &self,
        tenant: &Tenant,
        asker: Asker<'_>,
        dexs: &[Dex],
    ) -> Result<Balances, AskError> {
        match &self.wire {
            Wire::Aster(client) => {
                let reader = asker.reader()?;
                let weight = Call::Balance.weight();
                let rows = self.ask(tenant, weight, || Box::pin(client.balance(reader))).await?;
                let weight = Call::Account.weight();
                let sums = self.ask(tenant, weight, || Box::pin(client.account(reader))).await?;
                Ok(Balances {
                    mode: AccountMode::Standard,
                    rows,
                    withdrawable: sums.withdrawable,
                    account_value: sums.value,
                })
            }
            Wire::Hyperliquid(client) => {
                self.hyperliquid_balances(client, tenant, asker.wallet, dexs).await
            }
        }
    }

    async fn hyperliquid_balances(
        &self,
        client: &HyperliquidClient,
        tenant: &Tenant,
        wallet: Address,
        dexs: &[Dex],
    ) -> Result<Balances, AskError> {
        let mode = self.ask(tenant, QUESTION_WEIGHT, || {
            Box::pin(async move { Ok(client.account_mode(wallet).await?) })
        });
        let mode = mode.await?;
        let main = self.perps(client, tenant, wallet, "").await?;
        let others = match mode {
            AccountMode::Unified | AccountMode::PortfolioMargin => Vec::new(),
            AccountMode::Standard | AccountMode::Other => {
                self.other_dexs(client, tenant, wallet, dexs).await?
            }
        };
        let spot = self.ask(tenant, STATE_WEIGHT, || {
            Box::pin(async move { Ok(client.spot_account(wallet).await?) })
        });
        let spot = spot.await?;
        let what = "balances with too many digits";
        let sums = balances(mode, &main, &others, &spot);
        sums.ok_or_else(|| LookupError::Unreadable { what, status: 200 }.into())
    }

    /// Reads the accounts of the other DEXs that have a value, with the tokens that settle them.
    async fn other_dexs(
        &self,
        client: &HyperliquidClient,
        tenant: &Tenant,
        wallet: Address,
        dexs: &[Dex],
    ) -> Result<Vec<DexAccount>, AskError> {
        let others = dexs.iter().filter(|dex| !dex.name.is_empty());
        let read = others.map(|dex| async move {
            let account = self.perps(client, tenant, wallet, &dex.name).await?;
            Ok::<_, AskError>((dex.name.as_str(), account))
        });
        let mut accounts = try_join_all(read).await?;
        accounts.retain(|(_, account)| !account.value.is_zero());
        let mut named = Vec::with_capacity(accounts.len());
        for (dex, account) in accounts {
            let token = self.token_of(client, tenant, dex).await?;
            named.push(DexAccount { dex: dex.to_owned(), token, account });
        }
        Ok(named)
    }

    /// Reads the name of the token that settles a DEX.
    async fn token_of(
        &self,
        client: &HyperliquidClient,
        tenant: &Tenant,
        dex: &str,
    ) -> Result<String, AskError> {
        let index = self.ask(tenant, QUESTION_WEIGHT, || {
            Box::pin(async move { Ok(client.collateral(dex).await?) })
        });
        let index = index.await?;
        if index == USDC_INDEX {
            return Ok("USDC".to_owned());
        }
        let tokens = self
            .ask(tenant, QUESTION_WEIGHT, || Box::pin(async move { Ok(client.tokens().await?) }));
        Ok(tokens.await?.remove(&index).unwrap_or_else(|| format!("token {index}")))
    }

    /// Reads a page of executions, the oldest first. Aster lists those of one market.
    pub(in crate::orders) async fn fills(
        &self,
        tenant: &Tenant,
        asker: Asker<'_>,
        symbol: Option<&str>,
        from_ms: u64,
    ) -> Result<FillPage, AskError> {
        match &self.wire {
            Wire::Aster(client) => {
                let symbol = symbol.ok_or_else(|| {
                    not_offered("Aster lists the executions of one market at a time")
                })?;
                self.aster_fills(client, tenant, asker.reader()?, symbol, from_ms).await
            }
            Wire::Hyperliquid(client) => {
                self.hyperliquid_fills(client, tenant, asker.wallet, symbol, from_ms).await
            }
        }
    }

    /// Follows the pages until one has executions of the market.
    async fn hyperliquid_fills(
        &self,
        client: &HyperliquidClient,
        tenant: &Tenant,
        wallet: Address,
        symbol: Option<&str>,
        mut from_ms: u64,
    ) -> Result<FillPage, AskError> {
        for _ in 0..MAX_PAGES {
            let page = self.ask(tenant, QUESTION_WEIGHT, || {
                Box::pin(async move { Ok(client.fills(wallet, from_ms).await?) })
            });
            let FillPage { mut fills, next_ms } = page.await?;
            self.take_for(tenant, fills.len()).await;
            fills.retain(|fill| symbol.is_none_or(|symbol| fill.symbol == symbol));
            match next_ms {
                Some(next_ms) if fills.is_empty() => from_ms = next_ms,
                _ => return Ok(FillPage { fills, next_ms }),
            }
        }
        Ok(FillPage { fills: Vec::new(), next_ms: Some(from_ms) })
    }

    /// Reads windows of up to seven days until one has executions. A window with more executions
    /// than a response holds is halved, because the exchange does not document which it leaves out.
    async fn aster_fills(
        &self,
        client: &AsterClient,
        tenant: &Tenant,
        reader: Reader<'_>,
        symbol: &str,
        mut from_ms: u64,
    ) -> Result<FillPage, AskError> {
        let skew_ms = client.skew_ms();
        let now_ms = self.clock().now_ms().saturating_add_signed(skew_ms.saturating_neg());
        let mut window = Window::starting(from_ms, now_ms);
        for _ in 0..MAX_PAGES {
            let trades = self.ask(tenant, Call::Trades.weight(), || {
                Box::pin(client.trades(reader, symbol, window))
            });
            let trades = trades.await?;
            if trades.len() >= MAX_TRADES
                && let Some(half) = window.first_half()
            {
                window = half;
                continue;
            }
            let page = window.page(trades, now_ms);
            match page.next_ms {
                Some(next_ms) if page.fills.is_empty() => {
                    from_ms = next_ms;
                    window = Window::starting(next_ms, now_ms);
                }
                _ => return Ok(page),
            }
        }
        Ok(FillPage { fills: Vec::new(), next_ms: Some(from_ms) })
    }

    /// Reads the last 2,000 orders, the newest first. Only Hyperliquid has such a list.
    pub(in crate::orders) async fn historical_orders(
        &self,
        tenant: &Tenant,
        wallet: Address,
    ) -> Result<Vec<ExchangeOrder>, AskError> {
        let Wire::Hyperliquid(client) = &self.wire else {
            return Err(not_offered("Aster lists the orders of one market at a time"));
        };
        let orders = self.ask(tenant, QUESTION_WEIGHT, || {
            Box::pin(async move { Ok(client.historical_orders(wallet).await?) })
        });
        let orders = orders.await?;
        self.take_for(tenant, orders.len()).await;
        Ok(orders)
    }

    /// Takes the weight of the entries of a response, which is known only afterwards. If the tenant's
    /// part has less, all of it is taken, so that the next request is refused.
    async fn take_for(&self, tenant: &Tenant, entries: usize) {
        let mut left = u64::try_from(entries / ENTRIES_PER_WEIGHT).unwrap_or(u64::MAX);
        let mut piece = left;
        while left > 0 && piece > 0 {
            match self.take(tenant, piece).await {
                Ok(()) => left -= piece,
                Err(_) => piece /= 2,
            }
            piece = piece.min(left);
        }
        if left > 0 {
            tracing::debug!(left, "a part of a response's weight was not taken");
        }
    }

    /// Reads the leverage of a market: to plan a change, and to confirm one whose response was lost.
    pub(in crate::orders) async fn leverage(
        &self,
        tenant: &Tenant,
        asker: Asker<'_>,
        symbol: &StoredSymbol,
    ) -> Result<LeverageState, AskError> {
        let name = symbol.name.as_str();
        match &self.wire {
            Wire::Aster(client) => {
                let reader = asker.reader()?;
                let weight = Call::Positions.weight();
                let found = self.ask(tenant, weight, || Box::pin(client.leverage(reader, name)));
                if let Some(state) = found.await? {
                    return Ok(state);
                }
                let weight = Call::Account.weight();
                let ask = || Box::pin(client.leverage_in_account(reader, name)) as Question<'_, _>;
                self.ask(tenant, weight, ask).await
            }
            Wire::Hyperliquid(client) => {
                let wallet = asker.wallet;
                let state = self.ask(tenant, QUESTION_WEIGHT, || {
                    Box::pin(async move { Ok(client.leverage(wallet, name).await?) })
                });
                state.await
            }
        }
    }

    /// Signs and sends one step of a change of leverage. The caller has taken its weight.
    pub(in crate::orders) async fn set_leverage(
        &self,
        nonce: u64,
        (user, key): (Address, &AgentKey),
        symbol: &StoredSymbol,
        step: LeverageStep,
    ) -> Result<Sent<LeverageSet>, TradeError> {
        let sent = match (&self.wire, step) {
            (Wire::Hyperliquid(client), LeverageStep::Both(state)) => {
                let action = Action::UpdateLeverage(Leverage {
                    asset: symbol.asset.ok_or(TradeError::DamagedOrder("no asset"))?,
                    is_cross: state.margin_mode == MarginMode::Cross,
                    leverage: state.leverage,
                });
                let signed = client.sign(&action, nonce, key)?;
                let sender = Sender { wallet: user, agent: key.address(), is_first: true };
                changed(client.set_leverage(&signed.body, sender).await)
            }
            (Wire::Aster(client), LeverageStep::MarginMode(mode)) => {
                let params = Params::margin_type(&symbol.name, mode);
                let reader = Reader { user, key };
                let signed = client.sign(Call::MarginType, &params, nonce, reader)?;
                client.set_leverage(&signed).await
            }
            (Wire::Aster(client), LeverageStep::Leverage(leverage)) => {
                let params = Params::leverage(&symbol.name, leverage);
                let signed = client.sign(Call::Leverage, &params, nonce, Reader { user, key })?;
                client.set_leverage(&signed).await
            }
            _ => return Err(TradeError::DamagedOrder("a step of another exchange")),
        };
        self.note_sent(&sent).await;
        Ok(sent)
    }
}

fn changed(sent: Sent<()>) -> Sent<LeverageSet> {
    match sent {
        Sent::Accepted(()) => Sent::Accepted(LeverageSet::Changed),
        Sent::Refused(refusal) => Sent::Refused(refusal),
        Sent::NotSent(cause) => Sent::NotSent(cause),
        Sent::Unknown(unresolved) => Sent::Unknown(unresolved),
    }
}

fn not_offered(text: &str) -> AskError {
    AskError::Refused(TradeRefusal::new(TradeCode::NotOffered, text))
}
