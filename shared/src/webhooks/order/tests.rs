use domain::ids::{Tenant, UserId};
use platform::items::{Item, from_item};
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::store::StoredRefusal;

const CHANGED_MS: u64 = 1_790_000_000_000;

fn sample(text: &str) -> OrderRecord {
    let item: serde_dynamo::Item = serde_json::from_str(text).unwrap();
    let item: Item = item.into();
    from_item("order", item).unwrap()
}

/// An order that was placed, with an earlier change that was refused.
fn placed() -> OrderRecord {
    sample(include_str!("../../../tests/samples/order.v1.json"))
}

fn with(state: OrderState, outcome: Option<StoredOutcome>) -> OrderRecord {
    OrderRecord { state, outcome, ..placed() }
}

/// An order under way, whose lease has not ended when the outcome is known.
fn sending() -> OrderRecord {
    OrderRecord { lease_until_ms: u64::MAX, ..with(OrderState::Sending, None) }
}

fn refused(code: &str) -> OrderRecord {
    let (code, text) = (code.to_owned(), "No.".to_owned());
    let refusal = StoredRefusal { code, text, at_ms: CHANGED_MS };
    with(OrderState::Refused, Some(StoredOutcome::Refused(refusal)))
}

fn of(before: Option<&OrderRecord>, after: Option<&OrderRecord>) -> Vec<Event> {
    let tenant: Tenant = "one".parse().unwrap();
    let user = UserId::try_from("user_1".to_owned()).unwrap();
    let whose = Whose { tenant: &tenant, wallet_id: Uuid::from_u128(7), user: Some(&user) };
    events(whose, before, after, CHANGED_MS).unwrap()
}

fn kinds(before: &OrderRecord, after: &OrderRecord) -> Vec<EventType> {
    of(Some(before), Some(after)).iter().map(|event| event.kind).collect()
}

fn data(event: &Event) -> Value {
    let body: Value = serde_json::from_str(&event.body).unwrap();
    body["data"].clone()
}

#[test]
fn outcome_of_a_placement_is_one_event() {
    use EventType::{OrderPlaced, OrderRejected};
    assert_eq!(kinds(&sending(), &placed()), [OrderPlaced]);
    assert_eq!(kinds(&sending(), &refused("insufficientFunds")), [OrderRejected]);
    assert_eq!(kinds(&sending(), &with(OrderState::Dead, None)), []);
    // Later writes change nothing: leases, fills, changes.
    assert_eq!(kinds(&placed(), &placed()), []);
    assert_eq!(kinds(&refused("tickSize"), &refused("tickSize")), []);
    // Signed again, deleted by the table, or placed by another client.
    assert_eq!(kinds(&refused("expired"), &sending()), []);
    assert!(of(Some(&placed()), None).is_empty() && of(None, Some(&placed())).is_empty());
}

/// The same request places the order again, so nothing became of the order.
#[test]
fn refusal_about_the_service_is_no_event() {
    for code in ["agentUnknown", "rateLimited", "expired", "nonceTooLow", "builderNotApproved"] {
        assert_eq!(kinds(&sending(), &refused(code)), [], "{code}");
    }
}

#[test]
fn unknown_order_is_resolved_with_its_outcome() {
    use EventType::{OrderPlaced, OrderRejected, OrderUnknownResolved};
    let unknown = OrderRecord { state: OrderState::Unknown, ..sending() };
    // The process died, and the job found the outcome after the end of the lease.
    let abandoned = OrderRecord { lease_until_ms: 1, ..sending() };
    for before in [&unknown, &abandoned] {
        assert_eq!(kinds(before, &placed()), [OrderPlaced, OrderUnknownResolved]);
        let rejected = refused("insufficientFunds");
        assert_eq!(kinds(before, &rejected), [OrderRejected, OrderUnknownResolved]);
        let dead = of(Some(before), Some(&with(OrderState::Dead, None)));
        assert_eq!(dead.len(), 1);
        let data = data(&dead[0]);
        assert_eq!(
            (&data["outcome"], &data["operation"]),
            (&"NOT_EXECUTED".into(), &"PLACE".into())
        );
        assert!(data.get("orderId").is_none() && data.get("code").is_none());
        assert_eq!(kinds(before, &unknown), []);
    }
}

#[test]
fn unknown_change_is_resolved_with_its_outcome() {
    // The sample's change was refused.
    let ended = placed();
    let mut open = placed();
    open.lease_until_ms = u64::MAX;
    let change = open.change.as_mut().unwrap();
    (change.state, change.refusal) = (OrderState::Unknown, None);
    let events = of(Some(&open), Some(&ended));
    assert_eq!(events.len(), 1);
    let data = data(&events[0]);
    assert_eq!((&data["outcome"], &data["operation"]), (&"REJECTED".into(), &"MODIFY".into()));
    assert_eq!(data["code"], "TICK_SIZE");
    // A change whose caller received the outcome.
    open.change.as_mut().unwrap().state = OrderState::Sending;
    assert_eq!(kinds(&open, &ended), []);
}

#[test]
fn event_has_the_order_and_no_signed_bytes() {
    let events = of(Some(&sending()), Some(&placed()));
    let data = data(&events[0]);
    let record = placed();
    assert_eq!(
        (&data["userId"], &data["exchange"]),
        (&"user_1".into(), &record.exchange.as_str().into())
    );
    assert_eq!(data["clientOrderId"], record.client_order_id.as_str());
    let submission = record.submission.unwrap();
    for secret in [submission.body, submission.agent.to_lower_hex(), submission.nonce.to_string()] {
        assert!(!events[0].body.contains(&secret), "{}", events[0].body);
    }
    assert!(!events[0].body.contains("signature") && data.get("outcome").is_none());
}

/// A redelivered record of the stream yields the same event, and every signature its own.
#[test]
fn same_change_of_an_order_yields_the_same_event() {
    let first = of(Some(&sending()), Some(&placed()));
    assert_eq!(first, of(Some(&sending()), Some(&placed())));
    let again = OrderRecord { generation: 9, ..placed() };
    assert_ne!(first[0].id, of(Some(&sending()), Some(&again))[0].id);
}

#[test]
fn code_is_that_of_the_api() {
    for (word, code) in [
        ("insufficientFunds", "INSUFFICIENT_FUNDS"),
        ("notOffered", "NOT_OFFERED_BY_EXCHANGE"),
        ("rateLimited", "EXCHANGE_RATE_LIMIT"),
        ("builderNotApproved", "ORDER_REJECTED"),
    ] {
        let unknown = OrderRecord { state: OrderState::Unknown, ..sending() };
        let events = of(Some(&unknown), Some(&refused(word)));
        assert_eq!(data(events.last().unwrap())["code"], code);
    }
}
