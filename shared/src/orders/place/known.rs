//! The records of a request's orders: which are placed, and which are to be placed.

use domain::clock::wait_for_lease_s;

use super::Batch;
use crate::exchanges::trade::TradeCode;
use crate::orders::outcome::refusal_of;
use crate::orders::{REQUEST_MS, TradeError};
use crate::store::{OrderRecord, OrderState, StoredOutcome, TradingView};

/// What a request finds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Known {
    /// Every order has an outcome that the request returns again, in the request's sequence.
    Ended(Vec<OrderRecord>),
    /// The outcome of a submission is open, and its lease has ended. The lead is first.
    Open(Vec<OrderRecord>),
    /// These orders, by their index, are to be placed. `others` have an outcome.
    ToPlace { indices: Vec<usize>, others: Vec<OrderRecord> },
}

/// Compares a request with the records of its orders.
///
/// An order that was placed is never signed again, and the refusal of an order is returned again: a
/// repeat minutes later could execute at another price. An order that is known to be dead is signed
/// again under the same id, as is one whose refusal says nothing about the order.
pub(super) fn known(view: &TradingView, batch: &Batch, now_ms: u64) -> Result<Known, TradeError> {
    let mut records = Vec::with_capacity(batch.orders.len());
    for order in &batch.orders {
        let Some(record) = view.order(&order.id, now_ms) else { continue };
        if record.fingerprint != order.fingerprint || record.unit != batch.unit {
            return Err(reused(record));
        }
        records.push(record);
    }
    let Some(first) = records.first() else {
        let indices = (0..batch.orders.len()).collect();
        return Ok(Known::ToPlace { indices, others: Vec::new() });
    };
    // The records of a batch are made together. If one has expired, its outcome can no longer be
    // returned, and it must not be placed again with the others.
    if records.len() < batch.orders.len() {
        return Err(reused(first));
    }
    if let Some(open) = open(&records, now_ms) {
        return open.map(Known::Open);
    }
    let (indices, others): (Vec<_>, Vec<_>) =
        records.iter().enumerate().partition(|(_, record)| is_to_place(record));
    let others = others.into_iter().map(|(_, record)| (*record).clone()).collect();
    if indices.is_empty() {
        return Ok(Known::Ended(others));
    }
    let indices = indices.into_iter().map(|(index, _)| index).collect();
    Ok(Known::ToPlace { indices, others })
}

/// Returns whether an order with a known outcome may be placed again under its id.
pub(super) fn is_to_place(record: &OrderRecord) -> bool {
    match (record.state, &record.outcome) {
        (OrderState::Dead, _) => true,
        (OrderState::Refused, Some(StoredOutcome::Refused(stored))) => {
            is_about_the_service(refusal_of(stored).code)
        }
        _ => false,
    }
}

/// Returns the orders of a submission without an outcome, the lead first, or an error while its
/// lease runs.
fn open(records: &[&OrderRecord], now_ms: u64) -> Option<Result<Vec<OrderRecord>, TradeError>> {
    let unresolved = records.iter().find(|record| record.state.is_unresolved())?;
    let lead_id = unresolved.lead.as_ref().unwrap_or(&unresolved.client_order_id);
    let Some(lead) = records.iter().find(|record| record.client_order_id == *lead_id) else {
        return Some(Err(TradeError::DamagedOrder("a batch without its lead")));
    };
    if now_ms < lead.lease_until_ms {
        let retry_after_s = wait_for_lease_s(lead.lease_until_ms, REQUEST_MS, now_ms);
        let client_order_id = unresolved.client_order_id.clone();
        return Some(Err(TradeError::InProgress { client_order_id, retry_after_s }));
    }
    let members = lead.submission.as_ref().map(|it| it.members.as_slice()).unwrap_or_default();
    let is_member = |record: &&&OrderRecord| {
        record.client_order_id != *lead_id && members.contains(&record.client_order_id)
    };
    let rest = records.iter().filter(is_member).map(|record| (*record).clone());
    Some(Ok(std::iter::once((*lead).clone()).chain(rest).collect()))
}

/// Returns whether a refusal is about the service or the moment, and not about the order. The same
/// order can be accepted a moment later.
pub(in crate::orders) const fn is_about_the_service(code: TradeCode) -> bool {
    matches!(
        code,
        TradeCode::AgentUnknown
            | TradeCode::RateLimited { .. }
            | TradeCode::Expired
            | TradeCode::NonceTooLow
            | TradeCode::SignatureFault
            | TradeCode::OurFault
            | TradeCode::BuilderNotApproved
            | TradeCode::RegionBlocked
            | TradeCode::SignerOutdated
            | TradeCode::TryLater
    )
}

fn reused(record: &OrderRecord) -> TradeError {
    TradeError::IdReused { client_order_id: record.client_order_id.clone(), is_exhausted: false }
}
