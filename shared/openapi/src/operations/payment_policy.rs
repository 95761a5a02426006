//! The payment policy.

use http::Method;
use shared::api::requests::{ApprovePolicyChange, CancelPolicyChange, ProposePolicyChange};
use shared::tenancy::Scope;
use utoipa::openapi::Required;
use utoipa::openapi::path::ParameterIn;

use super::Operation;
use crate::errors::payment_policy;
use crate::parameters::{change_in_path, form, parameter};
use crate::tags::Tag;

pub(super) fn all() -> [Operation; 4] {
    const CHANGES: &str = "/api/policy/changes";
    let tag = Tag::PaymentPolicy;
    let cursor = parameter(ParameterIn::Query, "cursor", Required::False, form("PaymentCursor"));
    let get = Operation::new(Method::GET, "/api/policy", "getPaymentPolicy", tag)
        .requires(Scope::Read)
        .while_suspended()
        .says(
            "Get the payment policy",
            "Returns the approvers, limits, destinations and pending changes of the tenant, the number \
             and hash of the policy chain's last change, and a page of the payments that the cosigner \
             has counted: signed payments may still be made, also during a freeze. Pass nextCursor as \
             cursor to get the next page of payments, until nextCursor is null. The cosigner keeps the \
             policy and the list.",
        )
        .takes(cursor.description(Some("The nextCursor of the previous page of payments.")).build())
        .answers(200, "The policy.", "PaymentPolicy")
        .fails(payment_policy::read());
    let propose = Operation::new(Method::POST, CHANGES, "proposePolicyChange", tag)
        .requires(Scope::Trade)
        .says(
            "Propose a change of the payment policy",
            "Without approvals, returns the text to sign, and writes nothing. With approvals, submits \
             the change: a change that only tightens the policy takes effect at once with one \
             approval, any other change after the threshold of approvals and the delay. A repeat of \
             the same proposal returns the same change.",
        )
        .body::<ProposePolicyChange>(Required::True)
        .answers(200, "The text to sign. Nothing was written.", "PolicyChangeText")
        .answers(201, "The change is in the policy chain.", "PolicyChange")
        .fails(payment_policy::proposal())
        .fails(payment_policy::change());
    let approvals = format!("{CHANGES}/{{sequence}}/approvals");
    let approve = Operation::new(Method::POST, approvals, "approvePolicyChange", tag)
        .requires(Scope::Trade)
        .says(
            "Approve a pending change",
            "Adds an approver's signature of the change's text. With the last approval that it needs, \
             the delay begins. A repeat returns the same change.",
        )
        .takes(change_in_path())
        .body::<ApprovePolicyChange>(Required::True)
        .answers(200, "The change with the approval.", "PolicyChange")
        .fails(payment_policy::approval())
        .fails(payment_policy::change());
    let one = format!("{CHANGES}/{{sequence}}");
    let cancel = Operation::new(Method::DELETE, one, "cancelPolicyChange", tag)
        .requires(Scope::Trade)
        .while_suspended()
        .says(
            "Cancel a pending change",
            "A cancellation is a change itself, signed by one approver. Without approvals, returns 409 \
             with the text to sign in data, and cancels nothing.",
        )
        .takes(change_in_path())
        .body::<CancelPolicyChange>(Required::False)
        .answers(200, "The cancellation is in effect.", "PolicyChange")
        .fails(payment_policy::cancellation())
        .fails(payment_policy::change());
    [get, propose, approve, cancel]
}
