//! Changes of a policy.

use serde::{Deserialize, Serialize};

use super::{AssetId, AssetLimit, Authority, Destination, PolicyError, Venue, WalletExport};
use crate::eth::Address;

/// The longest delay: 30 days, so that a mistake cannot lock a tenant out for longer.
const MAX_DELAY_S: u64 = 30 * 24 * 60 * 60;

/// A change of a tenant's policy. The list is closed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Change {
    /// Replaces the approvers.
    SetAuthority {
        /// The new authority.
        authority: Authority,
    },
    /// Lists a destination.
    AddDestination {
        /// The destination.
        destination: Destination,
    },
    /// Removes a destination.
    RemoveDestination {
        /// Its venue.
        venue: Venue,
        /// Its address.
        address: Address,
    },
    /// Sets the limits of an asset.
    SetLimit {
        /// The limits.
        limit: AssetLimit,
    },
    /// Removes the limits of an asset, which is then not paid.
    RemoveLimit {
        /// The asset.
        asset: AssetId,
    },
    /// Sets the delay of loosening changes.
    SetDelay {
        /// Seconds.
        seconds: u64,
    },
    /// Stops payments.
    Freeze {},
    /// Allows payments again.
    Unfreeze {},
    /// Allows the export of one wallet's key to one recipient.
    ExportWallet {
        /// The export.
        export: WalletExport,
    },
    /// Cancels a pending change.
    Cancel {
        /// The change's number.
        seq: u64,
    },
    /// Allows payments again after the table was restored; only the root authority signs it.
    Resume {
        /// The newest hash of the policy chain, in hex.
        head_hash: String,
    },
}

impl Change {
    /// Parses and checks a change in JSON.
    ///
    /// # Errors
    /// Fails when the text is not a change.
    pub fn parse(json: &str) -> Result<Self, PolicyError> {
        let change: Self = serde_json::from_str(json)
            .map_err(|_| PolicyError("invalid change: expected a JSON object with a known type"))?;
        change.check()?;
        Ok(change)
    }

    /// Checks the change's own values. Whether it is allowed depends on the policy.
    ///
    /// # Errors
    /// Returns the first fault.
    pub fn check(&self) -> Result<(), PolicyError> {
        match self {
            Self::SetAuthority { authority } => authority.check(),
            Self::AddDestination { destination } => destination.check(),
            Self::ExportWallet { export } => export.check(),
            Self::SetDelay { seconds } if *seconds > MAX_DELAY_S => {
                Err(PolicyError("invalid delay: expected at most 30 days"))
            }
            Self::Resume { head_hash } if !is_hash(head_hash) => {
                Err(PolicyError("invalid hash: expected 64 lower-case hex digits"))
            }
            Self::SetDelay { .. }
            | Self::Resume { .. }
            | Self::RemoveDestination { .. }
            | Self::SetLimit { .. }
            | Self::RemoveLimit { .. }
            | Self::Freeze {}
            | Self::Unfreeze {}
            | Self::Cancel { .. } => Ok(()),
        }
    }

    /// Returns the change's type, as in its JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SetAuthority { .. } => "setAuthority",
            Self::AddDestination { .. } => "addDestination",
            Self::RemoveDestination { .. } => "removeDestination",
            Self::SetLimit { .. } => "setLimit",
            Self::RemoveLimit { .. } => "removeLimit",
            Self::SetDelay { .. } => "setDelay",
            Self::Freeze {} => "freeze",
            Self::Unfreeze {} => "unfreeze",
            Self::ExportWallet { .. } => "exportWallet",
            Self::Cancel { .. } => "cancel",
            Self::Resume { .. } => "resume",
        }
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
