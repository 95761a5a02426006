//! Registration: make an agent key, store it sealed and pending, have the wallet approve it, tell
//! the exchange, store it active.
//!
//! The record is written before anyone outside hears of the agent, so a crash or a lost answer at
//! any point leaves a record from which the next call finishes, with the same agent key and a
//! fresh nonce, after asking the exchange whether it knows the agent already. A definite no
//! deletes the record, an unknown outcome keeps it.

use domain::eth::AgentKey;
use domain::ids::{Tenant, WalletRef};
use platform::items::{SCHEMA, StoreError};

use super::advice::{advice, rotate_path};
use super::held::{By, Held, Previous, check_lease, in_progress};
use super::send::Sent;
use super::{CredentialError, Life, Registered, Registrar};
use crate::caller::Caller;
use crate::exchanges::RefusalKind;
use crate::store::{CredentialRecord, CredentialState, Expect, Outcome, WalletView};

/// An approval that has been pending for longer asks for a new expiry.
const STALE_MS: u64 = 24 * 60 * 60 * 1_000;

impl Registrar {
    /// Registers a caller's wallet. `auto_renew`: whether the credential is renewed before it
    /// expires.
    ///
    /// # Errors
    /// When it has a credential, the exchange refuses, or something fails on the way.
    pub async fn register(
        &self,
        caller: &Caller,
        name: &WalletRef,
        auto_renew: bool,
    ) -> Result<Registered, CredentialError> {
        let received_ms = self.custody.clock.now_ms();
        let view = self.find(&caller.tenant, name).await?;
        if let Some(outcome) = caller.outcome() {
            return self.again(&view, outcome).await;
        }
        let registered = self.register_found(caller, &view, auto_renew, received_ms).await;
        match registered {
            Err(CredentialError::Store(StoreError::Conflict)) => {
                Err(self.lost_race(&caller.tenant, name).await)
            }
            other => other.map_err(|error| self.explain(error)),
        }
    }

    async fn register_found(
        &self,
        caller: &Caller,
        view: &WalletView,
        auto_renew: bool,
        received_ms: u64,
    ) -> Result<Registered, CredentialError> {
        let Some(known) = view.credential(self.client.exchange()) else {
            if let Some(v1) = self.client.v1() {
                return self.register_v1(caller, v1, view, Expect::Absent, received_ms).await;
            }
            let (held, key) = self.begin(caller, view, auto_renew, received_ms).await?;
            return self.finish(held, key).await;
        };
        match Life::of(known, received_ms) {
            Life::Active => Err(self.exists(known, received_ms)),
            Life::Rotating if received_ms < known.expires_at_ms => {
                Err(self.exists(known, received_ms))
            }
            Life::Revoking => {
                check_lease(known, received_ms)?;
                Err(CredentialError::Revoking)
            }
            // Whether the exchange made a key cannot be asked: another is made.
            Life::Pending if known.is_v1() => {
                check_lease(known, received_ms)?;
                let v1 = self.client.v1().ok_or(CredentialError::NotOffered)?;
                let expect = Expect::Revision(known.revision);
                self.register_v1(caller, v1, view, expect, received_ms).await
            }
            Life::Pending => {
                check_lease(known, received_ms)?;
                let (held, key) = self.resume(caller, view, known, received_ms).await?;
                self.finish(held, key).await
            }
            // What is expired is in nobody's way: another agent takes its place.
            Life::Expired | Life::Rotating => {
                let mut known = known.clone();
                known.auto_renew = auto_renew;
                let rotated = self
                    .turn(By::Caller(caller), view, &known, Previous::Remove, received_ms)
                    .await?;
                Ok(rotated.registered)
            }
        }
    }

    /// There is a credential; says how to get a usable key.
    fn exists(&self, known: &CredentialRecord, now_ms: u64) -> CredentialError {
        let usual = || {
            let rotate = rotate_path(known.exchange);
            format!("If you cannot use the existing key, rotate it: {rotate}.")
        };
        CredentialError::Exists { advice: advice(known, now_ms).unwrap_or_else(usual) }
    }

    /// What the winner of a race has come to.
    async fn lost_race(&self, tenant: &Tenant, name: &WalletRef) -> CredentialError {
        let now_ms = self.custody.clock.now_ms();
        match self.find(tenant, name).await {
            Ok(view) => match view.credential(self.client.exchange()) {
                Some(known) if Life::of(known, now_ms) == Life::Active => {
                    self.exists(known, now_ms)
                }
                Some(known) => in_progress(known, now_ms),
                None => CredentialError::InProgress { retry_after_s: 1 },
            },
            Err(error) => error,
        }
    }

    /// Makes an agent key and stores it, sealed and pending.
    async fn begin(
        &self,
        caller: &Caller,
        view: &WalletView,
        auto_renew: bool,
        received_ms: u64,
    ) -> Result<(Held, AgentKey), CredentialError> {
        let (key, agent, share) = self.new_agent(&view.wallet, received_ms, 0).await?;
        let mut record = CredentialRecord {
            schema: SCHEMA,
            exchange: self.client.exchange(),
            state: CredentialState::Pending,
            revision: self.custody.random.uuid()?,
            lease_until_ms: 0,
            agent: agent.agent,
            agent_name: agent.agent_name,
            expires_at_ms: agent.expires_at_ms,
            requested_at_ms: agent.requested_at_ms,
            created_at_ms: None,
            sealed: agent.sealed,
            delivered: None,
            next: None,
            keep_previous: false,
            retiring: Vec::new(),
            api_key: None,
            auto_renew,
            job_failures: 0,
            job_after_ms: 0,
            // A registration that nobody finishes is reported.
            check_at_ms: Some(received_ms + STALE_MS),
            request: None,
            drift: None,
            expiring: None,
        };
        By::Caller(caller).note(&mut record);
        let held = self.take(view, record, Expect::Absent, share, received_ms, false).await?;
        Ok((held, key))
    }

    /// Takes over a pending credential that nobody works on.
    async fn resume(
        &self,
        caller: &Caller,
        view: &WalletView,
        known: &CredentialRecord,
        received_ms: u64,
    ) -> Result<(Held, AgentKey), CredentialError> {
        let (admitted, key, share) = tokio::join!(
            self.client.admit(1, 0),
            self.open(&view.wallet, known.agent, &known.sealed),
            self.custody.share(&view.wallet)
        );
        admitted?;
        let (key, share) = (key?, share?);
        let expect = Expect::Revision(known.revision);
        let mut record = known.clone();
        By::Caller(caller).note(&mut record);
        let held = self.take(view, record, expect, share, received_ms, true).await?;
        Ok((held, key))
    }

    /// From pending to active, or to whatever the exchange makes of it.
    async fn finish(&self, mut held: Held, key: AgentKey) -> Result<Registered, CredentialError> {
        if held.resumed {
            match self.client.knows_agent(held.wallet.address, &key).await {
                Ok(true) => return self.activate(held, key).await,
                Ok(false) => self.refresh_if_stale(&mut held).await?,
                Err(error) => {
                    self.release(held).await;
                    return Err(error.into());
                }
            }
        }
        let agent = held.record.current();
        let mut sent = self.approve(&mut held, &agent, &key).await;
        if let Ok(Sent::No(refusal)) = &sent
            && refusal.kind == RefusalKind::NoAgentSlot
            && self.take_leftovers_name(&mut held).await.unwrap_or(false)
        {
            let agent = held.record.current();
            sent = self.approve(&mut held, &agent, &key).await;
        }
        match sent {
            Ok(Sent::Live) => self.activate(held, key).await,
            Ok(Sent::No(refusal)) => {
                self.forget(&held).await;
                Err(CredentialError::Refused(refusal))
            }
            Ok(Sent::Unsent(cause)) => {
                self.give_up(held).await;
                Err(CredentialError::BadAnswer(cause))
            }
            Ok(Sent::Unknown(error)) => {
                self.release(held).await;
                Err(error)
            }
            Err(error) => {
                self.give_up(held).await;
                Err(error)
            }
        }
    }

    async fn activate(&self, mut held: Held, key: AgentKey) -> Result<Registered, CredentialError> {
        let created_at_ms = self.note_live(&mut held.record);
        held.record.delivered = self.delivers(&held);
        let outcome = Outcome::of(&held.record);
        self.settle_noted(&mut held, &outcome).await?;
        Ok(Registered {
            wallet: held.wallet.address,
            agent: Some(key),
            created_at_ms,
            expires_at_ms: held.record.expires_at_ms,
        })
    }

    /// Nothing was sent by this call: a record that is its own goes, another stays for a repeat.
    async fn give_up(&self, held: Held) {
        if held.resumed { self.release(held).await } else { self.forget(&held).await }
    }

    /// Leaves nothing behind. If this fails, the next call finds the record and asks the exchange.
    pub(super) async fn forget(&self, held: &Held) {
        let store = &self.custody.store;
        let (exchange, revision) = (held.record.exchange, held.record.revision);
        if let Err(error) = store.delete(&held.wallet, exchange, revision).await {
            tracing::warn!(%error, "the pending credential was not deleted");
        }
    }

    /// An approval that nobody made for a day asks for the full time again. The exchange does not
    /// know the agent, so its name is free still.
    async fn refresh_if_stale(&self, held: &mut Held) -> Result<(), CredentialError> {
        let now_ms = self.custody.clock.now_ms();
        if now_ms < held.record.requested_at_ms + STALE_MS {
            return Ok(());
        }
        held.record.requested_at_ms = now_ms;
        held.record.expires_at_ms = self.expiry(now_ms);
        self.write(held).await
    }
}
