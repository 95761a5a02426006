//! Schnorr signatures: R = k·G, e = Poseidon2(R ‖ hash) modulo n, s = k − e·key.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use domain::random::{Random, RandomError};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::curve::Point;
use crate::extension::Fp5;
use crate::fields::TransactionError;
use crate::key::{PublicKey, SecretKey};
use crate::poseidon2::hash_to_five;
use crate::scalar::{BYTES, Scalar};

/// Number of draws after which the source of randomness counts as broken. One is refused with a
/// probability of 2^−32.
const DRAWS: u32 = 16;

/// The hash that is signed. For a transaction it is also Lighter's `tx_hash`. Its text is 80 hex
/// digits.
#[derive(Clone, Copy)]
pub struct Hash(pub(crate) Fp5);

impl Hash {
    /// Returns 40 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; BYTES] {
        self.0.to_bytes()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.to_bytes()))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

impl Eq for Hash {}

/// Nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Lighter would refuse the transaction or token, or it could never execute.
    #[error(transparent)]
    Invalid(#[from] TransactionError),
    /// The source of randomness failed.
    #[error("the random number generator failed")]
    Random(#[from] RandomError),
    /// The source of randomness returned no usable number several times in a row.
    #[error("the random number generator returns no usable number")]
    RandomRange,
    /// The signature did not verify, so the computation was wrong. A wrong signature can reveal
    /// the key, so it is not returned.
    #[error("the computed signature did not verify")]
    Unverified,
}

/// A signature: the scalars s and e.
#[derive(Clone)]
pub struct Signature {
    s: Scalar,
    e: Scalar,
}

impl Signature {
    /// Parses 80 bytes. Returns `None` if a number is not below the group's order.
    #[must_use]
    pub fn parse(bytes: &[u8; 2 * BYTES]) -> Option<Self> {
        let (s, e) = bytes.split_first_chunk()?;
        Some(Self { s: Scalar::parse(s)?, e: Scalar::parse(e.first_chunk()?)? })
    }

    /// Returns the 80 bytes of s and e.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 2 * BYTES] {
        let mut bytes = [0; 2 * BYTES];
        let (s, e) = bytes.split_at_mut(BYTES);
        s.copy_from_slice(&self.s.to_bytes());
        e.copy_from_slice(&self.e.to_bytes());
        bytes
    }

    /// Returns the text for `Sig` in a transaction.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(self.to_bytes())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(self.to_bytes()))
    }
}

impl SecretKey {
    /// Signs a hash, and verifies the signature.
    ///
    /// Each call draws a new nonce over the whole order: 319 random bits, refused unless they are
    /// below n. A nonce with fewer bits would reveal the key after a few signatures.
    ///
    /// # Errors
    /// Fails when the source of randomness fails, or the computation was wrong.
    pub fn sign(&self, hash: &Hash, random: &Random) -> Result<Signature, SignError> {
        let signature = self.sign_with(hash, &draw_nonce(random)?);
        if self.public_key().verifies(hash, &signature) {
            Ok(signature)
        } else {
            Err(SignError::Unverified)
        }
    }

    pub(crate) fn sign_with(&self, hash: &Hash, nonce: &Scalar) -> Signature {
        let e = challenge(&Point::generated(nonce), hash);
        let s = nonce.minus(&e.times(self.scalar()));
        Signature { s, e }
    }
}

impl PublicKey {
    /// Returns whether this key's secret key signed the hash.
    #[must_use]
    pub fn verifies(&self, hash: &Hash, signature: &Signature) -> bool {
        let Signature { s, e } = signature;
        let commitment = self.point().times_and_generator(s, e);
        challenge(&commitment, hash).ct_eq(e).into()
    }
}

fn challenge(commitment: &Point, hash: &Hash) -> Scalar {
    let mut input = [crate::field::Gl(0); 10];
    let elements = commitment.encode().0.into_iter().chain(hash.0.0);
    for (place, element) in input.iter_mut().zip(elements) {
        *place = element;
    }
    Scalar::reduce(&hash_to_five(&input).to_bytes())
}

/// Draws a number from 1 to n − 1, each with the same probability.
fn draw_nonce(random: &Random) -> Result<Scalar, SignError> {
    for _ in 0..DRAWS {
        let mut bytes = Zeroizing::new([0; BYTES]);
        random.fill(&mut bytes[..])?;
        // n has 319 bits.
        bytes[BYTES - 1] &= 0x7f;
        let drawn = Scalar::parse(&bytes);
        if let Some(nonce) = drawn.filter(|nonce| !bool::from(nonce.is_zero())) {
            return Ok(nonce);
        }
    }
    Err(SignError::RandomRange)
}

#[cfg(test)]
mod tests;
