//! The public recovery keys of a side, as a parameter of the deployment.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::hpke::{HpkeError, SealingKey};

/// Most recovery keys of one side at a time: the one in use, and the one that replaces it.
pub const MAX_KEYS: usize = 2;

/// A side of a wallet's key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Party 1.
    Endpoint,
    /// Party 2.
    Cosigner,
}

impl Side {
    /// Returns the party's index in the protocol.
    #[must_use]
    pub const fn party(self) -> u8 {
        match self {
            Self::Endpoint => 1,
            Self::Cosigner => 2,
        }
    }

    /// Returns the other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Endpoint => Self::Cosigner,
            Self::Cosigner => Self::Endpoint,
        }
    }

    /// Returns the side's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Cosigner => "cosigner",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Side {
    type Err = RecoveryKeyError;

    fn from_str(text: &str) -> Result<Self, RecoveryKeyError> {
        match text {
            "endpoint" => Ok(Self::Endpoint),
            "cosigner" => Ok(Self::Cosigner),
            _ => Err(RecoveryKeyError::Form),
        }
    }
}

/// Why a text is not a side's recovery keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecoveryKeyError {
    /// The text has another form.
    #[error("invalid recovery key: expected endpoint: or cosigner: and 130 hex digits")]
    Form,
    /// The key is not a point of P-256.
    #[error(transparent)]
    Key(#[from] HpkeError),
    /// The key is of the other side.
    #[error("the recovery key is of the {0}: each side needs its own, held by another person")]
    OtherSide(Side),
    /// The same key is named for both sides.
    #[error(
        "both sides have the same recovery key: each side needs its own, held by another person"
    )]
    Shared,
    /// The keys are too many, or two are equal.
    #[error("expected at most two different recovery keys")]
    Number,
}

/// A public recovery key of one side: `endpoint:04…` or `cosigner:04…`. The name of the side
/// prevents that both sides get the same key by mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct RecoveryKey {
    /// Whose halves are encrypted to it.
    pub side: Side,
    /// The key.
    pub key: SealingKey,
}

impl FromStr for RecoveryKey {
    type Err = RecoveryKeyError;

    fn from_str(text: &str) -> Result<Self, RecoveryKeyError> {
        let (side, key) = text.trim().split_once(':').ok_or(RecoveryKeyError::Form)?;
        Ok(Self { side: side.parse()?, key: key.parse()? })
    }
}

impl fmt::Display for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.side, self.key)
    }
}

/// The recovery keys of one side: none, one, or two during a rotation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RecoveryKeys(Vec<SealingKey>);

impl RecoveryKeys {
    /// Parses the keys of a side, separated by commas. An empty text has none.
    ///
    /// # Errors
    /// Fails when the text is not at most two different keys of this side.
    pub fn parse(text: &str, side: Side) -> Result<Self, RecoveryKeyError> {
        let mut keys = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let RecoveryKey { side: of, key } = part.parse()?;
            if of != side {
                return Err(RecoveryKeyError::OtherSide(of));
            }
            if keys.contains(&key) || keys.len() == MAX_KEYS {
                return Err(RecoveryKeyError::Number);
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// Returns the key of one recipient alone, for an export.
    #[must_use]
    pub fn only(recipient: SealingKey) -> Self {
        Self(vec![recipient])
    }

    /// Returns whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the keys.
    #[must_use]
    pub fn as_slice(&self) -> &[SealingKey] {
        &self.0
    }

    /// Makes the keys of a side from a list.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn of(keys: &[RecoveryKey], side: Side) -> Result<Self, RecoveryKeyError> {
        let own = keys.iter().filter(|key| key.side == side).map(RecoveryKey::to_string);
        Self::parse(&own.collect::<Vec<_>>().join(","), side)
    }

    /// Returns the text that [`Self::parse`] reads.
    #[must_use]
    pub fn to_text(&self, side: Side) -> String {
        let texts = self.0.iter().map(|key| RecoveryKey { side, key: *key }.to_string());
        texts.collect::<Vec<_>>().join(",")
    }

    /// Returns the ids of the keys.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.0.iter().map(SealingKey::id).collect()
    }
}

/// Bytes as base64 text, which is short in a table and readable in a file.
pub(super) mod base64 {
    use base64_simd::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode_to_string(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode_to_vec(text).map_err(|_| D::Error::custom("invalid base64"))
    }
}
