//! Verification of Lighter's signatures with code that the product does not use: integers of 128
//! bits with `%`, the affine formulas of the curve's Weierstrass form, and matrices for the hash.
//! Slow, and not in constant time: it has no secrets.

use alloy_primitives::Uint;

mod constants;
mod curve;
mod field;
mod hash;

pub use hash::{hash_to_five, hash_to_four};

/// A number of 320 bits.
type U320 = Uint<320, 5>;

/// The order of the group.
const ORDER: &str = "1067993516717146951041484916571792702745057740581727230159139685185762082554198619328292418486241";

/// Five elements of the field, as they are hashed.
pub type Five = [u64; 5];

fn order() -> U320 {
    ORDER.parse().unwrap_or(U320::ZERO)
}

/// Parses a hash or a public key: 5 elements of 8 bytes, little-endian, each below the modulus.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Five> {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let elements: Vec<u64> = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect();
    let fits = rest.is_empty() && elements.iter().all(|it| u128::from(*it) < field::MODULUS);
    elements.try_into().ok().filter(|_| fits)
}

/// Returns 40 bytes as hex digits.
#[must_use]
pub fn text(five: &Five) -> String {
    hex::encode(five.map(u64::to_le_bytes).concat())
}

/// Returns whether elements are the encoding of a public key: a point other than the neutral one.
#[must_use]
pub fn is_public_key(key: &Five) -> bool {
    curve::decode(&key.map(u128::from)).is_some_and(|point| point.is_some())
}

/// Returns whether a key signed a hash. The signature has 80 bytes: s and e. A number that is not
/// below the order is refused: a guess, as Lighter's library reduces it.
#[must_use]
pub fn verifies(key: &Five, hash: &Five, signature: &[u8]) -> bool {
    let Some((s, e)) = signature.split_at_checked(40).filter(|(_, e)| e.len() == 40) else {
        return false;
    };
    let (s, e) = (U320::from_le_slice(s), U320::from_le_slice(e));
    let point = curve::decode(&key.map(u128::from)).flatten();
    let (Some(key), true) = (point, s < order() && e < order()) else { return false };
    let generator = curve::generator();
    let commitment = curve::encode(&curve::sum_of_products(&generator, &s, &Some(key), &e));
    let input: Vec<u64> = commitment.into_iter().chain(*hash).collect();
    let challenge = hash_to_five(&input).map(u64::to_le_bytes).concat();
    U320::from_le_slice(&challenge) % order() == e
}
