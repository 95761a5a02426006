//! Cancelling all orders of a market.

mod under_way;

use domain::ids::{Exchange, WalletRef};
use futures_util::StreamExt;
use lighter_signer::{Action as LighterAction, CancelAll as LighterCancelAll};

use super::access::SigningKey;
use super::cancel::{after_sending, as_cancelled};
use super::client::call::LookupId;
use super::client::wire::{Wire, market_index};
use super::finding::Finder;
use super::view::OrderView;
use super::{REQUEST_MS, TradeError, Trader};
use crate::caller::Caller;
use crate::exchanges::aster::trade as aster;
use crate::exchanges::aster::trade::params::Params;
use crate::exchanges::hyperliquid::trade::action::{Action, Cancel};
use crate::exchanges::hyperliquid::trade::answer::{CancelOutcome, Sender};
use crate::exchanges::lighter::trade::read::Executed;
use crate::exchanges::trade::{ExchangeOrder, Sent, TradeCode, TradeRefusal, Unresolved};
use crate::store::{StoredSymbol, TradingAccount, TradingView};
use crate::trading::ids::ClientOrderId;
use crate::trading::order::{OrderStatus, SymbolText};
use under_way::Scope;

/// Number of lookups at once.
const LOOKUPS: usize = 8;

/// Number of orders that one action cancels on Hyperliquid.
const BATCH: usize = 100;

/// Maximum number of signatures of one transaction of Lighter whose nonce is overtaken.
const SIGNATURES: u32 = 3;

/// Number of lists of open orders that are cancelled. Another list follows if an order was filled,
/// changed or placed meanwhile.
const PASSES: u32 = 3;

/// A wallet with the key of its agent.
#[derive(Clone, Copy)]
struct Signer<'a> {
    account: &'a TradingAccount,
    view: &'a TradingView,
    key: &'a SigningKey,
}

/// An order after its cancellation: as the exchange states it, and its status if that is known
/// otherwise.
type After = (ExchangeOrder, Option<OrderStatus>);

/// The orders that a call has cancelled so far.
#[derive(Default)]
struct Cancelling {
    /// Whether a cancellation was sent.
    sent: bool,
    orders: Vec<After>,
}

impl Trader {
    /// Cancels all open orders of a market, and returns them in their state after it. An order that
    /// was filled in the meantime is listed as filled. The wallet's orders of unknown outcome are
    /// resolved, because they can be placed later.
    ///
    /// # Errors
    /// Fails when the exchange refuses, or when it remains unknown whether all orders are
    /// cancelled. A repeat is harmless.
    pub async fn cancel_all(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        symbol: &SymbolText,
    ) -> Result<Vec<OrderView>, TradeError> {
        let started_ms = self.now_ms();
        let until_ms = started_ms + REQUEST_MS;
        let account = self.account(caller, wallet).await?;
        let view = self.view(&account, &[]).await?;
        let key = self.key(&view).await?;
        let market = self.markets(&account.tenant).find(symbol).await?.stored();
        let signer = Signer { account: &account, view: &view, key: &key };
        let scope = Scope { signer, market: &market, started_ms, until_ms };
        let mut done = Cancelling::default();
        let cancelled = self.cancel_passes(scope, symbol, &mut done).await;
        // From the first cancellation on, an error does not state that nothing has changed.
        cancelled.map_err(|error| if done.sent { after_sending(error) } else { error })?;
        self.with_states(&account, done.orders).await.map_err(after_sending)
    }

    /// Cancels the open orders until none is left and no order of the wallet can be placed later.
    async fn cancel_passes(
        &self,
        scope: Scope<'_>,
        symbol: &SymbolText,
        done: &mut Cancelling,
    ) -> Result<(), TradeError> {
        let Scope { signer, market, until_ms, .. } = scope;
        let Signer { account, view, key } = signer;
        let mut waiting = Vec::new();
        for _ in 0..PASSES {
            if self.now_ms() >= until_ms {
                break;
            }
            let open = self.listed(account, view, Some(key), Some(symbol)).await?;
            let is_certain = self.cancel_listed(scope, &open, done).await?;
            let after = self.after(signer, market, open, &is_certain).await;
            let is_over = |(certain, after): (&bool, &After)| *certain || self.is_over(after);
            let all_over = is_certain.iter().zip(&after).all(is_over);
            done.take(after);
            let (left, was_waiting) = self.settle_under_way(scope).await?;
            waiting = left;
            if all_over && !was_waiting {
                return Ok(());
            }
        }
        let names = |ids: &[ClientOrderId]| {
            ids.iter().map(ClientOrderId::as_str).collect::<Vec<_>>().join(", ")
        };
        if !waiting.is_empty() {
            let cause = format!("the outcome of {} is unknown", names(&waiting));
            return Err(TradeError::CancelUnknown { cause });
        }
        if done.orders.iter().all(ended) {
            return Ok(());
        }
        let cause = "the exchange still lists orders after their cancellation".to_owned();
        Err(TradeError::CancelUnknown { cause })
    }

    /// Returns whether nothing is left of an order. On Hyperliquid another order can have replaced
    /// one that is cancelled.
    fn is_over(&self, (order, status): &After) -> bool {
        let status = status.unwrap_or(order.status);
        match status {
            OrderStatus::Canceled => self.exchange() != Exchange::Hyperliquid,
            status => !status.is_open() && status != OrderStatus::Unknown,
        }
    }

    /// Sends the cancellations of these orders. Returns which of them the exchange states as
    /// cancelled.
    async fn cancel_listed(
        &self,
        scope: Scope<'_>,
        open: &[ExchangeOrder],
        done: &mut Cancelling,
    ) -> Result<Vec<bool>, TradeError> {
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let Scope { signer, market, until_ms, .. } = scope;
        match &self.client.wire {
            Wire::Aster(client) => {
                let sent = self.cancel_all_aster(signer, client, market).await;
                done.sent |= is_sent(sent.as_ref().err());
                sent?;
                Ok(vec![false; open.len()])
            }
            Wire::Hyperliquid(client) => {
                let asset = market.asset.ok_or(TradeError::DamagedOrder("no asset"))?;
                let mut is_certain = Vec::with_capacity(open.len());
                for batch in open.chunks(BATCH) {
                    if self.now_ms() >= until_ms {
                        let cause = "no time is left to cancel all orders".to_owned();
                        return Err(TradeError::CancelUnknown { cause });
                    }
                    let sent = self.cancel_all_hyperliquid(signer, client, asset, batch).await;
                    done.sent |= is_sent(sent.as_ref().err());
                    match sent {
                        Ok(stated) => is_certain.extend(stated),
                        // Lookups state what became of these orders.
                        Err(TradeError::CancelUnknown { .. }) => {
                            is_certain.resize(is_certain.len() + batch.len(), false);
                        }
                        Err(error) => return Err(error),
                    }
                }
                is_certain.resize(open.len(), false);
                Ok(is_certain)
            }
            Wire::Lighter(client) => {
                let sent = self.cancel_all_lighter(signer, client, market).await;
                done.sent |= is_sent(sent.as_ref().err());
                sent?;
                Ok(vec![false; open.len()])
            }
        }
    }

    /// Returns each order in its state after a cancellation. The exchange is asked about the orders
    /// whose cancellation it did not state.
    async fn after(
        &self,
        signer: Signer<'_>,
        market: &StoredSymbol,
        open: Vec<ExchangeOrder>,
        is_certain: &[bool],
    ) -> Vec<After> {
        let Signer { account, view, key } = signer;
        let finder = Finder { trader: self, account, view, key: Some(key) };
        let certain = is_certain.iter().copied().chain(std::iter::repeat(false));
        let asked = open.into_iter().zip(certain).map(|(order, is_certain)| async move {
            if is_certain {
                return (order, Some(OrderStatus::Canceled));
            }
            let id = match &order.client_id {
                // Lighter lists ended orders by the client's id, and the last ones without it.
                Some(id) if account.exchange == Exchange::Lighter => Some(LookupId::Client(id)),
                _ => order.order_id.parse().ok().map(LookupId::Exchange),
            };
            let found = match id {
                Some(id) => finder.find(&market.name, id).await.ok().flatten(),
                None => None,
            };
            // A later order can have the client's id of an ended one.
            let is_same = |found: &ExchangeOrder| {
                account.exchange != Exchange::Lighter || found.order_id == order.order_id
            };
            match found.filter(|found| is_same(found)) {
                Some(found) => (*found, None),
                None => (order, Some(OrderStatus::Unknown)),
            }
        });
        futures_util::stream::iter(asked).buffered(LOOKUPS).collect().await
    }

    async fn with_states(
        &self,
        account: &TradingAccount,
        after: Vec<After>,
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
        let reader = aster::Reader { user: view.address(), key: key.agent()? };
        let signed = client.sign(aster::Call::CancelAll, &params, nonce, reader)?;
        let sent = client.cancel_all(&signed).await;
        self.client.note_sent(&sent).await;
        match sent {
            Sent::Accepted(()) => Ok(()),
            Sent::Refused(refusal) if refusal.code == TradeCode::OrderNotOpen => Ok(()),
            other => Err(not_cancelled(other)),
        }
    }

    /// Cancels all orders of a market in one transaction, and waits until the exchange has executed it.
    async fn cancel_all_lighter(
        &self,
        signer: Signer<'_>,
        client: &crate::exchanges::lighter::trade::Client,
        market: &StoredSymbol,
    ) -> Result<(), TradeError> {
        let Signer { account, key, .. } = signer;
        let market_index = Some(market_index(market)?);
        let mut attempt = 1;
        let sent = loop {
            self.client.take_call(&account.tenant).await?;
            let nonce = self.store.take_trading_nonce(account, self.clock()).await?;
            let action = LighterAction::CancelAllOrders(LighterCancelAll::Now { market_index });
            let signed = client.sign(key.caller()?, action, nonce)?;
            let sent = client.send(&signed.body, &signed.hash).await;
            self.client.note_sent(&sent).await;
            // A later nonce was faster: these bytes were not executed.
            let is_overtaken = matches!(
                &sent,
                Sent::Refused(refusal) if refusal.code == TradeCode::NonceTooLow
            );
            if !is_overtaken || attempt == SIGNATURES {
                break sent;
            }
            attempt += 1;
        };
        match sent {
            Sent::Accepted(hash) => match self.client.executed(&account.tenant, &hash).await {
                Ok(Executed::Done) => Ok(()),
                Ok(Executed::Failed(refusal)) => {
                    Err(TradeError::Refused { client_order_id: None, refusal })
                }
                Ok(Executed::Absent | Executed::Pending) => {
                    let cause = "the exchange has not executed the cancellation yet".to_owned();
                    Err(TradeError::CancelUnknown { cause })
                }
                Err(error) => Err(TradeError::CancelUnknown { cause: error.to_string() }),
            },
            other => Err(not_cancelled(other)),
        }
    }

    /// Cancels a batch of orders in one action. Returns which of them the exchange states as cancelled.
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
        let key = key.agent()?;
        let signed = client.sign(&action, nonce, key)?;
        let wallet = view.address();
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

impl Cancelling {
    /// Adds orders of a later list. An order that was listed before is in its later state.
    fn take(&mut self, later: Vec<After>) {
        self.orders
            .retain(|(order, _)| later.iter().all(|(other, _)| other.order_id != order.order_id));
        self.orders.extend(later);
    }
}

/// Returns whether an order is known to have ended.
fn ended((order, status): &After) -> bool {
    let status = status.unwrap_or(order.status);
    !status.is_open() && status != OrderStatus::Unknown
}

/// Returns whether a call with this error may have reached the exchange.
const fn is_sent(error: Option<&TradeError>) -> bool {
    matches!(error, None | Some(TradeError::CancelUnknown { .. }))
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
