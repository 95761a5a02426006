//! The refusals after which a request signs its orders once more.

use domain::eth::Address;
use domain::ids::Exchange;

use super::known::is_about_the_service;
use crate::exchanges::trade::{TradeCode, TradeRefusal};
use crate::orders::outcome::refusal_of;
use crate::orders::plan::Planned;
use crate::orders::{CredentialGap, TradeError};
use crate::store::{OrderRecord, OrderState, StoredOutcome};
use crate::trading::ids::ClientOrderId;
use crate::trading::policy::Priced;

/// Maximum number of signatures after a nonce that came too late.
const MAX_NONCES: u32 = 2;

/// The same on Lighter, where the orders of a slot overtake each other while many are placed at once.
///
/// The refused bytes are dead, so another signature cannot execute an order twice. Lighter's API keeps no
/// transaction that it refuses with 21104, and the service never sends bytes again after a definite
/// refusal. Nor would they be accepted later: a nonce must exceed the last accepted one of its slot.
/// Sources: "API keys" in Lighter's documents, 21104 in its list of codes.
const MAX_NONCES_ON_LIGHTER: u32 = 8;

/// The wait before such a signature, in milliseconds. Another order of the slot was faster, so a larger
/// nonce is valid at once; the random part separates orders that were refused together.
const LIGHTER_WAIT_MS: std::ops::Range<u64> = 20..150;

/// The wait before another signature that a node of the exchange can refuse for the same reason, in
/// milliseconds. A node that does not know a new agent yet learns of it within seconds.
const WAIT_MS: u64 = 700;

/// The refusals that a request has met: the exchange knew another agent, a later nonce was faster,
/// or the exchange refused the builder. Each proves that the refused orders were not executed.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    agent: bool,
    nonce: u32,
    /// The agent for whose orders the exchange refused the builder.
    builder: Option<Address>,
    /// The orders that were refused. Each has its place in the policy's rate already.
    counted: Vec<ClientOrderId>,
}

/// Another signature of refused orders.
#[derive(Debug)]
pub(super) struct Renewal {
    /// The error if the request comes to no other result.
    pub(super) error: TradeError,
    /// Why the exchange refused the orders.
    pub(super) code: TradeCode,
    /// The wait before the signature, in milliseconds.
    pub(super) wait_ms: u64,
    /// The bound of a random wait in addition to it, in milliseconds.
    pub(super) jitter_ms: u64,
}

impl Refusals {
    /// Returns the agent for whose orders the exchange refused the builder.
    pub(super) const fn builder(&self) -> Option<Address> {
        self.builder
    }

    /// Returns an order as the policy sees it. Another signature of an order takes no second place
    /// in the rate.
    pub(super) fn priced(&self, order: &Planned) -> Priced {
        let priced = order.priced();
        let orders = if self.counted.contains(&order.named.id) { 0 } else { priced.orders };
        Priced { orders, ..priced }
    }

    /// Returns the signature that can repair a refusal, unless that was tried. `records` are the
    /// orders of the last signature. The other orders of a batch whose builder was refused can have
    /// any outcome that is known.
    pub(super) fn renewal(&mut self, records: &[OrderRecord]) -> Option<Renewal> {
        let (record, refusal) = cause(records)?;
        let TradeRefusal { code, text } = refusal;
        let client_order_id = record.client_order_id.clone();
        let is_on_lighter = record.exchange == Exchange::Lighter;
        let max_nonces = if is_on_lighter { MAX_NONCES_ON_LIGHTER } else { MAX_NONCES };
        let not_placed = TradeError::NotPlaced { client_order_id, cause: text };
        let mut jitter_ms = 0;
        let (error, wait_ms) = match code {
            TradeCode::AgentUnknown if !self.agent => {
                self.agent = true;
                (TradeError::NoCredential(CredentialGap::AgentUnknown), WAIT_MS)
            }
            // The approval is not what the record states. The order does not depend on it.
            TradeCode::BuilderNotApproved if self.builder.is_none() => {
                let agent = records.iter().find_map(|it| it.submission.as_ref())?.agent;
                self.builder = Some(agent);
                (not_placed, 0)
            }
            TradeCode::NonceTooLow if self.nonce < max_nonces => {
                self.nonce += 1;
                if is_on_lighter {
                    jitter_ms = LIGHTER_WAIT_MS.end - LIGHTER_WAIT_MS.start;
                }
                (not_placed, if is_on_lighter { LIGHTER_WAIT_MS.start } else { WAIT_MS })
            }
            _ => return None,
        };
        self.counted.extend(records.iter().map(|record| record.client_order_id.clone()));
        Some(Renewal { error, code, wait_ms, jitter_ms })
    }
}

/// Returns the order whose refusal decides, with the refusal: one about the builder, or the one that
/// all orders have. `None` if an outcome is open: its bytes can still execute.
fn cause(records: &[OrderRecord]) -> Option<(&OrderRecord, TradeRefusal)> {
    if records.iter().any(|record| record.state.is_unresolved()) {
        return None;
    }
    let refusals = records.iter().filter_map(|it| Some((it, refusal_about_service(it)?)));
    let mut refusals: Vec<_> = refusals.collect();
    let is_of_builder = |code| code == TradeCode::BuilderNotApproved;
    if let Some(place) = refusals.iter().position(|(_, it)| is_of_builder(it.code)) {
        return Some(refusals.swap_remove(place));
    }
    let code = refusals.first()?.1.code;
    let is_of_all =
        refusals.len() == records.len() && refusals.iter().all(|(_, it)| it.code == code);
    if is_of_all { Some(refusals.swap_remove(0)) } else { None }
}

/// Returns the refusal of an order, if it says nothing about the order.
fn refusal_about_service(record: &OrderRecord) -> Option<TradeRefusal> {
    match &record.outcome {
        Some(StoredOutcome::Refused(stored)) if record.state == OrderState::Refused => {
            Some(refusal_of(stored)).filter(|refusal| is_about_the_service(refusal.code))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
