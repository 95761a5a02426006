//! The Goldilocks field: integers modulo p = 2^64 − 2^32 + 1.
//!
//! The operations have no branches and no table lookups that depend on values.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::DefaultIsZeroes;

/// The modulus p.
pub(crate) const P: u64 = 0xffff_ffff_0000_0001;

/// 2^64 mod p.
const EPSILON: u64 = 0xffff_ffff;

/// An element. Values from p to 2^64 − 1 also occur inside; [`Gl::canonical`] reduces them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gl(pub(crate) u64);

impl DefaultIsZeroes for Gl {}

impl Gl {
    /// Returns the integer below p.
    pub(crate) fn canonical(self) -> u64 {
        let (less, borrow) = self.0.overflowing_sub(P);
        u64::conditional_select(&less, &self.0, Choice::from(u8::from(borrow)))
    }

    /// Returns the inverse, and 0 for 0: the power p − 2.
    pub(crate) fn inverse(self) -> Self {
        // p − 2 is 32 bits of 1 without the lowest one, and 32 bits of 1.
        let mut power = self;
        for _ in 0..30 {
            power = power * power * self;
        }
        let mut result = power * power;
        for _ in 0..32 {
            result = result * result * self;
        }
        result
    }
}

impl std::ops::Add for Gl {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        let (sum, over) = self.0.overflowing_add(other.0);
        let (sum, over) = sum.overflowing_add(EPSILON * u64::from(over));
        Self(sum.wrapping_add(EPSILON * u64::from(over)))
    }
}

impl std::ops::Sub for Gl {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        let (difference, under) = self.0.overflowing_sub(other.0);
        let (difference, under) = difference.overflowing_sub(EPSILON * u64::from(under));
        Self(difference.wrapping_sub(EPSILON * u64::from(under)))
    }
}

impl std::ops::Mul for Gl {
    type Output = Self;

    #[inline]
    fn mul(self, other: Self) -> Self {
        dot([(self, other)], [])
    }
}

impl ConditionallySelectable for Gl {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self(u64::conditional_select(&a.0, &b.0, choice))
    }
}

impl ConstantTimeEq for Gl {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.canonical().ct_eq(&other.canonical())
    }
}

/// Returns the sum of the products of `pairs`, and three times those of `tripled`: at most 15
/// products in all, which are reduced once. Low and high halves are added separately.
#[inline]
pub(crate) fn dot<const A: usize, const B: usize>(
    pairs: [(Gl, Gl); A],
    tripled: [(Gl, Gl); B],
) -> Gl {
    let (low, high) = halves(pairs);
    let (low_tripled, high_tripled) = halves(tripled);
    reduce(low + 3 * low_tripled, high + 3 * high_tripled)
}

#[inline]
fn halves<const A: usize>(pairs: [(Gl, Gl); A]) -> (u128, u128) {
    pairs.iter().fold((0, 0), |(low, high), (a, b)| {
        let product = u128::from(a.0) * u128::from(b.0);
        (low + (product & u128::from(u64::MAX)), high + (product >> 64))
    })
}

/// Reduces low + 2^64 · high with 2^64 = 2^32 − 1 and 2^96 = −1 modulo p.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "splits a number into its words")]
fn reduce(low: u128, high: u128) -> Gl {
    let high = high + (low >> 64);
    // Both are sums of at most 15 halves, so this is less than 2^37.
    let top = (high >> 32) as u64;
    let (low, under) = (low as u64).overflowing_sub(top);
    let low = low.wrapping_sub(EPSILON * u64::from(under));
    let (sum, over) = low.overflowing_add((high as u64 & EPSILON) * EPSILON);
    Gl(sum.wrapping_add(EPSILON * u64::from(over)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Values at the edges of the representation, and others.
    fn element() -> impl Strategy<Value = u64> {
        prop_oneof![
            any::<u64>(),
            0..4_u64,
            (P - 2)..=(P + 2),
            (u64::MAX - 3)..=u64::MAX,
            Just(EPSILON),
            Just(1 << 32),
        ]
    }

    proptest! {
        #[test]
        fn field_operations_equal_big_integers(a in element(), b in element()) {
            let p = u128::from(P);
            let (wide_a, wide_b) = (u128::from(a) % p, u128::from(b) % p);
            let same = |element: Gl, number: u128| u128::from(element.canonical()) == number % p;
            prop_assert!(same(Gl(a) + Gl(b), wide_a + wide_b));
            prop_assert!(same(Gl(a) - Gl(b), wide_a + p - wide_b));
            prop_assert!(same(Gl(a) * Gl(b), wide_a * wide_b));
            prop_assert!(same(Gl(a) * Gl(a).inverse(), u128::from(wide_a != 0)));
        }

        #[test]
        fn sum_of_products_equals_big_integers(values in proptest::array::uniform20(element())) {
            let p = u128::from(P);
            let pairs: [(Gl, Gl); 5] = std::array::from_fn(|i| (Gl(values[i]), Gl(values[i + 5])));
            let tripled: [(Gl, Gl); 4] = std::array::from_fn(|i| (Gl(values[i + 10]), Gl(values[i + 14])));
            let product = |(a, b): &(Gl, Gl)| u128::from(a.0) % p * (u128::from(b.0) % p) % p;
            let sum = |pairs: &[(Gl, Gl)]| pairs.iter().map(product).sum::<u128>();
            let expected = (sum(&pairs) + 3 * sum(&tripled)) % p;
            prop_assert_eq!(u128::from(dot(pairs, tripled).canonical()), expected);
        }
    }
}
