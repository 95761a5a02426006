//! Signing an intent with a wallet's key.

use super::Custody;
use crate::api::ids::{Tenant, WalletRef};
use crate::envelope::EnvelopeError;
use crate::eth::Signature;
use crate::intent::{Intent, PersonalMessage};
use crate::mpc::{self, KeyShare, ProtocolError, ShareError};
use crate::store::{ShareRecord, StoreError, WalletRecord};

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
        let view = self.store.find(tenant, name).await?.ok_or(SignError::NotFound)?;
        let share = self.share(&view.wallet).await?;
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
        let stored = self.store.share(wallet).await?;
        let context = ShareRecord::context(&wallet.key());
        let bytes = self.envelope.open(&context, &stored.sealed).await?;
        Ok(KeyShare::from_bytes(&bytes, 1)?)
    }

    /// Signs an intent. The signature is known to be the wallet's.
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
        if share.address() != wallet.address {
            return Err(ProtocolError::WrongSignature.into());
        }
        match mpc::sign(&self.cosigner, &self.random, &wallet.key(), share, intent).await {
            Ok(signature) => Ok(signature),
            Err(error) => {
                if matches!(error, ProtocolError::Aborted { ban: true, .. }) {
                    tracing::error!(walletId = %wallet.wallet_id, "cosigner cheated: wallet frozen");
                    self.store.freeze(wallet).await?;
                }
                Err(error.into())
            }
        }
    }
}
