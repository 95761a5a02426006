//! Tests of the requests and errors of the payment policy.

use domain::policy::{Change, GENESIS, Quorum, Signature};
use http::HeaderMap;
use protocol::{PolicyFault, Refusal};
use serde_json::{Value, json};

use super::*;
use crate::mpc::CosignerError;

fn body(value: &Value) -> JsonBody {
    JsonBody::parse(&HeaderMap::new(), value.to_string().as_bytes()).unwrap()
}

fn propose(value: &Value) -> Result<ProposePolicyChange, ApiError> {
    ProposePolicyChange::read(&body(value))
}

fn approvals() -> Value {
    json!([{ "approver": "alice", "signature": { "der": "3006020101020101" } }])
}

#[test]
fn proposal_without_approvals_asks_for_its_text() {
    let asked = propose(&json!({ "change": { "type": "freeze" } })).unwrap();
    assert_eq!(asked.change, Change::Freeze {});
    assert_eq!(asked.quorum, Quorum::Tenant);
    assert_eq!(asked.proposal().unwrap(), None);
}

#[test]
fn proposal_with_approvals_requires_the_fields_of_the_text() {
    let full = json!({ "change": { "type": "cancel", "seq": 6 }, "sequence": 7,
        "previousHash": GENESIS, "notAfter": 1_790_000_000, "quorum": "root", "approvals": approvals() });
    let proposal = propose(&full).unwrap().proposal().unwrap().unwrap();
    assert_eq!((proposal.seq, proposal.quorum), (7, Quorum::Root));
    assert_eq!(proposal.approvals[0].signature, Signature::Der("3006020101020101".to_owned()));
    for field in ["sequence", "previousHash", "notAfter"] {
        let mut body = full.clone();
        body.as_object_mut().unwrap().remove(field);
        let error = propose(&body).unwrap().proposal().unwrap_err();
        assert_eq!((error.status, error.code), (400, "MISSING_PARAMETER"), "{field}");
    }
}

#[test]
fn invalid_proposal_is_refused_by_name() {
    let with = |field: &str, value: Value| {
        let mut body = json!({ "change": { "type": "freeze" } });
        body[field] = value;
        body
    };
    for (wrong, named) in [
        (json!({}), "change"),
        (json!({ "change": "freeze" }), "change"),
        (json!({ "change": { "type": "freeze", "seq": 1 } }), "change"),
        (json!({ "change": { "type": "exportWallet" } }), "change"),
        (json!({ "change": { "type": "setDelay", "seconds": 99_999_999 } }), "change"),
        (with("quorum", json!("all")), "quorum"),
        (with("sequence", json!(0)), "sequence"),
        (with("notAfter", json!("soon")), "notAfter"),
        (with("previousHash", json!("00")), "previousHash"),
        (with("previousHash", json!("A".repeat(64))), "previousHash"),
        (with("approvals", json!([])), "approvals"),
        (with("approvals", json!([{ "approver": "alice" }])), "approvals"),
        (
            with("approvals", json!([{ "approver": "Alice", "signature": { "der": "30" } }])),
            "approver",
        ),
        (
            with(
                "approvals",
                json!([{ "approver": "a", "signature": { "der": "0".repeat(5_000) } }]),
            ),
            "approvals",
        ),
        (with("text", json!("HyperDEX Keys policy change")), "text"),
    ] {
        let error = propose(&wrong).unwrap_err();
        assert_eq!(error.status, 400, "{wrong}");
        assert!(error.error.contains(named), "{wrong}: {}", error.error);
        assert!(error.error.len() < 300, "{}", error.error);
    }
}

#[test]
fn path_names_a_change_by_its_number() {
    let approval = json!({ "approver": "alice", "signature": { "webAuthn": {
        "authenticatorData": "a", "clientDataJson": "b", "signature": "c" } } });
    assert_eq!(ApprovePolicyChange::read("7", &body(&approval)).unwrap().seq, 7);
    for name in ["0", "07", "+7", "-1", "1e3", "7 ", "", "latest", "1000000000000"] {
        assert_eq!(
            ApprovePolicyChange::read(name, &body(&approval)).unwrap_err().status,
            400,
            "{name}"
        );
        assert_eq!(
            CancelPolicyChange::read(name, &body(&json!({}))).unwrap_err().status,
            400,
            "{name}"
        );
    }
    let cancel = CancelPolicyChange::read("7", &body(&json!({}))).unwrap();
    assert_eq!(cancel.change(), Change::Cancel { seq: 7 });
    assert_eq!(cancel.proposal().unwrap(), None);
}

#[test]
fn refusal_of_the_chain_states_its_reason() {
    let refused = |fault: PolicyFault| {
        policy_chain_error(Action::Propose, &CosignerError::Refused(Refusal::PolicyChange(fault)))
    };
    let head_hash = GENESIS.to_owned();
    let sequence = refused(PolicyFault::WrongSequence { next_seq: 9, head_hash });
    assert_eq!((sequence.status, sequence.code), (409, "POLICY_SEQUENCE"));
    assert_eq!(sequence.details.unwrap().limit.as_deref(), Some("9"));
    let missing = refused(PolicyFault::NotPending { seq: 3 });
    assert_eq!((missing.status, missing.code), (404, "POLICY_CHANGE_NOT_FOUND"));
    let bad = refused(PolicyFault::BadApproval { approver: "alice".to_owned() });
    assert_eq!((bad.status, bad.code), (422, "APPROVAL_INVALID"));
    let own = refused(PolicyFault::OwnRemoval);
    assert_eq!((own.status, own.details.unwrap().reason), (422, Some("OWN_REMOVAL")));
    let lost = policy_chain_error(Action::Read, &CosignerError::Refused(Refusal::Busy));
    assert_eq!((lost.status, lost.retry_after_s), (503, Some(1)));
}
