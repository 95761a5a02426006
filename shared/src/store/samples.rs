//! Tests that one item of each schema version ever stored still parses.

use domain::ids::Exchange;
use platform::items::{Item, SCHEMA, StoreError, from_item, to_record};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    CredentialRecord, CredentialState, DeliveryRecord, DeliveryState, DriftKind, EventRecord,
    ExpiringReason, Nonces, OperatorActionKind, OrderRecord, OrderState, PaymentRecord,
    PaymentState, RequestRecord, ShareRecord, StoredOutcome, WalletRecord, WebhookRecord,
    stored_types,
};
use crate::events::EventType;
use crate::trading::ledger::Ledger;
use crate::trading::policy::PolicyRecord;

fn item(text: &str) -> Item {
    let item: serde_dynamo::Item = serde_json::from_str(text).unwrap();
    item.into()
}

#[test]
fn items_of_schema_1_are_read() {
    let wallet = item(include_str!("../../tests/samples/record.v1.json"));
    let wallet: WalletRecord = from_item("wallet", wallet).unwrap();
    assert_eq!((wallet.user_id.as_str(), wallet.tenant.as_str()), ("user_123", "local"));
    assert!(wallet.key_version == 1 && !wallet.frozen && wallet.public_key.len() == 130);

    // Fields added by refreshes have defaults.
    assert!(wallet.shares_at_ms.is_none() && wallet.refresh.is_none());
    let wallet = item(include_str!("../../tests/samples/record-refreshed.v1.json"));
    let wallet: WalletRecord = from_item("wallet", wallet).unwrap();
    let refresh = wallet.refresh.unwrap();
    assert_eq!((wallet.key_version, refresh.to, refresh.retire), (3, 4, false));
    assert_eq!(wallet.shares_at_ms, Some(1_803_184_064_441));

    // A record from before operators' freezes has none.
    assert!(wallet.operator_freeze.is_none() && wallet.operator_actions.is_empty());
    let frozen = item(include_str!("../../tests/samples/record-operator-frozen.v1.json"));
    let frozen: WalletRecord = from_item("wallet", frozen).unwrap();
    let actions: Vec<_> = frozen.operator_actions.iter().map(|done| done.action).collect();
    let (freeze, unfreeze) = (OperatorActionKind::Freeze, OperatorActionKind::Unfreeze);
    assert_eq!(actions, [freeze, unfreeze, freeze]);
    assert_eq!(frozen.operator_freeze.as_ref(), frozen.operator_actions.last());
    assert!(!frozen.frozen && frozen.operator_freeze.unwrap().at_ms == 1_803_184_200_000);

    let share = item(include_str!("../../tests/samples/share.v1.json"));
    let share: ShareRecord = from_item("share", share).unwrap();
    assert_eq!(share.key_version, 1);

    let nonces = item(include_str!("../../tests/samples/nonces.v1.json"));
    let nonces: Nonces = from_item("nonces", nonces).unwrap();
    assert!(nonces.last(Exchange::Aster) > nonces.last(Exchange::Hyperliquid));

    let active = item(include_str!("../../tests/samples/credential-aster.v1.json"));
    let active: CredentialRecord = from_item("credential", active).unwrap();
    assert_eq!((active.exchange, active.state), (Exchange::Aster, CredentialState::Active));
    assert!(active.created_at_ms.is_some());

    let pending = item(include_str!("../../tests/samples/credential-hyperliquid.v1.json"));
    let pending: CredentialRecord = from_item("credential", pending).unwrap();
    assert_eq!(pending.state, CredentialState::Pending);
    assert!(pending.created_at_ms.is_none());
    // Fields added by later versions have defaults.
    assert!(pending.auto_renew && pending.next.is_none() && pending.retiring.is_empty());
    assert!(!pending.is_v1() && pending.check_at_ms.is_none() && pending.request.is_none());
    assert!(wallet.made_by.is_none());

    assert!(pending.drift.is_none() && pending.expiring.is_none());

    assert!(pending.builder.is_none());
    let with_builder = item(include_str!("../../tests/samples/credential-builder.v1.json"));
    let with_builder: CredentialRecord = from_item("credential", with_builder).unwrap();
    assert_eq!(with_builder.builder.unwrap().fee.tenths(), 50);

    // Fields added by webhooks.
    let noted = item(include_str!("../../tests/samples/credential-noted.v1.json"));
    let noted: CredentialRecord = from_item("credential", noted).unwrap();
    let (drift, expiring) = (noted.drift.unwrap(), noted.expiring.unwrap());
    assert_eq!((drift.found.len(), drift.found[0].kind), (2, DriftKind::AgentUnknown));
    assert!(expiring.reason == ExpiringReason::KeyHandedOut && drift.found[1].agent.is_none());
    let webhook = item(include_str!("../../tests/samples/webhook.v1.json"));
    let webhook: WebhookRecord = from_item("webhook", webhook).unwrap();
    assert_eq!((webhook.webhook_id.slot(), webhook.types().len()), (3, 2));
    assert!(webhook.sealed.is_some() && webhook.last_failure.is_some() && webhook.is_there());
    let event = item(include_str!("../../tests/samples/event.v1.json"));
    let event: EventRecord = from_item("event", event).unwrap();
    assert!(event.event_id.at_ms() / 1_000 < event.expires_at_s && event.body.starts_with('{'));
    let delivery = item(include_str!("../../tests/samples/delivery.v1.json"));
    let delivery: DeliveryRecord = from_item("delivery", delivery).unwrap();
    assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Retrying, 2));
    assert!(delivery.event_id == event.event_id && delivery.failure.unwrap().status == Some(503));

    let request = item(include_str!("../../tests/samples/idempotency.v1.json"));
    let request: RequestRecord = from_item("request", request).unwrap();
    let (outcome, answer) = (request.outcome.unwrap(), request.answer.unwrap());
    assert!(outcome.shown_from_ms.is_none() && answer.at_ms.is_none());
    assert!(outcome.previous_revoked && outcome.sealed.is_some() && outcome.previous.len() == 1);
    assert!(answer.status == 200 && answer.body.is_none() && answer.sealed.is_some());
    assert!(request.ends_at_ms < request.expires_at_s * 1_000 && request.lease_until_ms == 0);
}

/// A type that this version does not know is ignored, and kept when the record is written again.
#[test]
fn items_with_types_of_other_versions_are_read() {
    // Before `moreEvents`, the types of orders were in `events`.
    let orders = include_str!("../../tests/samples/webhook-orders.v1.json");
    let orders: WebhookRecord = same("webhook", orders);
    let [placed, rejected] = [EventType::OrderPlaced, EventType::OrderRejected];
    let resolved = EventType::OrderUnknownResolved;
    assert_eq!(orders.types(), [EventType::WalletCreated, placed, resolved]);
    assert!(orders.wants(placed) && !orders.wants(rejected));

    let later = include_str!("../../tests/samples/webhook-later.v1.json");
    let later: WebhookRecord = same("webhook", later);
    assert_eq!(later.types(), [EventType::WalletCreated, placed]);
    assert!(later.wants(placed) && !later.wants(rejected) && !later.wants(resolved));

    let event: EventRecord = same("event", include_str!("../../tests/samples/event-later.v1.json"));
    let delivery: DeliveryRecord =
        same("delivery", include_str!("../../tests/samples/delivery-later.v1.json"));
    for kind in [event.event_type, delivery.event_type] {
        assert!(kind.known().is_none() && kind.to_string() == "fill.made");
    }
}

/// The versions without the types of orders refuse a record whose `events` has another word.
#[test]
fn new_webhook_names_later_types_apart() {
    let all = stored_types(&EventType::SUBSCRIBED);
    let names: Vec<String> = all.0.iter().map(ToString::to_string).collect();
    let first = [
        "wallet.created",
        "credential.active",
        "credential.renewed",
        "credential.expiring",
        "credential.revoked",
        "credential.drift",
    ];
    assert_eq!(names, first);
    assert!(all.1.len() == 3 && all.1.values().all(|sent| *sent));
    let (first, later) = stored_types(&[EventType::OrderRejected]);
    let sent: Vec<_> = later.iter().filter(|(_, sent)| **sent).map(|(name, _)| name).collect();
    assert!(first.is_empty() && later.len() == 3);
    assert_eq!(sent, [&EventType::OrderRejected.into()]);
}

/// Parses an item, and checks that the record is stored in the same form.
fn same<T: DeserializeOwned + Serialize>(what: &'static str, text: &str) -> T {
    let mut stored = item(text);
    let record: T = from_item(what, stored.clone()).unwrap();
    for name in ["pk", "sk", "shard", "dueAtMs"] {
        stored.remove(name);
    }
    assert_eq!(to_record(Item::new(), &record).unwrap(), stored, "{what}");
    record
}

#[test]
fn trading_items_of_schema_1_are_read_and_written() {
    let placed: OrderRecord = same("order", include_str!("../../tests/samples/order.v1.json"));
    assert!(placed.is_at_rest() && placed.due_at_ms().is_none());
    assert_eq!((placed.state, placed.generation), (OrderState::Placed, 1));
    assert!(matches!(placed.outcome, Some(StoredOutcome::Placed { legs, .. }) if legs.len() == 2));
    let change = placed.change.unwrap();
    assert!(change.state == OrderState::Refused && change.refusal.unwrap().code == "tickSize");

    let unknown: OrderRecord =
        same("order", include_str!("../../tests/samples/order-unknown.v1.json"));
    assert_eq!(unknown.due_at_ms(), Some(unknown.lease_until_ms));
    assert_eq!(unknown.unresolved().unwrap().members.len(), 2);
    assert!(unknown.reserved && !unknown.is_expired(u64::MAX));

    let refused: OrderRecord =
        same("order", include_str!("../../tests/samples/order-refused.v1.json"));
    assert_eq!(refused.lead, Some(unknown.client_order_id));
    let Some(StoredOutcome::Refused(refusal)) = refused.outcome else { panic!("a refused order") };
    assert_eq!(refusal.code, "insufficientFunds");

    let ledger: Ledger = same("ledger", include_str!("../../tests/samples/ledger.v1.json"));
    assert_eq!((ledger.rev, ledger.orders_counted(), ledger.reserved.len()), (7, 5, 1));

    // A reservation of an earlier version states no number and no earlier exposure.
    assert!(ledger.reserved.values().all(|it| it.rev == 0 && it.before.is_none()));
    let held: Ledger = same("ledger", include_str!("../../tests/samples/ledger-held.v1.json"));
    assert!(held.reserved.values().all(|it| it.rev == 7 && it.before.is_some()));

    assert_eq!(held.builder_refused, None);
    let refused = include_str!("../../tests/samples/ledger-builder.v1.json");
    let refused: Ledger = same("ledger", refused);
    let agent = "0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7".parse().unwrap();
    assert!(refused.omits_builder(agent, 1_795_408_064_441));

    let limited = include_str!("../../tests/samples/policy-builder.v1.json");
    let limited: PolicyRecord = same("policy", limited);
    assert_eq!(limited.policy.builders.map(|it| it.len()), Some(1));
    assert_eq!(limited.policy.max_builder_fee, Some(50));

    let granted = include_str!("../../tests/samples/policy-granted.v1.json");
    let granted: PolicyRecord = same("policy", granted);
    let undo = granted.undo.as_ref().unwrap();
    assert!(undo.grant == granted.grant && undo.pending == granted.pending);

    let policy: PolicyRecord = same("policy", include_str!("../../tests/samples/policy.v1.json"));
    assert_eq!(policy.policy.effective().max_leverage, Some(5));
    assert!(policy.grant.is_none() && policy.undo.is_none());
    assert_eq!(policy.pending.unwrap().policy.orders_per_minute, Some(120));
}

#[test]
fn item_of_unknown_schema_is_refused() {
    let text = include_str!("../../tests/samples/record.v1.json");
    let schema = |number: &str| {
        let mut item = item(text);
        let value = aws_sdk_dynamodb::types::AttributeValue::N(number.to_owned());
        item.insert("schema".to_owned(), value);
        from_item::<WalletRecord>("wallet", item)
    };
    assert!(schema("1").is_ok());
    for number in [(SCHEMA + 1).to_string(), "0".to_owned(), "x".to_owned()] {
        assert!(matches!(schema(&number), Err(StoreError::Damaged { .. })), "{number}");
    }
    let mut without = item(text);
    without.remove("schema");
    assert!(from_item::<WalletRecord>("wallet", without).is_err());
}

#[test]
fn payment_of_schema_1_is_read() {
    let sample = item(include_str!("../../tests/samples/payment.v1.json"));
    let payment: PaymentRecord = from_item("payment", sample).unwrap();
    assert_eq!((payment.state, payment.exchange_id.as_deref()), (PaymentState::Sent, Some("1014")));
    assert_eq!(payment.payment.amount().to_string(), "50");
    assert_eq!(payment.due_at_ms(), Some(1_803_184_071_000));
    let signed = payment.signed.unwrap();
    assert!(signed.fenced_at_ms.is_none() && signed.body.starts_with("nonce="));
}
