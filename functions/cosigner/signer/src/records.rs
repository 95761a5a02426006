//! Where the cosigner's recovery records go.

use platform::recovery::RecoveryTable;
use protocol::recovery::RecoveryKeys;

/// The cosigner's recovery keys, and the table of its records.
#[derive(Clone, Debug)]
pub(crate) struct Recovery {
    pub(crate) keys: RecoveryKeys,
    pub(crate) table: RecoveryTable,
    pub(crate) deployment: String,
}
