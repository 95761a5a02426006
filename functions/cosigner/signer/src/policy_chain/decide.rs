//! The rules of the chain: who may change what, with how many signatures, and from when on.
//!
//! Everything here is a function of the chain, the action, the deployment's rules and the time, so
//! that `audit verify` can repeat each decision.

use domain::ids::Tenant;
use domain::policy::{Approval, Authority, Change, Proposal, Quorum, change_text};
use protocol::PolicyFault;

use super::admits::may_sign;
use super::chain::{Chain, Held, Pending, Place};
use super::{Action, Rules};
use crate::approval::{self, ApprovalFault};

/// Pending changes of each quorum, with all approvals and without them. They are counted separately,
/// so that proposals of some keys keep no approved change out.
const MAX_PENDING: usize = 8;
/// Proposals of one approver that lack approvals, so that one stolen key cannot take all slots.
const MAX_UNAPPROVED: usize = 2;
/// The latest not-after of a proposal, in seconds from now.
pub(super) const MAX_NOT_AFTER_S: u64 = 30 * 24 * 60 * 60;

/// What a decision depends on besides the chain and the action.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) chain_id: &'a str,
    pub(crate) tenant: &'a Tenant,
    /// The table as found now; `resume` accepts it.
    pub(crate) place: &'a Place,
    pub(crate) now_ms: u64,
}

/// An allowed action.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Decided {
    /// The chain after it. The caller sets its number and hash.
    pub(crate) chain: Chain,
    /// The change that it concerns.
    pub(crate) change: Pending,
    /// The approvals that the change needs.
    pub(crate) threshold: u8,
    /// Whether the change is in effect or cancelled, no longer pending.
    pub(crate) is_final: bool,
}

impl Chain {
    /// Decides on an action.
    ///
    /// # Errors
    /// Returns why the action is refused.
    pub(crate) fn decide(&self, case: Case<'_>, action: &Action) -> Result<Decided, PolicyFault> {
        let chain = self.at_place(case.now_ms, case.place);
        match action {
            Action::Propose(proposal) => chain.propose(case, proposal),
            Action::Approve { seq, approval } => chain.approve(case, *seq, approval),
            Action::Cancel { seq } => chain.cancel(*seq),
            Action::Freeze {} => chain.freeze(case.now_ms),
        }
    }

    fn propose(mut self, case: Case<'_>, proposal: &Proposal) -> Result<Decided, PolicyFault> {
        let Proposal { seq, prev_hash, change, not_after_s, quorum, approvals } = proposal;
        if *seq != self.seq + 1 || *prev_hash != self.hash {
            let head_hash = self.hash.clone();
            return Err(PolicyFault::WrongSequence { next_seq: self.seq + 1, head_hash });
        }
        change.check().map_err(|error| PolicyFault::Invalid(error.to_string()))?;
        if !may_sign(*quorum, change) {
            return Err(PolicyFault::WrongQuorum);
        }
        let now_s = case.now_ms / 1_000;
        if *not_after_s < now_s {
            return Err(PolicyFault::Expired);
        }
        if *not_after_s > now_s + MAX_NOT_AFTER_S {
            return Err(PolicyFault::NotAfterTooFar);
        }
        let authority =
            self.authority(*quorum, case.rules).ok_or(PolicyFault::NoAuthority)?.clone();
        let mut pending = Pending {
            seq: *seq,
            prev_hash: prev_hash.clone(),
            change: change.clone(),
            not_after_s: *not_after_s,
            quorum: *quorum,
            approvals: Vec::new(),
            effective_at_ms: None,
        };
        if !approval::are_few(approvals) {
            return Err(PolicyFault::Invalid("a change has one approval of each approver".into()));
        }
        if let Some(repeated) = approval::duplicate(approvals) {
            let approver = approval::stated_id(repeated);
            let text = format!("approver {approver} has more than one approval");
            return Err(PolicyFault::Invalid(text));
        }
        for approval in approvals {
            self.add(&mut pending, case, &authority, approval)?;
        }
        if pending.approvals.is_empty() {
            return Err(PolicyFault::BadApproval { approver: String::new() });
        }
        let needed = if self.tightens(change) { 1 } else { authority.threshold };
        self.admits(case, &pending)?;
        self.count(&pending.approvals, change, case.now_ms)?;
        if pending.approvals.len() >= usize::from(needed) {
            return self.approved(case, pending, needed);
        }
        let by_same = |other: &&Pending| {
            let signed =
                |held: &Held| pending.approvals.iter().any(|it| it.approver == held.approver);
            other.quorum == *quorum
                && other.effective_at_ms.is_none()
                && other.approvals.first().is_some_and(signed)
        };
        if self.pending.iter().filter(by_same).count() >= MAX_UNAPPROVED {
            return Err(PolicyFault::TooManyPending);
        }
        self.put(pending, needed)
    }

    fn approve(
        mut self,
        case: Case<'_>,
        seq: u64,
        approval: &Approval,
    ) -> Result<Decided, PolicyFault> {
        let place =
            self.pending.iter().position(|it| it.seq == seq && it.effective_at_ms.is_none());
        let place = place.ok_or(PolicyFault::NotPending { seq })?;
        let mut pending = self.pending.remove(place);
        let authority =
            self.authority(pending.quorum, case.rules).ok_or(PolicyFault::NoAuthority)?.clone();
        self.add(&mut pending, case, &authority, approval)?;
        self.admits(case, &pending)?;
        // Adding puts the approval last.
        let added = pending.approvals.last().cloned();
        self.count(added.as_slice(), &pending.change, case.now_ms)?;
        if pending.approvals_of(&authority) >= usize::from(authority.threshold) {
            return self.approved(case, pending, authority.threshold);
        }
        self.put(pending, authority.threshold)
    }

    /// Cancels a change for the operator, whose account IAM has identified.
    fn cancel(mut self, seq: u64) -> Result<Decided, PolicyFault> {
        let change = self.take_pending(seq)?;
        Ok(Decided { chain: self, change, threshold: 0, is_final: true })
    }

    /// Freezes payments for the operator. It needs no number, so that no other record can come first.
    fn freeze(mut self, now_ms: u64) -> Result<Decided, PolicyFault> {
        if !self.can_freeze() {
            return Err(PolicyFault::NothingToDo);
        }
        let change = Pending {
            seq: self.seq + 1,
            prev_hash: self.hash.clone(),
            change: Change::Freeze {},
            not_after_s: now_ms / 1_000,
            quorum: Quorum::Root,
            approvals: Vec::new(),
            effective_at_ms: Some(now_ms),
        };
        self.drop_undone(&change.change);
        self.apply(Change::Freeze {}, change.seq, now_ms);
        Ok(Decided { chain: self, change, threshold: 0, is_final: true })
    }

    /// Returns whether a freeze has an effect: it also ends exports, and an unfreeze whose delay is
    /// running.
    pub(super) fn can_freeze(&self) -> bool {
        let ends =
            |it: &Pending| matches!(it.change, Change::Unfreeze {} | Change::ExportWallet { .. });
        let is_open = !self.state.frozen || !self.state.exports.is_empty();
        is_open || self.pending.iter().any(ends)
    }

    /// Drops the pending changes that would undo a change which takes effect at once.
    fn drop_undone(&mut self, done: &Change) {
        self.pending.retain(|it| match (&it.change, done) {
            (
                Change::AddDestination { destination },
                Change::RemoveDestination { venue, address },
            ) => destination.venue != *venue || destination.address != *address,
            (Change::SetLimit { limit }, Change::SetLimit { limit: lower }) => {
                limit.asset != lower.asset || limit.is_within(lower)
            }
            (Change::SetLimit { limit }, Change::RemoveLimit { asset }) => limit.asset != *asset,
            (Change::Unfreeze {} | Change::ExportWallet { .. }, Change::Freeze {}) => false,
            _ => true,
        });
    }

    /// Puts an approved change into effect, or starts its delay.
    fn approved(
        mut self,
        case: Case<'_>,
        mut pending: Pending,
        threshold: u8,
    ) -> Result<Decided, PolicyFault> {
        let now_ms = case.now_ms;
        if !self.tightens(&pending.change) && !matches!(pending.change, Change::Resume { .. }) {
            let replaces = matches!(pending.change, Change::SetAuthority { .. })
                && self.state.authority.is_some();
            let mut delay_s = self.delay_s(case.rules);
            if pending.quorum == Quorum::Root && replaces {
                delay_s = delay_s.max(case.rules.root_delay_s);
            }
            pending.effective_at_ms = Some(now_ms.saturating_add(delay_s.saturating_mul(1_000)));
            return self.put(pending, threshold);
        }
        pending.effective_at_ms = Some(now_ms);
        match &pending.change {
            Change::Cancel { seq } => {
                self.take_pending(*seq)?;
            }
            Change::Resume { .. } => {
                self.place = case.place.clone();
                // They may have been cancelled or used after the restored moment.
                self.pending.clear();
                self.state.exports.clear();
                // The payments that were counted after the restored moment no longer count.
                self.state.frozen |= self.state.authority.is_some();
            }
            change => self.drop_undone(change),
        }
        self.apply(pending.change.clone(), pending.seq, now_ms);
        Ok(Decided { chain: self, change: pending, threshold, is_final: true })
    }

    fn put(mut self, pending: Pending, threshold: u8) -> Result<Decided, PolicyFault> {
        let is_like = |other: &&Pending| {
            let waits = |it: &Pending| it.effective_at_ms.is_some();
            other.quorum == pending.quorum && waits(other) == waits(&pending)
        };
        if self.pending.iter().filter(is_like).count() >= MAX_PENDING {
            return Err(PolicyFault::TooManyPending);
        }
        self.pending.push(pending.clone());
        Ok(Decided { chain: self, change: pending, threshold, is_final: false })
    }

    fn take_pending(&mut self, seq: u64) -> Result<Pending, PolicyFault> {
        let place = self.pending.iter().position(|pending| pending.seq == seq);
        Ok(self.pending.remove(place.ok_or(PolicyFault::NotPending { seq })?))
    }

    /// Verifies an approval and adds it. A key of both authorities signs for neither: the text does
    /// not name the authority.
    fn add(
        &self,
        pending: &mut Pending,
        case: Case<'_>,
        authority: &Authority,
        approval: &Approval,
    ) -> Result<(), PolicyFault> {
        let other = match pending.quorum {
            Quorum::Tenant => Quorum::Root,
            Quorum::Root => Quorum::Tenant,
        };
        let own = authority.approver(&approval.approver);
        let other = self.authority(other, case.rules);
        if own.is_some_and(|own| other.is_some_and(|other| other.has_key(&own.public_key))) {
            let approver = &approval.approver;
            let text = format!("the key of approver {approver} belongs to both authorities");
            return Err(PolicyFault::Invalid(text));
        }
        pending.add(case, authority, approval)
    }
}

impl Pending {
    /// Verifies an approval and adds it last. The same approver counts once.
    fn add(
        &mut self,
        case: Case<'_>,
        authority: &Authority,
        approval: &Approval,
    ) -> Result<(), PolicyFault> {
        if case.now_ms / 1_000 > self.not_after_s {
            return Err(PolicyFault::Expired);
        }
        let text = change_text(
            case.chain_id,
            case.tenant,
            self.seq,
            &self.prev_hash,
            &self.change,
            self.not_after_s,
        );
        let approver = || approval::stated_id(approval);
        approval::check(authority, &text, approval).map_err(|fault| match fault {
            ApprovalFault::Unknown => PolicyFault::UnknownApprover { approver: approver() },
            ApprovalFault::Invalid => PolicyFault::BadApproval { approver: approver() },
        })?;
        let public_key = authority.approver(&approval.approver).map(|it| it.public_key.clone());
        self.approvals.retain(|held| held.approver != approval.approver);
        self.approvals.push(Held {
            approver: approval.approver.clone(),
            public_key: public_key.unwrap_or_default(),
            at_ms: case.now_ms,
        });
        Ok(())
    }
}
