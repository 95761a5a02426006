//! A seal: heads of chains, signed. Its format.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// The hash before the first seal.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What a seal says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seal {
    /// Its place among the seals, from 1.
    pub number: u64,
    /// The hash of the seal before it, in hex.
    pub prev: String,
    /// The Unix day on which its run began.
    pub day: u64,
    /// The run seals the heads that moved on this Unix day or later.
    pub from_day: u64,
    /// When it was made, Unix milliseconds.
    pub at_ms: u64,
    /// The heads.
    pub heads: Vec<Head>,
    /// Where its run goes on in the next seal; `None`: the run is complete.
    pub next: Option<Place>,
}

/// The end of a chain: the wallet's partition, the last record's number, and its hash in hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Head(pub String, pub u64, pub String);

/// A place in the index `heads`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// The shard.
    pub shard: u8,
    /// After this item of it: its Unix day, and its partition in the table.
    pub after: Option<(u64, String)>,
}

/// A seal, as it is stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sealed {
    /// 1.
    pub schema: u32,
    /// Its place among the seals.
    pub number: u64,
    /// The [`Seal`], as JSON; kept as text, so that what was hashed is what is read.
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

    /// What is signed: it cannot be taken for anything else.
    #[must_use]
    pub fn statement(&self) -> String {
        format!("HyperDEX Keys audit seal\n{}\n{}", self.number, self.hash)
    }
}

pub(crate) fn hash(body: &str) -> String {
    hex::encode(digest(&SHA256, body.as_bytes()))
}
