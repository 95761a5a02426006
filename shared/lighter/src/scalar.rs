//! Integers modulo n, the prime order of the curve's group. n has 319 bits.
//!
//! The operations have no branches and no table lookups that depend on values.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Length of an encoded scalar in bytes.
pub(crate) const BYTES: usize = 40;

type Limbs = [u64; 5];

/// The order n, in words from the lowest on.
pub(crate) const N: Limbs = [
    0xe80f_d996_948b_ffe1,
    0xe888_5c39_d724_a09c,
    0x7fff_ffe6_cfb8_0639,
    0x7fff_fff1_0000_0016,
    0x7fff_fffd_8000_0007,
];

/// −1 / n modulo 2^64.
const N_INVERSE: u64 = 0xd78b_ef72_057b_7bdf;

/// 2^640 mod n, which turns a Montgomery product into a product.
const R2: Limbs = [
    0xa010_01dc_e33d_c739,
    0x6c32_28d3_3f62_accf,
    0xd1d7_96cc_91cf_8525,
    0xaadf_ff5d_1574_c1d8,
    0x4aca_13b2_8ca2_51f5,
];

/// A scalar below n. It is erased on drop, because it can be a secret key or a nonce.
#[derive(Clone, Default, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Scalar(Limbs);

impl Scalar {
    /// Parses 40 bytes, little-endian. `None` if the number is n or more. Only the result of the
    /// comparison decides, which the caller reveals anyway.
    pub(crate) fn parse(bytes: &[u8; BYTES]) -> Option<Self> {
        let mut limbs = read(bytes);
        let (mut less, below) = sub(&limbs, &N);
        let parsed = bool::from(below).then(|| Self(limbs));
        limbs.zeroize();
        less.zeroize();
        parsed
    }

    /// Returns a number of 40 bytes, little-endian, modulo n.
    pub(crate) fn reduce(bytes: &[u8; BYTES]) -> Self {
        // 2^320 is less than 3 n.
        Self(reduce_once(&reduce_once(&read(bytes))))
    }

    pub(crate) fn is_zero(&self) -> Choice {
        self.0.ct_eq(&[0; 5])
    }

    /// Returns 40 bytes, little-endian.
    pub(crate) fn to_bytes(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        bytes
    }

    /// Returns the 80 groups of 4 bits, from the highest on.
    pub(crate) fn nibbles(&self) -> impl Iterator<Item = u8> {
        self.0.iter().rev().flat_map(|limb| (0..16).rev().map(move |place| nibble(*limb, place)))
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        let (difference, under) = sub(&self.0, &other.0);
        let mask = u64::conditional_select(&0, &u64::MAX, under);
        Self(add(&difference, &N.map(|limb| limb & mask)))
    }

    pub(crate) fn times(&self, other: &Self) -> Self {
        Self(montgomery(&montgomery(&self.0, &R2), &other.0))
    }
}

impl ConstantTimeEq for Scalar {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "takes 4 bits")]
const fn nibble(limb: u64, place: u32) -> u8 {
    (limb >> (4 * place)) as u8 & 15
}

fn read(bytes: &[u8; BYTES]) -> Limbs {
    let mut limbs = [0; 5];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *limb = u64::from_le_bytes(*chunk);
    }
    limbs
}

/// Returns the sum modulo 2^320.
fn add(a: &Limbs, b: &Limbs) -> Limbs {
    let mut carry = false;
    std::array::from_fn(|i| {
        let (sum, over) = a[i].overflowing_add(b[i]);
        let (sum, again) = sum.overflowing_add(u64::from(carry));
        carry = over | again;
        sum
    })
}

/// Returns the difference modulo 2^320, and whether it is negative.
fn sub(a: &Limbs, b: &Limbs) -> (Limbs, Choice) {
    let mut borrow = false;
    let difference = std::array::from_fn(|i| {
        let (difference, under) = a[i].overflowing_sub(b[i]);
        let (difference, again) = difference.overflowing_sub(u64::from(borrow));
        borrow = under | again;
        difference
    });
    (difference, Choice::from(u8::from(borrow)))
}

/// Subtracts n from a number that is n or more.
fn reduce_once(a: &Limbs) -> Limbs {
    let (less, below) = sub(a, &N);
    std::array::from_fn(|i| u64::conditional_select(&less[i], &a[i], below))
}

/// Returns a · b / 2^320 modulo n, for an `a` below n.
#[expect(clippy::cast_possible_truncation, reason = "splits numbers into their words")]
fn montgomery(a: &Limbs, b: &Limbs) -> Limbs {
    let mut result = [0_u64; 5];
    for limb in b {
        let factor = a[0].wrapping_mul(*limb).wrapping_add(result[0]).wrapping_mul(N_INVERSE);
        let (mut high, mut high_n) = (0_u64, 0_u64);
        let mut next = [0_u64; 5];
        for j in 0..5 {
            let sum =
                u128::from(a[j]) * u128::from(*limb) + u128::from(result[j]) + u128::from(high);
            high = (sum >> 64) as u64;
            let low = u128::from(sum as u64);
            let sum = u128::from(factor) * u128::from(N[j]) + low + u128::from(high_n);
            high_n = (sum >> 64) as u64;
            if j > 0 {
                next[j - 1] = sum as u64;
            }
        }
        // The new value is less than 2^320, so this does not overflow.
        next[4] = high.wrapping_add(high_n);
        result = next;
    }
    reduce_once(&result)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The number n − 1 and its neighbours, small numbers, and others.
    fn number() -> impl Strategy<Value = [u8; BYTES]> {
        let near_n = (-3..3_i64).prop_map(|away| {
            let mut limbs = N;
            limbs[0] = limbs[0].wrapping_add_signed(away);
            Scalar(limbs).to_bytes()
        });
        let any_bytes = (any::<[u8; 32]>(), any::<[u8; 8]>()).prop_map(|(low, high)| {
            let mut bytes = [0; BYTES];
            bytes[..32].copy_from_slice(&low);
            bytes[32..].copy_from_slice(&high);
            bytes
        });
        let small = (0..3_u8).prop_map(|number| {
            let mut bytes = [0; BYTES];
            bytes[0] = number;
            bytes
        });
        prop_oneof![any_bytes, near_n, small, Just([0xff; BYTES])]
    }

    /// Adds the number as often as the factor states, by doubling.
    fn doubled(number: &Scalar, factor: &Scalar) -> Scalar {
        let zero = Scalar::default();
        let plus = |a: &Scalar, b: &Scalar| a.minus(&zero.minus(b));
        let bits = factor.nibbles().flat_map(|nibble| (0..4).rev().map(move |i| nibble >> i & 1));
        bits.fold(Scalar::default(), |sum, bit| {
            let twice = plus(&sum, &sum);
            if bit == 1 { plus(&twice, number) } else { twice }
        })
    }

    proptest! {
        #[test]
        fn product_equals_repeated_sum(a in number(), b in number()) {
            let (a, b) = (Scalar::reduce(&a), Scalar::reduce(&b));
            prop_assert_eq!(a.times(&b).0, doubled(&a, &b).0);
            prop_assert_eq!(a.times(&b).0, b.times(&a).0);
        }

        #[test]
        fn number_parses_only_below_n(bytes in number()) {
            let reduced = Scalar::reduce(&bytes);
            let is_below = reduced.to_bytes() == bytes;
            prop_assert_eq!(Scalar::parse(&bytes).is_some(), is_below);
            prop_assert!(Scalar::parse(&reduced.to_bytes()).is_some());
            prop_assert!(bool::from(reduced.minus(&reduced).is_zero()));
        }
    }

    #[test]
    fn order_itself_reduces_to_zero() {
        let order = Scalar(N).to_bytes();
        assert!(Scalar::parse(&order).is_none());
        assert!(bool::from(Scalar::reduce(&order).is_zero()));
        let minus_one = Scalar::default().minus(&Scalar([1, 0, 0, 0, 0]));
        assert_eq!(minus_one.times(&minus_one).0, [1, 0, 0, 0, 0]);
    }
}
