//! A key share: one party's half of a wallet's key.

use std::collections::BTreeMap;
use std::fmt;

use dkls23_k256::elliptic_curve::sec1::ToSec1Point;
use dkls23_secp256k1::Party;
use dkls23_secp256k1::protocols::PartyIndex;
use dkls23_secp256k1::protocols::derivation::DerivData;
use dkls23_secp256k1::utilities::zero_shares::ZeroShare;
use domain::eth::{Address, PublicKey};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::curve::{Point, Scalar};
use crate::parties::parameters;

/// The first byte of a stored share: its format. 1 is postcard of `Party` of `dkls23-secp256k1`
/// 0.6. 2 is postcard of [`Hollow`].
const FORMAT: u8 = 1;
const HOLLOW: u8 = 2;

/// What a recovery record restores of a share: enough for a refresh, and too little to sign.
#[derive(Serialize, Deserialize)]
pub(crate) struct Hollow {
    pub(crate) party: u8,
    pub(crate) session_id: Vec<u8>,
    pub(crate) poly_point: Scalar,
    pub(crate) pk: Point,
    pub(crate) chain_code: [u8; 32],
}

impl Drop for Hollow {
    fn drop(&mut self) {
        self.poly_point.zeroize();
    }
}

/// One party's share of a wallet's key. Hidden in `Debug`, zeroised when dropped, and serialised
/// only to be sealed.
pub struct KeyShare {
    party: Party,
    version: u32,
    hollow: bool,
}

/// Why stored bytes are not a usable share.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// The format byte is unknown.
    #[error("unknown share format {0}: expected 1 or 2")]
    Format(u8),
    /// The bytes do not parse.
    #[error("the share's bytes are damaged")]
    Damaged,
    /// The share belongs to another party, or to a scheme other than 2-of-2.
    #[error("the share is not party {0}'s of a 2-of-2 key")]
    NotOurs(u8),
}

impl KeyShare {
    /// Wraps the result of key generation, version 1.
    #[must_use]
    pub const fn new(party: Party) -> Self {
        Self { party, version: 1, hollow: false }
    }

    /// Makes a share without its oblivious transfers. Returns `None` when it names no party, or its
    /// public key is the point at infinity.
    pub(crate) fn hollow(hollow: &Hollow, version: u32) -> Option<Self> {
        if is_infinity(&hollow.pk) {
            return None;
        }
        let party = Party {
            parameters: parameters(),
            party_index: PartyIndex::new(hollow.party).ok()?,
            session_id: hollow.session_id.clone(),
            poly_point: hollow.poly_point,
            pk: hollow.pk,
            zero_share: ZeroShare { seeds: Vec::new() },
            mul_senders: BTreeMap::new(),
            mul_receivers: BTreeMap::new(),
            derivation_data: DerivData {
                depth: 0,
                child_number: 0,
                parent_fingerprint: [0; 4],
                poly_point: hollow.poly_point,
                pk: hollow.pk,
                chain_code: hollow.chain_code,
            },
            address: dkls23_secp256k1::compute_eth_address(&hollow.pk),
        };
        Some(Self { party, version, hollow: true })
    }

    /// Returns whether a recovery made the share. It cannot sign, and must be refreshed first.
    #[must_use]
    pub const fn is_hollow(&self) -> bool {
        self.hollow
    }

    /// Sets the share version.
    #[must_use]
    pub const fn at_version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Returns the share version.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Returns the library's type, for the protocol's phases.
    #[must_use]
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// Returns the wallet's public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        let point = self.party.pk.to_sec1_point(false);
        #[expect(clippy::expect_used, reason = "an uncompressed point has this form")]
        PublicKey::from_sec1(point.as_bytes()).expect("an uncompressed point")
    }

    /// Returns the wallet's address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::of_public_key(&self.public_key())
    }

    /// Returns the bytes to seal and store, about 52 KB.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Allocated at full size, so that a growing vector leaves no copies behind.
        let mut bytes = Vec::with_capacity(64 * 1024);
        bytes.push(if self.hollow { HOLLOW } else { FORMAT });
        let written = if self.hollow {
            let hollow = Hollow {
                party: self.party.party_index.as_u8(),
                session_id: self.party.session_id.clone(),
                poly_point: self.party.poly_point,
                pk: self.party.pk,
                chain_code: self.party.derivation_data.chain_code,
            };
            postcard::to_extend(&hollow, bytes)
        } else {
            postcard::to_extend(&self.party, bytes)
        };
        #[expect(clippy::expect_used, reason = "a vector takes everything")]
        Zeroizing::new(written.expect("a vector takes everything"))
    }

    /// Parses a share of `party` (1 or 2). The version is stored separately.
    ///
    /// # Errors
    /// Fails when the format is unknown, the bytes are damaged, or the share belongs to another
    /// party.
    pub fn from_bytes(bytes: &[u8], party: u8) -> Result<Self, ShareError> {
        let (format, rest) = bytes.split_first().ok_or(ShareError::Damaged)?;
        if *format == HOLLOW {
            let hollow: Hollow = postcard::from_bytes(rest).map_err(|_| ShareError::Damaged)?;
            if hollow.party != party {
                return Err(ShareError::NotOurs(party));
            }
            return Self::hollow(&hollow, 1).ok_or(ShareError::Damaged);
        }
        if *format != FORMAT {
            return Err(ShareError::Format(*format));
        }
        let share: Party = postcard::from_bytes(rest).map_err(|_| ShareError::Damaged)?;
        if is_infinity(&share.pk) {
            return Err(ShareError::Damaged);
        }
        let two_of_two = share.parameters.threshold == parameters().threshold
            && share.parameters.share_count == parameters().share_count;
        if !two_of_two || share.party_index.as_u8() != party {
            return Err(ShareError::NotOurs(party));
        }
        Ok(Self::new(share))
    }

    /// Returns the session id of the run that made the share. It names the tenant and the wallet,
    /// so it shows whether the share belongs to a key.
    #[must_use]
    pub fn session_id(&self) -> &[u8] {
        &self.party.session_id
    }
}

/// Returns whether a public key is the point at infinity.
fn is_infinity(point: &Point) -> bool {
    point.to_sec1_point(false).as_bytes().len() == 1
}

impl fmt::Debug for KeyShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyShare(party {} of {})", self.party.party_index, self.address())
    }
}
