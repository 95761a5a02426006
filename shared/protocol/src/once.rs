//! A secret that travels sealed through another party, while its key stays behind.
//!
//! Between two calls, the cosigner's state goes to party 1 and comes back. The table holds only
//! its 32-byte key. Exactly one call takes that key out of the table, so exactly one call can open
//! the secret.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use domain::random::{Random, RandomError};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Length of a key, in bytes.
const KEY_LEN: usize = 32;

/// The bytes were not sealed under this key with this associated data, or the secret is too long
/// to seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed secret does not belong to this key")]
pub struct OnceKeyError;

/// The key of one secret. Only an [`UnusedKey`] seals, and it seals once, so no key seals two
/// secrets.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct OnceKey([u8; KEY_LEN]);

/// A key that has not sealed anything. It can be stored while its secret is still being computed.
pub struct UnusedKey(OnceKey);

impl UnusedKey {
    /// Draws a new key.
    ///
    /// # Errors
    /// Fails when the random number generator fails.
    pub fn draw(random: &Random) -> Result<Self, RandomError> {
        Ok(Self(OnceKey(random.bytes()?)))
    }

    /// Returns the key, to store it.
    #[must_use]
    pub const fn key(&self) -> &OnceKey {
        &self.0
    }

    /// Seals its secret. The associated data `about` is bound to it.
    ///
    /// # Errors
    /// Fails when the secret is too long for the cipher.
    pub fn seal(self, about: &[u8], secret: &[u8]) -> Result<Vec<u8>, OnceKeyError> {
        let mut sealed = Vec::with_capacity(secret.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(secret);
        cipher(&self.0.0)?
            // The key is new, so any nonce is unused.
            .seal_in_place_append_tag(nonce(), Aad::from(about), &mut sealed)
            .map_err(|_| OnceKeyError)?;
        Ok(sealed)
    }
}

impl fmt::Debug for UnusedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnusedKey")
    }
}

impl OnceKey {
    /// Opens a secret that was sealed under this key with the same `about`.
    ///
    /// # Errors
    /// Fails when the bytes were not.
    pub fn open(
        &self,
        about: &[u8],
        mut sealed: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, OnceKeyError> {
        let opened = cipher(&self.0)?.open_in_place(nonce(), Aad::from(about), &mut sealed);
        let length = opened.map_err(|_| OnceKeyError)?.len();
        sealed.truncate(length);
        Ok(Zeroizing::new(sealed))
    }

    /// Returns the key's bytes, to seal them.
    #[must_use]
    pub const fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// Parses a key. Returns `None` when the length is wrong.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for OnceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnceKey")
    }
}

fn cipher(key: &[u8]) -> Result<LessSafeKey, OnceKeyError> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| OnceKeyError)?;
    Ok(LessSafeKey::new(key))
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_opens_only_under_its_key_and_context() {
        let random = Random::system();
        let sealed_anew = || {
            let unused = UnusedKey::draw(&random).unwrap();
            let key = OnceKey::from_bytes(unused.key().expose()).unwrap();
            (key, unused.seal(b"about", b"secret").unwrap())
        };
        let ((key, sealed), (other, again)) = (sealed_anew(), sealed_anew());
        assert_ne!(sealed, again);
        assert_eq!(key.open(b"about", sealed.clone()).unwrap().as_slice(), b"secret");
        let read = OnceKey::from_bytes(key.expose()).unwrap();
        assert_eq!(read.open(b"about", sealed.clone()).unwrap().as_slice(), b"secret");
        assert!(other.open(b"about", sealed.clone()).is_err());
        assert!(key.open(b"else", sealed.clone()).is_err());
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(key.open(b"about", bent).is_err());
        }
        assert!(OnceKey::from_bytes(&[0; 31]).is_none());
    }
}
