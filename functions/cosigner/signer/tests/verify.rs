//! Tests of exports crafted to mislead the verifier. The fuzzer found the first case.

#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

use cosigner::audit::verify::{Fault, Verifier};
use cosigner::audit::{Decision, Entry};

fn record(seq: u64, body: &str) -> String {
    serde_json::json!({ "Item": {
        "pk": { "S": "t#W#00000000-0000-0000-0000-000000000007" },
        "sk": { "S": format!("audit#{seq:012}-{body}") },
        "schema": { "N": "1" },
        "seq": { "N": seq.to_string() },
        "prev": { "S": "" },
        "body": { "S": body },
        "hash": { "S": "00" },
    } })
    .to_string()
}

fn unreadable(lines: &[String]) -> Vec<String> {
    let mut verifier = Verifier::default();
    for line in lines {
        verifier.line(line);
    }
    let faults = verifier.finish().faults.into_iter();
    let cause = |(_, fault)| match fault {
        Fault::Unreadable(cause) => Some(cause),
        _ => None,
    };
    faults.filter_map(cause).collect()
}

#[test]
fn invalid_record_number_is_a_fault() {
    for seq in [0, u64::MAX] {
        let found = unreadable(&[record(seq, "{}")]);
        assert_eq!(found, [format!("invalid record number {seq}")]);
    }
}

#[test]
fn duplicate_record_number_is_a_fault() {
    let found = unreadable(&[record(1, "{}"), record(2, "{}"), record(1, "[]")]);
    assert_eq!(found, ["two records have the number 1"]);
}

/// An exported chain from before records had an alias.
const CHAIN_V1: &str = include_str!("samples/audit-chain.v1.jsonl");

fn entry(line: &str) -> Entry {
    let item = serde_json::from_str::<serde_json::Value>(line).unwrap();
    serde_json::from_str(item["Item"]["body"]["S"].as_str().unwrap()).unwrap()
}

#[test]
fn chain_without_aliases_still_verifies() {
    let mut verifier = Verifier::default();
    CHAIN_V1.lines().for_each(|line| verifier.line(line));
    let report = verifier.finish();
    assert_eq!((report.chains, report.records, report.faults), (1, 3, Vec::new()));
    let entries: Vec<Entry> = CHAIN_V1.lines().take(3).map(entry).collect();
    assert!(entries.iter().all(|entry| entry.alias.is_none()));
    assert_eq!(entries[1].caller, "hyperdex-sign-message");
    // Serialising a record again must reproduce it: a reader that rewrites records would keep
    // their hashes.
    for line in CHAIN_V1.lines().take(3) {
        let item = serde_json::from_str::<serde_json::Value>(line).unwrap();
        assert_eq!(item["Item"]["body"]["S"], serde_json::to_string(&entry(line)).unwrap());
    }
}

#[test]
fn entry_with_an_alias_round_trips() {
    let line = CHAIN_V1.lines().nth(2).unwrap();
    let decision = Decision::CallRefused { call: "Retire".to_owned() };
    let entry = Entry { alias: Some("sign-message".to_owned()), decision, ..entry(line) };
    let body = serde_json::to_value(&entry).unwrap();
    assert_eq!((&body["alias"], &body["call"]), (&"sign-message".into(), &"Retire".into()));
    assert_eq!(body["decision"], "call-refused");
    assert_eq!(serde_json::from_value::<Entry>(body).unwrap(), entry);
}
