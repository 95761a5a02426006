//! The lease on a credential. It excludes other calls. Every write names the revision that it
//! replaces, so a call that has lost its lease changes nothing.

use domain::clock::wait_for_lease_s;
use platform::items::StoreError;
use protocol::KeyShare;

use super::nonces::Nonces;
use super::operation::Operation;
use super::send::Sender;
use super::{CredentialError, Registrar};
use crate::exchanges::Sends;
use crate::exchanges::budget::Claim;
use crate::store::{
    CredentialChange, CredentialRecord, CredentialState, Expect, Outcome, RequestMark, WalletRecord,
};

/// Duration of a lease. It exceeds API Gateway's timeout, after which another call may take over.
pub const LEASE_MS: u64 = 30_000;

/// Delay before a new agent is first compared with the exchange's list.
const FIRST_CHECK_MS: u64 = 24 * 60 * 60 * 1_000;

/// A credential leased by this call, and the data to work on it.
pub(super) struct Lease<'a> {
    pub(super) registrar: &'a Registrar,
    pub(super) wallet: WalletRecord,
    /// The credential as stored, or as the next write will store it.
    pub(super) record: CredentialRecord,
    pub(super) share: KeyShare,
    nonces: Nonces,
    /// This call resumed an earlier attempt, which the exchange may already have processed.
    pub(super) resumed: bool,
    /// Whether a caller receives the new key; `false` for a job, which shows it to nobody.
    for_caller: bool,
    /// The operation removes a credential, and may use the reserve for removals.
    is_removal: bool,
}

/// The weight that an operation takes from the exchange's budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Charge {
    pub(super) sends: Sends,
    /// The operation only removes agents, so it may use the reserve.
    pub(super) is_removal: bool,
}

impl Charge {
    /// Returns the charge of one approval, and of so many removals after it.
    pub(super) const fn approval(removals: u64) -> Self {
        Self { sends: Sends { approvals: 1, removals }, is_removal: false }
    }

    /// Returns the charge of so many requests of which none is an approval.
    pub(super) const fn light(requests: u64) -> Self {
        Self { sends: Sends { approvals: 0, removals: requests }, is_removal: false }
    }

    /// Returns the charge of a removal of so many agents.
    pub(super) const fn removal(removals: u64) -> Self {
        Self { sends: Sends { approvals: 0, removals }, is_removal: true }
    }

    const fn claim(self, wallet: &WalletRecord) -> Claim<'_> {
        Claim { tenant: &wallet.tenant, is_removal: self.is_removal }
    }

    /// Fails when it is already known that the budget has no room, before an operation costs
    /// anything.
    pub(super) fn check(self, operation: Operation<'_>) -> Result<(), CredentialError> {
        let Operation { registrar, view, .. } = operation;
        Ok(registrar.client.check(self.claim(&view.wallet), self.sends)?)
    }
}

/// Fails while another call holds the lease on a credential.
pub(super) fn ensure_free(known: &CredentialRecord, now_ms: u64) -> Result<(), CredentialError> {
    if now_ms < known.lease_until_ms { Err(in_progress(known, now_ms)) } else { Ok(()) }
}

/// Returns the error for a call that meets another call's lease.
pub(super) fn in_progress(known: &CredentialRecord, now_ms: u64) -> CredentialError {
    CredentialError::InProgress {
        retry_after_s: wait_for_lease_s(known.lease_until_ms, LEASE_MS, now_ms),
    }
}

/// Returns the error for a call whose lease another call has taken over and will finish.
pub(super) const fn taken_over() -> CredentialError {
    CredentialError::InProgress { retry_after_s: 1 }
}

impl<'a> Lease<'a> {
    /// Stores a credential in its new state under a new lease, and takes nonces for the requests
    /// to send, in one transaction. Then charges the exchange's budget, so that a call that loses
    /// the race for the lease costs the tenant nothing. `known`: the replaced credential; `None` for
    /// a new one. If the budget has no room, restores it.
    pub(super) async fn take(
        operation: Operation<'a>,
        mut record: CredentialRecord,
        known: Option<&CredentialRecord>,
        share: KeyShare,
        resumed: bool,
        charge: Charge,
    ) -> Result<Self, CredentialError> {
        let Operation { registrar, initiator, view, received_ms } = operation;
        let Registrar { custody, client } = registrar;
        initiator.mark(&mut record);
        record.revision = custody.random.uuid()?;
        record.lease_until_ms = received_ms + LEASE_MS;
        // A rotation approves one agent and removes another.
        let count = if record.state == CredentialState::Pending { 1 } else { 2 };
        let last = view.nonces.last(client.exchange());
        let (nonces, taken) = Nonces::reserve(client, last, count);
        let expect = known.map_or(Expect::Absent, |known| Expect::Revision(known.revision));
        custody.store.put_with_nonce(&view.wallet, &record, expect, taken).await?;
        let (wallet, for_caller) = (view.wallet.clone(), initiator.is_caller());
        let is_removal = charge.is_removal;
        let lease =
            Self { registrar, wallet, record, share, nonces, resumed, for_caller, is_removal };
        if let Err(busy) = client.admit(charge.claim(&view.wallet), charge.sends).await {
            lease.undo(known).await;
            return Err(busy.into());
        }
        Ok(lease)
    }

    /// Makes the credential what it was before this call took the lease. If this fails, the lease
    /// runs out by itself, and the next call resumes.
    async fn undo(self, known: Option<&CredentialRecord>) {
        match known {
            None => self.discard().await,
            Some(known) => {
                let mut before = known.clone();
                before.revision = self.record.revision;
                unlock(self.registrar, &self.wallet, &before).await;
            }
        }
    }

    /// Returns the claim of this lease's operation on the exchange's budget.
    pub(super) const fn claim(&self) -> Claim<'_> {
        Claim { tenant: &self.wallet.tenant, is_removal: self.is_removal }
    }

    /// Returns a sender that signs and sends until this lease ends.
    pub(super) fn sender(&mut self) -> Sender<'_> {
        self.sender_until(self.record.lease_until_ms)
    }

    /// Returns a sender that signs and sends until a time, Unix milliseconds.
    pub(super) fn sender_until(&mut self, until_ms: u64) -> Sender<'_> {
        Sender::new(self.registrar, &self.wallet, &self.share, &mut self.nonces, until_ms)
    }

    /// Writes the record under a new revision.
    pub(super) async fn write(&mut self) -> Result<(), CredentialError> {
        let custody = &self.registrar.custody;
        let known = self.record.revision;
        self.record.revision = custody.random.uuid()?;
        match custody.store.replace(&self.wallet, &self.record, known).await {
            Err(StoreError::Conflict) => Err(taken_over()),
            result => Ok(result?),
        }
    }

    /// Ends the lease and makes the credential active.
    pub(super) async fn settle(&mut self) -> Result<(), CredentialError> {
        self.settle_noted(None).await
    }

    /// Ends the lease and makes the credential active. Records the outcome for the request that
    /// the operation served.
    pub(super) async fn settle_with(&mut self, outcome: &Outcome) -> Result<(), CredentialError> {
        let request = self.record.request.clone();
        let shown_from_ms = self.for_caller.then(|| self.registrar.custody.clock.now_ms());
        let outcome = Outcome { shown_from_ms, ..outcome.clone() };
        self.settle_noted(request.as_ref().map(|mark| (mark, &outcome))).await
    }

    async fn settle_noted(
        &mut self,
        noted: Option<(&RequestMark, &Outcome)>,
    ) -> Result<(), CredentialError> {
        let custody = &self.registrar.custody;
        let before = self.record.clone();
        self.record.request = None;
        self.record.state = CredentialState::Active;
        self.record.next = None;
        self.record.lease_until_ms = 0;
        self.record.revision = custody.random.uuid()?;
        let end = CredentialChange::Replace(&self.record);
        let now_ms = custody.clock.now_ms();
        match custody.store.end(&self.wallet, end, before.revision, noted, now_ms).await {
            Err(StoreError::Conflict) => Err(taken_over()),
            Err(error) => {
                // The next call need not wait for the lease to end.
                unlock(self.registrar, &self.wallet, &before).await;
                Err(error.into())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Ends the lease, so that the next call can resume at once. If this fails, the lease expires
    /// by itself.
    pub(super) async fn release(self) {
        unlock(self.registrar, &self.wallet, &self.record).await;
    }

    /// Deletes the record of a registration. If this fails, the next call finds the record and
    /// asks the exchange.
    pub(super) async fn discard(self) {
        let store = &self.registrar.custody.store;
        let (exchange, revision) = (self.record.exchange, self.record.revision);
        if let Err(error) = store.delete(&self.wallet, exchange, revision).await {
            tracing::warn!(%error, "pending credential not deleted");
        }
    }

    /// Returns whether a call to the exchange that starts now ends within the lease.
    pub(super) fn has_time(&self) -> bool {
        has_time(self.registrar, self.record.lease_until_ms, 0)
    }

    /// Returns whether the response will show the key of a new agent. `None` when this exchange's
    /// keys are never shown.
    pub(super) fn delivers_key(&self) -> Option<bool> {
        self.registrar.client.hands_out_keys().then_some(self.for_caller)
    }

    /// Records that the current agent is live from now on. Returns the time.
    pub(super) fn note_live(&mut self) -> u64 {
        let now_ms = self.registrar.custody.clock.now_ms();
        self.record.created_at_ms = Some(now_ms);
        self.record.check_at_ms = Some(now_ms + FIRST_CHECK_MS);
        self.record.job_failures = 0;
        self.record.job_after_ms = 0;
        // Both notes concern the previous agent.
        self.record.drift = None;
        self.record.expiring = None;
        now_ms
    }
}

/// Ends the lease of a record, if the stored record is unchanged.
pub(super) async fn unlock(
    registrar: &Registrar,
    wallet: &WalletRecord,
    record: &CredentialRecord,
) {
    let custody = &registrar.custody;
    let unlocked = async {
        let mut free = record.clone();
        free.lease_until_ms = 0;
        free.revision = custody.random.uuid()?;
        Ok::<(), CredentialError>(custody.store.replace(wallet, &free, record.revision).await?)
    };
    if let Err(error) = unlocked.await {
        tracing::warn!(%error, "lease not released");
    }
}

/// Returns whether a wait and a following call to the exchange end before a time. All values are
/// in milliseconds.
pub(super) fn has_time(registrar: &Registrar, until_ms: u64, wait_ms: u64) -> bool {
    let Registrar { custody, client } = registrar;
    custody.clock.now_ms() + wait_ms + client.call_timeout_ms() <= until_ms
}
