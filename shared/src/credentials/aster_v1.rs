//! API keys of Aster's V1. The exchange makes the secret and returns it once. The record that
//! excludes other calls and the sealing data key are therefore prepared first. The secret is
//! sealed and written at once, in up to six attempts. An unstored secret raises an alarm, because
//! Aster never shows it again.

use domain::ids::Exchange;
use domain::intent::Intent;
use platform::envelope::DataKey;
use platform::items::{SCHEMA, StoreError};
use platform::metrics::{self, About, Metric};

use super::agent_keys::agent_name;
use super::lease::{Charge, LEASE_MS, Lease};
use super::operation::Operation;
use super::{CredentialError, Registered};
use crate::exchanges::aster::v1::{V1ApiKey, V1Client, V1Outcome};
use crate::exchanges::{self, ExchangeClient, Unclear};
use crate::store::{CredentialChange, CredentialRecord, CredentialState, Outcome};

/// A key of V1 does not expire: the last second of the year 9999, Unix milliseconds.
const NEVER_MS: u64 = 253_402_300_799_000;

/// Number of attempts to write a secret.
const WRITES: u32 = 6;

/// Has Aster make an API key, and stores it.
pub(super) async fn register_v1(
    operation: Operation<'_>,
    v1: &V1Client,
    known: Option<&CredentialRecord>,
) -> Result<Registered, CredentialError> {
    let (lease, data_key) = begin(operation, known).await?;
    let (custody, client) = (&operation.registrar.custody, &operation.registrar.client);
    let login = match v1.login_nonce(lease.wallet.address).await {
        Ok(login) => login,
        Err(error) => {
            lease.discard().await;
            let error = CredentialError::from(error);
            note(client, &error).await;
            return Err(error);
        }
    };
    let intent = Intent::AsterLogin(login);
    let signature = match custody.sign(&lease.wallet, &lease.share, &intent).await {
        Ok(signature) if lease.has_time() => signature,
        stopped => {
            lease.discard().await;
            return Err(stopped.map_or_else(Into::into, |_| CredentialError::OutOfTime));
        }
    };
    let (wallet, name) = (lease.wallet.address, lease.record.agent_name.clone());
    match v1.create_api_key(wallet, &name, client.ip_whitelist(), &signature).await {
        V1Outcome::Created(key) => keep(lease, &data_key, key).await,
        V1Outcome::Refused(refusal) => {
            lease.discard().await;
            let error = CredentialError::Refused(refusal);
            note(client, &error).await;
            Err(error)
        }
        V1Outcome::NotSent(cause) => {
            lease.discard().await;
            Err(CredentialError::not_sent(cause))
        }
        // A key with an unknown secret may exist. The next call requests another key.
        V1Outcome::Unknown(unclear) => {
            lease.release().await;
            let error = CredentialError::from(unclear);
            note(client, &error).await;
            Err(error)
        }
    }
}

/// Stores a pending record, which excludes other calls, and fetches the data key that seals the
/// secret.
async fn begin<'a>(
    operation: Operation<'a>,
    known: Option<&CredentialRecord>,
) -> Result<(Lease<'a>, DataKey), CredentialError> {
    let Operation { registrar, view, received_ms, .. } = operation;
    let custody = &registrar.custody;
    let wallet = &view.wallet;
    let context = CredentialRecord::context(wallet, Exchange::Aster, wallet.address);
    let charge = Charge::light(2);
    charge.check(operation)?;
    let (data_key, share) = tokio::join!(custody.envelope.data_key(context), custody.share(wallet));
    let (data_key, share) = (data_key?, share?);
    let record = CredentialRecord {
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
        builder: None,
    };
    let lease = Lease::take(operation, record, known, share, false, charge).await?;
    Ok((lease, data_key))
}

/// Stores the secret and ends the lease. Retries while the table fails.
async fn keep(
    mut lease: Lease<'_>,
    data_key: &DataKey,
    key: V1ApiKey,
) -> Result<Registered, CredentialError> {
    let custody = &lease.registrar.custody;
    let known = lease.record.revision;
    lease.record.revision = custody.random.uuid()?;
    lease.record.sealed = data_key.seal(key.api_secret.as_bytes())?;
    lease.record.api_key = Some(key.api_key);
    let created_at_ms = lease.note_live();
    lease.record.check_at_ms = None;
    lease.record.state = CredentialState::Active;
    lease.record.lease_until_ms = 0;
    let request = lease.record.request.take();
    let outcome = Outcome { sealed: None, ..Outcome::of(&lease.record) };
    let noted = request.as_ref().map(|mark| (mark, &outcome));
    let mut wait_ms = 100;
    for left in (0..WRITES).rev() {
        let (end, now_ms) = (CredentialChange::Replace(&lease.record), custody.clock.now_ms());
        match custody.store.end(&lease.wallet, end, known, noted, now_ms).await {
            Ok(()) => break,
            // The call that took over the lease does not have this secret.
            Err(error) if left == 0 || matches!(error, StoreError::Conflict) => {
                let about = About::exchange(Exchange::Aster);
                metrics::emit(&custody.clock, about, &[(Metric::SecretsLost, 1)]);
                return Err(CredentialError::SecretLost(error));
            }
            Err(error) => {
                tracing::warn!(%error, left, "secret not stored yet, retrying");
                custody.clock.sleep_ms(wait_ms).await;
                wait_ms *= 2;
            }
        }
    }
    Ok(Registered {
        wallet: lease.wallet.address,
        agent: None,
        created_at_ms,
        expires_at_ms: NEVER_MS,
    })
}

/// Records a ban or a block, which also stops the other calls to this exchange.
async fn note(client: &ExchangeClient, error: &CredentialError) {
    match error {
        CredentialError::Refused(refusal) => {
            client.note(&exchanges::Outcome::Refused(refusal.clone())).await;
        }
        CredentialError::Blocked(fault) => {
            let blocked = Unclear::Blocked(fault.to_string());
            client.note(&exchanges::Outcome::Unknown(blocked)).await;
        }
        _ => {}
    }
}
