//! A key share: one party's half of a wallet's key.

use std::fmt;

use dkls23_k256::elliptic_curve::sec1::ToSec1Point;
use dkls23_secp256k1::Party;
use domain::eth::{Address, PublicKey};
use zeroize::Zeroizing;

use crate::parties::parameters;

/// The first byte of a stored share: the format of what follows.
/// 1: postcard of `dkls23-secp256k1` 0.6 `Party`.
const FORMAT: u8 = 1;

/// One party's share of a wallet's key. Redacted in `Debug`, zeroised when dropped, and turned
/// into bytes only to be sealed.
pub struct KeyShare {
    party: Party,
    version: u32,
}

/// The stored bytes are no share that this version can use.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// The format byte is unknown.
    #[error("the share is stored in format {0}, which this version does not know")]
    Format(u8),
    /// The bytes do not parse.
    #[error("the share's bytes are damaged")]
    Damaged,
    /// It parses, but belongs to another party or to another scheme than 2-of-2.
    #[error("the share is not party {0}'s of a 2-of-2 key")]
    NotOurs(u8),
}

impl KeyShare {
    /// Wraps what key generation produced.
    #[must_use]
    pub const fn new(party: Party) -> Self {
        Self { party, version: 1 }
    }

    /// The same, as one of these shares of the key: 1 are those of key generation.
    #[must_use]
    pub const fn at_version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Which shares of the key it belongs to.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The library's type, for the protocol's phases.
    #[must_use]
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// The wallet's public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        let point = self.party.pk.to_sec1_point(false);
        #[expect(clippy::expect_used, reason = "an uncompressed point has this form")]
        PublicKey::from_sec1(point.as_bytes()).expect("an uncompressed point")
    }

    /// The wallet's address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::of_public_key(&self.public_key())
    }

    /// The bytes to be sealed and stored; about 52 KB.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Room from the start, so that no copy is left behind by a growing vector.
        let mut bytes = Vec::with_capacity(64 * 1024);
        bytes.push(FORMAT);
        #[expect(clippy::expect_used, reason = "a vector takes everything")]
        let bytes = postcard::to_extend(&self.party, bytes).expect("a vector takes everything");
        Zeroizing::new(bytes)
    }

    /// Reads a share of `party` (1 or 2) back. Which version it is of stands beside the bytes.
    ///
    /// # Errors
    /// When the bytes are of an unknown format, damaged, or somebody else's.
    pub fn from_bytes(bytes: &[u8], party: u8) -> Result<Self, ShareError> {
        let (format, rest) = bytes.split_first().ok_or(ShareError::Damaged)?;
        if *format != FORMAT {
            return Err(ShareError::Format(*format));
        }
        let share: Party = postcard::from_bytes(rest).map_err(|_| ShareError::Damaged)?;
        let two_of_two = share.parameters.threshold == parameters().threshold
            && share.parameters.share_count == parameters().share_count;
        if !two_of_two || share.party_index.as_u8() != party {
            return Err(ShareError::NotOurs(party));
        }
        Ok(Self::new(share))
    }

    /// Whether this share is of the key named: a share carries the session that made it, and that
    /// names the tenant and the wallet.
    #[must_use]
    pub fn session_id(&self) -> &[u8] {
        &self.party.session_id
    }
}

impl fmt::Debug for KeyShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyShare(party {} of {})", self.party.party_index, self.address())
    }
}
