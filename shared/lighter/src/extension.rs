//! The extension of degree 5 of the Goldilocks field: polynomials in z modulo z^5 − 3.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::DefaultIsZeroes;

use crate::field::{Gl, dot};

/// Length of an encoded element in bytes.
pub(crate) const BYTES: usize = 40;

/// A fifth root of unity: 3^((p − 1) / 5). Raising to the power p multiplies coefficient i by its
/// power i.
const ROOT: Gl = Gl(1_041_288_259_238_279_555);

/// An element, by its coefficients from z^0 on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fp5(pub(crate) [Gl; 5]);

impl DefaultIsZeroes for Fp5 {}

impl Fp5 {
    pub(crate) const ONE: Self = Self::small(1);

    /// Returns an element of the Goldilocks field.
    pub(crate) const fn small(value: u64) -> Self {
        Self([Gl(value), Gl(0), Gl(0), Gl(0), Gl(0)])
    }

    /// Returns the coefficients below p, each as 8 bytes, little-endian.
    pub(crate) fn to_bytes(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        for (chunk, element) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&element.canonical().to_le_bytes());
        }
        bytes
    }

    pub(crate) fn double(self) -> Self {
        self + self
    }

    pub(crate) fn square(self) -> Self {
        self * self
    }

    /// Multiplies by 263·z, the curve's constant b.
    pub(crate) fn times_b(self) -> Self {
        let [c0, c1, c2, c3, c4] = self.0;
        let times = |element: Gl, factor: u64| element * Gl(factor);
        Self([times(c4, 3 * 263), times(c0, 263), times(c1, 263), times(c2, 263), times(c3, 263)])
    }

    /// Returns the power p^n, for n from 1 to 4.
    fn frobenius(self, n: u32) -> Self {
        let root = (1..n).fold(ROOT, |root, _| root * ROOT);
        let mut factor = Gl(1);
        Self(self.0.map(|coefficient| {
            let result = coefficient * factor;
            factor = factor * root;
            result
        }))
    }

    /// Returns the inverse, and 0 for 0. The product of an element and its other four conjugates is
    /// an element of the Goldilocks field.
    pub(crate) fn inverse(self) -> Self {
        let first = self.frobenius(1);
        let two = first * first.frobenius(1);
        let conjugates = two * two.frobenius(2);
        let norm = (self * conjugates).0[0].inverse();
        Self(conjugates.0.map(|coefficient| coefficient * norm))
    }
}

impl std::ops::Add for Fp5 {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
}

impl std::ops::Sub for Fp5 {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }
}

impl std::ops::Mul for Fp5 {
    type Output = Self;

    /// Adds the products of z^i and z^j with i + j = place, and three times those with
    /// i + j = place + 5.
    fn mul(self, other: Self) -> Self {
        let ([a0, a1, a2, a3, a4], [b0, b1, b2, b3, b4]) = (self.0, other.0);
        Self([
            dot([(a0, b0)], [(a1, b4), (a2, b3), (a3, b2), (a4, b1)]),
            dot([(a0, b1), (a1, b0)], [(a2, b4), (a3, b3), (a4, b2)]),
            dot([(a0, b2), (a1, b1), (a2, b0)], [(a3, b4), (a4, b3)]),
            dot([(a0, b3), (a1, b2), (a2, b1), (a3, b0)], [(a4, b4)]),
            dot([(a0, b4), (a1, b3), (a2, b2), (a3, b1), (a4, b0)], []),
        ])
    }
}

impl ConditionallySelectable for Fp5 {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self(std::array::from_fn(|i| Gl::conditional_select(&a.0[i], &b.0[i], choice)))
    }
}

impl ConstantTimeEq for Fp5 {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.iter().zip(&other.0).fold(Choice::from(1), |equal, (a, b)| equal & a.ct_eq(b))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::field::P;

    fn element() -> impl Strategy<Value = Fp5> {
        proptest::array::uniform5(prop_oneof![any::<u64>(), 0..2_u64, (P - 1)..=(P + 1)])
            .prop_map(|values| Fp5(values.map(Gl)))
    }

    fn equal(a: Fp5, b: Fp5) -> bool {
        a.to_bytes() == b.to_bytes() && bool::from(a.ct_eq(&b))
    }

    /// Schoolbook product with big integers, reduced by z^5 = 3.
    fn product(a: Fp5, b: Fp5) -> Fp5 {
        let mut sums = [0_u128; 9];
        for (i, x) in a.0.iter().enumerate() {
            for (j, y) in b.0.iter().enumerate() {
                let p = u128::from(P);
                sums[i + j] =
                    (sums[i + j] + u128::from(x.canonical()) * u128::from(y.canonical()) % p) % p;
            }
        }
        Fp5(std::array::from_fn(|i| {
            let wrapped = sums.get(i + 5).copied().unwrap_or_default();
            Gl(u64::try_from((sums[i] + 3 * wrapped) % u128::from(P)).unwrap())
        }))
    }

    proptest! {
        #[test]
        fn extension_operations_equal_schoolbook(a in element(), b in element()) {
            prop_assert!(equal(a * b, product(a, b)));
            prop_assert!(equal((a + b) - b, a));
            prop_assert!(equal(a.times_b(), product(a, Fp5([Gl(0), Gl(263), Gl(0), Gl(0), Gl(0)]))));
            let is_zero = bool::from(a.ct_eq(&Fp5::default()));
            let expected = if is_zero { Fp5::default() } else { Fp5::ONE };
            prop_assert!(equal(a * a.inverse(), expected));
        }
    }
}
