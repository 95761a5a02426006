//! Signing a payment with a wallet's key.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::eth::Signature;
use domain::intent::NONCE_USED;
use domain::money::{Chains, Form, Nonces, Sent};
use protocol::{
    KeyShare, PaymentOrder, PaymentPrepared, PaymentRefusal, PreparePayment, Refusal, WalletKey,
};

use super::sign::Content;
use super::{Custody, ShareUse, SignError, permit};
use crate::mpc::{self, CosignerError, PaymentStep, ProtocolError};
use crate::store::WalletRecord;

/// Number of times that a payment is prepared again: after another run of the same payment has signed,
/// or when its nonces were replaced.
const PREPARATIONS: u32 = 4;

/// Why a payment was not signed.
#[derive(Debug, thiserror::Error)]
pub enum PaySignError {
    /// The cosigner refused the payment. Nothing was signed.
    #[error("the cosigner refused the payment: {0}")]
    Refused(PaymentRefusal),
    /// The cosigner refused the payment after it had counted it. A repeat may be signed.
    #[error("the cosigner refused the counted payment: {0}")]
    Held(PaymentRefusal),
    /// The payment could not be signed.
    #[error(transparent)]
    Sign(SignError),
    /// The signatures do not make a payment.
    #[error("the nonces do not belong to the payment")]
    Nonsense,
}

impl From<SignError> for PaySignError {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Protocol(ProtocolError::Cosigner(CosignerError::Refused(
                Refusal::Payment(refusal),
            ))) => Self::Refused(refusal),
            error => Self::Sign(error),
        }
    }
}

impl From<ProtocolError> for PaySignError {
    fn from(error: ProtocolError) -> Self {
        SignError::from(error).into()
    }
}

impl PaySignError {
    /// Returns whether the payment is to be prepared again: the cosigner holds other nonces or more
    /// signatures than this run knew.
    fn is_stale(&self) -> bool {
        use CosignerError::Refused;
        match self {
            Self::Refused(refusal) | Self::Held(refusal) => {
                *refusal == PaymentRefusal::PrepareAgain
            }
            Self::Sign(SignError::Protocol(ProtocolError::Cosigner(Refused(refusal)))) => {
                match refusal {
                    Refusal::NoSession => true,
                    Refusal::Policy(reason) => reason == NONCE_USED,
                    _ => false,
                }
            }
            Self::Sign(_) | Self::Nonsense => false,
        }
    }
}

impl Custody {
    /// Has the cosigner check a payment. Nothing is written, counted or signed.
    ///
    /// # Errors
    /// Fails when the cosigner would refuse it, or is unavailable.
    pub async fn check_payment(
        &self,
        wallet: &WalletRecord,
        order: &PaymentOrder,
    ) -> Result<PaymentPrepared, PaySignError> {
        permit(wallet, ShareUse::Sign)?;
        self.prepare_payment(wallet.key(), order, true).await
    }

    async fn prepare_payment(
        &self,
        key: WalletKey,
        order: &PaymentOrder,
        dry_run: bool,
    ) -> Result<PaymentPrepared, PaySignError> {
        let prepare = PreparePayment { order: order.clone(), dry_run };
        Ok(mpc::prepare_payment(&self.cosigner, &self.random, &key, prepare).await?)
    }

    /// Signs a payment, and returns its nonces and the bytes to send. A repeat with the same id
    /// returns the same bytes, and counts once.
    ///
    /// # Errors
    /// Fails when the cosigner refuses or is unavailable. Signatures that were made stay with the
    /// cosigner, so a repeat makes only those that are missing.
    pub async fn sign_payment(
        &self,
        wallet: &WalletRecord,
        chains: Chains,
        order: &PaymentOrder,
    ) -> Result<(Nonces, Sent), PaySignError> {
        let share = self.share(wallet).await?;
        let counted = AtomicBool::new(false);
        let mut preparations = 0;
        loop {
            let signed = async {
                let prepared = self.prepare_payment(wallet.key(), order, false).await?;
                counted.fetch_or(prepared.is_counted, Ordering::Relaxed);
                self.sign_prepared(wallet, &share, (chains, order), prepared, &counted).await
            };
            match signed.await {
                Err(error) if error.is_stale() && preparations < PREPARATIONS => preparations += 1,
                Err(PaySignError::Refused(refusal)) if counted.load(Ordering::Relaxed) => {
                    return Err(PaySignError::Held(refusal));
                }
                signed => return signed,
            }
        }
    }

    /// Makes the signatures that are missing.
    async fn sign_prepared(
        &self,
        wallet: &WalletRecord,
        share: &KeyShare,
        (chains, order): (Chains, &PaymentOrder),
        prepared: PaymentPrepared,
        counted: &AtomicBool,
    ) -> Result<(Nonces, Sent), PaySignError> {
        let PaymentPrepared { nonces, signatures: made, .. } = prepared;
        let form = Form { payment: &order.payment, wallet: wallet.address, chains, nonces };
        let mut signatures = Vec::new();
        for signature in made {
            let digest = form.digest(&signatures).ok_or(PaySignError::Nonsense)?;
            if signature.recover(&digest).ok() != Some(wallet.address) {
                return Err(ProtocolError::WrongSignature.into());
            }
            signatures.push(signature);
        }
        while let Some(digest) = form.digest(&signatures) {
            let step = u8::try_from(signatures.len()).map_err(|_| PaySignError::Nonsense)?;
            let step = PaymentStep { order, nonces, step, digest, counted };
            // Boxed, so that the caller's future does not grow with this one.
            let signed: Pin<Box<dyn Future<Output = Result<Signature, SignError>> + Send + '_>> =
                Box::pin(self.sign_patiently(wallet, share, Content::Payment(step)));
            signatures.push(signed.await?);
        }
        let sent = form.sent(&signatures).ok_or(PaySignError::Nonsense)?;
        Ok((nonces, sent))
    }
}
