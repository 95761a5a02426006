//! Registration: makes an agent key, stores it sealed and pending, has the wallet approve it,
//! sends the approval to the exchange, and stores the credential as active.
//!
//! The record is written before the exchange learns of the agent. After a crash or a lost response
//! at any point, the next call therefore finishes from the record. It asks the exchange whether it
//! already knows the agent, and otherwise approves the same agent key with a fresh nonce. A
//! refusal that settles the outcome deletes the record; an unknown outcome keeps it.

use domain::eth::AgentKey;
use domain::ids::{Tenant, WalletRef};
use futures_util::future::BoxFuture;
use platform::items::{SCHEMA, StoreError};

use super::advice::{advice, rotate_path};
use super::agent_keys::{self, NewAgent};
use super::agents::AgentRole;
use super::aster_v1::register_v1;
use super::builder;
use super::lease::{Charge, Lease, ensure_free, in_progress};
use super::operation::{Initiator, Operation};
use super::replay::replay;
use super::rotate::{Previous, rotate_known};
use super::send::{self, Approved};
use super::{CredentialError, Life, Registered, Registrar};
use crate::caller::Caller;
use crate::exchanges::RefusalKind;
use crate::store::{CredentialRecord, CredentialState, Outcome};

/// An approval that has been pending for longer requests a new expiry.
const STALE_MS: u64 = 24 * 60 * 60 * 1_000;

impl Registrar {
    /// Registers a caller's wallet. `auto_renew` sets whether the credential is renewed before it
    /// expires.
    ///
    /// # Errors
    /// Fails when the wallet has a credential, the exchange refuses, or a dependency fails.
    pub fn register<'a>(
        &'a self,
        caller: &'a Caller,
        name: &'a WalletRef,
        auto_renew: bool,
    ) -> BoxFuture<'a, Result<Registered, CredentialError>> {
        Box::pin(async move {
            let received_ms = self.custody.clock.now_ms();
            let view = self.find(&caller.tenant, name).await?;
            if let Some(outcome) = caller.outcome() {
                return replay(self, &view, outcome).await;
            }
            let initiator = Initiator::Caller(caller);
            let operation = Operation { registrar: self, initiator, view: &view, received_ms };
            match register_found(operation, auto_renew).await {
                Err(CredentialError::Store(StoreError::Conflict)) => {
                    Err(lost_race(self, &caller.tenant, name).await)
                }
                other => other.map_err(|error| self.explain(error)),
            }
        })
    }
}

async fn register_found(
    operation: Operation<'_>,
    auto_renew: bool,
) -> Result<Registered, CredentialError> {
    let Operation { registrar, view, received_ms, .. } = operation;
    let client = &registrar.client;
    let Some(known) = view.credential(client.exchange()) else {
        if let Some(v1) = client.v1() {
            return register_v1(operation, v1, None).await;
        }
        return Registration::begin(operation, auto_renew).await?.finish().await;
    };
    match Life::of(known, received_ms) {
        Life::Active => Err(exists(known, received_ms)),
        Life::Rotating if received_ms < known.expires_at_ms => Err(exists(known, received_ms)),
        Life::Revoking => {
            ensure_free(known, received_ms)?;
            Err(CredentialError::Revoking)
        }
        // Aster cannot be asked whether it made a key, so another one is made.
        Life::Pending if known.is_v1() => {
            ensure_free(known, received_ms)?;
            let v1 = client.v1().ok_or(CredentialError::NotOffered)?;
            register_v1(operation, v1, Some(known)).await
        }
        Life::Pending => {
            ensure_free(known, received_ms)?;
            Registration::resume(operation, known).await?.finish().await
        }
        // A new agent replaces the expired one.
        Life::Expired | Life::Rotating => {
            let mut known = known.clone();
            known.auto_renew = auto_renew;
            let rotated = rotate_known(operation, &known, Previous::Remove).await?;
            Ok(rotated.registered)
        }
    }
}

/// Returns the error for an existing credential, with advice on how to get a usable key.
fn exists(known: &CredentialRecord, now_ms: u64) -> CredentialError {
    let usual = || {
        let rotate = rotate_path(known.exchange);
        format!("If you cannot use the existing key, rotate it: {rotate}.")
    };
    CredentialError::Exists { advice: advice(known, now_ms).unwrap_or_else(usual) }
}

/// Returns the error of a call that lost a race, according to the winner's progress.
async fn lost_race(registrar: &Registrar, tenant: &Tenant, name: &WalletRef) -> CredentialError {
    let now_ms = registrar.custody.clock.now_ms();
    match registrar.find(tenant, name).await {
        Ok(view) => match view.credential(registrar.client.exchange()) {
            Some(known) if Life::of(known, now_ms) == Life::Active => exists(known, now_ms),
            Some(known) => in_progress(known, now_ms),
            None => CredentialError::InProgress { retry_after_s: 1 },
        },
        Err(error) => error,
    }
}

/// A registration under its lease.
struct Registration<'a> {
    lease: Lease<'a>,
    key: AgentKey,
}

impl<'a> Registration<'a> {
    /// Makes an agent key and stores it, sealed and pending.
    async fn begin(operation: Operation<'a>, auto_renew: bool) -> Result<Self, CredentialError> {
        let Operation { registrar, view, received_ms, .. } = operation;
        let charge = Charge::approval(0);
        charge.check(operation)?;
        let NewAgent { key, agent, share } =
            NewAgent::make(registrar, &view.wallet, received_ms).await?;
        let record = CredentialRecord {
            schema: SCHEMA,
            exchange: registrar.client.exchange(),
            state: CredentialState::Pending,
            revision: registrar.custody.random.uuid()?,
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
            // An unfinished registration is reported.
            check_at_ms: Some(received_ms + STALE_MS),
            request: None,
            drift: None,
            expiring: None,
            builder: None,
        };
        let lease = Lease::take(operation, record, None, share, false, charge).await?;
        Ok(Self { lease, key })
    }

    /// Takes over a pending credential that no other call holds.
    async fn resume(
        operation: Operation<'a>,
        known: &CredentialRecord,
    ) -> Result<Self, CredentialError> {
        let Operation { registrar, view, .. } = operation;
        let charge = Charge::approval(0);
        charge.check(operation)?;
        let (key, share) = tokio::join!(
            agent_keys::open(registrar, &view.wallet, known.agent, &known.sealed),
            registrar.custody.share(&view.wallet)
        );
        let (key, share) = (key?, share?);
        let lease = Lease::take(operation, known.clone(), Some(known), share, true, charge).await?;
        Ok(Self { lease, key })
    }

    /// Sends the approval, and updates the pending credential with the exchange's decision.
    async fn finish(mut self) -> Result<Registered, CredentialError> {
        if self.lease.resumed {
            let client = &self.lease.registrar.client;
            match client.knows_agent(self.lease.wallet.address, &self.key, self.lease.claim()).await
            {
                Ok(true) => return self.activate().await,
                Ok(false) => self.refresh_if_stale().await?,
                Err(error) => {
                    self.lease.release().await;
                    return Err(error.into());
                }
            }
        }
        let mut approved = self.approve().await;
        if let Ok(Approved::Refused(refusal)) = &approved
            && refusal.kind == RefusalKind::NoAgentSlot
            && self.take_leftover_name().await.unwrap_or(false)
        {
            approved = self.approve().await;
        }
        match approved {
            Ok(Approved::Live) => self.activate().await,
            Ok(Approved::Refused(refusal)) => {
                self.lease.discard().await;
                Err(CredentialError::Refused(refusal))
            }
            Ok(Approved::NotSent(cause)) => {
                self.give_up().await;
                Err(CredentialError::not_sent(cause))
            }
            Ok(Approved::Unknown(error)) => {
                self.lease.release().await;
                Err(error)
            }
            Err(error) => {
                self.give_up().await;
                Err(error)
            }
        }
    }

    async fn approve(&mut self) -> Result<Approved, CredentialError> {
        let agent = self.lease.record.current();
        send::approve(&mut self.lease, &agent, &self.key).await
    }

    /// Requests the full validity again when an approval has been pending for a day. The exchange
    /// does not know the agent, so its name is still free.
    async fn refresh_if_stale(&mut self) -> Result<(), CredentialError> {
        let registrar = self.lease.registrar;
        let now_ms = registrar.custody.clock.now_ms();
        if now_ms < self.lease.record.requested_at_ms + STALE_MS {
            return Ok(());
        }
        self.lease.record.requested_at_ms = now_ms;
        self.lease.record.expires_at_ms = agent_keys::expiry(registrar, now_ms);
        self.lease.write().await
    }

    /// Gives a registration without a free slot the name of a leftover, which its agent then
    /// replaces. Returns whether there is a leftover.
    async fn take_leftover_name(&mut self) -> Result<bool, CredentialError> {
        let Registrar { custody, client } = self.lease.registrar;
        let wallet = &self.lease.wallet;
        if !client.replaces_by_name() {
            return Ok(false);
        }
        let listed = client.agents(wallet.address, None, self.lease.claim()).await?;
        let listed = listed.unwrap_or_default();
        let now_ms = custody.clock.now_ms();
        let record = &self.lease.record;
        let leftovers = listed
            .into_iter()
            .filter(|agent| AgentRole::of(agent, Some(record), now_ms) == AgentRole::Leftover);
        let Some(oldest) = leftovers.min_by_key(|agent| agent.expires_at_ms) else {
            return Ok(false);
        };
        tracing::warn!(
            agent = %oldest.address, name = oldest.name, walletId = %wallet.wallet_id,
            "no free agent slot: replacing a leftover"
        );
        self.lease.record.agent_name = oldest.name;
        self.lease.write().await?;
        Ok(true)
    }

    async fn activate(self) -> Result<Registered, CredentialError> {
        let Self { mut lease, key } = self;
        builder::approve(&mut lease, &key).await;
        let created_at_ms = lease.note_live();
        lease.record.delivered = lease.delivers_key();
        let outcome = Outcome::of(&lease.record);
        lease.settle_with(&outcome).await?;
        Ok(Registered {
            wallet: lease.wallet.address,
            agent: Some(key),
            created_at_ms,
            expires_at_ms: lease.record.expires_at_ms,
        })
    }

    /// Ends a call that has sent nothing. Deletes its own record, or keeps a resumed one for a
    /// retry.
    async fn give_up(self) {
        if self.lease.resumed { self.lease.release().await } else { self.lease.discard().await }
    }
}
