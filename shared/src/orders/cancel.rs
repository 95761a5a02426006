//! Cancelling one order. A cancellation can be repeated: it changes nothing that has ended.

use domain::ids::WalletRef;

use super::access::SigningKey;
use super::client::call::Cancelled;
use super::finding::Finder;
use super::markets::Market;
use super::target::Target;
use super::view::{self, OrderView, of_exchange};
use super::{TradeError, Trader};
use crate::caller::Caller;
use crate::exchanges::lighter::trade::read::Executed;
use crate::exchanges::trade::{ExchangeOrder, Sent, TradeCode, TradeRefusal};
use crate::store::StoredSymbol;
use crate::trading::ids::OrderName;
use crate::trading::order::{OrderStatus, SymbolText};

/// Number of cancellations that are signed: while a response is lost and the order is still open, or
/// while the exchange replaces the order.
const ATTEMPTS: u32 = 3;

/// What one cancellation has come to.
enum Attempt {
    /// The order is cancelled; the exchange states it, or not.
    Done(Option<Box<ExchangeOrder>>),
    /// The exchange says that the order is not open.
    NotOpen,
    /// The response was lost.
    Lost(String),
}

impl Trader {
    /// Cancels an order, and returns it in its state after that.
    ///
    /// # Errors
    /// Fails when the order is not open or does not exist, when the exchange refuses, or when it
    /// remains unknown whether the order is cancelled.
    pub async fn cancel(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        order: &OrderName,
        symbol: Option<&SymbolText>,
    ) -> Result<OrderView, TradeError> {
        let mut target = self.target(caller, wallet, order, symbol).await?;
        self.settle_target(&mut target).await?;
        target.ensure_placed()?;
        let key = self.key(&target.view).await?;
        self.cancel_target(&mut target, &key).await
    }

    /// Cancels an order that is looked up or has a record at rest. After the first cancellation is
    /// sent, an error states the order's state, or that it is unknown.
    pub(super) async fn cancel_target(
        &self,
        target: &mut Target,
        key: &SigningKey,
    ) -> Result<OrderView, TradeError> {
        let market = self.market_of(target, key).await?;
        let mut lost: Option<String> = None;
        for attempt in 0..ATTEMPTS {
            let attempted = match self.cancel_once(target, &market, key).await {
                Err(error) if attempt > 0 => return Err(after_sending(error)),
                attempted => attempted?,
            };
            match attempted {
                Attempt::Done(Some(order)) => {
                    return Ok(of_exchange(&target.account, &order, target.record.as_ref()));
                }
                Attempt::Done(None) => return self.cancelled(target, key).await,
                Attempt::NotOpen => {}
                Attempt::Lost(cause) => lost = Some(cause),
            }
            let found = self.look_up_present(target, Some(key)).await.map_err(after_sending)?;
            match found {
                // Reads can lag, so another attempt follows.
                Some(order) if order.status.is_open() => {}
                Some(order) if order.status == OrderStatus::Canceled && lost.is_some() => {
                    return Ok(of_exchange(&target.account, &order, target.record.as_ref()));
                }
                Some(order) => return Err(not_open(target, &order)),
                None if target.record.is_none() || lost.is_none() => {
                    return Err(target.not_found());
                }
                None => {}
            }
        }
        let cause = lost.unwrap_or_else(|| "the exchange contradicts itself".to_owned());
        Err(TradeError::CancelUnknown { cause })
    }

    /// Returns the market of the order. An order without a record is looked up first.
    async fn market_of(
        &self,
        target: &mut Target,
        key: &SigningKey,
    ) -> Result<StoredSymbol, TradeError> {
        if let Some(symbol) = &target.symbol {
            return Ok(symbol.clone());
        }
        let order = self.look_up_present(target, Some(key)).await?;
        let order = order.ok_or_else(|| target.not_found())?;
        if !order.status.is_open() {
            return Err(not_open(target, &order));
        }
        self.market_named(target, &order.symbol).await
    }

    /// Returns the market of the exchange's name.
    pub(super) async fn market_named(
        &self,
        target: &mut Target,
        name: &str,
    ) -> Result<StoredSymbol, TradeError> {
        let symbol: SymbolText = name.parse().map_err(|_| target.not_found())?;
        let found: Market = self.markets(&target.account.tenant).find(&symbol).await?;
        let stored = found.stored();
        target.symbol = Some(stored.clone());
        Ok(stored)
    }

    async fn cancel_once(
        &self,
        target: &Target,
        market: &StoredSymbol,
        key: &SigningKey,
    ) -> Result<Attempt, TradeError> {
        let Target { account, view, id, .. } = target;
        self.client.take_call(&account.tenant).await?;
        let nonce = self.store.take_trading_nonce(account, self.clock()).await?;
        let asker = (view.address(), key);
        let sent = self.client.cancel(nonce, asker, market, id.lookup()).await?;
        match sent {
            Sent::Accepted(Cancelled::Done(order)) => Ok(Attempt::Done(order)),
            Sent::Accepted(Cancelled::Taken(hash)) => {
                match self.client.executed(&account.tenant, &hash).await {
                    Ok(Executed::Done) => Ok(Attempt::Done(None)),
                    Ok(Executed::Failed(refusal)) => refused(target, refusal),
                    Ok(Executed::Absent | Executed::Pending) => {
                        Ok(Attempt::Lost("the cancellation is not executed yet".to_owned()))
                    }
                    Err(error) => Ok(Attempt::Lost(error.to_string())),
                }
            }
            Sent::Accepted(Cancelled::Refused(refusal)) | Sent::Refused(refusal) => {
                refused(target, refusal)
            }
            Sent::NotSent(cause) => Err(TradeError::NotSent(cause)),
            Sent::Unknown(unresolved) => Ok(Attempt::Lost(unresolved.why.to_string())),
        }
    }

    /// Returns a cancelled order, with what was filled before. If the exchange cannot be asked now,
    /// the stored outcome has the filled part of then.
    async fn cancelled(
        &self,
        target: &mut Target,
        key: &SigningKey,
    ) -> Result<OrderView, TradeError> {
        match self.look_up(target, Some(key)).await {
            Ok(Some(order)) => {
                let Target { account, view, record, .. } = &*target;
                let view = match record {
                    Some(record) => {
                        let finder = Finder { trader: self, account, view, key: Some(key) };
                        let order = finder.with_legs(*order, record).await;
                        of_exchange(account, &order, Some(record))
                    }
                    None => of_exchange(account, &order, None),
                };
                // The exchange may state the order as of a moment before the cancellation.
                Ok(if view.status.is_open() { as_cancelled(view) } else { view })
            }
            not_found => {
                let record = target.record.as_ref();
                let stored = record.and_then(|record| view::of_record(&target.account, record));
                stored.map(as_cancelled).ok_or_else(|| match not_found {
                    Err(error) => after_sending(error),
                    Ok(_) => TradeError::CancelUnknown {
                        cause: "the exchange does not list the cancelled order".to_owned(),
                    },
                })
            }
        }
    }
}

/// Returns the error of a step after a cancellation was sent: the order may be cancelled, unless the
/// error states what became of it.
pub(super) fn after_sending(error: TradeError) -> TradeError {
    match error {
        TradeError::NotOpen(_)
        | TradeError::OrderNotFound { .. }
        | TradeError::SymbolMismatch { .. }
        | TradeError::InProgress { .. }
        | TradeError::Unknown { .. }
        | TradeError::CancelUnknown { .. } => error,
        error => TradeError::CancelUnknown { cause: error.to_string() },
    }
}

/// Returns what a refusal of a cancellation means.
fn refused(target: &Target, refusal: TradeRefusal) -> Result<Attempt, TradeError> {
    match refusal.code {
        TradeCode::OrderNotOpen => Ok(Attempt::NotOpen),
        TradeCode::NonceTooLow => Ok(Attempt::Lost(refusal.text)),
        _ => Err(TradeError::Refused {
            client_order_id: target.record.as_ref().map(|it| it.client_order_id.clone()),
            refusal,
        }),
    }
}

pub(super) fn as_cancelled(view: OrderView) -> OrderView {
    let exchange_status = "canceled".to_owned();
    OrderView { status: OrderStatus::Canceled, exchange_status, ..view.with_unknown_legs() }
}

pub(super) fn not_open(target: &Target, order: &ExchangeOrder) -> TradeError {
    let view = of_exchange(&target.account, order, target.record.as_ref());
    TradeError::NotOpen(Box::new(view))
}
