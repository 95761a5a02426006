//! Registration: make an agent key, store it sealed and pending, have the wallet approve it, tell
//! the exchange, store it active.
//!
//! The record is written before anyone outside hears of the agent, so a crash or a lost answer at
//! any point leaves a record from which the next call finishes, with the same agent key and a
//! fresh nonce, after asking the exchange whether it knows the agent already. A definite no
//! deletes the record, an unknown outcome keeps it. Each write names the revision it replaces: a
//! call that lost its lease changes nothing.

use super::held::{Held, agent_name};
use super::{RegisterError, Registered, Registrar};
use crate::api::ids::{Tenant, WalletRef};
use crate::api::shell::note_wallet;
use crate::eth::AgentKey;
use crate::exchanges::{Approval, Outcome, Refusal, Unclear};
use crate::store::{
    CredentialRecord, CredentialState, Expect, SCHEMA, StoreError, WalletRecord, WalletView,
};

/// How long one call may work on a pending credential before another takes over. Longer than API
/// Gateway lets a call live.
const LEASE_MS: u64 = 30_000;

/// Taken off an agent's validity, so that a clock that runs ahead does not ask for too much.
const EXPIRY_MARGIN_MS: u64 = 60_000;

/// An approval that has been pending for longer asks for a new expiry.
const STALE_MS: u64 = 24 * 60 * 60 * 1_000;

impl Registrar {
    /// Registers a tenant's wallet.
    ///
    /// # Errors
    /// When it has a credential, the exchange refuses, or something fails on the way.
    pub async fn register(
        &self,
        tenant: &Tenant,
        name: &WalletRef,
    ) -> Result<Registered, RegisterError> {
        let received_ms = self.custody.clock.now_ms();
        let view = self.find(tenant, name).await?;
        note_wallet(&view.wallet);
        tracing::Span::current().record("exchange", self.client.exchange().as_str());
        let known = view.credential(self.client.exchange());
        let held = match known {
            Some(known) if is_resumable(known, received_ms) => {
                if received_ms < known.lease_until_ms {
                    return Err(in_progress(known, received_ms));
                }
                self.resume(&view, known.clone(), received_ms).await
            }
            Some(known) if known.is_live(received_ms) => return Err(RegisterError::Exists),
            Some(expired) => {
                self.begin(&view, Expect::Revision(expired.revision), received_ms).await
            }
            None => self.begin(&view, Expect::Absent, received_ms).await,
        };
        match held {
            Ok(held) => self.finish(&view.wallet, held).await,
            Err(RegisterError::Store(StoreError::Conflict)) => {
                Err(self.lost_race(tenant, name).await)
            }
            Err(error) => Err(error),
        }
    }

    async fn find(&self, tenant: &Tenant, name: &WalletRef) -> Result<WalletView, RegisterError> {
        self.custody.store.find(tenant, name).await?.ok_or(RegisterError::NotFound)
    }

    /// What the winner of a race has come to.
    async fn lost_race(&self, tenant: &Tenant, name: &WalletRef) -> RegisterError {
        let now_ms = self.custody.clock.now_ms();
        match self.find(tenant, name).await {
            Ok(view) => match view.credential(self.client.exchange()) {
                Some(known) if known.is_live(now_ms) => RegisterError::Exists,
                Some(known) => in_progress(known, now_ms),
                None => RegisterError::InProgress { retry_after_s: 1 },
            },
            Err(error) => error,
        }
    }

    /// Makes an agent key and stores it, sealed and pending.
    async fn begin(
        &self,
        view: &WalletView,
        expect: Expect,
        received_ms: u64,
    ) -> Result<Held, RegisterError> {
        let custody = &self.custody;
        let exchange = self.client.exchange();
        let agent = AgentKey::generate(&custody.random)?;
        let context = CredentialRecord::context(&view.wallet, exchange, agent.address());
        let (data_key, share) =
            tokio::join!(custody.envelope.data_key(context), custody.share(&view.wallet));
        let (data_key, share) = (data_key?, share?);
        let record = CredentialRecord {
            schema: SCHEMA,
            exchange,
            state: CredentialState::Pending,
            revision: custody.random.uuid()?,
            lease_until_ms: received_ms + LEASE_MS,
            agent: agent.address(),
            agent_name: agent_name(received_ms, &custody.random)?,
            expires_at_ms: self.expiry(received_ms),
            requested_at_ms: received_ms,
            created_at_ms: None,
            sealed: data_key.seal(agent.expose())?,
        };
        let nonce = self.client.next_nonce(&custody.clock, view.nonces.last(exchange));
        custody.store.put_with_nonce(&view.wallet, &record, expect, nonce).await?;
        Ok(Held { record, agent, share, nonce, resumed: false })
    }

    /// Takes over a pending credential that nobody works on.
    async fn resume(
        &self,
        view: &WalletView,
        mut record: CredentialRecord,
        received_ms: u64,
    ) -> Result<Held, RegisterError> {
        let custody = &self.custody;
        let exchange = self.client.exchange();
        let context = CredentialRecord::context(&view.wallet, exchange, record.agent);
        let (key, share) = tokio::join!(
            custody.envelope.open(&context, &record.sealed),
            custody.share(&view.wallet)
        );
        let share = share?;
        let agent = AgentKey::from_bytes(&key?).map_err(|_| RegisterError::DamagedKey)?;
        if agent.address() != record.agent {
            return Err(RegisterError::DamagedKey);
        }
        let known = record.revision;
        record.revision = custody.random.uuid()?;
        record.lease_until_ms = received_ms + LEASE_MS;
        let nonce = self.client.next_nonce(&custody.clock, view.nonces.last(exchange));
        custody.store.put_with_nonce(&view.wallet, &record, Expect::Revision(known), nonce).await?;
        Ok(Held { record, agent, share, nonce, resumed: true })
    }

    fn expiry(&self, received_ms: u64) -> u64 {
        (received_ms + self.client.validity_ms()).saturating_sub(EXPIRY_MARGIN_MS)
    }

    /// From pending to active, or to whatever the exchange makes of it.
    async fn finish(
        &self,
        wallet: &WalletRecord,
        mut held: Held,
    ) -> Result<Registered, RegisterError> {
        if held.resumed {
            match self.knows(wallet, &held).await {
                Ok(true) => return self.activate(wallet, held).await,
                Ok(false) => self.refresh_if_stale(wallet, &mut held).await?,
                Err(error) => {
                    self.release(wallet, held.record).await;
                    return Err(error);
                }
            }
        }
        let approval = Approval {
            wallet: wallet.address,
            agent: held.record.agent,
            agent_name: held.record.agent_name.clone(),
            expires_at_ms: held.record.expires_at_ms,
            nonce: held.nonce,
        };
        let intent = self.client.intent(&approval);
        // The signature that comes back is known to recover to the wallet's address.
        let signature = match self.custody.sign(wallet, &held.share, &intent).await {
            Ok(signature) => signature,
            Err(error) => {
                self.give_up(wallet, held).await;
                return Err(error.into());
            }
        };
        match self.client.submit(&approval, &signature).await {
            Outcome::Approved => self.activate(wallet, held).await,
            Outcome::NotSent(cause) => {
                self.give_up(wallet, held).await;
                Err(RegisterError::BadAnswer(cause))
            }
            Outcome::Refused(refusal) => self.refused(wallet, held, refusal).await,
            Outcome::Unknown(unclear) => match self.knows(wallet, &held).await {
                Ok(true) => self.activate(wallet, held).await,
                Ok(false) | Err(_) => {
                    self.release(wallet, held.record).await;
                    Err(match unclear {
                        Unclear::NoAnswer(cause) => RegisterError::NoAnswer(cause),
                        Unclear::BadAnswer(cause) => RegisterError::BadAnswer(cause),
                    })
                }
            },
        }
    }

    /// A no is final, unless an earlier send may have been applied.
    async fn refused(
        &self,
        wallet: &WalletRecord,
        held: Held,
        refusal: Refusal,
    ) -> Result<Registered, RegisterError> {
        if held.resumed || refusal.kind.may_be_applied() {
            match self.knows(wallet, &held).await {
                Ok(true) => return self.activate(wallet, held).await,
                Ok(false) => {}
                Err(error) => {
                    self.release(wallet, held.record).await;
                    return Err(error);
                }
            }
        }
        self.remove(wallet, &held.record).await;
        Err(RegisterError::Refused(refusal))
    }

    async fn knows(&self, wallet: &WalletRecord, held: &Held) -> Result<bool, RegisterError> {
        self.client
            .knows_agent(wallet.address, &held.agent, &self.custody.clock)
            .await
            .map_err(|error| RegisterError::BadAnswer(error.to_string()))
    }

    /// An approval that nobody made for a day asks for the full time again. The exchange does not
    /// know the agent, so its name is free still.
    async fn refresh_if_stale(
        &self,
        wallet: &WalletRecord,
        held: &mut Held,
    ) -> Result<(), RegisterError> {
        let now_ms = self.custody.clock.now_ms();
        if now_ms < held.record.requested_at_ms + STALE_MS {
            return Ok(());
        }
        held.record.requested_at_ms = now_ms;
        held.record.expires_at_ms = self.expiry(now_ms);
        self.write(wallet, &mut held.record).await
    }
}

/// A pending credential whose agent could still be approved as it was asked for.
fn is_resumable(known: &CredentialRecord, now_ms: u64) -> bool {
    known.state == CredentialState::Pending && now_ms < known.expires_at_ms
}

fn in_progress(known: &CredentialRecord, now_ms: u64) -> RegisterError {
    let wait_ms = known.lease_until_ms.saturating_sub(now_ms);
    RegisterError::InProgress { retry_after_s: wait_ms.div_ceil(1_000).max(1) }
}
