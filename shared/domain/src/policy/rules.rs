//! Destinations and limits.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Amount, AssetId, PolicyError, Venue};
use crate::eth::{Address, receiver};

/// An address that payments may go to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Destination {
    /// The venue that pays.
    pub venue: Venue,
    /// The recipient; lower-case in the signed text.
    #[serde(deserialize_with = "receiver")]
    pub address: Address,
    /// The assets that may be paid; all of this venue.
    pub assets: Vec<AssetId>,
    /// A name for people: up to 64 printable ASCII characters.
    pub label: String,
    /// The most of one payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_payment: Option<Amount>,
}

impl Destination {
    /// Checks the assets and the label.
    ///
    /// # Errors
    /// Returns the first fault.
    pub fn check(&self) -> Result<(), PolicyError> {
        if self.address == Address::ZERO {
            return Err(PolicyError("invalid destination: expected an address other than 0x0"));
        }
        let assets: BTreeSet<&AssetId> = self.assets.iter().collect();
        if !(1..=16).contains(&assets.len()) || assets.len() < self.assets.len() {
            return Err(PolicyError("invalid destination: expected 1 to 16 different assets"));
        }
        if assets.iter().any(|asset| asset.venue() != self.venue) {
            return Err(PolicyError("invalid destination: expected assets of its venue"));
        }
        let is_printable = self.label.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if self.label.len() > 64 || !is_printable {
            return Err(PolicyError("invalid label: expected up to 64 printable ASCII characters"));
        }
        Ok(())
    }
}

/// The most within a rolling 24 hours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cap {
    /// The sum of the payments and their fees.
    pub amount: Amount,
    /// The number of payments.
    pub payments: u32,
}

impl Cap {
    /// Returns whether this cap allows nothing that `other` does not.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.amount <= other.amount && self.payments <= other.payments
    }
}

/// The limits of one asset. An asset without limits is not paid.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssetLimit {
    /// The asset.
    pub asset: AssetId,
    /// For each wallet.
    pub wallet: Cap,
    /// For all wallets of the tenant.
    pub tenant: Cap,
    /// A payment that takes the tenant's rolling sum above this amount needs approvals of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve_above: Option<Amount>,
}

impl AssetLimit {
    /// Returns whether this limit allows nothing that `other` does not.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let needs_approval = match (self.approve_above, other.approve_above) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(other)) => own <= other,
        };
        self.asset == other.asset
            && self.wallet.is_within(&other.wallet)
            && self.tenant.is_within(&other.tenant)
            && needs_approval
    }
}
