//! A credential that one call holds: a lease keeps others out, and every write names the revision
//! that it replaces, so a call that lost its lease changes nothing.

use std::collections::VecDeque;

use domain::clock::wait_for_lease_s;
use domain::eth::{Address, AgentKey};
use domain::random::{Random, RandomError};
use platform::items::StoreError;
use protocol::KeyShare;

use super::{CredentialError, Registered, Registrar};
use crate::caller::Caller;
use crate::store::{
    AgentRecord, CredentialChange, CredentialRecord, CredentialState, Expect, NewNonces, Outcome,
    RequestMark, WalletRecord, WalletView, is_hidden,
};

/// How long one call may work on a credential before another takes over. Longer than API Gateway
/// lets a call live.
pub const LEASE_MS: u64 = 30_000;

/// Taken off an agent's validity, so that a clock that runs ahead does not ask for too much.
const EXPIRY_MARGIN_MS: u64 = 60_000;

/// When a new agent is first compared with what the exchange lists.
const FIRST_CHECK_MS: u64 = 24 * 60 * 60 * 1_000;

/// For whom an operation runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum By<'a> {
    /// A caller, who is told what it comes to.
    Caller(&'a Caller),
    /// A scheduled job: what it finishes, it finishes for whoever has begun it.
    Job,
}

impl By<'_> {
    pub(super) fn note(self, record: &mut CredentialRecord) {
        if let Self::Caller(caller) = self {
            record.request = caller.request.as_ref().map(|once| once.mark.clone());
        }
    }
}

/// A credential under this call's lease, and what is needed to work on it.
pub(super) struct Held {
    pub(super) wallet: WalletRecord,
    pub(super) record: CredentialRecord,
    pub(super) share: KeyShare,
    /// Nonces that are this call's own.
    pub(super) nonces: VecDeque<u64>,
    /// Another call was at it before: the exchange may have heard of what is asked for now.
    pub(super) resumed: bool,
    /// What becomes of the agent before, when it is rotated.
    pub(super) previous: Previous,
    /// A caller waits for it, and is shown a new key; a job shows it to nobody.
    pub(super) for_caller: bool,
}

/// What becomes of the agent before, when a new one is live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Previous {
    /// It is removed from the exchange.
    Remove,
    /// Somebody has its key, and has not asked for another: it may be used until it expires.
    Keep,
}

/// So long before an agent's expiry it is replaced, kept or not.
pub(super) const LAST_MOMENT_MS: u64 = 24 * 60 * 60 * 1_000;

/// Whether another call holds a credential.
pub(super) fn check_lease(known: &CredentialRecord, now_ms: u64) -> Result<(), CredentialError> {
    if now_ms < known.lease_until_ms { Err(in_progress(known, now_ms)) } else { Ok(()) }
}

pub(super) fn in_progress(known: &CredentialRecord, now_ms: u64) -> CredentialError {
    CredentialError::InProgress {
        retry_after_s: wait_for_lease_s(known.lease_until_ms, LEASE_MS, now_ms),
    }
}

impl Registrar {
    /// Takes a credential, as it is to be from now on, together with nonces for what is to be
    /// sent. It goes over into this call's hands when the table says so.
    pub(super) async fn take(
        &self,
        view: &WalletView,
        mut record: CredentialRecord,
        expect: Expect,
        share: KeyShare,
        received_ms: u64,
        resumed: bool,
    ) -> Result<Held, CredentialError> {
        record.revision = self.custody.random.uuid()?;
        record.lease_until_ms = received_ms + LEASE_MS;
        // A rotation approves one agent and removes another.
        let count = if record.state == CredentialState::Pending { 1 } else { 2 };
        let last = view.nonces.last(self.client.exchange());
        let (now, latest) = (self.client.nonce_now(), self.client.latest_nonce());
        let first = if last > latest { now } else { now.max(last.saturating_add(1)) };
        let nonces: VecDeque<u64> = (first..first + count).collect();
        let taken = NewNonces { first, last: first + count - 1, latest };
        self.custody.store.put_with_nonce(&view.wallet, &record, expect, taken).await?;
        let (wallet, previous) = (view.wallet.clone(), Previous::Remove);
        Ok(Held { wallet, record, share, nonces, resumed, previous, for_caller: true })
    }

    /// A nonce that nobody has used for this wallet.
    pub(super) async fn nonce(&self, held: &mut Held) -> Result<u64, CredentialError> {
        let now = self.client.nonce_now();
        while let Some(nonce) = held.nonces.pop_front() {
            if now.saturating_sub(nonce) <= self.client.nonce_fresh_for() {
                return Ok(nonce);
            }
        }
        self.fresh_nonce(&held.wallet, 0).await
    }

    /// A nonce for a wallet, without a credential. `last`: the last one that is known.
    pub(super) async fn fresh_nonce(
        &self,
        wallet: &WalletRecord,
        last: u64,
    ) -> Result<u64, CredentialError> {
        let (now, latest) = (self.client.nonce_now(), self.client.latest_nonce());
        let proposed = if last > latest { now } else { now.max(last.saturating_add(1)) };
        let exchange = self.client.exchange();
        Ok(self.custody.store.take_nonce(wallet, exchange, proposed, latest).await?)
    }

    /// Whether what takes so long still ends within the lease, a call of the exchange after it.
    pub(super) fn has_time(&self, held: &Held, ms: u64) -> bool {
        self.has_time_until(held.record.lease_until_ms, ms)
    }

    /// The same for a call that must end at a time in Unix milliseconds.
    pub(super) fn has_time_until(&self, until_ms: u64, ms: u64) -> bool {
        self.custody.clock.now_ms() + ms + self.client.call_timeout_ms() <= until_ms
    }

    /// Writes a record that this call holds, under a new revision.
    pub(super) async fn write(&self, held: &mut Held) -> Result<(), CredentialError> {
        let known = held.record.revision;
        held.record.revision = self.custody.random.uuid()?;
        match self.custody.store.replace(&held.wallet, &held.record, known).await {
            // Another call has taken over and finishes.
            Err(StoreError::Conflict) => Err(CredentialError::InProgress { retry_after_s: 1 }),
            result => Ok(result?),
        }
    }

    /// Makes a record that rests: active, and nobody's.
    pub(super) async fn settle(&self, held: &mut Held) -> Result<(), CredentialError> {
        self.settle_for(held, None).await
    }

    /// The same, and notes for the request that it was done for what it has come to.
    pub(super) async fn settle_noted(
        &self,
        held: &mut Held,
        outcome: &Outcome,
    ) -> Result<(), CredentialError> {
        let request = held.record.request.clone();
        // A job shows it to nobody.
        let shown_from_ms = held.for_caller.then(|| self.custody.clock.now_ms());
        let outcome = Outcome { shown_from_ms, ..outcome.clone() };
        self.settle_for(held, request.as_ref().map(|mark| (mark, &outcome))).await
    }

    async fn settle_for(
        &self,
        held: &mut Held,
        noted: Option<(&RequestMark, &Outcome)>,
    ) -> Result<(), CredentialError> {
        let before = held.record.clone();
        held.record.request = None;
        held.record.state = CredentialState::Active;
        held.record.next = None;
        held.record.lease_until_ms = 0;
        held.record.revision = self.custody.random.uuid()?;
        let (store, now_ms) = (&self.custody.store, self.custody.clock.now_ms());
        let change = CredentialChange::Replace(&held.record);
        match store.end(&held.wallet, change, before.revision, noted, now_ms).await {
            // Another call has taken over and finishes.
            Err(StoreError::Conflict) => Err(CredentialError::InProgress { retry_after_s: 1 }),
            Err(error) => {
                // The next call does not have to wait for the end of the lease.
                self.unlock(&held.wallet, &before).await;
                Err(error.into())
            }
            Ok(()) => Ok(()),
        }
    }

    /// What an earlier attempt at this very request has registered.
    ///
    /// # Errors
    /// [`CredentialError::SecretHidden`] when its private key is no longer shown.
    pub(super) async fn again(
        &self,
        view: &WalletView,
        outcome: &Outcome,
    ) -> Result<Registered, CredentialError> {
        let wallet = &view.wallet;
        let now_ms = self.custody.clock.now_ms();
        let is_old = outcome.shown_from_ms.is_some_and(|shown_ms| is_hidden(shown_ms, now_ms));
        if is_old && outcome.sealed.is_some() && self.client.hands_out_keys() {
            return Err(CredentialError::SecretHidden);
        }
        let agent = match &outcome.sealed {
            Some(sealed) => Some(self.open(wallet, outcome.agent, sealed).await?),
            None => None,
        };
        if agent.is_some() {
            self.note_delivered(view, outcome.agent).await;
        }
        Ok(Registered {
            wallet: wallet.address,
            agent,
            created_at_ms: outcome.created_at_ms,
            expires_at_ms: outcome.expires_at_ms,
        })
    }

    /// Notes that a response shows the key of an agent whose operation a job has ended. If this
    /// fails, the record says that the key was not delivered, and advises a rotation.
    async fn note_delivered(&self, view: &WalletView, agent: Address) {
        let Some(known) = view.credential(self.client.exchange()) else { return };
        let is_news = known.agent == agent && known.delivered == Some(false);
        if !is_news || self.custody.clock.now_ms() < known.lease_until_ms {
            return;
        }
        let written = async {
            let mut record = known.clone();
            record.delivered = Some(true);
            record.revision = self.custody.random.uuid()?;
            Ok(self.custody.store.replace(&view.wallet, &record, known.revision).await?)
        };
        let written: Result<(), CredentialError> = written.await;
        if let Err(error) = written {
            tracing::warn!(%error, %agent, "the delivery of a key was not noted");
        }
    }

    /// Whether the key of a new agent is delivered with the response that is about to be sent.
    pub(super) fn delivers(&self, held: &Held) -> Option<bool> {
        self.client.hands_out_keys().then_some(held.for_caller)
    }

    /// Notes that the current agent is live from now on.
    pub(super) fn note_live(&self, record: &mut CredentialRecord) -> u64 {
        let now_ms = self.custody.clock.now_ms();
        record.created_at_ms = Some(now_ms);
        record.check_at_ms = Some(now_ms + FIRST_CHECK_MS);
        record.job_failures = 0;
        record.job_after_ms = 0;
        // They were about the agent before, unless that one stays.
        record.drift = None;
        record.expiring = None;
        now_ms
    }

    /// Lets the next call resume at once. If this fails, the lease runs out by itself.
    pub(super) async fn release(&self, held: Held) {
        self.unlock(&held.wallet, &held.record).await;
    }

    /// Ends the lease of a record that is stored as it is here, if it is.
    pub(super) async fn unlock(&self, wallet: &WalletRecord, record: &CredentialRecord) {
        let unlocked = async {
            let mut free = record.clone();
            free.lease_until_ms = 0;
            free.revision = self.custody.random.uuid()?;
            Ok::<(), CredentialError>(
                self.custody.store.replace(wallet, &free, record.revision).await?,
            )
        };
        if let Err(error) = unlocked.await {
            tracing::warn!(%error, "the lease was not released");
        }
    }

    /// A new agent's key, and the agent as it is stored: its key sealed under a data key of its
    /// own. The share is fetched meanwhile, and the budget asked for what is going to be sent.
    pub(super) async fn new_agent(
        &self,
        wallet: &WalletRecord,
        received_ms: u64,
        removals: u64,
    ) -> Result<(AgentKey, AgentRecord, KeyShare), CredentialError> {
        let custody = &self.custody;
        let key = AgentKey::generate(&custody.random)?;
        let context = CredentialRecord::context(wallet, self.client.exchange(), key.address());
        let (admitted, data_key, share) = tokio::join!(
            self.client.admit(1, removals),
            custody.envelope.data_key(context),
            custody.share(wallet)
        );
        admitted?;
        let agent = AgentRecord {
            agent: key.address(),
            agent_name: agent_name(received_ms, &custody.random)?,
            expires_at_ms: self.expiry(received_ms),
            requested_at_ms: received_ms,
            sealed: data_key?.seal(key.expose())?,
            delivered: None,
        };
        Ok((key, agent, share?))
    }

    /// Opens an agent's key.
    pub(super) async fn open(
        &self,
        wallet: &WalletRecord,
        agent: Address,
        sealed: &platform::envelope::Sealed,
    ) -> Result<AgentKey, CredentialError> {
        let context = CredentialRecord::context(wallet, self.client.exchange(), agent);
        let bytes = self.custody.envelope.open(&context, sealed).await?;
        let key = AgentKey::from_bytes(&bytes).map_err(|_| CredentialError::DamagedKey)?;
        if key.address() == agent { Ok(key) } else { Err(CredentialError::DamagedKey) }
    }

    pub(super) fn expiry(&self, received_ms: u64) -> u64 {
        (received_ms + self.client.validity_ms()).saturating_sub(EXPIRY_MARGIN_MS)
    }
}

/// A name that no agent of this wallet has had: a fixed prefix, the time, two random letters. At
/// most 16 characters until the year 5188, and none that needs encoding.
pub(super) fn agent_name(now_ms: u64, random: &Random) -> Result<String, RandomError> {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::new();
    let mut rest = now_ms;
    while rest > 0 {
        digits.push(DIGITS[usize::try_from(rest % 36).unwrap_or_default()]);
        rest /= 36;
    }
    let mut name = domain::intent::AGENT_NAME_PREFIX.to_owned();
    name.extend(digits.iter().rev().map(|digit| char::from(*digit)));
    name.extend(random.bytes::<2>()?.iter().map(|byte| char::from(DIGITS[usize::from(byte % 36)])));
    Ok(name)
}
