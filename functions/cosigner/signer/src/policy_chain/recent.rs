//! Counts the records that each approver's key makes in an hour.
//!
//! Each record moves the number and the hash that the next change has to name. One stolen key could
//! otherwise keep all other approvers from signing the right ones, for as long as it is an approver.

use domain::policy::Change;
use protocol::PolicyFault;
use serde::{Deserialize, Serialize};

use super::chain::{Chain, Held};

const HOUR_MS: u64 = 60 * 60 * 1_000;

/// Records of one key in an hour of the clock. A tenant that begins with many destinations needs a few
/// hours.
const MAX_RECORDS: u32 = 20;

/// The records of one key in an hour.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Recent {
    public_key: String,
    /// Unix hours.
    hour: u64,
    records: u32,
}

impl Chain {
    /// Counts a record for each key that signed it. A freeze is never refused: it has an effect once.
    ///
    /// # Errors
    /// Fails when one of the keys has made as many records in this hour as it may.
    pub(super) fn count(
        &mut self,
        signed: &[Held],
        change: &Change,
        now_ms: u64,
    ) -> Result<(), PolicyFault> {
        let hour = now_ms / HOUR_MS;
        self.recent.retain(|recent| recent.hour == hour);
        for Held { public_key, .. } in signed {
            let known = self.recent.iter_mut().find(|recent| recent.public_key == *public_key);
            let Some(known) = known else {
                self.recent.push(Recent { public_key: public_key.clone(), hour, records: 1 });
                continue;
            };
            if known.records >= MAX_RECORDS && !matches!(change, Change::Freeze {}) {
                return Err(PolicyFault::TooManyRecords);
            }
            known.records = known.records.saturating_add(1);
        }
        Ok(())
    }
}
