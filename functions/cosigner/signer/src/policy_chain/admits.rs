//! Which changes a policy admits.

use domain::policy::{Change, Quorum, WalletExport};
use protocol::PolicyFault;
use protocol::recovery::SealingKey;

use super::chain::{Chain, Pending, is_at};
use super::decide::{Case, MAX_NOT_AFTER_S};
use crate::approval;

/// Destinations and limits of a tenant. The head holds them all, and every payment reads it.
const MAX_DESTINATIONS: usize = 32;
const MAX_LIMITS: usize = 32;
/// Permitted exports of a tenant.
const MAX_EXPORTS: usize = 32;

impl Chain {
    /// Returns whether a change only tightens the policy, so that one signature puts it into
    /// effect at once.
    pub(super) fn tightens(&self, change: &Change) -> bool {
        match change {
            Change::Freeze {}
            | Change::RemoveDestination { .. }
            | Change::RemoveLimit { .. }
            | Change::Cancel { .. } => true,
            Change::SetLimit { limit } => {
                let known = self.state.limit(&limit.asset);
                known.is_some_and(|known| limit.is_within(&known.limit))
            }
            Change::SetAuthority { .. }
            | Change::AddDestination { .. }
            | Change::SetDelay { .. }
            | Change::Unfreeze {}
            | Change::ExportWallet { .. }
            | Change::Resume { .. } => false,
        }
    }

    /// Checks a change against the policy.
    pub(super) fn admits(&self, case: Case<'_>, pending: &Pending) -> Result<(), PolicyFault> {
        let listed =
            |venue, address| self.destinations().iter().any(|known| is_at(known, venue, address));
        let holds =
            |condition: bool| if condition { Ok(()) } else { Err(PolicyFault::NothingToDo) };
        match &pending.change {
            Change::AddDestination { destination } => {
                if listed(destination.venue, destination.address) {
                    return Err(PolicyFault::DestinationExists);
                }
                let is_full = self.destinations().len() >= MAX_DESTINATIONS;
                if is_full { Err(PolicyFault::Full) } else { Ok(()) }
            }
            Change::RemoveDestination { venue, address } => holds(listed(*venue, *address)),
            Change::SetLimit { limit } => {
                let known = self.state.limit(&limit.asset);
                holds(known.is_none_or(|known| known.limit != *limit))?;
                let is_new = known.is_none();
                if is_new && self.state.limits.len() >= MAX_LIMITS {
                    return Err(PolicyFault::Full);
                }
                if case.rules.admits(limit) { Ok(()) } else { Err(PolicyFault::AboveHardCap) }
            }
            Change::RemoveLimit { asset } => holds(self.state.limit(asset).is_some()),
            Change::SetDelay { seconds } if *seconds < case.rules.min_delay_s => {
                Err(PolicyFault::BelowMinimumDelay { seconds: case.rules.min_delay_s })
            }
            Change::Freeze {} => holds(self.can_freeze()),
            Change::Unfreeze {} => holds(self.state.frozen),
            Change::ExportWallet { export } => self.admits_export(case, (pending.seq, export)),
            Change::Cancel { seq } => {
                let target = self.pending(*seq).ok_or(PolicyFault::NotPending { seq: *seq })?;
                if self.removes_signer(target, pending) {
                    return Err(PolicyFault::OwnRemoval);
                }
                Ok(())
            }
            Change::Resume { head_hash } if *head_hash != pending.prev_hash => {
                Err(PolicyFault::WrongHead)
            }
            Change::SetAuthority { authority } if !approval::has_valid_keys(authority) => {
                Err(PolicyFault::Invalid("a public key is not a point of P-256".to_owned()))
            }
            Change::SetAuthority { authority } if case.rules.shares_a_key(authority) => {
                Err(PolicyFault::Invalid("a public key is the root authority's".to_owned()))
            }
            Change::SetAuthority { .. } | Change::SetDelay { .. } | Change::Resume { .. } => Ok(()),
        }
    }

    /// Returns whether a pending change removes every approver that signs its cancellation.
    fn removes_signer(&self, target: &Pending, cancel: &Pending) -> bool {
        let Change::SetAuthority { authority } = &target.change else { return false };
        cancel.quorum == Quorum::Tenant
            && !cancel.approvals.iter().any(|held| authority.has_key(&held.public_key))
    }

    /// Checks the permission of an export. It ends at most 30 days after its delay, and each wallet has
    /// one.
    fn admits_export(
        &self,
        case: Case<'_>,
        (seq, export): (u64, &WalletExport),
    ) -> Result<(), PolicyFault> {
        if export.recipient.parse::<SealingKey>().is_err() {
            let cause = "the recipient's key is not a point of P-256".to_owned();
            return Err(PolicyFault::Invalid(cause));
        }
        let from_s = (case.now_ms / 1_000).saturating_add(self.delay_s(case.rules));
        let last_s = from_s.saturating_add(MAX_NOT_AFTER_S);
        if export.until_s <= from_s || export.until_s > last_s {
            let cause = format!(
                "untilS must be after the change's delay, and at most 30 days after it: between \
                 {from_s} and {last_s}"
            );
            return Err(PolicyFault::Invalid(cause));
        }
        let of_others = |known: &WalletExport| known.wallet_id != export.wallet_id;
        let open = self.state.exports.iter().filter(|it| !it.has_ended(case.now_ms));
        let waiting = self.pending.iter().filter(|it| it.seq != seq);
        let waiting = waiting.filter_map(|it| match &it.change {
            Change::ExportWallet { export } => Some(export),
            _ => None,
        });
        let others = open.map(|it| &it.export).chain(waiting).filter(|it| of_others(it));
        if others.count() >= MAX_EXPORTS { Err(PolicyFault::Full) } else { Ok(()) }
    }
}

/// Returns whether an authority may sign a change. The operator may replace approvers, stop
/// payments and cancel, but not let money out.
pub(super) const fn may_sign(quorum: Quorum, change: &Change) -> bool {
    match quorum {
        Quorum::Tenant => !matches!(change, Change::Resume { .. }),
        Quorum::Root => matches!(
            change,
            Change::SetAuthority { .. }
                | Change::Freeze {}
                | Change::Cancel { .. }
                | Change::Resume { .. }
        ),
    }
}
