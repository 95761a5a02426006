//! Restores party 1's shares, and wallets whose items are lost, from halves that the holder of the
//! recovery key encrypted to a transport key of this stack.
//!
//! A restored share is hollow: the first signature or the refresh job has it refreshed first. An
//! import never replaces a share that opens, except a hollow one: by a right half of its version, or
//! by a newer version.

use domain::ids::{Tenant, WalletRef};
use platform::envelope::{Context, EnvelopeError, Purpose, Sealed};
use platform::items::{SCHEMA, StoreError};
use protocol::recovery::{HpkeError, OpeningKey, RecoveryRecord, Side};
use protocol::{
    Imported, KeyShare, RecoveryAnswer, RecoveryCall, TRANSPORT_LIFE_MS, Transport,
    TransportedHalf, WalletKey,
};
use uuid::Uuid;

use crate::store::{NewWallet, ShareRecord, WalletCount, WalletRecord};
use crate::wallets::{Custody, ShareUse, SignError};

/// Why shares could not be restored. A repeat continues.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// KMS failed.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The transport key could not be made.
    #[error(transparent)]
    Hpke(#[from] HpkeError),
    /// The random number generator failed.
    #[error(transparent)]
    Random(#[from] domain::random::RandomError),
    /// The sealed transport key is not JSON.
    #[error("the transport key cannot be encoded: {0}")]
    Encoding(#[from] serde_json::Error),
}

/// Returns the encryption context of a transport key.
fn transport_context(key_id: &str, created_at_ms: u64) -> Context {
    Context {
        tenant: Tenant::local(),
        wallet_id: Uuid::nil(),
        purpose: Purpose::RecoveryTransport,
        exchange: None,
        version: format!("{key_id}/{created_at_ms}"),
    }
}

impl Custody {
    /// Handles a call of a recovery for party 1, from the operator.
    ///
    /// # Errors
    /// Fails when the table or KMS fails. A repeat continues.
    pub async fn recovery_call(&self, call: RecoveryCall) -> Result<RecoveryAnswer, ImportError> {
        match call {
            RecoveryCall::Export { key, change, recipient, released } => match released {
                Some(released) => self.export_half(&key, (change, recipient), &released).await,
                None => Ok(RecoveryAnswer::NotAllowed("the cosigner comes first".to_owned())),
            },
            RecoveryCall::Begin => Ok(RecoveryAnswer::Begun(self.begin_recovery().await?)),
            RecoveryCall::Import { transport, halves } => {
                let Some(key) = self.transport_key(&transport).await? else {
                    return Ok(RecoveryAnswer::UnknownTransport);
                };
                let mut done = Vec::with_capacity(halves.len());
                for half in halves {
                    done.push(self.import(&key, half).await?);
                }
                Ok(RecoveryAnswer::Imported(done))
            }
        }
    }

    async fn begin_recovery(&self) -> Result<Transport, ImportError> {
        let key = OpeningKey::generate()?;
        let created_at_ms = self.clock.now_ms();
        let context = transport_context(&key.public().id(), created_at_ms);
        let sealed = self.envelope.seal(context, key.expose()).await?;
        Ok(Transport {
            side: Side::Endpoint,
            public_key: *key.public(),
            sealed: serde_json::to_string(&sealed)?,
            created_at_ms,
        })
    }

    /// Opens the private part of a transport key; `None` when it is not of this stack, or expired.
    async fn transport_key(
        &self,
        transport: &Transport,
    ) -> Result<Option<OpeningKey>, ImportError> {
        let Transport { side, public_key, sealed, created_at_ms } = transport;
        let expired = self.clock.now_ms() > created_at_ms.saturating_add(TRANSPORT_LIFE_MS);
        let Ok(sealed) = serde_json::from_str::<Sealed>(sealed) else { return Ok(None) };
        if expired || *side != Side::Endpoint {
            return Ok(None);
        }
        let context = transport_context(&public_key.id(), *created_at_ms);
        let bytes = match self.envelope.open(&context, &sealed).await {
            Ok(bytes) => bytes,
            Err(error) if error.is_permanent() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let key = OpeningKey::from_bytes(&bytes)?;
        Ok((key.public() == public_key).then_some(key))
    }

    async fn import(
        &self,
        transport: &OpeningKey,
        TransportedHalf { record, half }: TransportedHalf,
    ) -> Result<Imported, ImportError> {
        if record.side != Side::Endpoint {
            return Ok(refused("the half is of the other side"));
        }
        let share = record.open_transported(transport, &half).and_then(|half| record.hollow(&half));
        let share = match share {
            Ok(share) => share,
            Err(error) => return Ok(refused(&error.to_string())),
        };
        let key = record.key();
        let found = self.store.find(&key.tenant, &WalletRef::Wallet(key.wallet_id)).await?;
        let Some(view) = found else {
            let stored = self.sealed(&key, &share).await?;
            return self.restore(&record, &stored).await;
        };
        let wallet = &view.wallet;
        if wallet.address != record.address {
            return Ok(refused("the wallet has another address"));
        }
        if wallet.key_version > key.key_version {
            return Ok(refused("a newer version of the shares is in use"));
        }
        let lost = match self.store.stored_share(wallet).await {
            Ok(stored) => stored,
            Err(StoreError::Damaged { cause, .. }) => return Ok(refused(&cause)),
            Err(error) => return Err(error.into()),
        };
        let is_newer = wallet.key_version < key.key_version;
        if let Some(stored) = &lost {
            match self.open_share(wallet, stored.clone(), ShareUse::Refresh).await {
                Ok(share) if !is_newer && record.is_of(&share) => return Ok(Imported::Present),
                // An earlier import of a wrong half, or of an older version.
                Ok(share) if share.is_hollow() => {}
                Ok(_) if is_newer => {
                    return Ok(refused("an older version of the shares is in use"));
                }
                Ok(_) => return Ok(refused("a share of another key is stored")),
                Err(SignError::Envelope(error)) if error.is_permanent() => {}
                Err(SignError::Share(_)) => {}
                // The share may be there: nothing is replaced because KMS fails.
                Err(SignError::Envelope(error)) => return Err(error.into()),
                Err(error) => return Ok(refused(&error.to_string())),
            }
        }
        let stored = self.sealed(&key, &share).await?;
        match self.store.replace_share(wallet, (lost.as_ref(), &stored)).await {
            Ok(()) => Ok(Imported::Restored),
            Err(StoreError::Conflict) => Ok(refused(
                "the wallet is frozen, or its share has changed meanwhile: run the import again",
            )),
            Err(error) => Err(error.into()),
        }
    }

    async fn sealed(
        &self,
        key: &WalletKey,
        share: &KeyShare,
    ) -> Result<ShareRecord, EnvelopeError> {
        let sealed = self.envelope.seal(ShareRecord::context(key), &share.to_bytes()).await?;
        Ok(ShareRecord { schema: SCHEMA, key_version: key.key_version, sealed })
    }

    /// Stores a wallet whose items are lost.
    async fn restore(
        &self,
        record: &RecoveryRecord,
        share: &ShareRecord,
    ) -> Result<Imported, ImportError> {
        let Some(user_id) = record.user_id.clone() else {
            return Ok(refused("the record names no user"));
        };
        let Ok(public_key) = record.public_key_hex() else {
            return Ok(refused("the record has no public key"));
        };
        let wallet = WalletRecord {
            schema: SCHEMA,
            tenant: record.tenant.clone(),
            user_id,
            wallet_id: record.wallet_id,
            address: record.address,
            public_key,
            key_version: record.key_version,
            created_at_ms: record.created_at_ms,
            frozen: false,
            // The oldest of all, so the refresh job finds it first.
            shares_at_ms: Some(0),
            refresh: None,
            made_by: None,
            exported: self.export_mark(&record.tenant, record.wallet_id).await?,
            operator_freeze: None,
            operator_actions: Vec::new(),
        };
        let [first] = self.random.bytes::<1>()?;
        let Some(counted) = WalletCount::unlimited().room(first) else {
            return Ok(refused("the tenant's wallets cannot be counted"));
        };
        match self.store.create(&wallet, share, counted).await? {
            NewWallet::Stored => return Ok(Imported::Restored),
            NewWallet::Exists | NewWallet::ShardFull => {}
        }
        // Another import of this wallet may have come first.
        let name = WalletRef::Wallet(record.wallet_id);
        match self.store.find(&record.tenant, &name).await? {
            Some(view) if view.wallet.address == record.address => Ok(Imported::Present),
            _ => Ok(refused("the user or the address has another wallet")),
        }
    }
}

fn refused(cause: &str) -> Imported {
    Imported::Refused(cause.to_owned())
}
