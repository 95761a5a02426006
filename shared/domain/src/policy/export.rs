//! The export of one wallet's key, as a change of a policy allows it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::PolicyError;
use crate::eth::Address;

/// Allows both parties to encrypt their halves of one wallet's key to one recipient.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WalletExport {
    /// The wallet.
    pub wallet_id: Uuid,
    /// Its address.
    pub address: Address,
    /// The version of its shares. A refresh ends the permission.
    pub share_version: u32,
    /// The recipient's public key: an uncompressed point of P-256 in 130 lower-case hex digits.
    pub recipient: String,
    /// The end of the permission, Unix seconds.
    pub until_s: u64,
}

/// A permission in effect.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PermittedExport {
    /// The export.
    pub export: WalletExport,
    /// The number of the change that allowed it.
    pub change: u64,
}

impl PermittedExport {
    /// Returns whether the permission's time has passed, in Unix milliseconds.
    #[must_use]
    pub const fn has_ended(&self, now_ms: u64) -> bool {
        self.export.until_s < now_ms / 1_000
    }
}

impl WalletExport {
    /// Checks the values that do not depend on the policy. The cosigner checks the point.
    ///
    /// # Errors
    /// Fails when the version is 0 or the recipient has another form.
    pub(super) fn check(&self) -> Result<(), PolicyError> {
        let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_point = self.recipient.len() == 130
            && self.recipient.starts_with("04")
            && self.recipient.bytes().all(digits);
        if !is_point {
            return Err(PolicyError(
                "invalid recipient: expected 04 and 128 lower-case hex digits",
            ));
        }
        if self.share_version == 0 {
            return Err(PolicyError("invalid share version: expected at least 1"));
        }
        Ok(())
    }
}
