//! Keys derived from another secret's data key. They seal secrets that are only needed when the
//! first secret is opened anyway, so they require no KMS call of their own.
//!
//! Access to the data key gives access to the first secret, which is worth more than anything
//! sealed under derived keys.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use domain::random::Random;
use zeroize::Zeroizing;

use super::{Context, EnvelopeError, Sealed, cipher};

/// The format of these secrets: the wrapped key of [`Sealed`] is the salt of the derivation.
const FORMAT: u8 = 2;
const KEY_LEN: usize = 32;
const SALT_LEN: usize = 32;

/// Seals secrets that accompany another one. Each key is derived (HKDF-SHA256, RFC 5869) from that
/// secret's data key, a new salt and the context.
pub struct BesideKey(Zeroizing<Vec<u8>>);

impl BesideKey {
    pub(super) const fn new(data_key: Zeroizing<Vec<u8>>) -> Self {
        Self(data_key)
    }

    /// Seals a secret for the record that `context` names, without a call of KMS.
    ///
    /// # Errors
    /// Fails when the random number generator fails.
    pub fn seal(
        &self,
        random: &Random,
        context: &Context,
        secret: &[u8],
    ) -> Result<Sealed, EnvelopeError> {
        let salt: [u8; SALT_LEN] = random.bytes()?;
        let nonce: [u8; NONCE_LEN] = random.bytes()?;
        let about = associated_data(context)?;
        let mut ciphertext = Vec::with_capacity(secret.len() + AES_256_GCM.tag_len());
        ciphertext.extend_from_slice(secret);
        cipher(&*self.derive(&salt, &about)?)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(about),
                &mut ciphertext,
            )
            .map_err(|_| EnvelopeError::Malformed)?;
        Ok(Sealed { format: FORMAT, wrapped_key: salt.to_vec(), nonce: nonce.to_vec(), ciphertext })
    }

    /// Opens a secret that was sealed with the same data key for the same record.
    ///
    /// # Errors
    /// Fails when it was not.
    pub fn open(
        &self,
        context: &Context,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        if sealed.format != FORMAT || sealed.wrapped_key.len() != SALT_LEN {
            return Err(EnvelopeError::Malformed);
        }
        let about = associated_data(context)?;
        let key = self.derive(&sealed.wrapped_key, &about)?;
        sealed.open_with(&*key, about)
    }

    fn derive(&self, salt: &[u8], about: &[u8]) -> Result<Zeroizing<[u8; KEY_LEN]>, EnvelopeError> {
        let extracted: Prk = Salt::new(HKDF_SHA256, salt).extract(&self.0);
        let mut key = Zeroizing::new([0; KEY_LEN]);
        extracted
            .expand(&[b"hyperdex/beside/1", about], Length)
            .and_then(|expanded| expanded.fill(&mut *key))
            .map_err(|_| EnvelopeError::Malformed)?;
        Ok(key)
    }
}

impl fmt::Debug for BesideKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BesideKey")
    }
}

fn associated_data(context: &Context) -> Result<Vec<u8>, EnvelopeError> {
    postcard::to_stdvec(&(FORMAT, context)).map_err(|_| EnvelopeError::Malformed)
}

/// The length of a key.
struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        KEY_LEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Purpose;

    fn context(version: &str) -> Context {
        Context {
            tenant: "acme".parse().unwrap(),
            wallet_id: uuid::Uuid::from_u128(7),
            purpose: Purpose::CosignerSession,
            exchange: None,
            version: version.to_owned(),
        }
    }

    #[test]
    fn derived_secret_opens_only_with_its_key_and_context() {
        let random = Random::system();
        let [key, same, other] = [[1; 32], [1; 32], [2; 32]]
            .map(|key: [u8; 32]| BesideKey::new(Zeroizing::new(key.to_vec())));
        let sealed = key.seal(&random, &context("1"), b"secret").unwrap();
        let again = key.seal(&random, &context("1"), b"secret").unwrap();
        assert_ne!(sealed.wrapped_key, again.wrapped_key);
        assert_ne!(sealed.ciphertext, again.ciphertext);
        assert_eq!(same.open(&context("1"), &sealed).unwrap().as_slice(), b"secret");
        assert!(same.open(&context("2"), &sealed).is_err());
        assert!(other.open(&context("1"), &sealed).is_err());
        let bent = |bend: fn(&mut Sealed)| {
            let mut bent = sealed.clone();
            bend(&mut bent);
            same.open(&context("1"), &bent)
        };
        assert!(bent(|sealed| sealed.ciphertext[0] ^= 1).is_err());
        assert!(bent(|sealed| sealed.nonce[0] ^= 1).is_err());
        assert!(bent(|sealed| sealed.wrapped_key[0] ^= 1).is_err());
        assert!(bent(|sealed| sealed.format = 1).is_err());
        assert!(bent(|sealed| sealed.wrapped_key.clear()).is_err());
    }

    /// Values of RFC 5869's extraction and expansion, made with Python's `hmac` and `hashlib`.
    /// They ensure that a later version of the library opens stored secrets.
    #[test]
    fn derivation_is_hkdf_with_sha_256() {
        let key = BesideKey::new(Zeroizing::new(vec![1; 32]));
        let derived = key.derive(&[2; 32], b"about").unwrap();
        assert_eq!(
            hex::encode(*derived),
            "7e6ab326bb9027b0f6e5fe90f336fb119d98afea43456ac6a5373a0f49101e98"
        );
    }
}
