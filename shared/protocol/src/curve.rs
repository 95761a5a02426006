//! The curve, secp256k1, in the types of the library.

/// The curve.
pub type Curve = dkls23_k256::Secp256k1;
/// A number of the curve's group.
pub type Scalar = dkls23_k256::Scalar;
/// A point of the curve.
pub type Point = dkls23_k256::AffinePoint;
