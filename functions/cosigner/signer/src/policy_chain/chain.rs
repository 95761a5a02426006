//! The state of a policy chain.

use domain::eth::Address;
use domain::policy::{
    Approved, AssetId, AssetLimit, Authority, Change, ChangeRecord, ChangeState, GENESIS,
    ListedDestination, PermittedExport, Quorum, Venue,
};
use serde::{Deserialize, Serialize};

use super::Rules;
use super::recent::Recent;

/// The end of a tenant's chain, and the state that follows from all of its records.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Chain {
    /// The number of the last record; 0 before the first.
    pub(crate) seq: u64,
    /// The hash of the last record, in hex.
    pub(crate) hash: String,
    /// The policy that was in effect at the last record.
    pub(crate) state: State,
    /// The changes that were not in effect then.
    pub(crate) pending: Vec<Pending>,
    /// The table that payments are allowed in.
    pub(crate) place: Place,
    /// The records of each key in the hour of the last record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) recent: Vec<Recent>,
}

/// A policy in effect.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    pub(crate) authority: Option<Authority>,
    /// The tenant's own delay, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delay_s: Option<u64>,
    pub(crate) limits: Vec<ActiveLimit>,
    pub(crate) destinations: Vec<ListedDestination>,
    pub(crate) frozen: bool,
    /// The exports that may be made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) exports: Vec<PermittedExport>,
}

/// A limit in effect.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActiveLimit {
    pub(crate) limit: AssetLimit,
    /// The number of the change that set it.
    pub(crate) change: u64,
}

/// A change that is not in effect yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pending {
    pub(crate) seq: u64,
    pub(crate) prev_hash: String,
    pub(crate) change: Change,
    /// Unix seconds.
    pub(crate) not_after_s: u64,
    pub(crate) quorum: Quorum,
    pub(crate) approvals: Vec<Held>,
    /// Unix milliseconds; set by the last approval that it needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) effective_at_ms: Option<u64>,
}

/// A verified approval. It counts while the authority still has its key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Held {
    pub(crate) approver: String,
    pub(crate) public_key: String,
    /// Unix milliseconds.
    pub(crate) at_ms: u64,
}

/// Identifies a table and the newest seal, to detect a restored table.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Place {
    /// The table's id, which DynamoDB assigns.
    pub(crate) table_id: String,
    /// The newest seal that the root authority accepted although the table lacks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accepted_seal: Option<String>,
}

impl Place {
    /// Returns whether the table that was found is this one, with every seal that it must have.
    pub(crate) fn is(&self, found: &Self) -> bool {
        let seal_is_known =
            found.accepted_seal.is_none() || found.accepted_seal == self.accepted_seal;
        self.table_id == found.table_id && seal_is_known
    }
}

impl Chain {
    /// Returns the chain before its first record.
    pub(crate) fn begin(authority: Option<Authority>, place: Place) -> Self {
        Self {
            seq: 0,
            hash: GENESIS.to_owned(),
            state: State { authority, ..State::default() },
            pending: Vec::new(),
            place,
            recent: Vec::new(),
        }
    }

    /// Returns the chain at this time: changes that are due are in effect, and proposals that were
    /// not approved in time are gone.
    pub(crate) fn at(&self, now_ms: u64) -> Self {
        let mut next = self.clone();
        loop {
            let due = next.pending.iter().enumerate();
            let due = due.filter_map(|(place, it)| Some((it.effective_at_ms?, it.seq, place)));
            let Some((at_ms, seq, place)) = due.min().filter(|(at_ms, ..)| *at_ms <= now_ms) else {
                break;
            };
            let Pending { change, .. } = next.pending.remove(place);
            next.apply(change, seq, at_ms);
        }
        next.drop_late(now_ms);
        next
    }

    /// Returns the chain at this time in the table that was found. In another one, which may be older,
    /// no change takes effect: it may have been cancelled after the moment that was restored.
    pub(crate) fn at_place(&self, now_ms: u64, found: &Place) -> Self {
        if self.place.is(found) {
            return self.at(now_ms);
        }
        let mut next = self.clone();
        next.drop_late(now_ms);
        next
    }

    /// Drops proposals that were not approved in time.
    fn drop_late(&mut self, now_ms: u64) {
        self.pending.retain(|it| it.effective_at_ms.is_some() || it.not_after_s >= now_ms / 1_000);
    }

    /// Puts a change into effect. A new authority ends the changes that it has not enough approvals
    /// for: the keys of the authority before it may be stolen.
    pub(crate) fn apply(&mut self, change: Change, seq: u64, at_ms: u64) {
        self.state.apply(change, seq, at_ms);
        if let Some(authority) = &self.state.authority {
            let needed = usize::from(authority.threshold);
            let holds = |it: &Pending| {
                it.quorum == Quorum::Root
                    || it.effective_at_ms.is_none()
                    || it.approvals_of(authority) >= needed
            };
            self.pending.retain(holds);
        }
    }

    /// Returns the authority that signs for a quorum.
    pub(crate) fn authority<'a>(
        &'a self,
        quorum: Quorum,
        rules: &'a Rules,
    ) -> Option<&'a Authority> {
        match quorum {
            Quorum::Tenant => self.state.authority.as_ref(),
            Quorum::Root => rules.root.as_ref(),
        }
    }

    /// Returns the delay of the tenant's loosening changes, seconds.
    pub(crate) fn delay_s(&self, rules: &Rules) -> u64 {
        self.state.delay_s.unwrap_or(rules.delay_s).max(rules.min_delay_s)
    }

    /// Returns the destinations: those in effect, and those whose delay is running.
    pub(crate) fn destinations(&self) -> Vec<ListedDestination> {
        let waiting = self.pending.iter().filter_map(|pending| {
            let Change::AddDestination { destination } = &pending.change else { return None };
            Some(ListedDestination {
                destination: destination.clone(),
                active_from_ms: pending.effective_at_ms?,
                change: pending.seq,
            })
        });
        self.state.destinations.iter().cloned().chain(waiting).collect()
    }

    /// Returns the pending change with this number.
    pub(crate) fn pending(&self, seq: u64) -> Option<&Pending> {
        self.pending.iter().find(|pending| pending.seq == seq)
    }
}

impl State {
    fn apply(&mut self, change: Change, seq: u64, at_ms: u64) {
        match change {
            Change::SetAuthority { authority } => {
                self.authority = Some(authority);
                // The keys that allowed them may be stolen.
                self.exports.clear();
            }
            Change::AddDestination { destination } => {
                self.remove(destination.venue, destination.address);
                let listed = ListedDestination { destination, active_from_ms: at_ms, change: seq };
                self.destinations.push(listed);
            }
            Change::RemoveDestination { venue, address } => self.remove(venue, address),
            Change::SetLimit { limit } => {
                self.limits.retain(|known| known.limit.asset != limit.asset);
                self.limits.push(ActiveLimit { limit, change: seq });
            }
            Change::RemoveLimit { asset } => {
                self.limits.retain(|known| known.limit.asset != asset);
            }
            Change::SetDelay { seconds } => self.delay_s = Some(seconds),
            Change::Freeze {} => {
                self.frozen = true;
                self.exports.clear();
            }
            Change::Unfreeze {} => self.frozen = false,
            Change::ExportWallet { export } => {
                // One permission for each wallet; those that have ended make room.
                self.exports.retain(|known| {
                    known.export.wallet_id != export.wallet_id && !known.has_ended(at_ms)
                });
                self.exports.push(PermittedExport { export, change: seq });
            }
            // Their effect is on the chain, not on the policy.
            Change::Cancel { .. } | Change::Resume { .. } => {}
        }
    }

    fn remove(&mut self, venue: Venue, address: Address) {
        self.destinations.retain(|known| !is_at(known, venue, address));
    }

    /// Returns the limit of an asset.
    pub(crate) fn limit(&self, asset: &AssetId) -> Option<&ActiveLimit> {
        self.limits.iter().find(|known| known.limit.asset == *asset)
    }
}

/// Returns whether a destination has this venue and address.
pub(crate) fn is_at(listed: &ListedDestination, venue: Venue, address: Address) -> bool {
    listed.destination.venue == venue && listed.destination.address == address
}

impl Pending {
    /// Returns how many of its approvals an authority accepts.
    pub(crate) fn approvals_of(&self, authority: &Authority) -> usize {
        let counts = |held: &&Held| {
            authority.approver(&held.approver).is_some_and(|it| it.public_key == held.public_key)
        };
        self.approvals.iter().filter(counts).count()
    }

    /// Returns the change as reported.
    pub(crate) fn record(&self, threshold: u8) -> ChangeRecord {
        let approvals = self.approvals.iter();
        ChangeRecord {
            seq: self.seq,
            prev_hash: self.prev_hash.clone(),
            change: self.change.clone(),
            not_after_s: self.not_after_s,
            quorum: self.quorum,
            approvals: approvals
                .map(|held| Approved { approver: held.approver.clone(), at_ms: held.at_ms })
                .collect(),
            threshold,
            state: match self.effective_at_ms {
                None => ChangeState::Approving,
                Some(_) => ChangeState::Waiting,
            },
            effective_at_ms: self.effective_at_ms,
        }
    }
}
