//! The format of a seal: signed heads of chains.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// The hash before the first seal.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The content of a seal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seal {
    /// Sequence number of the seal, from 1.
    pub number: u64,
    /// SHA-256 of the seal before it, in hex.
    pub prev: String,
    /// Unix day on which the run began.
    pub day: u64,
    /// The run seals heads that moved on this Unix day or later.
    pub from_day: u64,
    /// Creation time, Unix milliseconds.
    pub at_ms: u64,
    /// The sealed heads.
    pub heads: Vec<Head>,
    /// The place where the next seal of this run resumes; `None` when the run is complete.
    pub next: Option<Place>,
}

/// A chain's end: the wallet's partition, the last record's number, and its hash in hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Head(pub String, pub u64, pub String);

/// A place in the index `heads`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// The shard.
    pub shard: u8,
    /// The last item read in the shard: its Unix day, and its partition in the table.
    pub after: Option<(u64, String)>,
}

/// A seal as stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sealed {
    /// Schema number: 1.
    pub schema: u32,
    /// Sequence number of the seal.
    pub number: u64,
    /// The [`Seal`] as JSON text, so that readers hash exactly the stored bytes.
    pub body: String,
    /// SHA-256 of the body, in hex.
    pub hash: String,
    /// ECDSA over P-256 with SHA-256 of [`Self::statement`], DER in hex.
    pub signature: String,
}

impl Sealed {
    pub(crate) fn unsigned(seal: &Seal) -> Result<Self, serde_json::Error> {
        let body = serde_json::to_string(seal)?;
        let hash = hash(&body);
        Ok(Self { schema: 1, number: seal.number, body, hash, signature: String::new() })
    }

    /// Returns the signed text. Its first line keeps the signature from being valid for anything
    /// else.
    #[must_use]
    pub fn statement(&self) -> String {
        format!("HyperDEX Keys audit seal\n{}\n{}", self.number, self.hash)
    }
}

pub(crate) fn hash(body: &str) -> String {
    hex::encode(digest(&SHA256, body.as_bytes()))
}
