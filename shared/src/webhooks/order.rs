//! Derives events from a change of an order's record. An event states what the service itself
//! learned of a placement or of a change; the exchange is not watched.

use super::Event;
use super::event::Whose;
use super::payload::OrderEvent;
use crate::events::EventType;
use crate::orders::is_about_the_order;
use crate::store::{OrderRecord, OrderState, StoredOutcome};

/// What was resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    Place,
    Modify,
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Place => "PLACE",
            Self::Modify => "MODIFY",
        }
    }
}

/// Returns the events of a change of an order's record, at a time in Unix milliseconds.
///
/// A record that begins as placed is one of an order that another client placed. A refusal that
/// says nothing about the order is none of an order: the same request places it again.
pub(super) fn events(
    whose: Whose<'_>,
    before: Option<&OrderRecord>,
    after: Option<&OrderRecord>,
    changed_ms: u64,
) -> Result<Vec<Event>, serde_json::Error> {
    let (Some(before), Some(now)) = (before, after) else { return Ok(Vec::new()) };
    let mut events = Vec::new();
    if before.state.is_unresolved() && !now.state.is_unresolved() {
        let at_ms = at_ms(now).unwrap_or(changed_ms);
        let kind = match (now.state, &now.outcome) {
            (OrderState::Placed, _) => Some(EventType::OrderPlaced),
            (OrderState::Refused, Some(StoredOutcome::Refused(refusal)))
                if is_about_the_order(refusal) =>
            {
                Some(EventType::OrderRejected)
            }
            _ => None,
        };
        if let Some(kind) = kind {
            events.push(event(kind, whose, now, Operation::Place, at_ms)?);
        }
        if was_unknown(before.state, before, at_ms) {
            let kind = EventType::OrderUnknownResolved;
            events.push(event(kind, whose, now, Operation::Place, at_ms)?);
        }
    }
    if let (Some(open), Some(ended)) = (&before.change, &now.change)
        && open.generation == ended.generation
        && open.state.is_unresolved()
        && !ended.state.is_unresolved()
        && was_unknown(open.state, before, changed_ms)
    {
        let kind = EventType::OrderUnknownResolved;
        events.push(event(kind, whose, now, Operation::Modify, changed_ms)?);
    }
    Ok(events)
}

/// Returns whether no caller has received the outcome: the response stated that it is unknown, or
/// the call's lease ended before the outcome was found.
const fn was_unknown(state: OrderState, before: &OrderRecord, at_ms: u64) -> bool {
    matches!(state, OrderState::Unknown) || before.lease_until_ms <= at_ms
}

/// Returns when the outcome became known, Unix milliseconds.
const fn at_ms(record: &OrderRecord) -> Option<u64> {
    match &record.outcome {
        Some(StoredOutcome::Placed { at_ms, .. }) => Some(*at_ms),
        Some(StoredOutcome::Refused(refusal)) => Some(refusal.at_ms),
        None => None,
    }
}

fn event(
    kind: EventType,
    whose: Whose<'_>,
    record: &OrderRecord,
    operation: Operation,
    at_ms: u64,
) -> Result<Event, serde_json::Error> {
    let (state, generation) = match (&record.change, operation) {
        (Some(change), Operation::Modify) => (change.state, change.generation),
        _ => (record.state, record.generation),
    };
    let refusal = match (&record.change, operation) {
        (Some(change), Operation::Modify) => change.refusal.as_ref(),
        _ => match &record.outcome {
            Some(StoredOutcome::Refused(refusal)) => Some(refusal),
            _ => None,
        },
    };
    let refusal = refusal.filter(|_| state == OrderState::Refused);
    let placed = match &record.outcome {
        Some(StoredOutcome::Placed {
            order_id, exchange_status, filled, average_price, ..
        }) if record.state == OrderState::Placed => {
            Some((order_id.clone(), exchange_status.clone(), filled.clone(), average_price.clone()))
        }
        _ => None,
    };
    let (order_id, exchange_status, filled_quantity, average_price) = match placed {
        Some((id, status, filled, average)) => (id, Some(status), Some(filled), average),
        None => (None, None, None, None),
    };
    let request = &record.request;
    let is_resolved = kind == EventType::OrderUnknownResolved;
    let data = OrderEvent {
        wallet_id: whose.wallet_id.to_string(),
        user_id: whose.user_text(),
        exchange: record.exchange,
        client_order_id: record.client_order_id.to_string(),
        symbol: request.symbol.to_string(),
        side: request.side.as_str(),
        order_type: request.order_type.as_str(),
        quantity: request.quantity.text().to_owned(),
        price: request.price.as_ref().map(|price| price.text().to_owned()),
        reduce_only: request.reduce_only,
        order_id,
        exchange_status,
        filled_quantity,
        average_price,
        operation: is_resolved.then_some(operation.as_str()),
        outcome: is_resolved.then_some(outcome(state)),
        code: refusal.map(|refusal| published(&refusal.code)),
        exchange_message: refusal.map(|refusal| refusal.text.clone()),
    };
    let which = format!(
        "{} {} {generation} {}",
        record.exchange,
        record.client_order_id,
        operation.as_str()
    );
    Event::new(kind, whose, &which, at_ms, data)
}

const fn outcome(state: OrderState) -> &'static str {
    match state {
        OrderState::Placed => "ACCEPTED",
        OrderState::Refused => "REJECTED",
        OrderState::Dead | OrderState::Sending | OrderState::Unknown => "NOT_EXECUTED",
    }
}

/// Returns the code with which the API states a refusal with this stored word.
fn published(word: &str) -> String {
    let other = match word {
        "agentUnknown" => "API_KEY_NOT_FOUND",
        "notOffered" => "NOT_OFFERED_BY_EXCHANGE",
        "rateLimited" => "EXCHANGE_RATE_LIMIT",
        "expired" | "nonceTooLow" => "EXCHANGE_REJECTED",
        "signatureFault" | "ourFault" => "INTERNAL",
        "builderNotApproved" => "ORDER_REJECTED",
        // `insufficientFunds` is `INSUFFICIENT_FUNDS`.
        word => {
            let mut code = String::with_capacity(word.len() + 4);
            for letter in word.chars() {
                if letter.is_ascii_uppercase() {
                    code.push('_');
                }
                code.push(letter.to_ascii_uppercase());
            }
            return code;
        }
    };
    other.to_owned()
}

#[cfg(test)]
mod tests;
