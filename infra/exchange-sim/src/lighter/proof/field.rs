//! The Goldilocks field, and polynomials in z modulo z^5 − 3 over it.

use super::U320;

/// The modulus 2^64 − 2^32 + 1.
pub(super) const MODULUS: u128 = (1 << 64) - (1 << 32) + 1;

/// An element of the extension, by its coefficients, each below the modulus.
pub(super) type Fp5 = [u128; 5];

pub(super) const ZERO: Fp5 = [0; 5];
pub(super) const ONE: Fp5 = small(1);

pub(super) const fn small(number: u128) -> Fp5 {
    [number, 0, 0, 0, 0]
}

pub(super) fn add(a: &Fp5, b: &Fp5) -> Fp5 {
    std::array::from_fn(|i| (a[i] + b[i]) % MODULUS)
}

pub(super) fn sub(a: &Fp5, b: &Fp5) -> Fp5 {
    std::array::from_fn(|i| (a[i] + MODULUS - b[i]) % MODULUS)
}

pub(super) fn mul(a: &Fp5, b: &Fp5) -> Fp5 {
    let mut product = [0; 5];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            let term = x * y % MODULUS;
            let factor = if i + j < 5 { 1 } else { 3 };
            let place = &mut product[(i + j) % 5];
            *place = (*place + factor * term) % MODULUS;
        }
    }
    product
}

/// Returns a power of an integer modulo the modulus.
fn power(base: u128, mut exponent: u128) -> u128 {
    let (mut result, mut square) = (1, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * square % MODULUS;
        }
        square = square * square % MODULUS;
        exponent >>= 1;
    }
    result
}

/// Returns the inverse. The inverse of 0 is 0.
pub(super) fn invert(a: &Fp5) -> Fp5 {
    // z^p = z · 3^((p − 1) / 5), so a conjugate multiplies each coefficient.
    let root = power(3, (MODULUS - 1) / 5);
    let conjugate = |n: u128| -> Fp5 {
        let mut factor = 1;
        a.map(|coefficient| {
            let result = coefficient * factor % MODULUS;
            factor = factor * power(root, n) % MODULUS;
            result
        })
    };
    let others = (2..5).fold(conjugate(1), |product, n| mul(&product, &conjugate(n)));
    let norm = mul(a, &others)[0];
    others.map(|coefficient| coefficient * power(norm, MODULUS - 2) % MODULUS)
}

pub(super) fn divide(a: &Fp5, b: &Fp5) -> Fp5 {
    mul(a, &invert(b))
}

/// Returns the number of elements of the extension.
fn size() -> U320 {
    U320::from(MODULUS).pow(U320::from(5))
}

fn power_of(base: &Fp5, exponent: &U320) -> Fp5 {
    (0..exponent.bit_len()).rev().fold(ONE, |result, bit| {
        let square = mul(&result, &result);
        if exponent.bit(bit) { mul(&square, base) } else { square }
    })
}

pub(super) fn is_square(a: &Fp5) -> bool {
    power_of(a, &((size() - U320::ONE) >> 1_usize)) == ONE
}

/// Returns a square root by the algorithm of Tonelli and Shanks.
pub(super) fn square_root(a: &Fp5) -> Option<Fp5> {
    if *a == ZERO {
        return Some(ZERO);
    }
    let odd: U320 = (size() - U320::ONE) >> 32_usize;
    // 7 generates the Goldilocks field. Its degree is odd, so 7 has no square root in the extension.
    let mut generator = power_of(&small(7), &odd);
    let mut rest = power_of(a, &odd);
    let mut root = power_of(a, &((odd + U320::ONE) >> 1_usize));
    let mut order = 32;
    while rest != ONE {
        let mut square = rest;
        let least = (1..order).find(|_| {
            square = mul(&square, &square);
            square == ONE
        })?;
        let factor = (least + 1..order).fold(generator, |factor, _| mul(&factor, &factor));
        generator = mul(&factor, &factor);
        rest = mul(&rest, &generator);
        root = mul(&root, &factor);
        order = least;
    }
    (mul(&root, &root) == *a).then_some(root)
}
