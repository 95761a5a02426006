//! Tests of nonces and of broken sources of randomness.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const SIGNATURES: u32 = 1_500;

fn key() -> SecretKey {
    SecretKey::parse(
        "0915b889c9631706684d65f004fb858275092036a85d9f7516ae34fc9c292f1e96fb5e73f33e9c62",
    )
    .unwrap()
}

fn hash(number: u64) -> Hash {
    Hash(Fp5::small(number))
}

/// Returns the nonce that a signature was made with: k = s + e·key.
fn nonce_of(key: &SecretKey, signature: &Signature) -> [u8; BYTES] {
    let zero = Scalar::default();
    let negative = zero.minus(&signature.e.times(key.scalar()));
    signature.s.minus(&negative).to_bytes()
}

/// A nonce with fewer bits, or with a bias, reveals the key by lattice reduction.
#[test]
fn nonces_are_uniform_over_the_whole_order() {
    let (key, random) = (key(), Random::system());
    let nonces: Vec<_> =
        (0..SIGNATURES).map(|_| nonce_of(&key, &key.sign(&hash(7), &random).unwrap())).collect();
    let count = f64::from(SIGNATURES);
    // Each of the 319 bits is set in half of the nonces, within 6 standard deviations.
    for bit in 0..319 {
        let set = nonces.iter().filter(|nonce| nonce[bit / 8] >> (bit % 8) & 1 == 1).count();
        let set = f64::from(u32::try_from(set).unwrap());
        assert!((set - count / 2.0).abs() < 6.0 * (count / 4.0).sqrt(), "bit {bit}: {set}");
    }
    assert!(nonces.iter().all(|nonce| nonce[BYTES - 1] < 0x80));
    // Each byte but the highest has a distribution with a χ² of 255 ± 23, over all nonces. Half of
    // the highest byte's values occur.
    for place in 0..BYTES {
        let values = if place == BYTES - 1 { 128 } else { 256 };
        let expected = count / f64::from(values);
        let mut counts = vec![0.0; 256];
        nonces.iter().for_each(|nonce| counts[usize::from(nonce[place])] += 1.0);
        let squares = counts.iter().map(|seen: &f64| (seen - expected).powi(2) / expected);
        let chi: f64 = squares.take(values as usize).sum();
        let degrees = f64::from(values - 1);
        assert!((chi - degrees).abs() < 7.0 * (2.0 * degrees).sqrt(), "byte {place}: {chi}");
    }
    let mut distinct = nonces.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), nonces.len());
}

#[test]
fn nonce_is_drawn_again_unless_it_is_in_range() {
    // The first draw is at least n, the second is 0, the third fits.
    let draws = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&draws);
    let random = Random::from_fn(move |bytes| {
        assert_eq!(bytes.len(), BYTES);
        bytes.fill([0xff, 0, 0x55][counted.fetch_add(1, Ordering::Relaxed)]);
        Ok(())
    });
    let (key, hash) = (key(), hash(1));
    let signature = key.sign(&hash, &random).unwrap();
    assert_eq!(draws.load(Ordering::Relaxed), 3);
    assert_eq!(nonce_of(&key, &signature), [0x55; BYTES]);
    assert!(key.public_key().verifies(&hash, &signature));
}

#[test]
fn broken_source_of_randomness_signs_nothing() {
    let sign = |random: &Random| key().sign(&hash(1), random).unwrap_err();
    for byte in [0, 0xff] {
        let stuck = Random::from_fn(move |bytes| {
            bytes.fill(byte);
            Ok(())
        });
        assert!(matches!(sign(&stuck), SignError::RandomRange));
    }
    let failing = Random::from_fn(|_| Err(RandomError));
    assert!(matches!(sign(&failing), SignError::Random(_)));
}

#[test]
fn number_of_at_least_the_order_does_not_parse_as_signature() {
    let mut bytes = key().sign(&hash(3), &Random::system()).unwrap().to_bytes();
    assert_eq!(Signature::parse(&bytes).unwrap().to_bytes(), bytes);
    for half in [39, 79] {
        let kept = std::mem::replace(&mut bytes[half], 0x80);
        assert!(Signature::parse(&bytes).is_none());
        bytes[half] = kept;
    }
}
