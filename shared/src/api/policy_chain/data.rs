//! Responses about the payment policy.

use domain::ids::Tenant;
use domain::policy::{
    AssetLimit, Authority, Cap, Change, ChangeRecord, ChangeState, GENESIS, ListedDestination,
    PolicyState, Quorum, change_text,
};
use protocol::OpenPayments;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::exports::ExportData;
use super::payments::{CountedPaymentData, cursor};
use crate::schema;

/// An approver.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = PolicyApprover)]
struct ApproverData {
    #[schema(value_type = schema::ApproverId)]
    id: String,
    /// The uncompressed P-256 point, in hex.
    #[schema(value_type = schema::PublicKey)]
    public_key: String,
    /// Present for a WebAuthn credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = WebAuthnData, required = false)]
    webauthn: Option<WebAuthnData>,
}

/// The page that may use a WebAuthn credential.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebAuthnOrigin)]
struct WebAuthnData {
    /// The page's origin.
    origin: String,
    /// The relying party's id.
    rp_id: String,
}

/// Approvers, and how many of them must sign.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = PolicyAuthority)]
struct AuthorityData {
    /// How many approvers must sign a change that loosens the policy.
    threshold: u8,
    approvers: Vec<ApproverData>,
}

impl From<&Authority> for AuthorityData {
    fn from(authority: &Authority) -> Self {
        let approvers = authority.approvers.iter().map(|approver| ApproverData {
            id: approver.id.clone(),
            public_key: approver.public_key.clone(),
            webauthn: approver.webauthn.as_ref().map(|page| WebAuthnData {
                origin: page.origin.clone(),
                rp_id: page.rp_id.clone(),
            }),
        });
        Self { threshold: authority.threshold, approvers: approvers.collect() }
    }
}

/// The most within a rolling 24 hours.
#[derive(Serialize, ToSchema, Debug)]
#[schema(as = PaymentCap)]
struct CapData {
    /// The sum of payments and fees.
    #[schema(value_type = schema::AmountText)]
    amount: String,
    /// The number of payments.
    payments: u32,
}

impl From<&Cap> for CapData {
    fn from(cap: &Cap) -> Self {
        Self { amount: cap.amount.to_string(), payments: cap.payments }
    }
}

/// The limits of an asset. An asset without limits is not paid.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = PaymentLimit)]
struct LimitData {
    #[schema(value_type = schema::AssetText)]
    asset: String,
    /// For each wallet.
    wallet: CapData,
    /// For all wallets of the tenant together.
    tenant: CapData,
    /// A payment that takes the rolling sum above this amount needs approvals of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::AmountText, required = false)]
    approve_above: Option<String>,
}

impl From<&AssetLimit> for LimitData {
    fn from(limit: &AssetLimit) -> Self {
        Self {
            asset: limit.asset.to_string(),
            wallet: (&limit.wallet).into(),
            tenant: (&limit.tenant).into(),
            approve_above: limit.approve_above.map(|amount| amount.to_string()),
        }
    }
}

/// An address that payments may go to.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = PaymentDestination)]
struct DestinationData {
    #[schema(value_type = schema::VenueText)]
    venue: String,
    #[schema(value_type = schema::AddressText)]
    address: String,
    #[schema(value_type = Vec<schema::AssetText>)]
    assets: Vec<String>,
    /// A name for people.
    label: String,
    /// The most of one payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::AmountText, required = false)]
    per_payment: Option<String>,
    /// From when payments may go to it, Unix milliseconds.
    #[schema(value_type = schema::UnixMs)]
    active_from: u64,
    /// The number of the change that added it.
    #[schema(value_type = schema::ChangeNumber)]
    change: u64,
}

impl From<&ListedDestination> for DestinationData {
    fn from(listed: &ListedDestination) -> Self {
        let destination = &listed.destination;
        Self {
            venue: destination.venue.to_string(),
            address: destination.address.to_string(),
            assets: destination.assets.iter().map(ToString::to_string).collect(),
            label: destination.label.clone(),
            per_payment: destination.per_payment.map(|amount| amount.to_string()),
            active_from: listed.active_from_ms,
            change: listed.change,
        }
    }
}

/// An approval of a change.
#[derive(Serialize, ToSchema, Debug)]
#[schema(as = ReceivedApproval)]
struct ApprovedData {
    #[schema(value_type = schema::ApproverId)]
    approver: String,
    /// When the cosigner received it, Unix milliseconds.
    #[schema(value_type = schema::UnixMs)]
    at: u64,
}

/// A change in the policy chain.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = PolicyChangeRecord)]
pub struct ChangeData {
    /// The number of the change.
    #[schema(value_type = schema::ChangeNumber)]
    sequence: u64,
    /// The hash of the change before it.
    #[schema(value_type = schema::PolicyHash)]
    previous_hash: String,
    /// The change as the approvers signed it.
    #[schema(value_type = Object)]
    change: Value,
    /// The time until which approvals count, Unix seconds.
    #[schema(value_type = schema::UnixSeconds)]
    not_after: u64,
    /// The authority that signs.
    #[schema(value_type = schema::QuorumName)]
    quorum: &'static str,
    approvals: Vec<ApprovedData>,
    /// How many approvals it needs.
    threshold: u8,
    #[schema(value_type = schema::ChangeStateName)]
    state: &'static str,
    /// When it takes or took effect, Unix milliseconds. Absent until it has its approvals.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::UnixMs, required = false)]
    effective_at: Option<u64>,
}

impl From<&ChangeRecord> for ChangeData {
    fn from(record: &ChangeRecord) -> Self {
        let approvals = record.approvals.iter();
        let approvals = approvals.map(|approved| ApprovedData {
            approver: approved.approver.clone(),
            at: approved.at_ms,
        });
        Self {
            sequence: record.seq,
            previous_hash: record.prev_hash.clone(),
            change: json(&record.change),
            not_after: record.not_after_s,
            quorum: quorum_name(record.quorum),
            approvals: approvals.collect(),
            threshold: record.threshold,
            state: state_name(record.state),
            effective_at: record.effective_at_ms,
        }
    }
}

/// A tenant's payment policy.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = PaymentPolicyData)]
pub struct PaymentPolicyData {
    /// The policy chain's id, which is part of every signed text.
    chain_id: String,
    /// The number of the chain's last change; 0 for none.
    sequence: u64,
    /// The hash of the chain's last change.
    #[schema(value_type = schema::PolicyHash)]
    head_hash: String,
    /// The tenant's approvers. Absent: there are none, so nothing is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = AuthorityData, required = false)]
    authority: Option<AuthorityData>,
    /// The operator's approvers. Absent: the deployment names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = AuthorityData, required = false)]
    root_authority: Option<AuthorityData>,
    /// Seconds until a change that loosens the policy is in effect.
    delay_seconds: u64,
    /// The shortest delay that can be set.
    minimum_delay_seconds: u64,
    /// The delay of new approvers that the operator's approvers set.
    root_delay_seconds: u64,
    limits: Vec<LimitData>,
    destinations: Vec<DestinationData>,
    /// The exports of wallets that may be made.
    exports: Vec<ExportData>,
    /// The changes that are not in effect yet.
    pending: Vec<ChangeData>,
    /// Whether all payments are stopped.
    frozen: bool,
    /// False after the cosigner's table was restored, until the operator's approvers resume payments.
    payments_on: bool,
    /// A page of the payments that the cosigner has counted, the newest first: those of the past weeks.
    #[schema(value_type = Vec<CountedPaymentData>)]
    counted_payments: Vec<CountedPaymentData>,
    /// `null` on the last page.
    #[schema(value_type = Option<schema::PaymentCursor>, required)]
    next_cursor: Option<String>,
}

impl PaymentPolicyData {
    /// Returns the data of a policy with a page of payments.
    #[must_use]
    pub fn new(state: &PolicyState, page: &OpenPayments, now_ms: u64) -> Self {
        let payments = page.payments.iter();
        Self {
            counted_payments: payments.map(|it| CountedPaymentData::new(it, now_ms)).collect(),
            next_cursor: cursor(page),
            chain_id: state.chain_id.clone(),
            sequence: state.seq,
            head_hash: state.head_hash.clone(),
            authority: state.authority.as_ref().map(AuthorityData::from),
            root_authority: state.root_authority.as_ref().map(AuthorityData::from),
            delay_seconds: state.delay_s,
            minimum_delay_seconds: state.min_delay_s,
            root_delay_seconds: state.root_delay_s,
            limits: state.limits.iter().map(LimitData::from).collect(),
            destinations: state.destinations.iter().map(DestinationData::from).collect(),
            exports: state.exports.iter().map(ExportData::from).collect(),
            pending: state.pending.iter().map(ChangeData::from).collect(),
            frozen: state.frozen,
            payments_on: state.payments_on,
        }
    }
}

/// The text of a change that approvers sign.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = PolicyChangeTextData)]
pub struct ChangeTextData {
    chain_id: String,
    /// The number that the change gets.
    #[schema(value_type = schema::ChangeNumber)]
    sequence: u64,
    /// The hash of the change before it.
    #[schema(value_type = schema::PolicyHash)]
    previous_hash: String,
    /// The change in its canonical form.
    #[schema(value_type = Object)]
    change: Value,
    /// The time until which approvals count, Unix seconds.
    #[schema(value_type = schema::UnixSeconds)]
    not_after: u64,
    #[schema(value_type = schema::QuorumName)]
    quorum: &'static str,
    /// How many approvers of the authority must sign, unless the change only tightens the policy.
    threshold: u8,
    /// Seven lines without a trailing line feed. Approvers compare it with their own intent: the
    /// approvers' tool builds it from their input.
    text: String,
}

impl ChangeTextData {
    /// Returns the data of a change's text.
    #[must_use]
    pub fn new(
        state: &PolicyState,
        (sequence, not_after): (u64, u64),
        (quorum, authority): (Quorum, &Authority),
        change: &Change,
        text: String,
    ) -> Self {
        Self {
            chain_id: state.chain_id.clone(),
            sequence,
            previous_hash: state.head_hash.clone(),
            change: json(change),
            not_after,
            quorum: quorum_name(quorum),
            threshold: authority.threshold,
            text,
        }
    }
}

impl ChangeTextData {
    /// Returns an example for the OpenAPI document.
    #[must_use]
    pub fn example() -> Self {
        let change = Change::Cancel { seq: 7 };
        let (chain_id, sequence, not_after) = ("6f1c9a52e0b84d37", 8, 1_790_000_000);
        let tenant = Tenant::local();
        let text = change_text(chain_id, &tenant, sequence, GENESIS, &change, not_after);
        Self {
            chain_id: chain_id.to_owned(),
            sequence,
            previous_hash: GENESIS.to_owned(),
            change: json(&change),
            not_after,
            quorum: quorum_name(Quorum::Tenant),
            threshold: 2,
            text,
        }
    }
}

/// The result of a proposal: the text to sign, or the change.
#[derive(Serialize, Debug)]
#[serde(untagged)]
pub enum ProposedData {
    /// Nothing was written.
    Text(ChangeTextData),
    /// The change is in the chain.
    Change(ChangeData),
}

const fn quorum_name(quorum: Quorum) -> &'static str {
    match quorum {
        Quorum::Tenant => "tenant",
        Quorum::Root => "root",
    }
}

const fn state_name(state: ChangeState) -> &'static str {
    match state {
        ChangeState::Approving => "approving",
        ChangeState::Waiting => "waiting",
        ChangeState::Active => "active",
        ChangeState::Cancelled => "cancelled",
        ChangeState::Expired => "expired",
    }
}

/// Returns a change as JSON. It has only text keys and plain values.
fn json(change: &Change) -> Value {
    serde_json::to_value(change).unwrap_or_default()
}
