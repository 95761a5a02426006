//! Closing positions: the whole of one or a part, or all positions of a wallet.
//!
//! A close is an order: its bytes, its nonce and its id are stored before it is sent, and it is
//! reduce-only. Its record has the fingerprint of the request, not of the position. A repeat is
//! therefore the same request after the position has changed, returns the first outcome, and never
//! closes more.
//!
//! A request for all positions is one order for each, under ids that follow from the request's own.
//! The first order carries the list of the positions, so that a repeat closes these and no others.

use domain::ids::{Exchange, WalletRef};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};

use super::access::ensure_not_frozen;
use super::client::call::Asker;
use super::markets::Market;
use super::place::Batch;
use super::view::{PlacedOrder, Placing};
use super::{BrokenRule, REQUEST_MS, TradeError, Trader};
use crate::caller::Caller;
use crate::exchanges::account::AccountPosition;
use crate::exchanges::trade::TradeCode;
use crate::store::{TradingAccount, TradingView};
use crate::trading::decimal::Decimal;
use crate::trading::ids::ClientOrderId;
use crate::trading::order::{
    Amount, CloseRequest, ClosedMarket, Fingerprint, OrderRequest, SymbolText,
};

/// Number of positions that are closed at once, after the first.
const CLOSES: usize = 4;

/// Maximum number of positions of one request. The list is stored with the first order.
const MAX_CLOSES: usize = 500;

/// The value below which Hyperliquid refuses an order with a quantity. Such a rest is closed with
/// the quantity zero, which means the whole position.
const REST: Decimal = match Decimal::new(10, 0) {
    Some(value) => value,
    None => Decimal::ZERO,
};

/// A position to close.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PositionToClose {
    /// The caller's id. `None` derives it from the `Idempotency-Key`, or draws one.
    pub client_order_id: Option<ClientOrderId>,
    /// The request.
    pub request: CloseRequest,
}

/// A request to close all positions of a wallet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AllToClose {
    /// The caller's id. `None` derives it from the `Idempotency-Key`, or draws one.
    pub client_order_id: Option<ClientOrderId>,
    /// Maximum slippage of each order, as a fraction.
    pub slippage: Option<Amount>,
}

/// The result of closing one of several positions.
#[derive(Debug)]
pub struct ClosedPosition {
    /// The exchange's name of the market.
    pub symbol: String,
    /// The order that closes it.
    pub order: PlacedOrder,
}

/// The result of closing all positions.
#[derive(Debug)]
pub struct Closing {
    /// The positions.
    pub closed: Vec<ClosedPosition>,
    /// Whether all of it is the stored result of an earlier request.
    pub is_replay: bool,
}

impl Trader {
    /// Closes a position, or a part of it, with a reduce-only order. `key` is the
    /// `Idempotency-Key`, from which an order without an id derives one.
    ///
    /// # Errors
    /// Fails when the wallet has no such position, or when the order was not placed.
    pub async fn close(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        close: &PositionToClose,
        key: Option<&str>,
    ) -> Result<Placing, TradeError> {
        let until_ms = self.now_ms() + REQUEST_MS;
        let account = self.account(caller, wallet).await?;
        let id = self.id_of(close.client_order_id.as_ref(), key, None)?;
        let batch = Batch::closing(&account, id, close.request.clone());
        self.place_batch(&account, &batch, until_ms).await
    }

    /// Closes all positions of a wallet at the market's price. `key` is the `Idempotency-Key`.
    ///
    /// # Errors
    /// Fails when the wallet has no position, or when nothing was sent. The refusal of a single
    /// order is in the result.
    pub async fn close_all(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        all: &AllToClose,
        key: Option<&str>,
    ) -> Result<Closing, TradeError> {
        let until_ms = self.now_ms() + REQUEST_MS;
        let account = self.account(caller, wallet).await?;
        let id = self.id_of(all.client_order_id.as_ref(), key, None)?;
        let view = self.view(&account, &[account.order_key(&id)]).await?;
        let unit = Fingerprint::of_close_all(all.slippage.as_ref());
        let markets = match view.order(&id, self.now_ms()) {
            Some(record) if record.unit == unit => record.closes.clone(),
            Some(_) => {
                return Err(TradeError::IdReused { client_order_id: id, is_exhausted: false });
            }
            None => self.markets_to_close(&account, &view).await?,
        };
        let request = CloseAll { account: &account, all, id, unit, until_ms };
        let (mut closed, mut is_replay) = (Vec::new(), true);
        // The first order that is stored carries the list, so the others wait for it.
        let mut waiting = markets.into_iter().collect::<std::collections::VecDeque<_>>();
        while let Some(first) = waiting.pop_front() {
            let listed = std::iter::once(first.clone()).chain(waiting.iter().cloned()).collect();
            let result = self.close_one(&request, &first, Some(listed)).await;
            match result {
                // Nothing was stored under the request's id, so the next position is the first.
                Err(error) if error.is_before_signing() => {
                    let id = request.id_of(&first);
                    if !matches!(error, TradeError::NoPosition { .. }) {
                        closed.push(failed(&first, id, error));
                    }
                }
                Err(error) => return Err(error),
                Ok((position, is_known)) => {
                    is_replay &= is_known;
                    closed.push(position);
                    break;
                }
            }
        }
        let rest: Vec<BoxFuture<'_, _>> =
            waiting.iter().map(|market| self.close_rest(&request, market).boxed()).collect();
        let rest: Vec<_> = futures_util::stream::iter(rest).buffered(CLOSES).collect().await;
        for (market, result) in rest {
            match result {
                Ok((position, is_known)) => {
                    is_replay &= is_known;
                    closed.push(position);
                }
                Err(TradeError::NoPosition { .. }) => {}
                Err(error) => closed.push(failed(market, request.id_of(market), error)),
            }
        }
        if closed.is_empty() {
            return Err(TradeError::NoPosition { symbol: None });
        }
        Ok(Closing { closed, is_replay })
    }

    /// Returns the positions of a wallet as a request to close them all names them.
    async fn markets_to_close(
        &self,
        account: &TradingAccount,
        view: &TradingView,
    ) -> Result<Vec<ClosedMarket>, TradeError> {
        ensure_not_frozen(&view.wallet)?;
        self.credential(view)?;
        let positions = self.all_positions(account, view, None).await?;
        let markets = positions.into_iter().take(MAX_CLOSES).map(|position| {
            let symbol = position.symbol.parse();
            let symbol = symbol.map_err(|_| TradeError::DamagedOrder("a market without a name"))?;
            Ok(ClosedMarket { symbol, position_side: position.position_side })
        });
        markets.collect()
    }

    /// Closes a position after the first.
    async fn close_rest<'a>(
        &self,
        request: &CloseAll<'_>,
        market: &'a ClosedMarket,
    ) -> (&'a ClosedMarket, Result<(ClosedPosition, bool), TradeError>) {
        (market, self.close_one(request, market, None).await)
    }

    /// Closes one of several positions. `listed` is the list of all that the first order carries.
    /// Returns the result, and whether it is a replay.
    async fn close_one(
        &self,
        request: &CloseAll<'_>,
        market: &ClosedMarket,
        listed: Option<Vec<ClosedMarket>>,
    ) -> Result<(ClosedPosition, bool), TradeError> {
        if !self.client.has_time(request.until_ms) {
            return Err(TradeError::OutOfTime);
        }
        let CloseAll { account, all, unit, .. } = request;
        let close = CloseRequest::whole(account.exchange, market, all.slippage.as_ref())?;
        let id = if listed.is_some() { request.id.clone() } else { request.id_of(market) };
        let closes = listed.unwrap_or_default();
        let batch =
            Batch { unit: unit.clone(), closes, ..Batch::closing(account, id.clone(), close) };
        let placing = self.place_batch(account, &batch, request.until_ms).await?;
        let is_replay = placing.is_replay;
        let order = placing.orders.into_iter().next().ok_or(TradeError::NoOrder)?;
        Ok((ClosedPosition { symbol: market.symbol.to_string(), order }, is_replay))
    }

    /// Returns the order that closes a position, which is read now.
    pub(super) async fn closing_order(
        &self,
        account: &TradingAccount,
        view: &TradingView,
        close: &CloseRequest,
    ) -> Result<OrderRequest, TradeError> {
        let market = self.markets(&account.tenant).find(close.symbol()).await?;
        let key = self.key_to_ask(view).await?;
        let asker = Asker { wallet: view.wallet.address, key: key.as_ref() };
        let within = match &market {
            Market::Aster(market) => Some(market.name.as_str()),
            Market::Hyperliquid(market) if market.is_spot() => {
                return Err(rule(close.symbol(), TradeCode::NotOffered, None, SPOT).into());
            }
            Market::Hyperliquid(market) => Some(market.dex.as_str()).filter(|dex| !dex.is_empty()),
        };
        let positions = self.client.positions(&account.tenant, asker, within).await?;
        let mut meant = positions.iter().filter(|position| {
            let closing = position.direction.closing_side();
            position.symbol == market.name() && close.means(position.position_side, closing)
        });
        let position = meant
            .next()
            .ok_or_else(|| TradeError::NoPosition { symbol: Some(close.symbol().to_string()) })?;
        if meant.next().is_some() {
            return Err(TradeError::PositionSideRequired { symbol: close.symbol().to_string() });
        }
        let quantity = quantity(account.exchange, position, close)?;
        Ok(close.order(position.direction.closing_side(), quantity, position.position_side))
    }
}

const SPOT: &str = "A spot market has no position. Place an order that sells the balance.";

/// Returns the quantity of the order: the requested one, or the whole position.
fn quantity(
    exchange: Exchange,
    position: &AccountPosition,
    close: &CloseRequest,
) -> Result<Amount, TradeError> {
    if let Some(given) = close.quantity() {
        if given.value() <= position.size {
            return Ok(given.clone());
        }
        let advice = format!(
            "Use a quantity of at most {}, or omit it to close the whole position.",
            position.size.text()
        );
        let limit = Some(position.size.text());
        return Err(rule(close.symbol(), TradeCode::ReduceOnlyRefused, limit, &advice).into());
    }
    let is_rest = exchange == Exchange::Hyperliquid && position.notional < REST;
    let size = if is_rest { Decimal::ZERO } else { position.size };
    size.text().parse().map_err(|_| TradeError::DamagedOrder("a size with too many digits"))
}

fn rule(symbol: &SymbolText, code: TradeCode, limit: Option<String>, advice: &str) -> BrokenRule {
    BrokenRule { index: 0, code, symbol: symbol.to_string(), limit, advice: advice.to_owned() }
}

fn failed(market: &ClosedMarket, id: ClientOrderId, error: TradeError) -> ClosedPosition {
    let order = PlacedOrder { client_order_id: id, result: Err(error) };
    ClosedPosition { symbol: market.symbol.to_string(), order }
}

/// A request to close all positions, under way.
struct CloseAll<'a> {
    account: &'a TradingAccount,
    all: &'a AllToClose,
    id: ClientOrderId,
    unit: Fingerprint,
    until_ms: u64,
}

impl CloseAll<'_> {
    /// Returns the id of the order that closes a position, unless it is the first.
    fn id_of(&self, market: &ClosedMarket) -> ClientOrderId {
        self.id.of_closing(market.symbol.as_str(), market.position_side.as_str())
    }
}

impl TradeError {
    /// Returns whether the error states that the order cannot be sent as it is, so that nothing was
    /// stored for it.
    const fn is_before_signing(&self) -> bool {
        matches!(
            self,
            Self::NoPosition { .. }
                | Self::PositionSideRequired { .. }
                | Self::Fault(_)
                | Self::Rule(_)
                | Self::Policy(_)
        )
    }
}
