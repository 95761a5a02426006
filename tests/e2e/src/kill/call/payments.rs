//! Calls that pay, change the payment policy, and resolve payments.

use domain::policy::{Approval, Proposal};
use http::Method;
use serde_json::{Value, json};

use super::{Call, What};
use crate::payments::Place;

impl Call {
    /// Requests a payment with this body. Give it a key.
    #[must_use]
    pub fn pay(place: Place, user: &str, body: &Value) -> Self {
        Self::request(Method::POST, place.path(user), Some(body.clone()), user)
    }

    /// Runs the job that resolves payments.
    #[must_use]
    pub fn payments_job(user: &str) -> Self {
        Self { what: What::Payments, user: user.to_owned(), key: None, tenant_key: None }
    }

    /// Submits a signed change of the payment policy.
    #[must_use]
    pub fn propose(proposal: &Proposal) -> Self {
        let mut body = signed(proposal);
        body["change"] = json!(proposal.change);
        Self::request(Method::POST, "/api/policy/changes".to_owned(), Some(body), "")
    }

    /// Approves a pending change.
    #[must_use]
    pub fn approve(sequence: u64, approval: &Approval) -> Self {
        let path = format!("/api/policy/changes/{sequence}/approvals");
        Self::request(Method::POST, path, Some(json!(approval)), "")
    }

    /// Cancels a pending change with a signed cancellation.
    #[must_use]
    pub fn cancel_change(sequence: u64, cancellation: &Proposal) -> Self {
        let path = format!("/api/policy/changes/{sequence}");
        Self::request(Method::DELETE, path, Some(signed(cancellation)), "")
    }
}

fn signed(proposal: &Proposal) -> Value {
    json!({
        "sequence": proposal.seq,
        "previousHash": proposal.prev_hash,
        "notAfter": proposal.not_after_s,
        "approvals": proposal.approvals,
    })
}
