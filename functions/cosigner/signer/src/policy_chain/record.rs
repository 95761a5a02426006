//! The stored forms of the chain.

use domain::ids::Tenant;
use domain::policy::{Approval, Authority, ChangeRecord, ChangeState, Proposal};
use platform::items::{Item, StoreError, from_item};
use serde::{Deserialize, Serialize};

use super::Rules;
use super::chain::{Chain, Place};
use super::decide::Decided;

/// What alters a chain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Action {
    /// A change with its first approvals.
    Propose(Proposal),
    /// An approval of a pending change.
    Approve {
        /// The change's number.
        seq: u64,
        approval: Approval,
    },
    /// The operator's cancellation, which has no signature.
    Cancel {
        /// The change's number.
        seq: u64,
    },
    /// The operator's freeze, which has no signature and no number.
    Freeze {},
}

/// The content of a record. It holds all that the decision depended on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    /// Unix milliseconds, by the cosigner's clock.
    pub(crate) at_ms: u64,
    pub(crate) tenant: Tenant,
    pub(crate) chain_id: String,
    /// The calling function, as stated by the caller.
    pub(crate) caller: String,
    /// The invoked alias, as reported by Lambda.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    pub(crate) request_id: String,
    /// Version of the policy document that applied.
    pub(crate) policy: String,
    /// The document's delays: the usual one, the shortest, and the root authority's, seconds.
    pub(crate) delays_s: [u64; 3],
    /// The table as found.
    pub(crate) place: Place,
    /// The root authority. Its keys sign for no tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) root: Option<Authority>,
    /// In the first record: what the chain began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first: Option<First>,
    /// The action. Not flattened: it has a number of its own.
    pub(crate) action: Action,
    /// When the change takes effect, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) effective_at_ms: Option<u64>,
}

/// What a chain began with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct First {
    /// The tenant's authority that the deployment names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authority: Option<Authority>,
    /// The table in which the chains began.
    pub(crate) place: Place,
}

impl Entry {
    /// Returns the rules that applied. Hard caps are not recorded.
    pub(crate) fn rules(&self) -> Rules {
        let [delay_s, min_delay_s, root_delay_s] = self.delays_s;
        Rules { root: self.root.clone(), delay_s, min_delay_s, root_delay_s, caps: Vec::new() }
    }
}

/// The head as stored. The chain is text, so that `audit verify` compares exact values.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HeadItem {
    pub(crate) schema: u32,
    pub(crate) seq: u64,
    pub(crate) hash: String,
    /// Partition of the index `heads`, whose heads are sealed daily.
    pub(crate) shard: String,
    /// Unix day of the last record.
    pub(crate) seal_day: u64,
    /// The [`Chain`] as JSON text.
    pub(crate) body: String,
}

/// Parses the head of a chain.
pub(crate) fn head_of(item: Item) -> Result<Chain, StoreError> {
    let damaged = |cause: String| StoreError::Damaged { what: "head of the policy chain", cause };
    let head: HeadItem = from_item("head of the policy chain", item)?;
    let chain: Chain =
        serde_json::from_str(&head.body).map_err(|error| damaged(error.to_string()))?;
    if (chain.seq, &chain.hash) == (head.seq, &head.hash) {
        Ok(chain)
    } else {
        Err(damaged("its number or hash differs from its content".to_owned()))
    }
}

impl Decided {
    /// Returns the change as reported to the caller.
    pub(crate) fn record(&self, action: &Action) -> ChangeRecord {
        let mut record = self.change.record(self.threshold);
        if matches!(action, Action::Cancel { .. }) {
            record.state = ChangeState::Cancelled;
            record.effective_at_ms = None;
        } else if self.is_final {
            record.state = ChangeState::Active;
        }
        record
    }
}
