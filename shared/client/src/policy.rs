//! The calls about the payment policy.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::send::Call;
use crate::{Answer, Client, Error};

/// An approver of payment policies.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approver {
    /// Its name within the authority.
    pub id: String,
    /// The uncompressed P-256 point, in hex.
    pub public_key: String,
    /// Present for a WebAuthn credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webauthn: Option<WebAuthnOrigin>,
}

/// The page that may use a WebAuthn credential.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebAuthnOrigin {
    /// The page's origin.
    pub origin: String,
    /// The relying party's id.
    pub rp_id: String,
}

/// Approvers, and how many of them must sign.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Authority {
    /// How many approvers must sign.
    pub threshold: u32,
    /// The approvers.
    pub approvers: Vec<Approver>,
}

/// The most within a rolling 24 hours.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PaymentCap {
    /// The sum of payments and fees.
    pub amount: String,
    /// The number of payments.
    pub payments: u32,
}

/// The limits of an asset.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentLimit {
    /// The asset, such as `evm:56/USDT`.
    pub asset: String,
    /// For each wallet.
    pub wallet: PaymentCap,
    /// For all wallets together.
    pub tenant: PaymentCap,
    /// The rolling sum above which a payment needs approvals of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve_above: Option<String>,
}

/// An address that payments may go to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentDestination {
    /// The venue, such as `evm:56`.
    pub venue: String,
    /// The address.
    pub address: String,
    /// The assets that may be paid.
    pub assets: Vec<String>,
    /// A name for people.
    pub label: String,
    /// The most of one payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_payment: Option<String>,
    /// From when payments may go to it, Unix milliseconds.
    pub active_from: u64,
    /// The number of the change that added it.
    pub change: u64,
}

/// A permission to export one wallet's key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PermittedExport {
    /// The wallet.
    pub wallet_id: Uuid,
    /// The address.
    pub address: String,
    /// The version of the wallet's shares. A refresh ends the permission.
    pub share_version: u32,
    /// The recipient's public key, a point of P-256 in hex.
    pub recipient: String,
    /// The end of the permission, Unix seconds.
    pub until: u64,
    /// The number of the change that allowed it.
    pub change: u64,
}

/// An approval that the service has received.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReceivedApproval {
    /// The approver.
    pub approver: String,
    /// When the cosigner received it, Unix milliseconds.
    pub at: u64,
}

/// A change of a payment policy.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyChange {
    /// Its number.
    pub sequence: u64,
    /// The hash of the change before it.
    pub previous_hash: String,
    /// The change as the approvers signed it.
    pub change: Value,
    /// The time until which approvals count, Unix seconds.
    pub not_after: u64,
    /// The authority that signs: `tenant` or `root`.
    pub quorum: String,
    /// The approvals.
    pub approvals: Vec<ReceivedApproval>,
    /// How many approvals it needs.
    pub threshold: u32,
    /// `approving`, `waiting`, `active`, `cancelled` or `expired`.
    pub state: String,
    /// When it takes or took effect, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<u64>,
}

/// The text of a change. An approver compares it with its own intent before it signs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyChangeText {
    /// The policy chain's id.
    pub chain_id: String,
    /// The number that the change gets.
    pub sequence: u64,
    /// The hash of the change before it.
    pub previous_hash: String,
    /// The change in its canonical form.
    pub change: Value,
    /// The time until which approvals count, Unix seconds.
    pub not_after: u64,
    /// The authority that signs: `tenant` or `root`.
    pub quorum: String,
    /// How many approvers must sign, unless the change only tightens the policy.
    pub threshold: u32,
    /// Seven lines without a trailing line feed.
    pub text: String,
}

/// The response to a proposal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Proposed {
    /// The text to sign. Nothing was written.
    Text(PolicyChangeText),
    /// The change is in the policy chain.
    Change(PolicyChange),
}

/// A tenant's payment policy.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentPolicy {
    /// The policy chain's id.
    pub chain_id: String,
    /// The number of the chain's last change.
    pub sequence: u64,
    /// The hash of the chain's last change.
    pub head_hash: String,
    /// The tenant's approvers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    /// The operator's approvers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_authority: Option<Authority>,
    /// Seconds until a change that loosens the policy is in effect.
    pub delay_seconds: u64,
    /// The shortest delay that can be set.
    pub minimum_delay_seconds: u64,
    /// The delay of approvers that the operator's approvers set.
    pub root_delay_seconds: u64,
    /// The limits.
    pub limits: Vec<PaymentLimit>,
    /// The destinations.
    pub destinations: Vec<PaymentDestination>,
    /// The exports of wallets that may be made.
    #[serde(default)]
    pub exports: Vec<PermittedExport>,
    /// The changes that are not in effect yet.
    pub pending: Vec<PolicyChange>,
    /// Whether all payments are stopped.
    pub frozen: bool,
    /// Whether payments are on.
    pub payments_on: bool,
    /// A page of the payments that the cosigner has counted, the newest first.
    pub counted_payments: Vec<CountedPayment>,
    /// The start of the next page; `None` on the last one.
    pub next_cursor: Option<String>,
}

/// A payment that the cosigner has counted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountedPayment {
    /// The wallet.
    pub wallet_id: String,
    /// The payment's id.
    pub payment_id: String,
    /// The payment as the cosigner has checked it.
    pub payment: Value,
    /// `counted`, `signed`, `expired`, `reportedCompleted` or `reportedRefused`. Only a signed payment
    /// may still be made.
    pub state: String,
    /// When it was counted, Unix milliseconds.
    pub counted_at: u64,
    /// Until when the exchange accepts it, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<u64>,
    /// What the service reported. The cosigner cannot verify it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<PaymentReport>,
}

/// The outcome of a payment as the service reported it to the cosigner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PaymentReport {
    /// `completed` or `refused`.
    pub outcome: String,
    /// The hash or number in the exchange's ledger or on the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When it was reported, Unix milliseconds.
    pub at: u64,
    /// The function that reported it.
    pub by: String,
}

/// A signature of an approver, as `hyperdex policy` makes it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PolicyApproval {
    /// The approver.
    pub approver: String,
    /// `{"der":"…"}`, or `{"webAuthn":{…}}`.
    pub signature: Value,
}

/// The terms of a signed text, with its signatures.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedTerms {
    /// The number of the change.
    pub sequence: u64,
    /// The hash of the change before it.
    pub previous_hash: String,
    /// The time until which approvals count, Unix seconds.
    pub not_after: u64,
    /// The signatures.
    pub approvals: Vec<PolicyApproval>,
}

impl Client {
    /// Returns the payment policy of the tenant, with a page of its counted payments. `cursor` is
    /// [`PaymentPolicy::next_cursor`] of the page before. `GET /api/policy`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn payment_policy(
        &self,
        cursor: Option<&str>,
    ) -> Result<Answer<PaymentPolicy>, Error> {
        let query: Vec<_> = cursor.map(|cursor| ("cursor", cursor)).into_iter().collect();
        self.data(Call::get(&["api", "policy"], &query)).await
    }

    /// Returns the text of a change, or submits the signed change. `POST /api/policy/changes`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::PolicySequence`](crate::Code::PolicySequence).
    pub async fn propose_policy_change(
        &self,
        change: &Value,
        signed: Option<&SignedTerms>,
    ) -> Result<Answer<Proposed>, Error> {
        let mut body = json!(signed);
        if body.is_null() {
            body = json!({});
        }
        body["change"] = change.clone();
        let path = ["api", "policy", "changes"];
        self.data(Call { keyed: false, ..Call::post(&path, &body) }).await
    }

    /// Adds a signature to a pending change. `POST /api/policy/changes/{sequence}/approvals`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::ApprovalInvalid`](crate::Code::ApprovalInvalid).
    pub async fn approve_policy_change(
        &self,
        sequence: u64,
        approval: &PolicyApproval,
    ) -> Result<Answer<PolicyChange>, Error> {
        let sequence = sequence.to_string();
        let path = ["api", "policy", "changes", &sequence, "approvals"];
        self.data(Call { keyed: false, ..Call::post(&path, approval) }).await
    }

    /// Cancels a pending change with a signature. Without one, fails with
    /// [`Code::ApprovalRequired`](crate::Code::ApprovalRequired) and the text in `data`. `DELETE
    /// /api/policy/changes/{sequence}`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn cancel_policy_change(
        &self,
        sequence: u64,
        signed: Option<&SignedTerms>,
    ) -> Result<Answer<PolicyChange>, Error> {
        let sequence = sequence.to_string();
        let path = ["api", "policy", "changes", &sequence];
        let body = signed.and_then(|signed| serde_json::to_string(signed).ok());
        self.data(Call { method: Method::DELETE, body, ..Call::get(&path, &[]) }).await
    }
}
