//! One party's half of a wallet's private key, and the arithmetic that connects both.

use std::fmt;

use dkls23_k256::ProjectivePoint;
use dkls23_k256::elliptic_curve::sec1::ToSec1Point;
use dkls23_k256::elliptic_curve::{Field, PrimeField};
use domain::eth::{Address, PublicKey};
use zeroize::Zeroizing;

use crate::curve::{Curve, Point, Scalar};
use crate::share::KeyShare;

/// Length of a compressed point.
const POINT_LEN: usize = 33;

/// Why something is not a half, or two halves are not a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HalfError {
    /// The bytes are not a number of the curve's group.
    #[error("invalid half of a key: expected 32 bytes below the group's order")]
    Number,
    /// The bytes are not a point.
    #[error("invalid point: expected 33 bytes of a compressed point")]
    Point,
    /// The two halves do not give the wallet's key.
    #[error("the two halves do not give the key of {0}")]
    Differs(Address),
}

/// One party's half: its polynomial at its own index. Hidden in `Debug`, zeroised when dropped.
pub struct Half(Zeroizing<Scalar>);

impl Half {
    /// Returns the half that a share contains.
    #[must_use]
    pub fn of(share: &KeyShare) -> Self {
        Self(Zeroizing::new(share.party().poly_point))
    }

    /// Parses 32 bytes, big endian.
    ///
    /// # Errors
    /// Fails when they are not a number of the group.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HalfError> {
        let mut copy = Zeroizing::new([0; 32]);
        if bytes.len() != copy.len() {
            return Err(HalfError::Number);
        }
        copy.copy_from_slice(bytes);
        let scalar: Option<Scalar> = Scalar::from_repr((*copy).into()).into();
        Ok(Self(Zeroizing::new(scalar.ok_or(HalfError::Number)?)))
    }

    /// Returns the bytes, to encrypt them.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_repr().into())
    }

    pub(crate) fn scalar(&self) -> Scalar {
        *self.0
    }

    /// Returns the public point of the half, compressed.
    #[must_use]
    pub fn point(&self) -> Vec<u8> {
        compressed(ProjectivePoint::GENERATOR * *self.0)
    }
}

impl fmt::Debug for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Half")
    }
}

/// Returns the private key of a wallet. This is the only place where both halves meet. It runs
/// offline, and for an export at its recipient.
///
/// # Errors
/// Fails when the key does not belong to the address.
pub fn private_key(
    endpoint: &Half,
    cosigner: &Half,
    address: Address,
) -> Result<Zeroizing<[u8; 32]>, HalfError> {
    let key = Zeroizing::new(endpoint.0.double() - *cosigner.0);
    let point = (ProjectivePoint::GENERATOR * *key).to_affine();
    if address_of(&point) != Some(address) {
        return Err(HalfError::Differs(address));
    }
    Ok(Zeroizing::new(key.to_repr().into()))
}

/// Returns whether two halves with these points give the key of this public key.
pub(super) fn fit(endpoint: &[u8], cosigner: &[u8], public: &[u8]) -> Result<bool, HalfError> {
    let (one, two, key) = (parsed(endpoint)?, parsed(cosigner)?, parsed(public)?);
    let (one, two) = (ProjectivePoint::from(one), ProjectivePoint::from(two));
    Ok(one.double() - two == ProjectivePoint::from(key))
}

pub(super) fn parsed(bytes: &[u8]) -> Result<Point, HalfError> {
    if bytes.len() != POINT_LEN {
        return Err(HalfError::Point);
    }
    let key = dkls23_k256::elliptic_curve::PublicKey::<Curve>::from_sec1_bytes(bytes);
    Ok(*key.map_err(|_| HalfError::Point)?.as_affine())
}

pub(super) fn compressed(point: impl Into<Point>) -> Vec<u8> {
    point.into().to_sec1_point(true).as_bytes().to_vec()
}

pub(super) fn address_of(point: &Point) -> Option<Address> {
    let key = PublicKey::from_sec1(point.to_sec1_point(false).as_bytes()).ok()?;
    Some(Address::of_public_key(&key))
}
