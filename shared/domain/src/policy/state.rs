//! A tenant's policy as the cosigner reports it, and the calls that change it.

use serde::{Deserialize, Serialize};

use super::{Approval, AssetLimit, Authority, Change, Destination, PermittedExport};

/// The authority whose approvers sign a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Quorum {
    /// The tenant's own.
    #[default]
    Tenant,
    /// The operator's, which the deployment names.
    Root,
}

/// A change that enters the chain with its first approvals.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proposal {
    /// The change's number: the number of the chain's last record plus 1.
    pub seq: u64,
    /// The hash of the chain's last record, in hex.
    pub prev_hash: String,
    /// The change.
    pub change: Change,
    /// The time until which approvals count, Unix seconds.
    pub not_after_s: u64,
    /// The authority that signs.
    #[serde(default)]
    pub quorum: Quorum,
    /// One approval or more.
    pub approvals: Vec<Approval>,
}

/// The state of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeState {
    /// Approvals are missing.
    Approving,
    /// Approved; takes effect after its delay.
    Waiting,
    /// In effect.
    Active,
    /// Cancelled before it took effect.
    Cancelled,
    /// Not approved in time.
    Expired,
}

/// An approval in the chain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approved {
    /// The approver's id.
    pub approver: String,
    /// When the cosigner received it, Unix milliseconds.
    pub at_ms: u64,
}

/// A change in the chain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeRecord {
    /// The change's number.
    pub seq: u64,
    /// The hash of the record before it, in hex.
    pub prev_hash: String,
    /// The change.
    pub change: Change,
    /// The time until which approvals count, Unix seconds.
    pub not_after_s: u64,
    /// The authority that signs.
    pub quorum: Quorum,
    /// The approvals so far.
    pub approvals: Vec<Approved>,
    /// The number of approvals that it needs.
    pub threshold: u8,
    /// Its state.
    pub state: ChangeState,
    /// When it takes or took effect, Unix milliseconds; `None` until it is approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at_ms: Option<u64>,
}

/// A destination on the list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedDestination {
    /// The destination.
    pub destination: Destination,
    /// When it becomes or became usable, Unix milliseconds.
    pub active_from_ms: u64,
    /// The number of the change that added it.
    pub change: u64,
}

/// A tenant's policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyState {
    /// The policy chain's id, which is part of every signed text.
    pub chain_id: String,
    /// The number of the chain's last record.
    pub seq: u64,
    /// The hash of the chain's last record, in hex.
    pub head_hash: String,
    /// The tenant's approvers; `None` when there are none yet.
    pub authority: Option<Authority>,
    /// The operator's approvers; `None` when the deployment names none.
    pub root_authority: Option<Authority>,
    /// The delay of loosening changes, seconds.
    pub delay_s: u64,
    /// The shortest delay that can be set, seconds.
    pub min_delay_s: u64,
    /// The delay of an authority that the root authority replaces, seconds.
    pub root_delay_s: u64,
    /// The limits in effect.
    pub limits: Vec<AssetLimit>,
    /// The destinations, also those that are not usable yet.
    pub destinations: Vec<ListedDestination>,
    /// The exports that may be made.
    #[serde(default)]
    pub exports: Vec<PermittedExport>,
    /// The changes that are not in effect yet.
    pub pending: Vec<ChangeRecord>,
    /// Whether a freeze is in effect.
    pub frozen: bool,
    /// Whether the table is the one that the policy was written to.
    pub payments_on: bool,
}
