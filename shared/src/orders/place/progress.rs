//! What a request learns in its passes over its orders.

use domain::ids::Exchange;
use platform::metrics::Metric;

use super::known::is_to_place;
use super::refusals::{Refusals, Renewal};
use super::{Batch, Wanted};
use crate::exchanges::trade::TradeCode;
use crate::orders::outcome::result_of;
use crate::orders::view::{PlacedOrder, Placing};
use crate::orders::{TradeError, Trader};
use crate::store::{OrderRecord, OrderState, TradingAccount, TradingView};

/// What another signature takes at most before it is sent, in milliseconds.
const RENEWAL_MS: u64 = 1_500;

/// What a request learns in its passes over its orders.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) refusals: Refusals,
    /// The error if no further pass comes to a result.
    pub(super) last: Option<TradeError>,
    /// The records of the request's orders, as last seen. Empty before the first signature.
    records: Vec<OrderRecord>,
}

impl Progress {
    /// Notes the records of orders of which some are to be placed.
    pub(super) fn note(&mut self, view: &TradingView, batch: &Batch, now_ms: u64) {
        let records = batch.orders.iter().filter_map(|order| view.order(&order.id, now_ms));
        self.records = records.cloned().collect();
    }

    /// Returns the wait in milliseconds before refused orders are signed once more, if another
    /// signature can repair their refusal. `records` are the orders that were signed last. On Lighter,
    /// where a request can sign them many times, its time must allow it until `until_ms`, Unix
    /// milliseconds.
    pub(super) fn renews(
        &mut self,
        trader: &Trader,
        records: &[OrderRecord],
        until_ms: u64,
    ) -> Option<u64> {
        if trader.exchange() == Exchange::Lighter
            && !trader.client.has_time(until_ms.saturating_sub(RENEWAL_MS))
        {
            return None;
        }
        let Renewal { error, code, wait_ms, jitter_ms } = self.refusals.renewal(records)?;
        if code == TradeCode::BuilderNotApproved {
            tracing::warn!(%error, "the exchange refused the builder: the orders carry none");
            trader.client.emit(Metric::BuilderNotApproved, 1);
        }
        let is_signed = |it: &OrderRecord| {
            records.iter().any(|record| record.client_order_id == it.client_order_id)
        };
        self.records.retain(|it| !is_signed(it));
        self.records.extend_from_slice(records);
        self.last = Some(error);
        let jitter_ms = if jitter_ms == 0 { 0 } else { trader.client.jitter_ms(jitter_ms) };
        Some(wait_ms + jitter_ms)
    }

    /// Returns the result of a request that comes to no other one. If the exchange has some of its
    /// orders, the caller must learn of them, so the error is the result of the first of the others.
    pub(super) fn ended(
        self,
        account: &TradingAccount,
        batch: &Batch,
        error: TradeError,
    ) -> Result<Placing, TradeError> {
        if !self.records.iter().any(|record| record.state == OrderState::Placed) {
            return Err(error);
        }
        tracing::warn!(%error, "some orders of a batch are placed, and the others are not");
        let mut error = Some(error);
        let result = |wanted: &Wanted| {
            let is_it = |record: &&OrderRecord| record.client_order_id == wanted.id;
            let record = self.records.iter().find(is_it)?;
            Some(match error.take_if(|_| is_to_place(record)) {
                Some(error) => {
                    PlacedOrder { client_order_id: wanted.id.clone(), result: Err(error) }
                }
                None => result_of(account, record, 1),
            })
        };
        let orders = batch.orders.iter().filter_map(result).collect();
        Ok(Placing { orders, is_replay: false })
    }
}
