//! The policy as payments read it.

use aws_sdk_dynamodb::types::ConditionCheck;
use domain::eth::Address;
use domain::ids::Tenant;
use domain::policy::{
    AssetId, AssetLimit, Authority, Cap, Change, ListedDestination, PermittedExport, Venue,
};
use domain::time::rfc3339_seconds;
use platform::items::{Item, StoreError};
use protocol::WalletKey;

use super::Rules;
use super::chain::{ActiveLimit, Chain, is_at};
use super::origin::Origin;
use super::store::{head_key, unchanged};

/// A tenant's policy at one time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct View {
    tenant: Tenant,
    /// The number of the chain's last record; 0 before the first.
    pub(crate) seq: u64,
    /// The hash of that record, in hex.
    pub(crate) hash: String,
    /// The chains' id, which is part of every signed text.
    pub(crate) chain_id: String,
    /// Whether a freeze is in effect.
    pub(crate) frozen: bool,
    /// Whether the table is the one that the policy was written to.
    pub(crate) payments_on: bool,
    /// The tenant's approvers.
    pub(crate) authority: Option<Authority>,
    limits: Vec<ActiveLimit>,
    destinations: Vec<ListedDestination>,
    exports: Vec<PermittedExport>,
    /// The exports that are not in effect: their change, and from when on if it is approved.
    waiting: Vec<(u64, Option<u64>)>,
}

/// Why an export is not allowed. The operator reads the text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum ExportFault {
    #[error("the tenant's policy is frozen")]
    Frozen,
    #[error("the policy's table was restored: the root authority must resume it")]
    Restored,
    #[error("change {0} takes effect at {from}: export it then", from = rfc3339_seconds(*.1))]
    Delayed(u64, u64),
    #[error("change {0} needs more approvals")]
    Unapproved(u64),
    #[error("no export of this change is in effect")]
    Unknown,
    #[error("the change allows the export of another wallet")]
    OtherWallet,
    #[error("the change allows the export of another share version")]
    OtherVersion,
    #[error("the permission has ended")]
    Ended,
    #[error("the change names another recipient")]
    OtherRecipient,
    #[error("the cosigner has no such share: check the tenant, the wallet and the share version")]
    NoShare,
}

impl View {
    /// Makes the view of a chain as it is now.
    pub(crate) fn of(tenant: &Tenant, origin: &Origin, chain: Chain, rules: &Rules) -> Self {
        Self {
            tenant: tenant.clone(),
            payments_on: origin.payments_on(&chain),
            chain_id: origin.chain_id.clone(),
            limits: chain.state.limits.iter().map(|known| capped(known, rules)).collect(),
            destinations: chain.destinations(),
            waiting: chain
                .pending
                .iter()
                .filter(|it| matches!(it.change, Change::ExportWallet { .. }))
                .map(|it| (it.seq, it.effective_at_ms))
                .collect(),
            seq: chain.seq,
            hash: chain.hash,
            frozen: chain.state.frozen,
            exports: chain.state.exports,
            authority: chain.state.authority,
        }
    }

    /// Returns the limits of an asset, within the deployment's hard caps. An asset without limits
    /// is not paid.
    pub(crate) fn limit(&self, asset: &AssetId) -> Option<&ActiveLimit> {
        self.limits.iter().find(|known| known.limit.asset == *asset)
    }

    /// Returns a listed destination. It is usable from its `active_from_ms` on.
    pub(crate) fn destination(&self, venue: Venue, address: Address) -> Option<&ListedDestination> {
        self.destinations.iter().find(|known| is_at(known, venue, address))
    }

    /// Returns the recipient to whom this change lets a wallet's key be exported now.
    ///
    /// # Errors
    /// Returns the reason against it.
    pub(crate) fn export(
        &self,
        change: u64,
        key: &WalletKey,
        address: Address,
        now_ms: u64,
    ) -> Result<&str, ExportFault> {
        if self.frozen {
            return Err(ExportFault::Frozen);
        }
        if !self.payments_on {
            return Err(ExportFault::Restored);
        }
        let known = self.exports.iter().find(|known| known.change == change);
        let known = known.ok_or_else(|| self.not_in_effect(change))?;
        let export = &known.export;
        if (export.wallet_id, export.address) != (key.wallet_id, address) {
            return Err(ExportFault::OtherWallet);
        }
        if export.share_version != key.key_version {
            return Err(ExportFault::OtherVersion);
        }
        if known.has_ended(now_ms) {
            return Err(ExportFault::Ended);
        }
        Ok(&export.recipient)
    }

    /// Returns why no export of a change is in effect.
    fn not_in_effect(&self, change: u64) -> ExportFault {
        match self.waiting.iter().find(|(seq, _)| *seq == change) {
            Some((_, Some(at_ms))) => ExportFault::Delayed(change, *at_ms),
            Some((_, None)) => ExportFault::Unapproved(change),
            None => ExportFault::Unknown,
        }
    }

    /// Returns the condition for a transaction that the policy has not changed since it was read.
    ///
    /// # Errors
    /// Fails only if the SDK cannot build the condition.
    pub(crate) fn unchanged(&self, table: &str) -> Result<ConditionCheck, StoreError> {
        unchanged(table, &self.tenant, (self.seq, &self.hash))
    }

    /// Returns the key of the item that the view is made from.
    pub(crate) fn key(tenant: &Tenant) -> Item {
        head_key(tenant)
    }
}

/// Returns a limit within the hard caps of today's document.
fn capped(known: &ActiveLimit, rules: &Rules) -> ActiveLimit {
    let ActiveLimit { mut limit, change } = known.clone();
    for cap in rules.caps.iter().filter(|cap| cap.asset == limit.asset) {
        let AssetLimit { wallet, tenant, .. } = cap;
        limit.wallet = lower(limit.wallet, *wallet);
        limit.tenant = lower(limit.tenant, *tenant);
    }
    ActiveLimit { limit, change }
}

fn lower(one: Cap, other: Cap) -> Cap {
    Cap { amount: one.amount.min(other.amount), payments: one.payments.min(other.payments) }
}
