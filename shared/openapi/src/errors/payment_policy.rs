//! The errors of the payment policy, made by the code that returns them.

use domain::policy::{AssetId, GENESIS, Venue};
use protocol::{PolicyFault, Refusal};
use serde_json::json;
use shared::api::error::ApiError;
use shared::api::policy_chain::{
    Action, ChangeTextData, approval_required, authority_missing, not_pending, payments_from,
    policy_chain_error,
};
use shared::api::requests::{ApprovePolicyChange, CancelPolicyChange, ProposePolicyChange};
use shared::aws::CallError;
use shared::mpc::CosignerError;

use super::failures;

/// Returns the errors of a read of the policy.
pub(crate) fn read() -> Vec<ApiError> {
    let queries = ["?cursor=%00", "?cursor=QUFB&cursor=QUFB"];
    let wrong = queries.into_iter().filter_map(|query| {
        let uri = format!("/api/policy{query}").parse().ok()?;
        payments_from(&uri).err()
    });
    wrong.chain(unreachable(Action::Read)).collect()
}

/// Returns the errors of a proposal's fields.
pub(crate) fn proposal() -> Vec<ApiError> {
    let mut bodies = vec![
        json!({}),
        json!({ "change": { "type": "transferWallet" } }),
        json!({ "change": { "type": "setDelay", "seconds": 99_999_999 } }),
        json!({ "change": { "type": "freeze" }, "text": "x" }),
    ];
    bodies.extend(terms().into_iter().map(|mut body| {
        body["change"] = json!({ "type": "freeze" });
        body
    }));
    let bodies: Vec<String> = bodies.iter().map(ToString::to_string).collect();
    let mut errors = failures(&bodies, ProposePolicyChange::read);
    errors.extend(failures(&bodies, |body| ProposePolicyChange::read(body)?.proposal()));
    errors.push(authority_missing());
    errors
}

/// Returns the errors of an approval's fields.
pub(crate) fn approval() -> Vec<ApiError> {
    let der = json!({ "der": "3006020101020101" });
    let bodies = [
        json!({}),
        json!({ "approver": "alice" }),
        json!({ "approver": "Alice", "signature": der }),
        json!({ "approver": "alice", "signature": { "rsa": "" } }),
        json!({ "approver": "alice", "signature": der, "text": "x" }),
    ]
    .map(|body| body.to_string());
    let mut errors = failures(&bodies, |body| ApprovePolicyChange::read("7", body));
    errors.extend(failures(&["{}"], |body| ApprovePolicyChange::read("latest", body)));
    errors.extend([ApiError::unreadable_path(), ApiError::no_route()]);
    errors
}

/// Returns the errors of a cancellation's fields, and of one without a signature.
pub(crate) fn cancellation() -> Vec<ApiError> {
    let mut bodies: Vec<String> = terms().iter().map(ToString::to_string).collect();
    bodies.push(json!({ "text": "x" }).to_string());
    let mut errors = failures(&bodies, |body| CancelPolicyChange::read("7", body));
    errors.extend(failures(&bodies, |body| CancelPolicyChange::read("7", body)?.proposal()));
    errors.extend(failures(&["{}"], |body| CancelPolicyChange::read("latest", body)));
    errors.extend([ApiError::unreadable_path(), ApiError::no_route(), authority_missing()]);
    errors.push(approval_required(&ChangeTextData::example()));
    errors
}

/// Bodies with one fault in the fields that a signed text has.
fn terms() -> [serde_json::Value; 7] {
    let approvals = json!([{ "approver": "alice", "signature": { "der": "3006020101020101" } }]);
    [
        json!({ "sequence": 0 }),
        json!({ "notAfter": 0 }),
        json!({ "previousHash": "x" }),
        json!({ "quorum": "all" }),
        json!({ "approvals": [] }),
        json!({ "approvals": [{ "approver": "Alice", "signature": { "der": "30" } }] }),
        json!({ "approvals": approvals }),
    ]
}

/// Returns the refusals of the policy chain.
pub(crate) fn change() -> Vec<ApiError> {
    let approver = "alice".to_owned();
    let asset = |symbol| AssetId::new(Venue::Evm(56), symbol).ok();
    let unknown = asset("usdt").map(|unknown| {
        let known = [asset("USDC"), asset("USDT"), asset("native")].into_iter().flatten().collect();
        PolicyFault::UnknownAsset { asset: unknown, known }
    });
    let faults = [
        PolicyFault::WrongSequence { next_seq: 8, head_hash: GENESIS.to_owned() },
        PolicyFault::Invalid("invalid threshold".to_owned()),
        PolicyFault::BadApproval { approver: approver.clone() },
        PolicyFault::UnknownApprover { approver },
        PolicyFault::NoAuthority,
        PolicyFault::WrongQuorum,
        PolicyFault::Expired,
        PolicyFault::NotAfterTooFar,
        PolicyFault::TooManyPending,
        PolicyFault::BelowMinimumDelay { seconds: 3_600 },
        PolicyFault::AboveHardCap,
        PolicyFault::OwnRemoval,
        PolicyFault::DestinationExists,
        PolicyFault::Full,
        PolicyFault::NothingToDo,
        PolicyFault::WrongHead,
        PolicyFault::TooManyRecords,
    ];
    let refused = faults.into_iter().chain(unknown).map(|fault| {
        policy_chain_error(Action::Propose, &CosignerError::Refused(Refusal::PolicyChange(fault)))
    });
    let actions = [Action::Propose, Action::Approve, Action::Cancel];
    let others = actions.into_iter().flat_map(unreachable);
    refused.chain([not_pending()]).chain(others).collect()
}

fn unreachable(action: Action) -> Vec<ApiError> {
    let errors = [
        CosignerError::Unavailable(CallError::Function("Unhandled".to_owned())),
        CosignerError::Nonsense,
        CosignerError::Refused(Refusal::Rate {
            reason: "the wallet's rate per minute is used up".to_owned(),
            retry_after_s: 7,
        }),
    ];
    errors.iter().map(|error| policy_chain_error(action, error)).collect()
}
