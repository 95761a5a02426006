//! Questions about an account, and changes of its leverage.

use domain::eth::Address;
use domain::ids::Tenant;
use lighter_signer::{Action as LighterAction, MarginMode as LighterMargin};

use super::call::Asker;
use super::wire::{Wire, market_index};
use super::{Question, TradeClient};
use crate::exchanges::Unclear;
use crate::exchanges::account::{
    AccountBalance, AccountMode, AccountPosition, LeverageSet, LeverageState, LeverageStep,
    MarginMode,
};
use crate::exchanges::aster::trade::account::Sums;
use crate::exchanges::aster::trade::params::Params;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::aster::trade::{Call, Client as AsterClient, Reader};
use crate::exchanges::hyperliquid::trade::Client as HyperliquidClient;
use crate::exchanges::hyperliquid::trade::account::{PerpsAccount, SpotBalance};
use crate::exchanges::hyperliquid::trade::action::{Action, Leverage};
use crate::exchanges::hyperliquid::trade::answer::Sender;
use crate::exchanges::hyperliquid::trade::history::ENTRIES_PER_WEIGHT;
use crate::exchanges::lighter::profile::Request;
use crate::exchanges::lighter::trade::Client as LighterClient;
use crate::exchanges::lighter::trade::account::Account as LighterAccount;
use crate::exchanges::lighter::trade::markets::WHOLE_MARGIN;
use crate::exchanges::lighter::trade::read::Executed;
use crate::exchanges::trade::{ExchangeOrder, Sent, TradeCode, TradeRefusal};
use crate::orders::TradeError;
use crate::orders::access::SigningKey;
use crate::store::StoredSymbol;

/// Request weight of one of Hyperliquid's states of an account.
const STATE_WEIGHT: u64 = 2;

/// Request weight of most of Hyperliquid's questions about an account.
pub(super) const QUESTION_WEIGHT: u64 = 20;

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
            Wire::Lighter(client) => {
                let mut positions = self.lighter_account(client, tenant).await?.positions;
                positions.retain(|it| within.is_none_or(|market| it.symbol == market));
                Ok(positions)
            }
        }
    }

    /// Reads the account of Lighter that the client names.
    pub(in crate::orders) async fn lighter_account(
        &self,
        client: &LighterClient,
        tenant: &Tenant,
    ) -> Result<LighterAccount, AskError> {
        let index = client.account_index().ok_or_else(|| not_offered("no account is named"))?;
        self.ask_lighter(tenant, Request::Question, || Box::pin(client.account(index))).await
    }

    /// Reads the account of the perpetuals of one of Hyperliquid's DEXs.
    pub(in crate::orders) async fn perps(
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

    /// Reads how a Hyperliquid account keeps its funds.
    pub(in crate::orders) async fn account_mode(
        &self,
        client: &HyperliquidClient,
        tenant: &Tenant,
        wallet: Address,
    ) -> Result<AccountMode, AskError> {
        let mode = self.ask(tenant, QUESTION_WEIGHT, || {
            Box::pin(async move { Ok(client.account_mode(wallet).await?) })
        });
        mode.await
    }

    /// Reads the spot balances of a Hyperliquid account.
    pub(in crate::orders) async fn spot_account(
        &self,
        client: &HyperliquidClient,
        tenant: &Tenant,
        wallet: Address,
    ) -> Result<Vec<SpotBalance>, AskError> {
        let spot = self.ask(tenant, STATE_WEIGHT, || {
            Box::pin(async move { Ok(client.spot_account(wallet).await?) })
        });
        spot.await
    }

    /// Reads the balances and the sums of Aster's futures account.
    pub(in crate::orders) async fn aster_futures(
        &self,
        client: &AsterClient,
        tenant: &Tenant,
        asker: Asker<'_>,
    ) -> Result<(Vec<AccountBalance>, Sums), AskError> {
        let reader = asker.reader()?;
        let weight = Call::Balance.weight();
        let rows = self.ask(tenant, weight, || Box::pin(client.balance(reader))).await?;
        let weight = Call::Account.weight();
        let sums = self.ask(tenant, weight, || Box::pin(client.account(reader))).await?;
        Ok((rows, sums))
    }

    /// Reads the balances of Aster's spot account. Its API has another host with limits of its own,
    /// so its failures do not count for the circuit of the futures API. The weight counts, because
    /// the calls leave from the same address.
    pub(in crate::orders) async fn aster_spot(
        &self,
        client: &AsterClient,
        tenant: &Tenant,
        asker: Asker<'_>,
    ) -> Result<Vec<AccountBalance>, AskError> {
        let reader = asker.reader()?;
        self.take(tenant, Call::SpotAccount.weight()).await?;
        client.spot_balances(reader).await
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
    pub(super) async fn take_for(&self, tenant: &Tenant, entries: usize) {
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
            Wire::Lighter(client) => {
                let index = client.account_index();
                let index = index.ok_or_else(|| not_offered("no account is named"))?;
                let weight = self.with_markets(&[Request::Question]);
                self.ask(tenant, weight, || Box::pin(client.leverage(index, name))).await
            }
        }
    }

    /// Signs and sends one step of a change of leverage. The caller has taken its weight.
    pub(in crate::orders) async fn set_leverage(
        &self,
        tenant: &Tenant,
        nonce: u64,
        (user, key): (Address, &SigningKey),
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
                let key = key.agent()?;
                let signed = client.sign(&action, nonce, key)?;
                let sender = Sender { wallet: user, agent: key.address(), is_first: true };
                changed(client.set_leverage(&signed.body, sender).await)
            }
            (Wire::Aster(client), LeverageStep::MarginMode(mode)) => {
                let params = Params::margin_type(&symbol.name, mode);
                let reader = Reader { user, key: key.agent()? };
                let signed = client.sign(Call::MarginType, &params, nonce, reader)?;
                client.set_leverage(&signed).await
            }
            (Wire::Aster(client), LeverageStep::Leverage(leverage)) => {
                let params = Params::leverage(&symbol.name, leverage);
                let reader = Reader { user, key: key.agent()? };
                let signed = client.sign(Call::Leverage, &params, nonce, reader)?;
                client.set_leverage(&signed).await
            }
            (Wire::Lighter(client), LeverageStep::Both(state)) => {
                let action = lighter_leverage(symbol, state)?;
                let signed = client.sign(key.caller()?, action, nonce)?;
                let sent = client.send(&signed.body, &signed.hash).await;
                self.note_sent(&sent).await;
                return Ok(self.executed_leverage(tenant, sent).await);
            }
            _ => return Err(TradeError::DamagedOrder("a step of another exchange")),
        };
        self.note_sent(&sent).await;
        Ok(sent)
    }

    /// Returns the outcome of a change that Lighter has taken.
    async fn executed_leverage(&self, tenant: &Tenant, sent: Sent<String>) -> Sent<LeverageSet> {
        let hash = match sent {
            Sent::Accepted(hash) => hash,
            Sent::Refused(refusal) => return Sent::Refused(refusal),
            Sent::NotSent(cause) => return Sent::NotSent(cause),
            Sent::Unknown(unresolved) => return Sent::Unknown(unresolved),
        };
        match self.executed(tenant, &hash).await {
            Ok(Executed::Done) => Sent::Accepted(LeverageSet::Changed),
            Ok(Executed::Failed(refusal)) => Sent::Refused(refusal),
            Ok(Executed::Absent | Executed::Pending) => {
                let why = "the exchange has not executed the change yet".to_owned();
                Sent::Unknown(Unclear::BadAnswer(why).into())
            }
            Err(error) => Sent::Unknown(Unclear::BadAnswer(error.to_string()).into()),
        }
    }
}

/// Returns the transaction that sets a leverage, whose fraction the market has.
fn lighter_leverage(
    symbol: &StoredSymbol,
    state: LeverageState,
) -> Result<LighterAction, TradeError> {
    let fraction = WHOLE_MARGIN.checked_div(state.leverage);
    let fraction = fraction.and_then(|fraction| u16::try_from(fraction).ok());
    Ok(LighterAction::UpdateLeverage {
        market_index: market_index(symbol)?,
        initial_margin_fraction: fraction.ok_or(TradeError::DamagedOrder("no leverage"))?,
        margin_mode: match state.margin_mode {
            MarginMode::Cross => LighterMargin::Cross,
            MarginMode::Isolated => LighterMargin::Isolated,
        },
    })
}

fn changed(sent: Sent<()>) -> Sent<LeverageSet> {
    match sent {
        Sent::Accepted(()) => Sent::Accepted(LeverageSet::Changed),
        Sent::Refused(refusal) => Sent::Refused(refusal),
        Sent::NotSent(cause) => Sent::NotSent(cause),
        Sent::Unknown(unresolved) => Sent::Unknown(unresolved),
    }
}

pub(super) fn not_offered(text: &str) -> AskError {
    AskError::Refused(TradeRefusal::new(TradeCode::NotOffered, text))
}
