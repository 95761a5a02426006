//! The meaning of an exchange's response for the records of orders.

use platform::metrics::{self, About, Metric};

use super::client::call::Entry;
use super::resolve::{Next, READ_LAG_MS};
use super::view::{self, PlacedOrder};
use super::{TradeError, Trader};
use crate::exchanges::trade::{Placed, TradeCode, TradeRefusal};
use crate::store::{
    LegKind, MovedOrder, OrderLost, OrderRecord, OrderState, Settling, StoredLeg, StoredOutcome,
    StoredRefusal, TradingAccount,
};
use crate::trading::decimal::Decimal;
use crate::trading::ids::Leg;

/// The exchange's word for an attached order that it refused.
const REJECTED: &str = "rejected";

/// The outcome of one order of a submission.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Outcome {
    pub(super) state: OrderState,
    pub(super) stored: Option<StoredOutcome>,
}

impl Outcome {
    /// The order may have been executed.
    pub(super) const UNKNOWN: Self = Self { state: OrderState::Unknown, stored: None };

    /// The order was not executed, and its bytes cannot execute later.
    pub(super) const DEAD: Self = Self { state: OrderState::Dead, stored: None };

    /// Returns the outcome of an order and its attached orders. `bound` is the price at the
    /// exchange, if the request has none.
    pub(super) fn of(
        entry: &Entry,
        attached: &[(Leg, &Entry)],
        bound: Option<Decimal>,
        at_ms: u64,
    ) -> Self {
        match entry {
            Entry::Placed(placed) => {
                let legs = attached.iter().filter_map(|(leg, entry)| stored_leg(*leg, entry));
                let stored = placed_outcome(placed, legs.collect(), bound, at_ms);
                Self { state: OrderState::Placed, stored: Some(stored) }
            }
            Entry::Refused(refusal) => Self::refused(refusal, at_ms),
            Entry::Taken(_) | Entry::Unknown => Self::UNKNOWN,
        }
    }

    /// Returns the outcome of an order that the exchange refused.
    pub(super) fn refused(refusal: &TradeRefusal, at_ms: u64) -> Self {
        let stored = StoredOutcome::Refused(stored_refusal(refusal, at_ms));
        Self { state: OrderState::Refused, stored: Some(stored) }
    }
}

pub(super) fn stored_refusal(refusal: &TradeRefusal, at_ms: u64) -> StoredRefusal {
    StoredRefusal { code: word(refusal.code).to_owned(), text: refusal.text.clone(), at_ms }
}

pub(super) fn placed_outcome(
    placed: &Placed,
    legs: Vec<StoredLeg>,
    bound: Option<Decimal>,
    at_ms: u64,
) -> StoredOutcome {
    StoredOutcome::Placed {
        order_id: placed.order_id.clone(),
        exchange_status: placed.exchange_status.clone(),
        filled: placed.filled.text(),
        average_price: placed.average_price.map(Decimal::text),
        exchange_price: bound.map(Decimal::text),
        at_ms,
        legs,
    }
}

fn stored_leg(leg: Leg, entry: &Entry) -> Option<StoredLeg> {
    let kind = match leg {
        Leg::Entry => return None,
        Leg::TakeProfit => LegKind::TakeProfit,
        Leg::StopLoss => LegKind::StopLoss,
    };
    let (order_id, exchange_status) = match entry {
        Entry::Placed(placed) => (placed.order_id.clone(), placed.exchange_status.clone()),
        Entry::Refused(_) => (None, REJECTED.to_owned()),
        Entry::Taken(_) | Entry::Unknown => (None, "unknown".to_owned()),
    };
    Some(StoredLeg { kind, order_id, exchange_status })
}

/// The words of the stored codes. They must not change.
const WORDS: [(TradeCode, &str); 29] = [
    (TradeCode::RegionBlocked, "regionBlocked"),
    (TradeCode::SignerOutdated, "signerOutdated"),
    (TradeCode::AgentUnknown, "agentUnknown"),
    (TradeCode::DepositRequired, "depositRequired"),
    (TradeCode::MarketUnknown, "marketUnknown"),
    (TradeCode::TickSize, "tickSize"),
    (TradeCode::LotSize, "lotSize"),
    (TradeCode::BelowMinimum, "belowMinimum"),
    (TradeCode::PriceOutOfRange, "priceOutOfRange"),
    (TradeCode::WouldCross, "wouldCross"),
    (TradeCode::WouldTrigger, "wouldTrigger"),
    (TradeCode::NoLiquidity, "noLiquidity"),
    (TradeCode::InsufficientFunds, "insufficientFunds"),
    (TradeCode::ReduceOnlyRefused, "reduceOnlyRefused"),
    (TradeCode::PositionSideMismatch, "positionSideMismatch"),
    (TradeCode::OpenInterestCap, "openInterestCap"),
    (TradeCode::TooManyOrders, "tooManyOrders"),
    (TradeCode::OrderNotOpen, "orderNotOpen"),
    (TradeCode::LeverageOutOfRange, "leverageOutOfRange"),
    (TradeCode::MarginModeLocked, "marginModeLocked"),
    (TradeCode::NotOffered, "notOffered"),
    (TradeCode::Expired, "expired"),
    (TradeCode::NonceTooLow, "nonceTooLow"),
    (TradeCode::SignatureFault, "signatureFault"),
    (TradeCode::OurFault, "ourFault"),
    (TradeCode::BuilderNotApproved, "builderNotApproved"),
    (TradeCode::ClientIdTaken, "clientIdTaken"),
    (TradeCode::TryLater, "tryLater"),
    (TradeCode::OrderRejected, "orderRejected"),
];

const RATE_LIMITED: &str = "rateLimited";

/// Returns the stored word of a code.
pub(super) fn word(code: TradeCode) -> &'static str {
    match WORDS.iter().find(|(known, _)| *known == code) {
        Some((_, word)) => word,
        None => RATE_LIMITED,
    }
}

/// Returns the code of a stored word. A word that this version does not know is a refusal without a
/// further meaning.
fn code_of(word: &str) -> TradeCode {
    match WORDS.iter().find(|(_, known)| *known == word) {
        Some((code, _)) => *code,
        // The limit of then says nothing about now.
        None if word == RATE_LIMITED => TradeCode::RateLimited { retry_after_s: 1 },
        None => TradeCode::OrderRejected,
    }
}

/// Returns whether a stored refusal is about the order itself. A refusal about the service or the
/// moment does not end the order: the same request places it again.
#[must_use]
pub fn is_about_the_order(stored: &StoredRefusal) -> bool {
    !super::place::is_about_the_service(code_of(&stored.code))
}

/// Returns a stored refusal.
pub(super) fn refusal_of(stored: &StoredRefusal) -> TradeRefusal {
    TradeRefusal { code: code_of(&stored.code), text: stored.text.clone() }
}

/// Returns the seconds after which a repeat is likely to find the outcome of open orders: when the
/// last lookup may start, if the bytes are harmless.
pub(super) fn wait_s<'a>(records: impl Iterator<Item = &'a OrderRecord>, now_ms: u64) -> u64 {
    let submissions = records.filter_map(OrderRecord::unresolved);
    let harmless = submissions.map(|it| it.final_at_ms).filter(|at_ms| *at_ms <= now_ms).max();
    let next = harmless.map_or(Next::Later, |at_ms| Next::At(at_ms + READ_LAG_MS));
    next.wait_s(now_ms)
}

/// Returns the result of an order whose record is this one. `retry_after_s` is for an open one.
pub(super) fn result_of(
    account: &TradingAccount,
    record: &OrderRecord,
    retry_after_s: u64,
) -> PlacedOrder {
    let client_order_id = record.client_order_id.clone();
    let id = || record.client_order_id.clone();
    let result = match (record.state, &record.outcome) {
        (OrderState::Placed, Some(StoredOutcome::Placed { .. })) => {
            view::of_record(account, record).ok_or(TradeError::DamagedOrder("no outcome"))
        }
        (OrderState::Refused, Some(StoredOutcome::Refused(stored))) => {
            Err(TradeError::Refused { client_order_id: Some(id()), refusal: refusal_of(stored) })
        }
        (OrderState::Dead, _) => Err(TradeError::NotPlaced {
            client_order_id: id(),
            cause: "the exchange did not receive the order".to_owned(),
        }),
        (OrderState::Sending | OrderState::Unknown, _) => Err(TradeError::Unknown {
            client_order_ids: vec![id()],
            retry_after_s,
            cause: "the outcome is not known yet".to_owned(),
        }),
        (OrderState::Placed | OrderState::Refused, _) => {
            Err(TradeError::DamagedOrder("no outcome"))
        }
    };
    PlacedOrder { client_order_id, result }
}

/// Returns orders with the ones that were written in their place.
pub(super) fn merged(records: &[OrderRecord], written: Vec<OrderRecord>) -> Vec<OrderRecord> {
    let mut merged = records.to_vec();
    for record in written {
        let is_it = |it: &&mut OrderRecord| it.client_order_id == record.client_order_id;
        if let Some(place) = merged.iter_mut().find(is_it) {
            *place = record;
        }
    }
    merged
}

/// Returns the outcomes of a call whose lease another call has taken over, in the sequence of their
/// writes. This call can have been held up for so long that the other one has proven its bytes to be
/// dead, and has signed the order again. The refusal of the old bytes says nothing about the order
/// then, so the record of the other call is the outcome.
pub(super) fn present_or_own(moved: &[MovedOrder], own: Vec<OrderRecord>) -> Vec<OrderRecord> {
    let latest = |(index, own): (usize, OrderRecord)| {
        let present = moved.iter().find(|it| it.index == index);
        let present = present.and_then(|it| it.record.as_deref());
        present.filter(|present| overrules(present, &own)).cloned().unwrap_or(own)
    };
    own.into_iter().enumerate().map(latest).collect()
}

/// Returns whether a present record says more about an order than the outcome of a call that was
/// overtaken. What the exchange has accepted is certain.
fn overrules(present: &OrderRecord, own: &OrderRecord) -> bool {
    let state = own.change.as_ref().map_or(own.state, |change| change.state);
    present.generation != own.generation || (present.is_at_rest() && state != OrderState::Placed)
}

impl Trader {
    /// Stores the outcomes of a submission's orders, the lead's first, and returns the records. A
    /// write that fails is logged: the caller still receives the outcome, and a repeat or the job
    /// finds it.
    ///
    /// While an order of a batch is unknown, the lead stays unknown with its own outcome stored,
    /// because it carries the submission.
    pub(super) async fn settle(
        &self,
        account: &TradingAccount,
        records: &[OrderRecord],
        outcomes: Vec<Outcome>,
    ) -> Result<Vec<OrderRecord>, TradeError> {
        let settling = self.settling(records, outcomes)?;
        let settled: Vec<_> = settling.iter().map(|it| it.record.clone()).collect();
        let stored = match self.store.settle(account, settling).await {
            Ok(stored) => stored,
            Err(OrderLost::Moved(moved)) => {
                tracing::warn!("another call has resolved the order before this one");
                present_or_own(&moved, settled)
            }
            Err(OrderLost::Store(error)) => {
                tracing::warn!(%error, "the outcome of an order is not stored");
                settled
            }
        };
        Ok(merged(records, stored))
    }

    /// Returns the writes that store outcomes, the lead's first. Orders whose outcome is stored
    /// already stay as they are.
    pub(super) fn settling(
        &self,
        records: &[OrderRecord],
        outcomes: Vec<Outcome>,
    ) -> Result<Vec<Settling>, TradeError> {
        let now_ms = self.now_ms();
        let is_open = outcomes.iter().any(|outcome| outcome.state.is_unresolved());
        let mut settling = Vec::with_capacity(records.len());
        for (index, (record, outcome)) in records.iter().zip(outcomes).enumerate() {
            if !record.state.is_unresolved() {
                continue;
            }
            let state = if index == 0 && is_open { OrderState::Unknown } else { outcome.state };
            let revision = self.random.uuid()?;
            let after = record.settled(state, outcome.stored, revision, now_ms);
            settling.push(Settling { known: record.revision, record: after });
        }
        Ok(settling)
    }

    /// Counts what became of the orders of a request.
    pub(super) fn count(&self, records: &[OrderRecord]) {
        let of = |state: OrderState| records.iter().filter(move |it| it.state == state);
        let placed = of(OrderState::Placed).count() as u64;
        let unknown = records.iter().filter(|it| it.state.is_unresolved()).count() as u64;
        if placed > 0 {
            self.client.emit(Metric::OrdersPlaced, placed);
        }
        if unknown > 0 {
            self.client.emit(Metric::OrdersUnknown, unknown);
        }
        for record in of(OrderState::Refused) {
            if let Some(StoredOutcome::Refused(stored)) = &record.outcome {
                let about = About::exchange(self.exchange()).because(word(code_of(&stored.code)));
                metrics::emit(self.clock(), about, &[(Metric::OrdersRefused, 1)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_word_of_each_code_reads_back() {
        for (code, word_of_code) in WORDS {
            assert_eq!((word(code), code_of(word_of_code)), (word_of_code, code));
        }
        let limited = TradeCode::RateLimited { retry_after_s: 30 };
        assert!(matches!(code_of(word(limited)), TradeCode::RateLimited { .. }));
        assert_eq!(code_of("a later version's word"), TradeCode::OrderRejected);
    }

    /// The words in records of the first version with orders.
    #[test]
    fn codes_of_stored_samples_are_known() {
        let read = |text: &str| -> OrderRecord {
            let item: serde_dynamo::Item = serde_json::from_str(text).unwrap();
            platform::items::from_item("order", item.into()).unwrap()
        };
        let changed = read(include_str!("../../tests/samples/order.v1.json"));
        let refusal = changed.change.unwrap().refusal.unwrap();
        assert_eq!(refusal_of(&refusal).code, TradeCode::TickSize);
        let refused = read(include_str!("../../tests/samples/order-refused.v1.json"));
        let Some(StoredOutcome::Refused(refusal)) = refused.outcome else {
            panic!("a refused order")
        };
        assert_eq!(refusal_of(&refusal).code, TradeCode::InsufficientFunds);
    }

    #[test]
    fn outcome_of_an_unknown_entry_is_open() {
        let outcome = Outcome::of(&Entry::Unknown, &[], None, 1);
        assert_eq!(outcome, Outcome::UNKNOWN);
        assert!(outcome.state.is_unresolved() && !Outcome::DEAD.state.is_unresolved());
    }

    #[test]
    fn refused_attached_order_does_not_refuse_the_entry() {
        let placed = Placed {
            order_id: Some("7".to_owned()),
            exchange_status: "resting".to_owned(),
            filled: Decimal::ZERO,
            average_price: None,
        };
        let no = TradeRefusal { code: TradeCode::WouldTrigger, text: "Invalid TP/SL price".into() };
        let (entry, child) = (Entry::Placed(placed), Entry::Refused(no));
        let outcome = Outcome::of(&entry, &[(Leg::StopLoss, &child)], None, 5);
        assert_eq!(outcome.state, OrderState::Placed);
        let Some(StoredOutcome::Placed { legs, order_id, at_ms, .. }) = outcome.stored else {
            panic!("a placed order")
        };
        assert_eq!((order_id.as_deref(), at_ms), (Some("7"), 5));
        assert_eq!(legs[0].kind, LegKind::StopLoss);
        assert_eq!(legs[0].exchange_status, REJECTED);
    }
}
