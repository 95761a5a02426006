//! Creation of wallets: one for each user of a tenant, even if two calls race.

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::ids::{Tenant, UserId, WalletRef};
use domain::random::RandomError;
use futures_util::future::BoxFuture;
use platform::envelope::EnvelopeError;
use platform::items::{SCHEMA, StoreError};
use platform::metrics::Metric;
use protocol::{KeyShare, WalletKey};
use uuid::Uuid;

use super::Custody;
use crate::caller::Caller;
use crate::mpc::{self, ProtocolError};
use crate::store::{CountedIn, NewWallet, ShareRecord, WalletCount, WalletRecord, shares_at_ms};

/// How often a new wallet is stored, while other creations come first.
const STORES: u32 = 8;

/// The result of a creation.
#[derive(Debug)]
pub enum Created {
    /// This call made the wallet.
    New(WalletRecord),
    /// The wallet existed, or another call made it first.
    Existing(WalletRecord),
}

/// Why no wallet was made. At most, the cosigner keeps a share that belongs to no wallet.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Key generation failed.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The share could not be sealed.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The random number generator failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The tenant has as many wallets as it may.
    #[error("the tenant has {quota} wallets")]
    QuotaReached {
        /// How many it may have.
        quota: u64,
    },
}

impl Custody {
    /// Returns this user's wallet, and makes it if there is none.
    ///
    /// # Errors
    /// Fails when there is none and it cannot be made.
    pub fn create<'a>(
        &'a self,
        caller: &'a Caller,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Created, CreateError>> {
        Box::pin(async move {
            let tenant = &caller.tenant;
            let made_by = caller.request.as_ref().map(|once| once.mark.operation);
            let name = WalletRef::User(user.clone());
            if let Some(view) = self.store.find(tenant, &name).await? {
                // An earlier attempt at this request made it, and its response was lost.
                let is_own = made_by.is_some() && view.wallet.made_by == made_by;
                let found = if is_own { Created::New } else { Created::Existing };
                return Ok(found(view.wallet));
            }
            let quota = self.quota_of(caller);
            let count = self.wallet_count(tenant, quota).await?;
            let [first] = self.random.bytes::<1>()?;
            // Refused before any key is made.
            let counted = room(&count, first)?;
            let key = WalletKey {
                tenant: tenant.clone(),
                wallet_id: self.random.uuid()?,
                key_version: 1,
            };
            // The data key is requested while the parties compute.
            let (share, data_key) = tokio::join!(
                self.timed(
                    Metric::KeyGenerationMs,
                    mpc::generate(&self.cosigner, &self.random, &key)
                ),
                self.envelope.data_key(ShareRecord::context(&key)),
            );
            let share = share?;
            let wallet = self.record(&key, user, &share, made_by);
            let stored = ShareRecord {
                schema: SCHEMA,
                key_version: key.key_version,
                sealed: data_key?.seal(&share.to_bytes())?,
            };
            let recovery = self.recovery_write(&key, (user, wallet.created_at_ms), &share)?;
            drop(share);
            let writes = (&stored, recovery.as_ref());
            self.store_once(&name, wallet, writes, (counted, quota)).await
        })
    }

    /// Returns the quota of the caller's tenant: its own, or the deployment's, where 0 disables the quota.
    fn quota_of(&self, caller: &Caller) -> Option<u64> {
        caller.limits.wallets.or((self.wallets_per_tenant > 0).then_some(self.wallets_per_tenant))
    }

    async fn wallet_count(
        &self,
        tenant: &Tenant,
        quota: Option<u64>,
    ) -> Result<WalletCount, StoreError> {
        match quota {
            None => Ok(WalletCount::unlimited()),
            Some(quota) => self.store.wallet_count(tenant, quota).await,
        }
    }

    /// Stores the wallet, or returns the one that another call stored first.
    async fn store_once(
        &self,
        name: &WalletRef,
        wallet: WalletRecord,
        (share, recovery): (&ShareRecord, Option<&TransactWriteItem>),
        (mut counted, quota): (CountedIn, Option<u64>),
    ) -> Result<Created, CreateError> {
        // Two conflicting transactions can both be cancelled, so that neither is stored. A shard
        // of the count can be full by now while another one has room.
        for _ in 0..STORES {
            match self.store.create_with(&wallet, share, counted, recovery).await? {
                NewWallet::Stored => return Ok(Created::New(wallet)),
                NewWallet::Exists => {}
                NewWallet::ShardFull => {
                    let count = self.wallet_count(&wallet.tenant, quota).await?;
                    counted = room(&count, counted.shard)?;
                    continue;
                }
            }
            match self.store.find(&wallet.tenant, name).await? {
                // This call stored it, and only the response was lost.
                Some(view)
                    if view.wallet.wallet_id == wallet.wallet_id
                        || (wallet.made_by.is_some() && view.wallet.made_by == wallet.made_by) =>
                {
                    return Ok(Created::New(view.wallet));
                }
                Some(view) => return Ok(Created::Existing(view.wallet)),
                None => {}
            }
        }
        Err(StoreError::Conflict.into())
    }

    fn record(
        &self,
        key: &WalletKey,
        user: &UserId,
        share: &KeyShare,
        made_by: Option<Uuid>,
    ) -> WalletRecord {
        let created_at_ms = self.clock.now_ms();
        WalletRecord {
            schema: SCHEMA,
            tenant: key.tenant.clone(),
            user_id: user.clone(),
            wallet_id: key.wallet_id,
            address: share.address(),
            public_key: share.public_key().to_hex(),
            key_version: key.key_version,
            created_at_ms,
            frozen: false,
            shares_at_ms: Some(shares_at_ms(key.wallet_id, created_at_ms)),
            refresh: None,
            made_by,
            exported: None,
            operator_freeze: None,
            operator_actions: Vec::new(),
        }
    }
}

/// Returns a shard of the count with room, from `first` on.
fn room(count: &WalletCount, first: u8) -> Result<CountedIn, CreateError> {
    count.room(first).ok_or_else(|| CreateError::QuotaReached { quota: count.quota() })
}
