//! The group of the curve ECgFp5, y² = x·(x² + 2·x + 263·z) over [`Fp5`]. Its order is the prime n.
//!
//! Points are (x, u) with u = x/y, as the fractions X/Z and U/T. The formulas of Thomas Pornin's
//! "EcGFp5: a Specialized Elliptic Curve" are complete: they have no special cases.

use std::sync::LazyLock;

use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroize;

use crate::extension::Fp5;
use crate::field::Gl;
use crate::scalar::Scalar;

/// A point of the group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    x: Fp5,
    z: Fp5,
    u: Fp5,
    t: Fp5,
}

impl Point {
    /// The neutral element.
    pub(crate) const NEUTRAL: Self =
        Self { x: Fp5::small(0), z: Fp5::ONE, u: Fp5::small(0), t: Fp5::ONE };

    /// The conventional generator. Its encoding is 4.
    pub(crate) const GENERATOR: Self = Self {
        x: Fp5([
            Gl(12_883_135_586_176_881_569),
            Gl(4_356_519_642_755_055_268),
            Gl(5_248_930_565_894_896_907),
            Gl(2_165_973_894_480_315_022),
            Gl(2_448_410_071_095_648_785),
        ]),
        z: Fp5::ONE,
        u: Fp5::ONE,
        t: Fp5::small(4),
    };

    /// Returns w = y/x = T/U, which identifies the point. The neutral element has 0.
    pub(crate) fn encode(&self) -> Fp5 {
        self.t * self.u.inverse()
    }

    /// Returns the sum, for any two points: 10 products.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let t1 = self.x * other.x;
        let t2 = self.z * other.z;
        let t3 = self.u * other.u;
        let t4 = self.t * other.t;
        let t5 = (self.x + self.z) * (other.x + other.z) - t1 - t2;
        let t6 = (self.u + self.t) * (other.u + other.t) - t3 - t4;
        let t7 = t1 + t2.times_b();
        let t8 = t4 * t7;
        let t9 = t3 * (t5.times_b() + t7).double();
        let t10 = (t4 + t3.double()) * (t5 + t7);
        Self { x: (t10 - t8).times_b(), z: t8 - t9, u: t6 * (t2.times_b() - t1), t: t8 + t9 }
    }

    /// Returns the double: 4 products and 5 squares.
    pub(crate) fn double(&self) -> Self {
        let t1 = self.z * self.t;
        let t2 = t1 * self.t;
        let x1 = t2.square();
        let z1 = t1 * self.u;
        let t3 = self.u.square();
        let w1 = t2 - t3 * (self.x + self.z).double();
        let t4 = z1.square();
        let z = w1.square();
        let four_t4 = t4.double().double();
        Self {
            x: four_t4.times_b(),
            z,
            u: (w1 + z1).square() - t4 - z,
            t: x1.double() - four_t4 - z,
        }
    }

    /// Returns the product with a scalar. The time does not depend on it.
    pub(crate) fn times(&self, scalar: &Scalar) -> Self {
        let table = Table::new(self);
        scalar.nibbles().fold(Self::NEUTRAL, |sum, nibble| {
            let sum = sum.double().double().double().double();
            sum.plus(&table.get(nibble))
        })
    }

    /// Returns the product of the generator with a scalar. The time does not depend on it.
    pub(crate) fn generated(scalar: &Scalar) -> Self {
        let mut nibbles = [0; NIBBLES];
        for (place, nibble) in nibbles.iter_mut().zip(scalar.nibbles()) {
            *place = nibble;
        }
        let sum = (0..STEP).fold(Self::NEUTRAL, |sum, offset| {
            let sum = sum.double().double().double().double();
            let chosen = nibbles.iter().skip(offset).step_by(STEP).zip(GENERATED.iter());
            chosen.fold(sum, |sum, (nibble, table)| sum.plus(&table.get(*nibble)))
        });
        nibbles.zeroize();
        sum
    }

    /// Returns `a`·generator + `b`·self.
    pub(crate) fn times_and_generator(&self, a: &Scalar, b: &Scalar) -> Self {
        Self::generated(a).plus(&self.times(b))
    }
}

impl ConditionallySelectable for Point {
    fn conditional_select(a: &Self, b: &Self, choice: subtle::Choice) -> Self {
        Self {
            x: Fp5::conditional_select(&a.x, &b.x, choice),
            z: Fp5::conditional_select(&a.z, &b.z, choice),
            u: Fp5::conditional_select(&a.u, &b.u, choice),
            t: Fp5::conditional_select(&a.t, &b.t, choice),
        }
    }
}

/// Number of groups of 4 bits of a scalar.
const NIBBLES: usize = 80;

/// Distance of the groups that have a table of the generator's multiples.
const STEP: usize = 4;

/// The multiples of 2^304·generator, 2^288·generator, …, the generator: one table for every fourth
/// group of a scalar's bits, from the highest on. Made once, in about a millisecond.
static GENERATED: LazyLock<Vec<Table>> = LazyLock::new(|| {
    let mut base = Point::GENERATOR;
    let mut tables = Vec::with_capacity(NIBBLES / STEP);
    for _ in 0..NIBBLES / STEP {
        tables.push(Table::new(&base));
        base = (0..4 * STEP).fold(base, |base, _| base.double());
    }
    tables.reverse();
    tables
});

/// The multiples 0 to 15 of a point.
struct Table([Point; 16]);

impl Table {
    fn new(point: &Point) -> Self {
        let mut next = Point::NEUTRAL;
        Self(std::array::from_fn(|_| {
            let multiple = next;
            next = next.plus(point);
            multiple
        }))
    }

    /// Returns a multiple. Reads the whole table, so that the index shows in no memory access.
    fn get(&self, index: u8) -> Point {
        let mut found = Point::NEUTRAL;
        for (place, point) in (0_u8..).zip(&self.0) {
            found.conditional_assign(point, place.ct_eq(&index));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::N;

    fn scalar(number: u64) -> Scalar {
        let mut bytes = [0; 40];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Scalar::reduce(&bytes)
    }

    fn encoded(point: &Point) -> [u8; 40] {
        point.encode().to_bytes()
    }

    #[test]
    fn small_multiples_equal_repeated_sums() {
        let mut sum = Point::NEUTRAL;
        for number in 0..40 {
            let multiple = Point::GENERATOR.times(&scalar(number));
            assert_eq!(encoded(&multiple), encoded(&sum), "{number}");
            assert_eq!(encoded(&Point::generated(&scalar(number))), encoded(&sum), "{number}");
            assert_eq!(encoded(&sum.double()), encoded(&sum.plus(&sum)), "{number}");
            sum = sum.plus(&Point::GENERATOR);
        }
        assert_eq!(encoded(&Point::GENERATOR), Fp5::small(4).to_bytes());
    }

    #[test]
    fn order_times_generator_is_neutral() {
        let minus_one = Scalar::default().minus(&scalar(1));
        let opposite = Point::GENERATOR.times(&minus_one);
        assert_eq!(encoded(&opposite.plus(&Point::GENERATOR)), [0; 40]);
        assert_eq!(encoded(&Point::NEUTRAL.times(&minus_one)), [0; 40]);
        assert_eq!(minus_one.to_bytes()[..8], (N[0] - 1).to_le_bytes());
    }

    #[test]
    fn product_distributes_over_scalars() {
        let (a, b) = (scalar(0xfedc_ba98_7654_3210), Scalar::default().minus(&scalar(77)));
        let point = Point::GENERATOR.times(&scalar(5));
        let expected = Point::GENERATOR.times(&a).plus(&point.times(&b));
        assert_eq!(encoded(&Point::generated(&b)), encoded(&Point::GENERATOR.times(&b)));
        assert_eq!(encoded(&point.times_and_generator(&a, &b)), encoded(&expected));
        let combined = a.minus(&Scalar::default().minus(&scalar(5).times(&b)));
        assert_eq!(encoded(&Point::GENERATOR.times(&combined)), encoded(&expected));
    }
}
