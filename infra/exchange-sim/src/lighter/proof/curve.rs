//! The curve in short Weierstrass form, with affine points. `None` is the neutral one.
//!
//! A point (x, y) of y² = x·(x² + a·x + b) has the Weierstrass coordinates (x + a/3, y). Its encoding
//! is w = −y/x, for the one of two points with that w whose x is a square.

use super::field::{Fp5, ZERO, add, divide, is_square, mul, small, square_root, sub};
use super::{Five, U320};

pub(super) type Point = Option<(Fp5, Fp5)>;

const A: Fp5 = small(2);
const B: Fp5 = [0, 263, 0, 0, 0];

fn third_of_a() -> Fp5 {
    divide(&A, &small(3))
}

/// Returns the point whose encoding is 4.
pub(super) fn generator() -> Point {
    decode(&small(4)).flatten()
}

/// Decodes a point. The outer `None` is that of an invalid encoding.
pub(super) fn decode(w: &Fp5) -> Option<Point> {
    if *w == ZERO {
        return Some(None);
    }
    // x² − (w² − a)·x + b = 0
    let sum = sub(&mul(w, w), &A);
    let root = square_root(&sub(&mul(&sum, &sum), &mul(&small(4), &B)))?;
    let half = |a: &Fp5| divide(a, &small(2));
    let (first, second) = (half(&add(&sum, &root)), half(&sub(&sum, &root)));
    let x = if is_square(&first) { first } else { second };
    let y = sub(&ZERO, &mul(w, &x));
    Some(Some((add(&x, &third_of_a()), y)))
}

pub(super) fn encode(point: &Point) -> Five {
    let w = point.map_or(ZERO, |(x, y)| divide(&y, &sub(&third_of_a(), &x)));
    w.map(|coefficient| u64::try_from(coefficient).unwrap_or_default())
}

fn plus(one: &Point, other: &Point) -> Point {
    let (Some((x1, y1)), Some((x2, y2))) = (one, other) else { return one.or(*other) };
    let slope = if x1 != x2 {
        divide(&sub(y2, y1), &sub(x2, x1))
    } else if y1 == y2 {
        // A of the Weierstrass form is b − a²/3.
        let linear = sub(&B, &mul(&A, &third_of_a()));
        divide(&add(&mul(&small(3), &mul(x1, x1)), &linear), &add(y1, y1))
    } else {
        return None;
    };
    let x = sub(&sub(&mul(&slope, &slope), x1), x2);
    let y = sub(&mul(&slope, &sub(x1, &x)), y1);
    Some((x, y))
}

/// Returns s·p + t·q, by doubling once for both.
pub(super) fn sum_of_products(p: &Point, s: &U320, q: &Point, t: &U320) -> Point {
    let both = plus(p, q);
    (0..s.bit_len().max(t.bit_len())).rev().fold(None, |sum, bit| {
        let double = plus(&sum, &sum);
        match (s.bit(bit), t.bit(bit)) {
            (true, true) => plus(&double, &both),
            (true, false) => plus(&double, p),
            (false, true) => plus(&double, q),
            (false, false) => double,
        }
    })
}
