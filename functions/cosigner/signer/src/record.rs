//! The form of a record in an append-only chain: of a wallet's audit log, or of a tenant's policy.

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

/// A record as stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Schema number: 1.
    pub schema: u32,
    /// Position in the chain.
    pub seq: u64,
    /// The hash of the record before it, in hex.
    pub prev: String,
    /// The entry as JSON text.
    pub body: String,
    /// SHA-256 of `prev`, a line feed and `body`, in hex.
    pub hash: String,
}

/// Computes a record's hash from the previous hash and its body.
pub(crate) fn link(prev: &str, body: &str) -> String {
    let mut context = Context::new(&SHA256);
    context.update(prev.as_bytes());
    context.update(b"\n");
    context.update(body.as_bytes());
    hex::encode(context.finish().as_ref())
}
