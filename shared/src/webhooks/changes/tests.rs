use serde_json::Value;

use super::*;
use crate::events::EventId;
use crate::store::{DriftFound, DriftKind, DriftNote, ExpiringNote, ExpiringReason};

const WALLET: &str = "one#W#29dd4dc0-1ff9-4df6-a19f-936f997cbc5a";

fn item(text: &str) -> Item {
    let item: serde_dynamo::Item = serde_json::from_str(text).unwrap();
    item.into()
}

fn active() -> CredentialRecord {
    let item = item(include_str!("../../../tests/samples/credential-aster.v1.json"));
    from_item("credential", item).unwrap()
}

fn changed(change: impl FnOnce(&mut CredentialRecord)) -> CredentialRecord {
    let mut record = active();
    change(&mut record);
    record
}

fn pending() -> CredentialRecord {
    changed(|record| {
        record.state = CredentialState::Pending;
        record.created_at_ms = None;
        record.revision = Uuid::from_u128(7);
    })
}

fn images(before: Option<&CredentialRecord>, after: Option<&CredentialRecord>) -> Images {
    let item = |record: &CredentialRecord| serde_dynamo::to_item(record).unwrap();
    Images { before: before.map(item), after: after.map(item) }
}

fn events(before: Option<&CredentialRecord>, after: Option<&CredentialRecord>) -> Vec<Event> {
    let images = images(before, after);
    let change = Change::read(WALLET, "credential#aster", images, 1_790_000_000_000).unwrap();
    change.unwrap().events(None).unwrap()
}

fn kinds_of(before: Option<&CredentialRecord>, after: Option<&CredentialRecord>) -> Vec<EventType> {
    events(before, after).iter().map(|event| event.kind).collect()
}

#[test]
fn change_yields_the_expected_events() {
    use EventType::{
        CredentialActive, CredentialDrift, CredentialExpiring, CredentialRenewed, CredentialRevoked,
    };
    let (active, pending) = (active(), pending());
    let state = |state| changed(|record| record.state = state);
    let other = changed(|record| {
        record.agent = "0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7".parse().unwrap();
    });
    let expired_pending = changed(|record| {
        record.state = CredentialState::Rotating;
        record.created_at_ms = None;
    });
    let pending_revoking = changed(|record| {
        record.state = CredentialState::Revoking;
        record.created_at_ms = None;
    });
    let note = |at_ms| DriftNote {
        at_ms,
        found: vec![DriftFound {
            kind: DriftKind::AgentGone,
            agent: Some(active.agent),
            listed_ms: None,
        }],
    };
    let drifted = changed(|record| record.drift = Some(note(1)));
    let again = changed(|record| record.drift = Some(note(2)));
    let expiring = changed(|record| {
        record.expiring = Some(ExpiringNote {
            at_ms: 1,
            agent: record.agent,
            expires_at_ms: record.expires_at_ms,
            reason: ExpiringReason::AutoRenewOff,
        });
    });
    for (before, after, wanted) in [
        (None, Some(&pending), &[][..]),
        (Some(&pending), Some(&pending), &[]),
        (Some(&pending), Some(&active), &[CredentialActive]),
        (Some(&pending), None, &[]),
        (Some(&expired_pending), Some(&other), &[CredentialActive]),
        (Some(&active), Some(&active), &[]),
        (Some(&active), Some(&state(CredentialState::Rotating)), &[]),
        (Some(&state(CredentialState::Rotating)), Some(&other), &[CredentialRenewed]),
        (Some(&active), Some(&state(CredentialState::Revoking)), &[]),
        (Some(&state(CredentialState::Revoking)), None, &[CredentialRevoked]),
        (Some(&pending_revoking), None, &[CredentialRevoked]),
        (Some(&active), None, &[CredentialRevoked]),
        (Some(&active), Some(&drifted), &[CredentialDrift]),
        (Some(&drifted), Some(&drifted), &[]),
        (Some(&drifted), Some(&active), &[]),
        (Some(&drifted), Some(&again), &[CredentialDrift]),
        (Some(&active), Some(&expiring), &[CredentialExpiring]),
        (Some(&expiring), Some(&expiring), &[]),
    ] {
        assert_eq!(kinds_of(before, after), wanted, "{before:?} -> {after:?}");
    }
}

#[test]
fn same_change_yields_the_same_event() {
    let (active, pending) = (active(), pending());
    let first = events(Some(&pending), Some(&active));
    assert_eq!(first, events(Some(&pending), Some(&active)));
    let images = images(Some(&pending), Some(&active));
    let elsewhere = WALLET.replace("one#", "two#");
    let change = Change::read(&elsewhere, "credential#aster", images, 0).unwrap().unwrap();
    assert_ne!(change.events(None).unwrap()[0].id, first[0].id);
    let later = changed(|record| record.revision = Uuid::from_u128(9));
    assert_ne!(events(Some(&pending), Some(&later))[0].id, first[0].id);
    // The event has the time of the change.
    assert_eq!(first[0].id.at_ms(), active.created_at_ms.unwrap());
}

#[test]
fn only_a_new_wallet_yields_wallet_created() {
    let wallet = item(include_str!("../../../tests/samples/record.v1.json"));
    let read = |before: Option<Item>, after| {
        let images = Images { before, after };
        Change::read(WALLET, "record", images, 5).unwrap().unwrap().events(None).unwrap()
    };
    let made = read(None, Some(wallet.clone()));
    let body: Value = serde_json::from_str(&made[0].body).unwrap();
    assert_eq!(
        (&body["type"], &body["data"]["userId"]),
        (&"wallet.created".into(), &"user_123".into())
    );
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
    assert!(read(Some(wallet.clone()), Some(wallet.clone())).is_empty());
    assert!(read(Some(wallet), None).is_empty());
}

#[test]
fn other_items_yield_no_change() {
    for (pk, sk) in [
        (WALLET, "share"),
        (WALLET, "nonces"),
        ("one#U#user_123", "pointer"),
        ("one#H", "webhook#0"),
        ("#budget#aster#shared", "budget"),
        ("one#W#none", "record"),
    ] {
        assert!(Change::read(pk, sk, Images::default(), 0).unwrap().is_none(), "{pk} {sk}");
    }
    let broken = Images { before: None, after: Some(Item::new()) };
    assert!(Change::read(WALLET, "record", broken, 0).is_err());
}

/// Sealed values must not appear in any event.
#[test]
fn events_contain_no_sealed_values() {
    let (active, pending) = (active(), pending());
    let sealed = serde_json::to_value(&active.sealed).unwrap();
    let parts: Vec<String> = sealed.as_object().unwrap().values().map(Value::to_string).collect();
    let made = events(Some(&pending), Some(&active));
    let gone = events(Some(&active), None);
    for event in made.iter().chain(&gone) {
        assert!(event.body.len() < 600, "{}", event.body);
        assert!(parts.iter().filter(|part| part.len() > 8).all(|part| !event.body.contains(part)));
        let fields: Value = serde_json::from_str(&event.body).unwrap();
        assert!(fields["data"].get("sealed").is_none());
    }
}

#[test]
fn event_ids_sort_by_time() {
    let id = |at_ms: u64| {
        let text = format!("evt_{at_ms:012x}{}", "f".repeat(24));
        text.parse::<EventId>().unwrap()
    };
    let (early, late) = (id(1_000), id(1_762_765_034_479));
    assert!(early < late && late.at_ms() == 1_762_765_034_479 && late.shard() == 15);
    assert!(EventId::floor(1_000).as_str() <= early.as_str());
    assert!(early.as_str() < EventId::ceiling(1_000).as_str());
    assert!(early.as_str() < early.next().as_str());
    assert!(
        early.next() < EventId::ceiling(1_000) && EventId::ceiling(1_000) < EventId::floor(1_001)
    );
    for text in ["", "evt_", "evt_0", &format!("evt_{}", "F".repeat(36)), &late.as_str()[1..]] {
        assert!(text.parse::<EventId>().is_err(), "{text}");
    }
}
