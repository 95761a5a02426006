//! The head of a wallet's chain: one item that names the end of its audit log and holds the counts
//! of the policy, the rates and the gate. Each decision of the cosigner replaces it, on the
//! condition that it is unchanged.

use serde::{Deserialize, Serialize};

/// The hash before the first record of a chain.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The end of a wallet's chain, and the counts of signatures begun.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Head {
    pub(crate) schema: u32,
    pub(crate) seq: u64,
    pub(crate) hash: String,
    /// Unix minutes.
    pub(crate) minute: u64,
    /// Messages in this minute. Earlier versions counted all signatures here.
    pub(crate) minute_used: u64,
    /// Unix days.
    pub(crate) day: u64,
    pub(crate) day_used: u64,
    /// Approvals, removals and refreshes in this minute.
    #[serde(default, skip_serializing_if = "are_none")]
    pub(crate) minute_others: [u64; 3],
    #[serde(default, skip_serializing_if = "are_none")]
    pub(crate) day_others: [u64; 3],
    /// Payments in this minute.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) minute_payments: u64,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) day_payments: u64,
    /// The last allowed nonces, in their exchanges' units.
    #[serde(default)]
    pub(crate) aster_nonce: u64,
    #[serde(default)]
    pub(crate) hyperliquid_nonce: u64,
    /// The last nonces of payments. They come from the cosigner's clock alone, so that no intent of an
    /// endpoint can make two payments share one.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) aster_payment: u64,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) hyperliquid_payment: u64,
    /// Partition of the index `heads`, whose heads are sealed daily.
    #[serde(default)]
    pub(crate) shard: String,
    /// Unix day of the last record; sort key of the index.
    #[serde(default)]
    pub(crate) seal_day: u64,
    /// Whether the key is barred: party 1 cheated, so nothing is computed from any of its shares.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) barred: bool,
    /// Whether the key was exported, so that another holder may have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) exported: bool,
    /// The runs that hold a slot of their share version; see the module `gate`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) runs: Vec<OpenRun>,
    /// Ranges of retired versions, both ends included. They hold no slots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) spent: Vec<(u32, u32)>,
    /// The newest version for which a refresh was begun. No version is used twice.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) newest: u32,
    /// The newest version for which a trial was begun. No version is tried twice.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) last_trial: u32,
    /// The Unix minute that `refusals` counts.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) refusals_minute: u64,
    /// Refusals recorded in that minute.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) refusals: u64,
}

/// A run that has taken a slot and not closed it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpenRun {
    /// The run's share version.
    pub(crate) version: u32,
    /// The run's session id, in hex.
    pub(crate) session: String,
    /// Expiry of the run's session, Unix seconds. After it the run cannot close its slot.
    pub(crate) until_s: u64,
}

/// Schema number of a head. Code that knows only schema 1 would drop the gate, so it must refuse
/// these heads.
pub(crate) const HEAD_SCHEMA: u32 = 2;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_none(number: &u64) -> bool {
    *number == 0
}

fn are_none(counts: &[u64; 3]) -> bool {
    counts.iter().all(|count| *count == 0)
}

impl Default for Head {
    fn default() -> Self {
        Self {
            schema: HEAD_SCHEMA,
            seq: 0,
            hash: GENESIS.to_owned(),
            minute: 0,
            minute_used: 0,
            day: 0,
            day_used: 0,
            minute_others: [0; 3],
            day_others: [0; 3],
            minute_payments: 0,
            day_payments: 0,
            aster_nonce: 0,
            hyperliquid_nonce: 0,
            aster_payment: 0,
            hyperliquid_payment: 0,
            shard: String::new(),
            seal_day: 0,
            barred: false,
            exported: false,
            runs: Vec::new(),
            spent: Vec::new(),
            newest: 0,
            last_trial: 0,
            refusals_minute: 0,
            refusals: 0,
        }
    }
}
