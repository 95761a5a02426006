//! Encryption to a public key: HPKE (RFC 9180), base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256,
//! AES-256-GCM, as implemented by `rustls` with AWS-LC (docs/decisions/0067-hpke.md).

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::agreement::{ECDH_P256, ParsedPublicKey, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::digest::{SHA256, digest};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P256_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::keys::base64;

/// Length of a public key: an uncompressed point of P-256.
const PUBLIC_LEN: usize = 65;

/// Length of a private key.
const PRIVATE_LEN: usize = 32;

/// Why something could not be encrypted or decrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HpkeError {
    /// The text or bytes are not a key.
    #[error("invalid HPKE key: expected a point of P-256 in 130 hex digits")]
    Key,
    /// The ciphertext is for another key.
    #[error("encrypted for another key")]
    OtherKey,
    /// The ciphertext was made for another record, or was changed.
    #[error("encrypted for another record, or changed")]
    Mismatch,
    /// The cryptography library failed.
    #[error("the cryptography library failed")]
    Failed,
}

/// A public key that secrets are encrypted to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SealingKey([u8; PUBLIC_LEN]);

impl SealingKey {
    /// Parses an uncompressed point of P-256.
    ///
    /// # Errors
    /// Fails when the bytes are not a point of the curve.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
        let key = <[u8; PUBLIC_LEN]>::try_from(bytes).map_err(|_| HpkeError::Key)?;
        ParsedPublicKey::try_from(UnparsedPublicKey::new(&ECDH_P256, key))
            .map_err(|_| HpkeError::Key)?;
        Ok(Self(key))
    }

    /// Returns the bytes of the point.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; PUBLIC_LEN] {
        &self.0
    }

    /// Returns the key's id: the first 8 bytes of its SHA-256, in hex.
    #[must_use]
    pub fn id(&self) -> String {
        hex::encode(&digest(&SHA256, &self.0).as_ref()[..8])
    }

    /// Returns the text that people compare: the first 16 bytes of the key's SHA-256, in hex.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(&digest(&SHA256, &self.0).as_ref()[..16])
    }

    /// Encrypts a secret. `info` and `aad` are bound to it.
    ///
    /// # Errors
    /// Fails when the cryptography library fails.
    pub fn seal(&self, info: &[u8], aad: &[u8], secret: &[u8]) -> Result<Encrypted, HpkeError> {
        let (enc, ciphertext) = SUITE
            .seal(info, aad, secret, &HpkePublicKey(self.0.to_vec()))
            .map_err(|_| HpkeError::Failed)?;
        Ok(Encrypted { key_id: self.id(), enc: enc.0, ciphertext })
    }
}

impl FromStr for SealingKey {
    type Err = HpkeError;

    fn from_str(text: &str) -> Result<Self, HpkeError> {
        Self::from_bytes(&hex::decode(text).map_err(|_| HpkeError::Key)?)
    }
}

impl TryFrom<String> for SealingKey {
    type Error = HpkeError;
    fn try_from(text: String) -> Result<Self, HpkeError> {
        text.parse()
    }
}

impl From<SealingKey> for String {
    fn from(key: SealingKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id())
    }
}

/// A secret encrypted to one public key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Encrypted {
    /// The id of the public key.
    pub key_id: String,
    /// The encapsulated key.
    #[serde(with = "base64")]
    pub enc: Vec<u8>,
    /// Ciphertext and tag.
    #[serde(with = "base64")]
    pub ciphertext: Vec<u8>,
}

/// A private key. Hidden in `Debug`, zeroised when dropped.
pub struct OpeningKey {
    private: HpkePrivateKey,
    public: SealingKey,
}

impl OpeningKey {
    /// Generates a key pair with AWS-LC's generator.
    ///
    /// # Errors
    /// Fails when the cryptography library fails.
    pub fn generate() -> Result<Self, HpkeError> {
        let (public, private) = SUITE.generate_key_pair().map_err(|_| HpkeError::Failed)?;
        Ok(Self { private, public: SealingKey::from_bytes(&public.0)? })
    }

    /// Makes the key of these 32 bytes.
    ///
    /// # Errors
    /// Fails when they are not a private key of P-256.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
        if bytes.len() != PRIVATE_LEN {
            return Err(HpkeError::Key);
        }
        let key = PrivateKey::from_private_key(&ECDH_P256, bytes).map_err(|_| HpkeError::Key)?;
        let public = key.compute_public_key().map_err(|_| HpkeError::Key)?;
        Ok(Self {
            private: HpkePrivateKey::from(bytes.to_vec()),
            public: SealingKey::from_bytes(public.as_ref())?,
        })
    }

    /// Returns the public key.
    #[must_use]
    pub const fn public(&self) -> &SealingKey {
        &self.public
    }

    /// Returns the secret bytes, to encrypt them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.private.secret_bytes()
    }

    /// Decrypts a secret that was encrypted to this key with the same `info` and `aad`.
    ///
    /// # Errors
    /// Fails when it was encrypted to another key or for another record.
    pub fn open(
        &self,
        info: &[u8],
        aad: &[u8],
        sealed: &Encrypted,
    ) -> Result<Zeroizing<Vec<u8>>, HpkeError> {
        if sealed.key_id != self.public.id() {
            return Err(HpkeError::OtherKey);
        }
        let enc = EncapsulatedSecret(sealed.enc.clone());
        let opened = SUITE.open(&enc, info, aad, &sealed.ciphertext, &self.private);
        opened.map(Zeroizing::new).map_err(|_| HpkeError::Mismatch)
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpeningKey({})", self.public.id())
    }
}
