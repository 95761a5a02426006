//! The head of a wallet's chain: one item that says where its audit log ends, and what the policy,
//! the rates and the gate have counted so far. Each decision of the cosigner replaces it, under the
//! condition that it is unchanged.

use serde::{Deserialize, Serialize};

/// The hash before the first record of a chain.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The end of a wallet's chain, and how many signatures were begun.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Head {
    pub(crate) schema: u32,
    pub(crate) seq: u64,
    pub(crate) hash: String,
    /// Unix minutes.
    pub(crate) minute: u64,
    pub(crate) minute_used: u64,
    /// Unix days.
    pub(crate) day: u64,
    pub(crate) day_used: u64,
    /// The last nonces that were allowed, in their exchanges' units.
    #[serde(default)]
    pub(crate) aster_nonce: u64,
    #[serde(default)]
    pub(crate) hyperliquid_nonce: u64,
    /// The partition of the index `heads`, from which the heads are signed daily.
    #[serde(default)]
    pub(crate) shard: String,
    /// The Unix day of the last record; the index's sort key.
    #[serde(default)]
    pub(crate) seal_day: u64,
    /// Nothing is computed from any share of the key: party 1 cheated in a run of the protocol.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) barred: bool,
    /// The runs that hold a slot of their share version: see the module `gate`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) runs: Vec<OpenRun>,
    /// Ranges of versions that were given up, the last one of each included. They take no slot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) spent: Vec<(u32, u32)>,
    /// The newest version that a refresh was begun for. None is used twice.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) newest: u32,
    /// The newest version that a trial was begun for. None is tried twice.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) last_trial: u32,
    /// The Unix minute that `refusals` counts in.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) refusals_minute: u64,
    /// The refusals that this minute has recorded.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) refusals: u64,
}

/// A run that has taken a slot and has not closed it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpenRun {
    /// The share version that the run works on.
    pub(crate) version: u32,
    /// The run, in hex.
    pub(crate) session: String,
    /// When its session expires, Unix seconds. Later it cannot close its slot.
    pub(crate) until_s: u64,
}

/// The schema of a head. Code that knows only schema 1 ignores the gate and would drop it, so it
/// must not read these heads.
pub(crate) const HEAD_SCHEMA: u32 = 2;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_none(number: &u64) -> bool {
    *number == 0
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
            aster_nonce: 0,
            hyperliquid_nonce: 0,
            shard: String::new(),
            seal_day: 0,
            barred: false,
            runs: Vec::new(),
            spent: Vec::new(),
            newest: 0,
            last_trial: 0,
            refusals_minute: 0,
            refusals: 0,
        }
    }
}
