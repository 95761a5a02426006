//! Recovery of wallets, as operators report it.

use serde::{Deserialize, Serialize};

/// The holder's report of a verification of a side's records. It is a statement, not a proof.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// The time of the verification, Unix milliseconds.
    pub verified_at_ms: u64,
    /// The records in the file.
    pub records: u64,
    /// The wallets in the file.
    pub wallets: u64,
    /// The faults found.
    pub faults: u64,
    /// Whether a check was left out.
    pub partial: bool,
    /// The id of the recovery key.
    pub key_id: String,
}
