//! What is put into an export to mislead who verifies it: the fuzzer has found the first of these.

use cosigner::audit::verify::{Fault, Verifier};

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
fn a_number_that_no_record_has_is_a_fault() {
    for seq in [0, u64::MAX] {
        let found = unreadable(&[record(seq, "{}")]);
        assert_eq!(found, [format!("no record has the number {seq}")]);
    }
}

#[test]
fn a_record_cannot_hide_another_of_its_number() {
    let found = unreadable(&[record(1, "{}"), record(2, "{}"), record(1, "[]")]);
    assert_eq!(found, ["two records have the number 1"]);
}
