//! Creating a wallet: one for each user of a tenant, also when two calls race.

use domain::ids::{UserId, WalletRef};
use domain::random::RandomError;
use platform::envelope::EnvelopeError;
use platform::items::{SCHEMA, StoreError};
use platform::metrics::Metric;
use protocol::{KeyShare, WalletKey};
use uuid::Uuid;

use super::Custody;
use crate::caller::Caller;
use crate::mpc::{self, ProtocolError};
use crate::store::{ShareRecord, WalletRecord, shares_at_ms};

/// What a creation found or made.
#[derive(Debug)]
pub enum Created {
    /// This call made the wallet.
    New(WalletRecord),
    /// It was there already, or another call was first.
    Existing(WalletRecord),
}

/// Why no wallet could be made. Nothing is left behind but, at worst, a share at the cosigner that
/// belongs to no wallet.
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
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl Custody {
    /// The wallet of this user, made now if there is none.
    ///
    /// # Errors
    /// When it is not there and cannot be made.
    pub async fn create(&self, caller: &Caller, user: &UserId) -> Result<Created, CreateError> {
        let tenant = &caller.tenant;
        let made_by = caller.request.as_ref().map(|once| once.mark.operation);
        let name = WalletRef::User(user.clone());
        if let Some(view) = self.store.find(tenant, &name).await? {
            // An earlier attempt at this very request made it, and could not say so.
            let is_own = made_by.is_some() && view.wallet.made_by == made_by;
            let found = if is_own { Created::New } else { Created::Existing };
            return Ok(found(view.wallet));
        }
        let key =
            WalletKey { tenant: tenant.clone(), wallet_id: self.random.uuid()?, key_version: 1 };
        // The data key is fetched while the parties compute.
        let (share, data_key) = tokio::join!(
            self.timed(Metric::KeyGenerationMs, mpc::generate(&self.cosigner, &self.random, &key)),
            self.envelope.data_key(ShareRecord::context(&key)),
        );
        let share = share?;
        let wallet = self.record(&key, user, &share, made_by);
        let stored = ShareRecord {
            schema: SCHEMA,
            key_version: key.key_version,
            sealed: data_key?.seal(&share.to_bytes())?,
        };
        drop(share);
        self.store_once(&name, wallet, &stored).await
    }

    /// Stores the wallet, or finds the one that another call stored first.
    async fn store_once(
        &self,
        name: &WalletRef,
        wallet: WalletRecord,
        share: &ShareRecord,
    ) -> Result<Created, CreateError> {
        // Two transactions that meet can both be cancelled, and then nobody was first.
        for _ in 0..3 {
            match self.store.create(&wallet, share).await {
                Ok(()) => return Ok(Created::New(wallet)),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
            match self.store.find(&wallet.tenant, name).await? {
                // This call was first, and only the answer was lost.
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
            operator_freeze: None,
            operator_actions: Vec::new(),
        }
    }
}
