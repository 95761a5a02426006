//! API keys of Aster's V1. The exchange makes the secret and gives it once, so everything that can
//! be done before is done before: the record that keeps others out, the data key that seals. What
//! comes back is sealed and written at once, again and again if need be; a secret that could not
//! be stored is an alarm, because nobody can ask for it again.

use domain::ids::Exchange;
use domain::intent::Intent;
use platform::envelope::DataKey;
use platform::items::{SCHEMA, StoreError};
use platform::metrics::{self, About, Metric};

use super::held::{By, Held, LEASE_MS, agent_name};
use super::{CredentialError, Registered, Registrar};
use crate::caller::Caller;
use crate::exchanges::aster::v1::{NonceError, V1ApiKey, V1Client, V1Outcome};
use crate::exchanges::{self, Unclear};
use crate::store::{
    CredentialChange, CredentialRecord, CredentialState, Expect, Outcome, WalletView,
};

/// A key of V1 does not expire: the last second of the year 9999, Unix milliseconds.
const NEVER_MS: u64 = 253_402_300_799_000;

/// How often a secret is written before it is given up.
const WRITES: u32 = 6;

impl Registrar {
    /// Has Aster make an API key, and keeps it.
    pub(super) async fn register_v1(
        &self,
        caller: &Caller,
        v1: &V1Client,
        view: &WalletView,
        expect: Expect,
        received_ms: u64,
    ) -> Result<Registered, CredentialError> {
        let (mut held, data_key) = self.begin_v1(caller, view, expect, received_ms).await?;
        let login = match v1.login_nonce(held.wallet.address).await {
            Ok(login) => login,
            Err(error) => {
                self.forget(&held).await;
                let error = CredentialError::from(error);
                self.note_v1(&error).await;
                return Err(error);
            }
        };
        let intent = Intent::AsterLogin(login);
        let signature = match self.custody.sign(&held.wallet, &held.share, &intent).await {
            Ok(signature) if self.has_time(&held, 0) => signature,
            stopped => {
                self.forget(&held).await;
                return Err(stopped.map_or_else(Into::into, |_| CredentialError::OutOfTime));
            }
        };
        let (wallet, name) = (held.wallet.address, held.record.agent_name.clone());
        let ip = self.client.ip_whitelist();
        match v1.create_api_key(wallet, &name, ip, &signature).await {
            V1Outcome::Created(key) => self.keep_v1(&mut held, &data_key, key).await,
            V1Outcome::Refused(refusal) => {
                self.forget(&held).await;
                let error = CredentialError::Refused(refusal);
                self.note_v1(&error).await;
                Err(error)
            }
            V1Outcome::NotSent(cause) => {
                self.forget(&held).await;
                Err(CredentialError::BadAnswer(cause))
            }
            // There may be a key that nobody knows. The next call asks for another.
            V1Outcome::Unknown(unclear) => {
                self.release(held).await;
                let error = CredentialError::from(unclear);
                self.note_v1(&error).await;
                Err(error)
            }
        }
    }

    /// A ban and a block stop the other calls to this exchange, too.
    async fn note_v1(&self, error: &CredentialError) {
        match error {
            CredentialError::Refused(refusal) => {
                self.client.note(&exchanges::Outcome::Refused(refusal.clone())).await;
            }
            CredentialError::Blocked(words) => {
                let blocked = Unclear::Blocked(words.clone());
                self.client.note(&exchanges::Outcome::Unknown(blocked)).await;
            }
            _ => {}
        }
    }

    async fn begin_v1(
        &self,
        caller: &Caller,
        view: &WalletView,
        expect: Expect,
        received_ms: u64,
    ) -> Result<(Held, DataKey), CredentialError> {
        let custody = &self.custody;
        let wallet = &view.wallet;
        let context = CredentialRecord::context(wallet, Exchange::Aster, wallet.address);
        let (admitted, data_key, share) = tokio::join!(
            self.client.admit(0, 2),
            custody.envelope.data_key(context),
            custody.share(wallet)
        );
        admitted?;
        let (data_key, share) = (data_key?, share?);
        let mut record = CredentialRecord {
            schema: SCHEMA,
            exchange: Exchange::Aster,
            state: CredentialState::Pending,
            revision: custody.random.uuid()?,
            lease_until_ms: received_ms + LEASE_MS,
            agent: wallet.address,
            agent_name: agent_name(received_ms, &custody.random)?,
            expires_at_ms: NEVER_MS,
            requested_at_ms: received_ms,
            created_at_ms: None,
            sealed: data_key.seal(&[])?,
            delivered: None,
            next: None,
            keep_previous: false,
            retiring: Vec::new(),
            api_key: Some(String::new()),
            auto_renew: false,
            job_failures: 0,
            job_after_ms: 0,
            check_at_ms: None,
            request: None,
            drift: None,
            expiring: None,
        };
        By::Caller(caller).note(&mut record);
        let held = self.take(view, record, expect, share, received_ms, false).await?;
        Ok((held, data_key))
    }

    async fn keep_v1(
        &self,
        held: &mut Held,
        data_key: &DataKey,
        key: V1ApiKey,
    ) -> Result<Registered, CredentialError> {
        let known = held.record.revision;
        held.record.revision = self.custody.random.uuid()?;
        held.record.sealed = data_key.seal(key.api_secret.as_bytes())?;
        held.record.api_key = Some(key.api_key);
        let created_at_ms = self.note_live(&mut held.record);
        held.record.check_at_ms = None;
        held.record.state = CredentialState::Active;
        held.record.lease_until_ms = 0;
        let request = held.record.request.take();
        let outcome = Outcome { sealed: None, ..Outcome::of(&held.record) };
        let noted = request.as_ref().map(|mark| (mark, &outcome));
        let mut wait_ms = 100;
        for left in (0..WRITES).rev() {
            let (store, now_ms) = (&self.custody.store, self.custody.clock.now_ms());
            let change = CredentialChange::Replace(&held.record);
            match store.end(&held.wallet, change, known, noted, now_ms).await {
                Ok(()) => break,
                // Whoever took over does not have this secret.
                Err(error) if left == 0 || matches!(error, StoreError::Conflict) => {
                    let clock = &self.custody.clock;
                    let about = About::exchange(Exchange::Aster);
                    metrics::emit(clock, about, &[(Metric::SecretsLost, 1)]);
                    return Err(CredentialError::SecretLost(error));
                }
                Err(error) => {
                    tracing::warn!(%error, left, "a secret is not stored yet");
                    self.custody.clock.sleep_ms(wait_ms).await;
                    wait_ms *= 2;
                }
            }
        }
        Ok(Registered {
            wallet: held.wallet.address,
            agent: None,
            created_at_ms,
            expires_at_ms: NEVER_MS,
        })
    }
}

impl From<NonceError> for CredentialError {
    fn from(error: NonceError) -> Self {
        match error {
            NonceError::Refused(refusal) => Self::Refused(refusal),
            NonceError::NotSent(cause) => Self::BadAnswer(cause),
            NonceError::Unclear(unclear) => unclear.into(),
        }
    }
}
