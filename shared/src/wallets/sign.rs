//! Signing an intent with a wallet's key.

use super::Custody;
use crate::api::ids::{Tenant, WalletRef};
use crate::envelope::EnvelopeError;
use crate::eth::Signature;
use crate::intent::{Intent, PersonalMessage};
use crate::metrics::Metric;
use crate::mpc::{self, KeyShare, ProtocolError, ShareError, WalletKey};
use crate::store::{ShareRecord, StoreError, WalletRecord, shares_at_ms};

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The tenant has no such wallet.
    #[error("wallet not found")]
    NotFound,
    /// The wallet is barred from signing.
    #[error("wallet is frozen")]
    Frozen,
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
    /// When there is no such wallet, or it cannot sign.
    pub async fn sign_message(
        &self,
        tenant: &Tenant,
        name: &WalletRef,
        message: &PersonalMessage,
    ) -> Result<(WalletRecord, Signature), SignError> {
        let found = self.store.find_with_share(tenant, name).await?;
        let (view, stored) = found.ok_or(SignError::NotFound)?;
        let share = self.open_share(&view.wallet, stored).await?;
        let intent = Intent::PersonalMessage(message.clone());
        let signature = self.sign(&view.wallet, &share, &intent).await?;
        Ok((view.wallet, signature))
    }

    /// Party 1's share of a wallet's key.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn share(&self, wallet: &WalletRecord) -> Result<KeyShare, SignError> {
        if wallet.frozen {
            return Err(SignError::Frozen);
        }
        self.open_share(wallet, self.store.share(wallet).await?).await
    }

    async fn open_share(
        &self,
        wallet: &WalletRecord,
        stored: ShareRecord,
    ) -> Result<KeyShare, SignError> {
        if wallet.frozen {
            return Err(SignError::Frozen);
        }
        // The share says itself which one it is: a refresh may have replaced it since the wallet
        // was read.
        let key = WalletKey { key_version: stored.key_version, ..wallet.key() };
        let bytes = self.envelope.open(&ShareRecord::context(&key), &stored.sealed).await?;
        Ok(KeyShare::from_bytes(&bytes, 1)?.at_version(stored.key_version))
    }

    /// Signs an intent. The signature is known to be the wallet's. Where a refresh has replaced
    /// the share meanwhile, it is signed with the new one.
    ///
    /// # Errors
    /// When the cosigner refuses or breaks the protocol; where that would leak, if it were tried
    /// again, the wallet is frozen.
    pub async fn sign(
        &self,
        wallet: &WalletRecord,
        share: &KeyShare,
        intent: &Intent,
    ) -> Result<Signature, SignError> {
        let signature = match self.sign_once(wallet, share, intent).await {
            Err(error) if error.is_of_retired_shares() => {
                let name = WalletRef::Wallet(wallet.wallet_id);
                let view = self.store.find(&wallet.tenant, &name).await?;
                let view = view.ok_or(SignError::NotFound)?;
                let newer = self.share(&view.wallet).await?;
                if newer.version() == share.version() {
                    return Err(error);
                }
                self.sign_once(&view.wallet, &newer, intent).await?
            }
            signed => signed?,
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
        intent: &Intent,
    ) -> Result<Signature, SignError> {
        if share.address() != wallet.address {
            return Err(ProtocolError::WrongSignature.into());
        }
        let key = WalletKey { key_version: share.version(), ..wallet.key() };
        let run = mpc::sign(&self.cosigner, &self.random, &key, share, intent);
        let signed = self.timed(Metric::SigningMs, run).await;
        self.freeze_if_cheated(wallet, signed).await
    }

    /// Freezes the wallet where the cosigner has cheated in a way that would leak, if it were
    /// tried again.
    pub(super) async fn freeze_if_cheated<T>(
        &self,
        wallet: &WalletRecord,
        run: Result<T, ProtocolError>,
    ) -> Result<T, SignError> {
        if matches!(run, Err(ProtocolError::Aborted { ban: true, .. })) {
            tracing::error!(walletId = %wallet.wallet_id, "cosigner cheated: wallet frozen");
            self.store.freeze(wallet).await?;
        }
        Ok(run?)
    }

    /// A wallet of an earlier version comes to the refresh job's knowledge with its first
    /// signature, which does not depend on it.
    async fn note_age(&self, wallet: &WalletRecord) {
        let at_ms = shares_at_ms(wallet.wallet_id, wallet.created_at_ms);
        match self.store.note_age(wallet, at_ms).await {
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => tracing::warn!(%error, "not known to the refresh job yet"),
        }
    }
}

impl SignError {
    /// The cosigner has given these shares up for newer ones.
    fn is_of_retired_shares(&self) -> bool {
        use crate::mpc::{CosignerError, Refusal};
        let Self::Protocol(ProtocolError::Cosigner(CosignerError::Refused(refusal))) = self else {
            return false;
        };
        matches!(refusal, Refusal::Retired | Refusal::UnknownKey)
    }
}
