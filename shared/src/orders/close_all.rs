//! Closing all positions of a wallet: one order for each position.
//!
//! The list of the positions is stored before the first order is signed; see [`ClosingRecord`]. A
//! repeat closes the positions of the list and no others, and tries those again that were not closed.
//! The order for the first position has the request's own id, and the ids of the others follow from it.
//!
//! A position that is gone when its order is about to be signed is noted, if the read that misses it
//! cannot lag behind the list. It stays so for every repeat: a position that the market has later is
//! a new one. Until then, a repeat looks for it again.

use domain::ids::WalletRef;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};

use super::access::ensure_not_frozen;
use super::place::Batch;
use super::resolve::READ_LAG_MS;
use super::view::PlacedOrder;
use super::{REQUEST_MS, TradeError, Trader};
use crate::caller::Caller;
use crate::store::{ClosingRecord, ORDER_KEPT_MS, TradingAccount, TradingView};
use crate::trading::ids::ClientOrderId;
use crate::trading::order::{Amount, CloseRequest, ClosedMarket, Fingerprint};

/// Number of positions that are closed at once.
const CLOSES: usize = 4;

/// Maximum number of positions of one request, which are stored in one item.
const MAX_CLOSES: usize = 500;

/// The wait before a position that was not found is looked for once more, in milliseconds, if the
/// read can lag behind the one that listed the position.
const LOOK_AGAIN_MS: u64 = 1_000;

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
    /// The positions of the first request, in their sequence.
    pub closed: Vec<ClosedPosition>,
    /// Whether all of it is the stored result of an earlier request.
    pub is_replay: bool,
}

/// A request to close all positions, under way.
#[derive(Clone, Copy)]
struct CloseAll<'a> {
    account: &'a TradingAccount,
    slippage: Option<&'a Amount>,
    record: &'a ClosingRecord,
    until_ms: u64,
}

impl CloseAll<'_> {
    /// Returns the id of the order that closes the position at this place of the list.
    fn id_of(&self, place: usize, market: &ClosedMarket) -> ClientOrderId {
        let ClosingRecord { client_order_id, revision, .. } = self.record;
        if place == 0 {
            return client_order_id.clone();
        }
        client_order_id.of_closing(*revision, market.symbol.as_str(), market.position_side.as_str())
    }
}

impl Trader {
    /// Closes all positions of a wallet at the market's price. `key` is the `Idempotency-Key`.
    ///
    /// # Errors
    /// Fails when the wallet has no position, or when the positions cannot be listed. The refusal of
    /// a single order is in the result.
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
        let slippage = all.slippage.as_ref();
        let unit = Fingerprint::of_close_all(slippage);
        let listed = self.listed_to_close(&account, &id, &unit);
        let record = self.before_sending(until_ms, listed).await?;
        let request = CloseAll { account: &account, slippage, record: &record, until_ms };
        let closing: Vec<BoxFuture<'_, _>> = (0..)
            .zip(&record.markets)
            .map(|(place, market)| self.close_listed(&request, place, market).boxed())
            .collect();
        let closed: Vec<_> = futures_util::stream::iter(closing).buffered(CLOSES).collect().await;
        let is_replay = closed.iter().all(|(_, is_replay)| *is_replay);
        let closed = closed.into_iter().map(|(position, _)| position).collect();
        Ok(Closing { closed, is_replay })
    }

    /// Returns the stored request with this id and content. The first call stores the positions that
    /// the wallet has.
    async fn listed_to_close(
        &self,
        account: &TradingAccount,
        id: &ClientOrderId,
        unit: &Fingerprint,
    ) -> Result<ClosingRecord, TradeError> {
        let keys = [account.order_key(id)];
        let now_ms = self.now_ms();
        let known = self.closing_of(account, id, now_ms);
        let (view, known) = tokio::try_join!(self.view(account, &keys), known)?;
        let reused = || TradeError::IdReused { client_order_id: id.clone(), is_exhausted: false };
        let record = match known {
            Some(known) => known,
            // The id is that of another order, or of an equal request that began in between.
            None if view.order(id, now_ms).is_some() => {
                self.closing_of(account, id, now_ms).await?.ok_or_else(reused)?
            }
            None => {
                let markets = self.markets_to_close(account, &view).await?;
                if markets.is_empty() {
                    // An equal request at the same time may have closed them.
                    let stored = self.closing_of(account, id, now_ms).await?;
                    let stored = stored.filter(|stored| stored.unit == *unit);
                    return stored.ok_or(TradeError::NoPosition { symbol: None });
                }
                let listed_at_ms = self.now_ms();
                let record = ClosingRecord {
                    schema: platform::items::SCHEMA,
                    revision: self.random.uuid()?,
                    client_order_id: id.clone(),
                    unit: unit.clone(),
                    markets,
                    listed_at_ms,
                    gone: std::collections::BTreeSet::new(),
                    expires_at_s: (now_ms + ORDER_KEPT_MS) / 1_000,
                };
                self.store.begin_closing(account, record, now_ms).await?
            }
        };
        if record.unit == *unit { Ok(record) } else { Err(reused()) }
    }

    /// Returns the stored request with this id, if it has not expired.
    async fn closing_of(
        &self,
        account: &TradingAccount,
        id: &ClientOrderId,
        now_ms: u64,
    ) -> Result<Option<ClosingRecord>, TradeError> {
        let stored = self.store.closing(account, id, self.clock()).await?;
        Ok(stored.filter(|stored| !stored.is_expired(now_ms)))
    }

    /// Returns the positions of a wallet as a request to close them all names them.
    async fn markets_to_close(
        &self,
        account: &TradingAccount,
        view: &TradingView,
    ) -> Result<Vec<ClosedMarket>, TradeError> {
        ensure_not_frozen(view.wallet.as_ref())?;
        self.credential(view)?;
        let positions = self.all_positions(account, view, None).await?;
        let markets = positions.into_iter().take(MAX_CLOSES).map(|position| {
            let symbol = position.symbol.parse();
            let symbol = symbol.map_err(|_| TradeError::DamagedOrder("a market without a name"))?;
            let (side, position_side) = (position.direction.closing_side(), position.position_side);
            Ok(ClosedMarket { symbol, side, position_side })
        });
        markets.collect()
    }

    /// Closes a position of the list. Returns the result, and whether it is a stored one.
    async fn close_listed(
        &self,
        request: &CloseAll<'_>,
        place: usize,
        market: &ClosedMarket,
    ) -> (ClosedPosition, bool) {
        let id = request.id_of(place, market);
        let (result, is_replay) = match self.close_unless_gone(request, market, &id).await {
            Ok((order, is_replay)) => (order.result, is_replay),
            Err(error) => {
                let is_noted = request.record.gone.contains(id.as_str());
                (Err(error), is_noted)
            }
        };
        let order = PlacedOrder { client_order_id: id, result };
        (ClosedPosition { symbol: market.symbol.to_string(), order }, is_replay)
    }

    /// Closes a position of the list, unless it is noted as gone. Notes a position that a read does
    /// not find which began [`READ_LAG_MS`] after the list.
    async fn close_unless_gone(
        &self,
        request: &CloseAll<'_>,
        market: &ClosedMarket,
        id: &ClientOrderId,
    ) -> Result<(PlacedOrder, bool), TradeError> {
        let CloseAll { account, record, .. } = request;
        let gone = || TradeError::NoPosition { symbol: Some(market.symbol.to_string()) };
        if record.gone.contains(id.as_str()) {
            return Err(gone());
        }
        let no_lag_ms = record.listed_at_ms.saturating_add(READ_LAG_MS);
        for is_last in [false, true] {
            let looked_at_ms = self.now_ms();
            match self.close_one(request, market, id).await {
                Err(TradeError::NoPosition { .. }) => {}
                closed => return closed,
            }
            if looked_at_ms >= no_lag_ms {
                self.store.note_gone(account, record, id).await?;
                break;
            }
            if !is_last {
                self.clock().sleep_ms(LOOK_AGAIN_MS).await;
            }
        }
        Err(gone())
    }

    /// Places the order that closes a position. Returns it, and whether it is a replay.
    async fn close_one(
        &self,
        request: &CloseAll<'_>,
        market: &ClosedMarket,
        id: &ClientOrderId,
    ) -> Result<(PlacedOrder, bool), TradeError> {
        let CloseAll { account, slippage, record, until_ms } = *request;
        if !self.client.has_time(until_ms) {
            return Err(TradeError::OutOfTime);
        }
        let close = CloseRequest::whole(account.exchange, market, slippage)?;
        let unit = record.unit.clone();
        let batch = Batch { unit, ..Batch::closing(account, id.clone(), close) };
        let placing = self.place_batch(account, &batch, until_ms).await?;
        let is_replay = placing.is_replay;
        let order = placing.orders.into_iter().next().ok_or(TradeError::NoOrder)?;
        Ok((order, is_replay))
    }
}
