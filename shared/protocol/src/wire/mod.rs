//! The encoding of large messages.
//!
//! The library compresses each point, so the reader computes a square root per point: 3,072 for
//! each party of a key generation, while the other party waits. This encoding sends both
//! coordinates, which the reader checks to be on the curve. It also sends rows of numbers as one
//! run of bytes, which is copied instead of read byte by byte.

pub(super) mod answer;
pub(super) mod proofs;
pub(super) mod transfer;

use dkls23_k256::elliptic_curve::PrimeField;
use dkls23_k256::elliptic_curve::array::Array;
use dkls23_k256::elliptic_curve::sec1::{FromSec1Point, ToSec1Point};
use dkls23_k256::{AffinePoint, Sec1Point};
use serde_bytes::ByteBuf;

use crate::curve::{Point, Scalar};

/// Both coordinates, big-endian.
const POINT: usize = 64;
/// Big-endian.
const SCALAR: usize = 32;

fn put_point(point: &Point, bytes: &mut Vec<u8>) {
    match point.to_sec1_point(false).as_bytes() {
        [_, coordinates @ ..] if coordinates.len() == POINT => bytes.extend(coordinates),
        // The point at infinity occurs in no honest message, and no reader accepts it.
        _ => bytes.extend([0; POINT]),
    }
}

/// Returns `None` for a point that is not on the curve.
fn point(coordinates: &[u8; POINT]) -> Option<Point> {
    let point = Sec1Point::from_untagged_bytes(&Array(*coordinates));
    AffinePoint::from_sec1_point(&point).into()
}

fn put_scalar(scalar: &Scalar, bytes: &mut Vec<u8>) {
    bytes.extend(scalar.to_repr());
}

/// Returns `None` for a number that is not less than the group's order.
fn scalar(bytes: &[u8; SCALAR]) -> Option<Scalar> {
    Scalar::from_repr(Array(*bytes)).into()
}

fn row(scalars: &[Scalar]) -> ByteBuf {
    let mut bytes = Vec::with_capacity(scalars.len() * SCALAR);
    for scalar in scalars {
        put_scalar(scalar, &mut bytes);
    }
    ByteBuf::from(bytes)
}

fn scalars(row: &[u8]) -> Option<Vec<Scalar>> {
    let (row, []) = row.as_chunks::<SCALAR>() else { return None };
    let mut scalars = Vec::with_capacity(row.len());
    for bytes in row {
        scalars.push(scalar(bytes)?);
    }
    Some(scalars)
}

#[cfg(test)]
mod tests;
