//! KMS envelope encryption: a data key for each secret, and AES-256-GCM. The context is given to
//! KMS and bound to the ciphertext, so that a ciphertext moved to another record does not open.

mod cache;
mod derived;

use std::collections::HashMap;
use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_sdk_kms::error::DisplayErrorContext;
use aws_sdk_kms::operation::decrypt::DecryptError;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use domain::ids::{Exchange, Tenant};
use domain::random::Random;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::aws::Lazy;

pub use cache::KeyCache;
pub use derived::BesideKey;

/// The format of [`Sealed`].
const FORMAT: u8 = 1;

/// The purpose of a sealed secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Party 1's share of a wallet's key.
    Share,
    /// An agent's private key.
    AgentKey,
    /// The cosigner's share.
    CosignerShare,
    /// The cosigner's state between the two calls of a session.
    CosignerSession,
    /// A response kept for its `Idempotency-Key`.
    Answer,
    /// A webhook's signing secret.
    WebhookSecret,
    /// A transport key of a recovery.
    RecoveryTransport,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::AgentKey => "agent-key",
            Self::CosignerShare => "cosigner-share",
            Self::CosignerSession => "cosigner-session",
            Self::Answer => "answer",
            Self::WebhookSecret => "webhook-secret",
            Self::RecoveryTransport => "recovery-transport",
        }
    }
}

/// The record that a secret belongs to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Context {
    /// The record's tenant.
    pub tenant: Tenant,
    /// The wallet; for a kept response, its operation; for a webhook's secret, the webhook.
    pub wallet_id: Uuid,
    /// The purpose.
    pub purpose: Purpose,
    /// The exchange, for a credential.
    pub exchange: Option<Exchange>,
    /// The identity within its kind: a share's key version, a credential's agent, a session's id.
    pub version: String,
}

impl Context {
    fn for_kms(&self) -> HashMap<String, String> {
        let mut context = HashMap::from([
            ("tenant".to_owned(), self.tenant.to_string()),
            ("walletId".to_owned(), self.wallet_id.to_string()),
            ("purpose".to_owned(), self.purpose.as_str().to_owned()),
            ("version".to_owned(), self.version.clone()),
        ]);
        if let Some(exchange) = self.exchange {
            context.insert("exchange".to_owned(), exchange.to_string());
        }
        context
    }

    /// Returns the associated data: every field with its length, so that different contexts
    /// differ.
    fn associated_data(&self) -> Result<Vec<u8>, EnvelopeError> {
        postcard::to_stdvec(&(FORMAT, self)).map_err(|_| EnvelopeError::Malformed)
    }
}

/// A secret as stored. It contains nothing that opens it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Sealed {
    /// The format of the other fields: 1, or 2 when sealed by a [`BesideKey`].
    #[serde(rename = "f")]
    format: u8,
    /// The data key, wrapped by KMS; in format 2 the salt of the key derivation.
    #[serde(rename = "k", with = "serde_bytes")]
    wrapped_key: Vec<u8>,
    /// AES-GCM's nonce.
    #[serde(rename = "n", with = "serde_bytes")]
    nonce: Vec<u8>,
    /// Ciphertext and tag.
    #[serde(rename = "c", with = "serde_bytes")]
    ciphertext: Vec<u8>,
}

impl Sealed {
    /// Returns AES-GCM's nonce, which no other sealed secret has. In a table it is the field `n`.
    #[must_use]
    pub fn nonce(&self) -> &[u8] {
        &self.nonce
    }

    /// Returns the stored size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        1 + self.wrapped_key.len() + self.nonce.len() + self.ciphertext.len()
    }

    /// Opens it with its own key.
    fn open_with(&self, key: &[u8], about: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let nonce = <[u8; NONCE_LEN]>::try_from(self.nonce.as_slice())
            .map_err(|_| EnvelopeError::Malformed)?;
        let mut bytes = Zeroizing::new(self.ciphertext.clone());
        let length = cipher(key)?
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(about), &mut bytes)
            .map_err(|_| EnvelopeError::Mismatch)?
            .len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.size())
    }
}

/// Why a secret could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// KMS failed: unreachable, throttled, or permission denied. A retry can succeed.
    #[error("KMS: {0}")]
    Kms(String),
    /// KMS has the ciphertext's key no longer, or the ciphertext is not of this key and context. A
    /// retry does not help.
    #[error("KMS: {0}")]
    Lost(String),
    /// The ciphertext was not sealed for this record.
    #[error("the ciphertext does not belong to this record")]
    Mismatch,
    /// The format is unknown or damaged.
    #[error("the sealed secret is malformed")]
    Malformed,
    /// The random number generator failed.
    #[error(transparent)]
    Random(#[from] domain::random::RandomError),
}

impl EnvelopeError {
    /// Returns whether the secret can never be opened: a retry gives the same error.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Mismatch | Self::Malformed)
    }
}

/// Returns whether KMS can never decrypt this ciphertext with this key and context.
const fn is_lost(error: &DecryptError) -> bool {
    matches!(
        error,
        DecryptError::InvalidCiphertextException(_)
            | DecryptError::IncorrectKeyException(_)
            | DecryptError::NotFoundException(_)
    )
}

/// Seals and opens secrets under one KMS key.
#[derive(Clone, Debug)]
pub struct Envelope {
    kms: Lazy<aws_sdk_kms::Client>,
    key_id: String,
    random: Random,
}

impl Envelope {
    /// Makes an envelope with the KMS key of this id, ARN or alias.
    #[must_use]
    pub fn new(kms: Lazy<aws_sdk_kms::Client>, key_id: impl Into<String>, random: Random) -> Self {
        Self { kms, key_id: key_id.into(), random }
    }

    /// Requests a data key for one secret, with one call of KMS. Separate from [`DataKey::seal`],
    /// so that it can run while the secret is being computed.
    ///
    /// # Errors
    /// Fails when KMS fails.
    pub async fn data_key(&self, context: Context) -> Result<DataKey, EnvelopeError> {
        let output = self
            .kms
            .generate_data_key()
            .key_id(&self.key_id)
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(context.for_kms()))
            .send()
            .await
            .map_err(|error| EnvelopeError::Kms(DisplayErrorContext(error).to_string()))?;
        let (Some(plaintext), Some(wrapped)) = (output.plaintext, output.ciphertext_blob) else {
            return Err(EnvelopeError::Malformed);
        };
        Ok(DataKey {
            plaintext: Zeroizing::new(plaintext.into_inner()),
            wrapped: wrapped.into_inner(),
            context,
            random: self.random.clone(),
        })
    }

    /// Seals a secret for the record that `context` names, with one call of KMS.
    ///
    /// # Errors
    /// Fails when KMS fails.
    pub async fn seal(&self, context: Context, secret: &[u8]) -> Result<Sealed, EnvelopeError> {
        self.data_key(context).await?.seal(secret)
    }

    /// Opens a secret of the record that `context` names, with one call of KMS.
    ///
    /// # Errors
    /// Fails when the secret was sealed for another record, or KMS does not unwrap its key.
    pub async fn open(
        &self,
        context: &Context,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        Ok(self.open_with_key(context, sealed).await?.0)
    }

    /// Opens a secret as [`Envelope::open`] does. Also returns the key that seals and opens the
    /// secrets that accompany it.
    ///
    /// # Errors
    /// As [`Envelope::open`].
    pub async fn open_with_key(
        &self,
        context: &Context,
        sealed: &Sealed,
    ) -> Result<(Zeroizing<Vec<u8>>, BesideKey), EnvelopeError> {
        let key = self.unwrap_key(context, sealed).await?;
        let bytes = sealed.open_with(&key, context.associated_data()?)?;
        Ok((bytes, BesideKey::new(key)))
    }

    /// Returns a secret's data key, with one call of KMS.
    async fn unwrap_key(
        &self,
        context: &Context,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        if sealed.format != FORMAT {
            return Err(EnvelopeError::Malformed);
        }
        let output = self
            .kms
            .decrypt()
            .key_id(&self.key_id)
            .ciphertext_blob(Blob::new(sealed.wrapped_key.clone()))
            .set_encryption_context(Some(context.for_kms()))
            .send()
            .await
            .map_err(|error| {
                let lost = error.as_service_error().is_some_and(is_lost);
                let cause = DisplayErrorContext(error).to_string();
                if lost { EnvelopeError::Lost(cause) } else { EnvelopeError::Kms(cause) }
            })?;
        let plaintext = output.plaintext.ok_or(EnvelopeError::Malformed)?;
        Ok(Zeroizing::new(plaintext.into_inner()))
    }
}

/// A data key for one secret.
pub struct DataKey {
    plaintext: Zeroizing<Vec<u8>>,
    wrapped: Vec<u8>,
    context: Context,
    random: Random,
}

impl DataKey {
    /// Seals the secret. Each key seals only one secret.
    ///
    /// # Errors
    /// Fails when the random number generator fails.
    pub fn seal(&self, secret: &[u8]) -> Result<Sealed, EnvelopeError> {
        let key = cipher(&self.plaintext)?;
        let nonce: [u8; NONCE_LEN] = self.random.bytes()?;
        let mut ciphertext = Vec::with_capacity(secret.len() + AES_256_GCM.tag_len());
        ciphertext.extend_from_slice(secret);
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(self.context.associated_data()?),
            &mut ciphertext,
        )
        .map_err(|_| EnvelopeError::Malformed)?;
        Ok(Sealed {
            format: FORMAT,
            wrapped_key: self.wrapped.clone(),
            nonce: nonce.to_vec(),
            ciphertext,
        })
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}

fn cipher(key: &[u8]) -> Result<LessSafeKey, EnvelopeError> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| EnvelopeError::Malformed)?;
    Ok(LessSafeKey::new(key))
}
