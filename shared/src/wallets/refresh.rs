//! Refresh of a wallet's shares: both parties get new ones, and the address stays.
//!
//! 1. Take the wallet: a version for this attempt, and a lease.
//! 2. Make new shares with the cosigner, which stores its own next to the old one.
//! 3. Try them.
//! 4. Switch record and share in one transaction, if no later attempt was begun.
//! 5. Have the cosigner retire the old share.
//! 6. Record the end.
//!
//! Before step 4 all calls sign with the old shares, and after it with the new ones. The cosigner
//! accepts both until step 5. An attempt that dies before step 4 leaves an unused share at the
//! cosigner. After step 4, the record states the remaining steps.

use std::pin::Pin;

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::ids::{Tenant, WalletRef};
use domain::random::RandomError;
use futures_util::future::BoxFuture;
use platform::items::{SCHEMA, StoreError};
use protocol::{KeyShare, Refusal, WalletKey};
use uuid::Uuid;

use super::{Custody, ShareUse, SignError, permit};
use crate::mpc::{self, CosignerError, ProtocolError};
use crate::store::{RefreshState, ShareRecord, WalletRecord};

/// Duration of the lease on a refresh. A refresh takes a few seconds.
const LEASE_MS: u64 = 60_000;

/// The result of a refresh.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refreshed {
    /// The wallet has new shares, of this version.
    New(u32),
    /// An earlier refresh was completed.
    Finished(u32),
    /// Its shares are not due yet.
    Young,
}

/// Why shares were not refreshed. The wallet can still sign.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Another call holds the lease.
    #[error("another call holds the wallet's refresh lease")]
    InProgress {
        /// Seconds until that lease ends.
        retry_after_s: u64,
    },
    /// The new shares do not belong to the wallet, and are discarded.
    #[error("the new shares do not belong to the wallet")]
    WrongShares,
    /// An error that signing also returns.
    #[error(transparent)]
    Sign(SignError),
}

impl<E: Into<SignError>> From<E> for RefreshError {
    fn from(error: E) -> Self {
        Self::Sign(error.into())
    }
}

impl From<RandomError> for SignError {
    fn from(error: RandomError) -> Self {
        Self::Protocol(error.into())
    }
}

/// The condition for a refresh.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Due {
    /// Any.
    Always,
    /// If their age starts before this time, Unix milliseconds.
    Before(u64),
    /// If this version is in use.
    InUse(u32),
}

impl Custody {
    /// Refreshes the shares of one wallet, or completes an unfinished refresh. With `before_ms`,
    /// only if their age starts before it.
    ///
    /// # Errors
    /// Fails when it could not be done; a retry resumes it.
    pub fn refresh<'a>(
        &'a self,
        tenant: &'a Tenant,
        wallet_id: Uuid,
        before_ms: Option<u64>,
    ) -> BoxFuture<'a, Result<Refreshed, RefreshError>> {
        Box::pin(async move {
            self.refresh_if(tenant, wallet_id, before_ms.map_or(Due::Always, Due::Before)).await
        })
    }

    /// Refreshes the shares of one wallet if this version is in use.
    ///
    /// # Errors
    /// Fails when it could not be done; a retry resumes it.
    pub fn refresh_version<'a>(
        &'a self,
        tenant: &'a Tenant,
        wallet_id: Uuid,
        version: u32,
    ) -> BoxFuture<'a, Result<Refreshed, RefreshError>> {
        Box::pin(async move { self.refresh_if(tenant, wallet_id, Due::InUse(version)).await })
    }

    async fn refresh_if(
        &self,
        tenant: &Tenant,
        wallet_id: Uuid,
        due: Due,
    ) -> Result<Refreshed, RefreshError> {
        let view = self.store.find(tenant, &WalletRef::Wallet(wallet_id)).await?;
        let mut wallet = view.ok_or(SignError::NotFound)?.wallet;
        permit(&wallet, ShareUse::Refresh)?;
        let now_ms = self.clock.now_ms();
        let known = wallet.refresh.unwrap_or_default();
        if matches!(due, Due::InUse(version) if version != wallet.key_version) {
            return Ok(Refreshed::Young);
        }
        if now_ms < known.lease_until_ms {
            let wait_ms = known.lease_until_ms - now_ms;
            return Err(RefreshError::InProgress { retry_after_s: wait_ms.div_ceil(1_000) });
        }
        if let Due::Before(before_ms) = due {
            let aged = wallet.shares_at_ms.is_some_and(|at_ms| at_ms <= before_ms);
            if !aged || now_ms < known.rest_until_ms {
                return Ok(Refreshed::Young);
            }
        }
        if known.retire {
            wallet = self.take(wallet, known.to, true).await?;
            match self.retire(&wallet).await {
                Ok(()) => return Ok(Refreshed::Finished(wallet.key_version)),
                // The cosigner's share is a restored one, which no trial has shown to be in use. New
                // shares from it replace all older ones.
                Err(RefreshError::Sign(SignError::Protocol(ProtocolError::Cosigner(
                    CosignerError::Refused(Refusal::NotConfirmed),
                )))) => {}
                Err(error) => return Err(error),
            }
        }
        let next = known.to.max(wallet.key_version).saturating_add(1);
        wallet = self.take(wallet, next, false).await?;
        // Boxed, so that the caller's future does not grow with this one.
        let renewed = {
            let renewed: Pin<Box<dyn Future<Output = Result<u32, RefreshError>> + Send + '_>> =
                Box::pin(self.renew(&mut wallet));
            renewed.await
        };
        if renewed.is_err() {
            self.release(&wallet).await;
        }
        renewed.map(Refreshed::New)
    }

    /// Ends this call's lease, so that a retry does not wait for it. If this fails, the lease
    /// expires.
    async fn release(&self, wallet: &WalletRecord) {
        let state = RefreshState { lease_until_ms: 0, ..wallet.refresh.unwrap_or_default() };
        match self.store.set_refresh(wallet, &state).await {
            // Another call has taken over, or the wallet is frozen.
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => {
                tracing::warn!(%error, walletId = %wallet.wallet_id, "lease not released");
            }
        }
    }

    /// Takes the lease on a wallet for new shares of this version.
    async fn take(
        &self,
        mut wallet: WalletRecord,
        to: u32,
        retire: bool,
    ) -> Result<WalletRecord, RefreshError> {
        let lease_until_ms = self.clock.now_ms() + LEASE_MS;
        let state = RefreshState { to, lease_until_ms, retire, rest_until_ms: 0 };
        self.store.set_refresh(&wallet, &state).await.map_err(overtaken)?;
        wallet.refresh = Some(state);
        Ok(wallet)
    }

    /// Performs the whole refresh from the old shares to the new ones.
    async fn renew(&self, wallet: &mut WalletRecord) -> Result<u32, RefreshError> {
        let share = self.share_for(wallet, ShareUse::Refresh).await?;
        let share = match self.new_share(wallet, share).await {
            // Another attempt has used this version; the next one is free.
            Err(SignError::Protocol(ProtocolError::Cosigner(CosignerError::Refused(
                Refusal::Newest(newest),
            )))) => {
                *wallet = self.take(wallet.clone(), newest.saturating_add(1), false).await?;
                let share = self.share_for(wallet, ShareUse::Refresh).await?;
                self.new_share(wallet, share).await?
            }
            made => made?,
        };
        let to = share.version();
        if share.address() != wallet.address {
            return Err(RefreshError::WrongShares);
        }
        let key = WalletKey { key_version: to, ..wallet.key() };
        // The data key is requested while the new shares are tried.
        let (confirmed, data_key) = tokio::join!(
            mpc::confirm(&self.cosigner, &self.random, &key, &share),
            self.envelope.data_key(ShareRecord::context(&key))
        );
        self.freeze_if_cheated(wallet, confirmed).await?;
        let sealed = data_key?.seal(&share.to_bytes())?;
        let about = (&wallet.user_id, wallet.created_at_ms);
        let recovery = self.recovery_write(&key, about, &share)?;
        drop(share);
        let stored = ShareRecord { schema: SCHEMA, key_version: to, sealed };
        *wallet = self.switch(wallet.clone(), (&stored, recovery.as_ref())).await?;
        self.retire(wallet).await?;
        Ok(to)
    }

    async fn new_share(
        &self,
        wallet: &WalletRecord,
        share: KeyShare,
    ) -> Result<KeyShare, SignError> {
        let to = wallet.refresh.unwrap_or_default().to;
        // The lease expired while the share was replaced. The stored share no longer matches the
        // record, so the attempt has ended.
        if share.version() != wallet.key_version {
            return Err(StoreError::Conflict.into());
        }
        let (key, random) = (wallet.key(), &self.random);
        let made = mpc::refresh(&self.cosigner, random, &key, to, share).await;
        self.freeze_if_cheated(wallet, made).await
    }

    /// Brings the new share into use, which deletes the old one.
    async fn switch(
        &self,
        mut wallet: WalletRecord,
        (share, recovery): (&ShareRecord, Option<&TransactWriteItem>),
    ) -> Result<WalletRecord, RefreshError> {
        let mut state = wallet.refresh.unwrap_or_default();
        state.retire = true;
        if let Err(error) = self.store.switch_shares(&wallet, &state, share, recovery).await {
            // The response may have been lost: no other attempt has this version.
            let name = WalletRef::Wallet(wallet.wallet_id);
            let found = self.store.find(&wallet.tenant, &name).await?;
            if found.is_none_or(|view| view.wallet.key_version != share.key_version) {
                return Err(overtaken(error));
            }
        }
        wallet.key_version = share.key_version;
        wallet.refresh = Some(state);
        Ok(wallet)
    }

    /// Has the cosigner retire the old shares, and records the end.
    async fn retire(&self, wallet: &WalletRecord) -> Result<(), RefreshError> {
        let recorded = self.recorded(wallet).await?;
        let has_one = recorded.contains(&wallet.key_version);
        let key = wallet.key();
        let theirs = mpc::retire_recorded(&self.cosigner, &self.random, &key, has_one).await?;
        if has_one && theirs {
            self.drop_older(wallet, &recorded).await?;
        }
        let done = RefreshState { to: wallet.refresh.unwrap_or_default().to, ..Default::default() };
        match self.store.settle_refresh(wallet, &done, self.clock.now_ms()).await {
            // Another call has taken over, and records it.
            Ok(()) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Delays the job's next attempt after a failure. If this fails, the next attempt is earlier.
    pub(super) async fn rest(&self, tenant: &Tenant, wallet_id: Uuid, rest_ms: u64) {
        let noted = async {
            let view = self.store.find(tenant, &WalletRef::Wallet(wallet_id)).await?;
            let Some(wallet) = view.map(|view| view.wallet) else { return Ok(()) };
            let mut state = wallet.refresh.unwrap_or_default();
            state.rest_until_ms = self.clock.now_ms() + rest_ms;
            self.store.set_refresh(&wallet, &state).await
        };
        match noted.await {
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => {
                tracing::warn!(%error, walletId = %wallet_id, "failure not recorded");
            }
        }
    }
}

fn overtaken(error: StoreError) -> RefreshError {
    match error {
        StoreError::Conflict => RefreshError::InProgress { retry_after_s: 1 },
        error => error.into(),
    }
}
