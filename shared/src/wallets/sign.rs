//! Signing an intent with a wallet's key.

use futures_util::future::BoxFuture;
use std::pin::Pin;

use domain::eth::Signature;
use domain::ids::{Tenant, WalletRef};
use domain::intent::{Intent, PersonalMessage};
use platform::envelope::EnvelopeError;
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};
use protocol::{KeyShare, Refusal, ShareError, WalletKey};

use super::runs::Patience;
use super::{Custody, ShareUse, permit};
use crate::mpc::{self, ProtocolError};
use crate::store::{ShareRecord, WalletRecord, shares_at_ms};

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The tenant has no such wallet.
    #[error("wallet not found")]
    NotFound,
    /// The wallet is barred from signing.
    #[error("wallet is frozen")]
    Frozen,
    /// Other runs of the wallet did not end in time.
    #[error("other signatures of the wallet are in progress")]
    Busy,
    /// All run slots of the wallet's shares are lost. They must be refreshed before they sign.
    #[error("the wallet's shares must be refreshed before they sign")]
    Worn,
    /// A refresh has replaced the share.
    #[error("the wallet's shares were replaced")]
    Moved,
    /// An operator has frozen the wallet. Only the removal of its trading keys is signed.
    #[error("wallet is frozen by an operator")]
    FrozenByOperator,
    /// The protocol failed.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The share could not be opened.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The share could not be read.
    #[error(transparent)]
    Share(#[from] ShareError),
}

impl Custody {
    /// Signs a caller's message.
    ///
    /// # Errors
    /// Fails when the wallet does not exist or cannot sign.
    pub fn sign_message<'a>(
        &'a self,
        tenant: &'a Tenant,
        name: &'a WalletRef,
        message: &'a PersonalMessage,
    ) -> BoxFuture<'a, Result<(WalletRecord, Signature), SignError>> {
        Box::pin(async move {
            let found = self.store.find_with_share(tenant, name).await?;
            let (view, stored) = found.ok_or(SignError::NotFound)?;
            let share = self.open_share(&view.wallet, stored, ShareUse::Sign).await?;
            let intent = Intent::PersonalMessage(message.clone());
            let signature = self.sign(&view.wallet, &share, &intent).await?;
            Ok((view.wallet, signature))
        })
    }

    /// Opens party 1's share of a wallet's key, for any intent.
    ///
    /// # Errors
    /// Fails when it cannot be opened.
    pub async fn share(&self, wallet: &WalletRecord) -> Result<KeyShare, SignError> {
        self.share_for(wallet, ShareUse::Sign).await
    }

    /// Opens party 1's share of a wallet's key, for one use.
    ///
    /// # Errors
    /// Fails when the wallet's state forbids the use, or the share cannot be opened.
    pub async fn share_for(
        &self,
        wallet: &WalletRecord,
        share_use: ShareUse,
    ) -> Result<KeyShare, SignError> {
        permit(wallet, share_use)?;
        self.open_share(wallet, self.store.share(wallet).await?, share_use).await
    }

    pub(super) async fn open_share(
        &self,
        wallet: &WalletRecord,
        stored: ShareRecord,
        share_use: ShareUse,
    ) -> Result<KeyShare, SignError> {
        permit(wallet, share_use)?;
        // The share states its own version, because a refresh may have replaced it since the
        // wallet was read.
        let key = WalletKey { key_version: stored.key_version, ..wallet.key() };
        let bytes = self.envelope.open(&ShareRecord::context(&key), &stored.sealed).await?;
        Ok(KeyShare::from_bytes(&bytes, 1)?.at_version(stored.key_version))
    }

    /// Signs an intent, and verifies that the signature belongs to the wallet. Waits if too many
    /// runs of the wallet are open. If a refresh has replaced the share, it signs with the new
    /// one. If run slots of the share are lost, it first has the share refreshed.
    ///
    /// # Errors
    /// Fails when the cosigner refuses or violates the protocol. If a violation would leak on a
    /// retry, the wallet is frozen. [`SignError::Busy`]: nothing was signed, so the caller can
    /// retry.
    pub async fn sign(
        &self,
        wallet: &WalletRecord,
        share: &KeyShare,
        intent: &Intent,
    ) -> Result<Signature, SignError> {
        // Boxed, so that the caller's future does not grow with this one.
        let signed: Pin<Box<dyn Future<Output = _> + Send + '_>> =
            Box::pin(self.sign_patiently(wallet, share, Content::Intent(intent)));
        signed.await
    }

    pub(super) async fn sign_patiently(
        &self,
        wallet: &WalletRecord,
        share: &KeyShare,
        content: Content<'_>,
    ) -> Result<Signature, SignError> {
        let mut patience = Patience::new(self.clock.now_ms());
        let mut newer: Option<(WalletRecord, KeyShare)> = None;
        let signature = loop {
            let (wallet, share) = newer.as_ref().map_or((wallet, share), |it| (&it.0, &it.1));
            let error = match self.sign_once(wallet, share, content).await {
                Ok(signature) => break signature,
                Err(error) => error,
            };
            let obstacle = error.obstacle();
            match obstacle {
                None => return Err(error),
                Some(Obstacle::Moved) => {}
                Some(Obstacle::Busy) => {
                    self.pause(&mut patience).await?;
                    continue;
                }
                Some(Obstacle::Worn) => {
                    let replaced: Pin<Box<dyn Future<Output = _> + Send + '_>> =
                        Box::pin(self.replace_worn(wallet, share.version()));
                    replaced.await?;
                    self.pause(&mut patience).await?;
                }
            }
            let name = WalletRef::Wallet(wallet.wallet_id);
            let view = self.store.find(&wallet.tenant, &name).await?;
            let wallet = view.ok_or(SignError::NotFound)?.wallet;
            let next = self.share_for(&wallet, content.share_use()).await?;
            if obstacle == Some(Obstacle::Moved) && next.version() == share.version() {
                return Err(error);
            }
            newer = Some((wallet, next));
        };
        if wallet.shares_at_ms.is_none() {
            self.note_age(wallet).await;
        }
        Ok(signature)
    }

    async fn sign_once(
        &self,
        wallet: &WalletRecord,
        share: &KeyShare,
        content: Content<'_>,
    ) -> Result<Signature, SignError> {
        permit(wallet, content.share_use())?;
        if share.address() != wallet.address {
            return Err(ProtocolError::WrongSignature.into());
        }
        if share.is_hollow() {
            return Err(SignError::Worn);
        }
        let place = self.begin_run(wallet, share.version(), content.share_use()).await?;
        let key = WalletKey { key_version: share.version(), ..wallet.key() };
        let passed = Box::pin(self.end_run(wallet, &place));
        let run = async {
            let (cosigner, random) = (&self.cosigner, &self.random);
            match content {
                Content::Intent(intent) => {
                    mpc::sign(cosigner, random, &key, share, intent, passed).await
                }
                Content::Payment(step) => {
                    mpc::sign_payment(cosigner, random, &key, share, step, passed).await
                }
            }
        };
        let signed = self.timed(Metric::SigningMs, run).await;
        if matches!(&signed, Err(error) if !error.is_ban()) {
            // The run may have ended before its place was returned; doing it twice has no effect.
            self.end_run(wallet, &place).await;
        }
        self.freeze_if_cheated(wallet, signed).await
    }

    /// Freezes the wallet if the cosigner has cheated in a way that would leak on a retry.
    pub(super) async fn freeze_if_cheated<T>(
        &self,
        wallet: &WalletRecord,
        run: Result<T, ProtocolError>,
    ) -> Result<T, SignError> {
        if matches!(&run, Err(error) if error.is_ban()) {
            tracing::error!(walletId = %wallet.wallet_id, "cosigner cheated: wallet frozen");
            metrics::emit(&self.clock, About::SERVICE, &[(Metric::WalletFrozen, 1)]);
            self.store.freeze(wallet).await?;
        }
        Ok(run?)
    }

    /// Adds a wallet of an earlier version to the refresh job's index with its first signature.
    /// The signature does not depend on it.
    async fn note_age(&self, wallet: &WalletRecord) {
        let at_ms = shares_at_ms(wallet.wallet_id, wallet.created_at_ms);
        match self.store.note_age(wallet, at_ms).await {
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => tracing::warn!(%error, "wallet not added to the refresh index"),
        }
    }
}

/// What a wallet's key signs.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    /// An intent.
    Intent(&'a Intent),
    /// One signature of a payment.
    Payment(mpc::PaymentStep<'a>),
}

impl Content<'_> {
    const fn share_use(self) -> ShareUse {
        match self {
            Self::Intent(intent) => ShareUse::of(intent),
            Self::Payment(_) => ShareUse::Sign,
        }
    }
}

/// A temporary obstacle to a signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Obstacle {
    /// Other runs are open.
    Busy,
    /// The shares must be refreshed first.
    Worn,
    /// Other shares are in use.
    Moved,
}

impl SignError {
    fn obstacle(&self) -> Option<Obstacle> {
        use crate::mpc::CosignerError::Refused;
        match self {
            Self::Busy | Self::Protocol(ProtocolError::Cosigner(Refused(Refusal::Busy))) => {
                Some(Obstacle::Busy)
            }
            Self::Worn | Self::Protocol(ProtocolError::Cosigner(Refused(Refusal::Worn))) => {
                Some(Obstacle::Worn)
            }
            Self::Moved
            | Self::Protocol(ProtocolError::Cosigner(Refused(
                Refusal::Retired | Refusal::UnknownKey,
            ))) => Some(Obstacle::Moved),
            _ => None,
        }
    }
}
