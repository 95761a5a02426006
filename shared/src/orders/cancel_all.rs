//! Cancelling all orders of a market.

use domain::eth::AgentKey;
use domain::ids::WalletRef;
use futures_util::StreamExt;

use super::cancel::as_cancelled;
use super::client::wire::Wire;
use super::finding::Finder;
use super::view::OrderView;
use super::{TradeError, Trader};
use crate::caller::Caller;
use crate::exchanges::aster::trade as aster;
use crate::exchanges::aster::trade::params::Params;
use crate::exchanges::hyperliquid::trade::action::{Action, Cancel};
use crate::exchanges::hyperliquid::trade::answer::{CancelOutcome, Sender};
use crate::exchanges::trade::{ExchangeOrder, Sent, TradeCode, TradeRefusal, Unresolved};
use crate::store::{StoredSymbol, TradingAccount, TradingView};
use crate::trading::order::{OrderStatus, SymbolText};

/// Number of lookups at once.
const LOOKUPS: usize = 8;

/// A wallet with the key of its agent.
#[derive(Clone, Copy)]
struct Signer<'a> {
    account: &'a TradingAccount,
    view: &'a TradingView,
    key: &'a AgentKey,
}

impl Trader {
    /// Cancels all open orders of a market, and returns them in their state after it. An order that
    /// was filled in the meantime is listed as filled.
    ///
    /// # Errors
    /// Fails when the exchange refuses, or when it remains unknown whether the orders are
    /// cancelled. A repeat is harmless.
    pub async fn cancel_all(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        symbol: &SymbolText,
    ) -> Result<Vec<OrderView>, TradeError> {
        let account = self.account(caller, wallet).await?;
        let view = self.view(&account, &[]).await?;
        let key = self.key(&view).await?;
        let market = self.markets(&account.tenant).find(symbol).await?.stored();
        let signer = Signer { account: &account, view: &view, key: &key };
        let open = self.listed(&account, &view, Some(&key), Some(symbol)).await?;
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let is_certain = match &self.client.wire {
            Wire::Aster(client) => {
                self.cancel_all_aster(signer, client, &market).await?;
                vec![false; open.len()]
            }
            Wire::Hyperliquid(client) => {
                let asset = market.asset.ok_or(TradeError::DamagedOrder("no asset"))?;
                self.cancel_all_hyperliquid(signer, client, asset, &open).await?
            }
        };
        let after = self.after(signer, &market, open, &is_certain).await;
        self.with_states(&account, after).await
    }

    /// Returns each order in its state after a cancellation. The exchange is asked about the orders
    /// whose cancellation it did not state.
    async fn after(
        &self,
        signer: Signer<'_>,
        market: &StoredSymbol,
        open: Vec<ExchangeOrder>,
        is_certain: &[bool],
    ) -> Vec<(ExchangeOrder, Option<OrderStatus>)> {
        let Signer { account, view, key } = signer;
        let finder = Finder { trader: self, account, view, key: Some(key) };
        let certain = is_certain.iter().copied().chain(std::iter::repeat(false));
        let asked = open.into_iter().zip(certain).map(|(order, is_certain)| async move {
            if is_certain {
                return (order, Some(OrderStatus::Canceled));
            }
            let id = order.order_id.parse().map(super::client::call::LookupId::Exchange);
            let found = match id {
                Ok(id) => finder.find(&market.name, id).await.ok().flatten(),
                Err(_) => None,
            };
            match found {
                Some(found) => (*found, None),
                None => (order, Some(OrderStatus::Unknown)),
            }
        });
        futures_util::stream::iter(asked).buffered(LOOKUPS).collect().await
    }

    async fn with_states(
        &self,
        account: &TradingAccount,
        after: Vec<(ExchangeOrder, Option<OrderStatus>)>,
    ) -> Result<Vec<OrderView>, TradeError> {
        let (orders, states): (Vec<_>, Vec<_>) = after.into_iter().unzip();
        let views = self.with_records(account, &orders).await?;
        let views = views.into_iter().zip(states).map(|(view, state)| match state {
            Some(OrderStatus::Canceled) => as_cancelled(view),
            Some(status) => OrderView { status, ..view },
            None => view,
        });
        Ok(views.collect())
    }

    async fn cancel_all_aster(
        &self,
        signer: Signer<'_>,
        client: &aster::Client,
        market: &StoredSymbol,
    ) -> Result<(), TradeError> {
        let Signer { account, view, key } = signer;
        self.client.take(&account.tenant, aster::Call::CancelAll.weight()).await?;
        let nonce = self.store.take_trading_nonce(account, self.clock()).await?;
        let params = Params::of_symbol(&market.name);
        let reader = aster::Reader { user: view.wallet.address, key };
        let signed = client.sign(aster::Call::CancelAll, &params, nonce, reader)?;
        let sent = client.cancel_all(&signed).await;
        self.client.note_sent(&sent).await;
        match sent {
            Sent::Accepted(()) => Ok(()),
            Sent::Refused(refusal) if refusal.code == TradeCode::OrderNotOpen => Ok(()),
            other => Err(not_cancelled(other)),
        }
    }

    /// Cancels these orders in one action. Returns which of them the exchange states as cancelled.
    async fn cancel_all_hyperliquid(
        &self,
        signer: Signer<'_>,
        client: &crate::exchanges::hyperliquid::trade::Client,
        asset: u32,
        open: &[ExchangeOrder],
    ) -> Result<Vec<bool>, TradeError> {
        let Signer { account, view, key } = signer;
        let cancels = open.iter().map(|order| {
            let id = order.order_id.parse();
            let order_id = id.map_err(|_| TradeError::DamagedOrder("no id of the exchange"))?;
            Ok(Cancel { asset, order_id })
        });
        let action = Action::Cancel(cancels.collect::<Result<_, TradeError>>()?);
        self.client.take(&account.tenant, action.weight()).await?;
        let nonce = self.store.take_trading_nonce(account, self.clock()).await?;
        let signed = client.sign(&action, nonce, key)?;
        let wallet = view.wallet.address;
        let sender = Sender { wallet, agent: key.address(), is_first: true };
        let sent = client.cancel(&signed.body, open.len(), sender).await;
        self.client.note_sent(&sent).await;
        match sent {
            Sent::Accepted(outcomes) => {
                let is_done = |outcome: &CancelOutcome| *outcome == CancelOutcome::Cancelled;
                Ok(outcomes.iter().map(is_done).collect())
            }
            other => Err(not_cancelled(other)),
        }
    }
}

/// Returns the error of a cancellation that was not accepted.
fn not_cancelled<T>(sent: Sent<T>) -> TradeError {
    match sent {
        Sent::Refused(refusal) => TradeError::Refused { client_order_id: None, refusal },
        Sent::NotSent(cause) => TradeError::NotSent(cause),
        Sent::Unknown(Unresolved { why, .. }) => {
            TradeError::CancelUnknown { cause: why.to_string() }
        }
        Sent::Accepted(_) => {
            let code = TradeCode::OrderRejected;
            let refusal = TradeRefusal { code, text: "no order was cancelled".to_owned() };
            TradeError::Refused { client_order_id: None, refusal }
        }
    }
}
