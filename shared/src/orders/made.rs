//! What a change has made of an order.
//!
//! Hyperliquid replaces the order by one with the rest of the quantity, so the record carries what
//! the replaced orders have filled. Fills between the last lookup and the change execute in addition
//! to the new quantity. The record then has the quantity that can execute, which exceeds the
//! requested one.

use domain::ids::Exchange;
use uuid::Uuid;

use super::TradeError;
use super::client::call::{Entry, entry_of};
use super::finding::ChangeFound;
use super::outcome::{placed_outcome, stored_refusal};
use crate::exchanges::trade::{ExchangeOrder, Placed};
use crate::store::{OrderRecord, OrderState, StoredLeg, StoredOutcome};
use crate::trading::decimal::Decimal;

/// The order that a change has made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Made {
    /// The order as the exchange states it. After a replacement these are the fills of the new order
    /// only.
    pub(super) placed: Placed,
    /// The original quantity of the new order, if the exchange states it.
    pub(super) size: Option<Decimal>,
    /// What the replaced order had filled when it ended. `None` if the exchange does not state it.
    pub(super) before: Option<Decimal>,
}

impl Made {
    /// Returns the record with the outcome of its change.
    pub(super) fn settled(
        self,
        record: &OrderRecord,
        revision: Uuid,
        now_ms: u64,
    ) -> Result<OrderRecord, TradeError> {
        let Self { placed, size, before } = self;
        if record.exchange != Exchange::Hyperliquid {
            let outcome = placed_outcome(&placed, legs(record), None, now_ms);
            let (state, outcome) = (OrderState::Placed, Some(outcome));
            return Ok(record.change_settled(state, outcome, None, revision, now_ms));
        }
        let damaged = || TradeError::DamagedOrder("the numbers of a change");
        let change = record.change.as_ref().ok_or(TradeError::DamagedOrder("no change"))?;
        let requested = Decimal::parse(&change.quantity).map_err(|_| damaged())?;
        let signed = change.filled.as_deref().and_then(|text| Decimal::parse(text).ok());
        let signed = signed.or_else(|| requested.checked_sub(size?)).unwrap_or(Decimal::ZERO);
        let seen = before.and_then(|before| before.checked_add(carried_by(record)));
        // A lookup that lags must not hide fills that were known before.
        let carried = seen.map_or(signed, |seen| seen.max(signed));
        let size = size.or_else(|| requested.checked_sub(signed)).ok_or_else(damaged)?;
        let quantity = carried.checked_add(size).ok_or_else(damaged)?;
        let placed = with_fills(placed, carried);
        let outcome = placed_outcome(&placed, legs(record), None, now_ms);
        let (state, outcome) = (OrderState::Placed, Some(outcome));
        let mut settled = record.change_settled(state, outcome, None, revision, now_ms);
        settled.carried = Some(carried.text());
        if quantity != requested {
            settled.request.quantity = quantity.text().parse().map_err(|_| damaged())?;
        }
        Ok(settled)
    }
}

/// Returns the record with the outcome of a change that can no longer be made.
pub(super) fn change_outcome(
    record: &OrderRecord,
    found: &ChangeFound,
    revision: Uuid,
    now_ms: u64,
) -> Result<OrderRecord, TradeError> {
    let old = found.old.as_deref().map(|old| {
        let placed = with_fills(Placed::from(old), carried_by(record));
        placed_outcome(&placed, legs(record), None, now_ms)
    });
    if let Some(refusal) = &found.refusal {
        let refusal = Some(stored_refusal(refusal, now_ms));
        return Ok(record.change_settled(OrderState::Refused, old, refusal, revision, now_ms));
    }
    let Some(new) = found.new.as_deref() else {
        return Ok(record.change_settled(OrderState::Dead, old, None, revision, now_ms));
    };
    match entry_of(new) {
        Entry::Refused(refusal) => {
            let refusal = Some(stored_refusal(&refusal, now_ms));
            Ok(record.change_settled(OrderState::Refused, old, refusal, revision, now_ms))
        }
        Entry::Placed(_) | Entry::Taken(_) | Entry::Unknown => {
            let before = found.old.as_deref().map(|old| old.filled);
            let made = Made { placed: Placed::from(new), size: Some(new.quantity), before };
            made.settled(record, revision, now_ms)
        }
    }
}

/// Returns what the order had filled before the exchange replaced it.
pub(super) fn carried_by(record: &OrderRecord) -> Decimal {
    let carried = record.carried.as_deref().and_then(|text| Decimal::parse(text).ok());
    carried.unwrap_or(Decimal::ZERO)
}

/// Returns what was filled before this order of the exchange, which has one generation of the
/// record's id.
pub(super) fn carried_at(record: &OrderRecord, generation: u8) -> Decimal {
    let change = record.change.as_ref().filter(|change| change.generation == generation);
    match change {
        _ if generation == record.placed_generation => carried_by(record),
        // The fills that were known when the change was signed.
        Some(change) if change.state.is_unresolved() => {
            let filled = change.filled.as_deref().and_then(|text| Decimal::parse(text).ok());
            filled.unwrap_or(Decimal::ZERO)
        }
        _ => Decimal::ZERO,
    }
}

/// Returns an order with what was filled before it. The exchange does not state the average price of
/// both parts.
fn with_fills(placed: Placed, carried: Decimal) -> Placed {
    if carried.is_zero() {
        return placed;
    }
    let filled = placed.filled.checked_add(carried).unwrap_or(placed.filled);
    Placed { filled, average_price: None, ..placed }
}

/// Returns the attached orders of a record's outcome.
fn legs(record: &OrderRecord) -> Vec<StoredLeg> {
    match &record.outcome {
        Some(StoredOutcome::Placed { legs, .. }) => legs.clone(),
        _ => Vec::new(),
    }
}

/// Returns whether the fills of a replaced order can no longer grow.
pub(super) fn has_ended(old: Option<&ExchangeOrder>) -> bool {
    old.is_none_or(|old| !old.status.is_open())
}
