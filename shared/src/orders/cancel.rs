//! Cancelling one order. A cancellation can be repeated: it changes nothing that has ended.

use domain::eth::AgentKey;
use domain::ids::WalletRef;

use super::client::CALL_WEIGHT;
use super::client::call::Cancelled;
use super::markets::Market;
use super::target::Target;
use super::view::{self, OrderView, of_exchange};
use super::{TradeError, Trader};
use crate::caller::Caller;
use crate::exchanges::trade::{ExchangeOrder, Sent, TradeCode, TradeRefusal};
use crate::store::StoredSymbol;
use crate::trading::ids::OrderName;
use crate::trading::order::{OrderStatus, SymbolText};

/// Number of cancellations that are signed when a response is lost and the order is still open.
const ATTEMPTS: u32 = 2;

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
        let market = self.market_of(&mut target, &key).await?;
        let mut cause = String::new();
        for _ in 0..ATTEMPTS {
            match self.cancel_once(&target, &market, &key).await? {
                Attempt::Done(Some(order)) => {
                    return Ok(of_exchange(&target.account, &order, target.record.as_ref()));
                }
                Attempt::Done(None) => return self.cancelled(&mut target, &key).await,
                Attempt::NotOpen => {
                    return Err(match self.look_up(&mut target, Some(&key)).await? {
                        Some(order) => not_open(&target, &order),
                        None => target.not_found(),
                    });
                }
                Attempt::Lost(why) => {
                    cause = why;
                    let Some(order) = self.look_up(&mut target, Some(&key)).await? else {
                        return Err(target.not_found());
                    };
                    match order.status {
                        OrderStatus::Canceled => {
                            let record = target.record.as_ref();
                            return Ok(of_exchange(&target.account, &order, record));
                        }
                        status if status.is_open() => {}
                        _ => return Err(not_open(&target, &order)),
                    }
                }
            }
        }
        Err(TradeError::CancelUnknown { cause })
    }

    /// Returns the market of the order. An order without a record is looked up first.
    async fn market_of(
        &self,
        target: &mut Target,
        key: &AgentKey,
    ) -> Result<StoredSymbol, TradeError> {
        if let Some(symbol) = &target.symbol {
            return Ok(symbol.clone());
        }
        let order = self.look_up(target, Some(key)).await?;
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
        key: &AgentKey,
    ) -> Result<Attempt, TradeError> {
        let Target { account, view, id, .. } = target;
        self.client.take(&account.tenant, CALL_WEIGHT).await?;
        let nonce = self.store.take_trading_nonce(account, self.clock()).await?;
        let asker = (view.wallet.address, key);
        let sent = self.client.cancel(nonce, asker, market, id.lookup()).await?;
        match sent {
            Sent::Accepted(Cancelled::Done(order)) => Ok(Attempt::Done(order)),
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
        key: &AgentKey,
    ) -> Result<OrderView, TradeError> {
        match self.look_up(target, Some(key)).await {
            Ok(Some(order)) => {
                let view = of_exchange(&target.account, &order, target.record.as_ref());
                // The exchange may state the order as of a moment before the cancellation.
                Ok(if view.status.is_open() { as_cancelled(view) } else { view })
            }
            Ok(None) => Err(target.not_found()),
            Err(error) => {
                let record = target.record.as_ref();
                let stored = record.and_then(|record| view::of_record(&target.account, record));
                stored.map(as_cancelled).ok_or(error)
            }
        }
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
    OrderView { status: OrderStatus::Canceled, exchange_status: "canceled".to_owned(), ..view }
}

pub(super) fn not_open(target: &Target, order: &ExchangeOrder) -> TradeError {
    let view = of_exchange(&target.account, order, target.record.as_ref());
    TradeError::NotOpen(Box::new(view))
}
