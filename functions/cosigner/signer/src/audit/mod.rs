//! The audit log: one record for each decision, append-only, chained by hash to the wallet's record
//! before it.
//!
//! A record's `body` is the JSON of an [`Entry`], kept as text, so that what was hashed is what is
//! read; its `hash` is the SHA-256 of the hash before it (in hex), a line feed, and the body. The head of a wallet's chain
//! is an item of its own, replaced in the transaction that appends, together with the counts of
//! the wallet's signatures: so records, counts and sessions agree at every instant.

mod append;
mod step;
pub mod verify;

use std::fmt::Write;

use aws_lc_rs::digest::{Context, SHA256};
use domain::eth::Address;
use domain::ids::Tenant;
use domain::intent::Intent;
use protocol::{SessionId, WalletKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::head::GENESIS;
pub(crate) use crate::head::Head;

pub(crate) use step::Step;

/// What is recorded of one decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its place in the wallet's chain, from 1.
    pub seq: u64,
    /// When, Unix milliseconds, by the cosigner's clock.
    pub at_ms: u64,
    /// Whose wallet.
    pub tenant: Tenant,
    /// Which wallet.
    pub wallet_id: Uuid,
    /// Which shares of its key.
    pub key_version: u32,
    /// The function that context, by its own word.
    pub caller: String,
    /// The alias that was invoked, by Lambda's word. Records from before there were aliases have
    /// none, and so has an invocation without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The API request that it served, by its own word.
    pub request_id: String,
    /// The run of the protocol, in hex.
    pub session: String,
    /// The policy document that decided.
    pub policy: String,
    /// What was decided.
    #[serde(flatten)]
    pub decision: Decision,
}

/// What was decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Decision {
    /// A share was made and stored.
    KeyMade {
        /// The wallet's address.
        address: Address,
    },
    /// The intent may be signed: the run has begun.
    Allowed {
        /// What is to be signed.
        intent: Intent,
        /// Its digest, in hex.
        digest: String,
    },
    /// The intent may not be signed.
    Refused {
        /// What was to be signed.
        intent: Intent,
        /// Its digest, in hex.
        digest: String,
        /// Why not.
        reason: String,
    },
    /// The wallet's signature exists from here on.
    Signed {
        /// The digest, in hex.
        digest: String,
        /// The signature, 65 bytes in hex.
        signature: String,
    },
    /// The function may not make this call, which is not [`Decision::Refused`] for want of an intent.
    CallRefused {
        /// The call's name.
        call: String,
    },
    /// The protocol failed on what party 1 sent.
    Aborted {
        /// Why.
        reason: String,
    },
    /// New shares may be made of those named: the refresh has begun.
    RefreshAllowed {
        /// The version of the new ones.
        to: u32,
    },
    /// A new share was made and stored beside the one named.
    ShareRefreshed {
        /// Its version.
        to: u32,
    },
    /// The new shares named may be tried: the run has begun.
    TrialAllowed {
        /// The digest that they are to sign, in hex.
        digest: String,
    },
    /// The shares named have signed together: nothing but their own name.
    SharesTried {
        /// What they signed, in hex.
        digest: String,
        /// The signature, 65 bytes in hex.
        signature: String,
    },
    /// The shares named are in use, and these are given up.
    SharesRetired {
        /// Their versions.
        versions: Vec<u32>,
    },
}

impl Decision {
    pub(crate) fn allowed(intent: &Intent) -> Self {
        Self::Allowed { intent: intent.clone(), digest: hex(&intent.digest()) }
    }

    pub(crate) fn refused(intent: &Intent, reason: &str) -> Self {
        let (intent, digest) = (intent.clone(), hex(&intent.digest()));
        Self::Refused { intent, digest, reason: reason.to_owned() }
    }

    pub(crate) fn trial_allowed(digest: &[u8]) -> Self {
        Self::TrialAllowed { digest: hex(digest) }
    }

    pub(crate) fn tried(digest: &[u8], signature: String) -> Self {
        Self::SharesTried { digest: hex(digest), signature }
    }

    pub(crate) fn signed(digest: &[u8], signature: String) -> Self {
        Self::Signed { digest: hex(digest), signature }
    }
}

/// A record, as it is stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// 1.
    pub schema: u32,
    /// Its place in the chain.
    pub seq: u64,
    /// The hash of the record before it, in hex.
    pub prev: String,
    /// The [`Entry`], as JSON.
    pub body: String,
    /// SHA-256 of `prev`, a line feed and `body`, in hex.
    pub hash: String,
}

impl Record {
    /// The record of an entry after the one with the hash `prev`.
    pub(crate) fn new(entry: &Entry, prev: &str) -> Result<Self, serde_json::Error> {
        let body = serde_json::to_string(entry)?;
        let hash = link(prev, &body);
        Ok(Self { schema: 1, seq: entry.seq, prev: prev.to_owned(), body, hash })
    }
}

/// Who context for what, as it is recorded.
#[derive(Clone, Debug)]
pub(crate) struct RequestContext {
    pub(crate) key: WalletKey,
    pub(crate) session: SessionId,
    pub(crate) caller: String,
    pub(crate) alias: Option<String>,
    pub(crate) request_id: String,
}

/// The hash of a record: of what it follows, and what it says.
pub(crate) fn link(prev: &str, body: &str) -> String {
    let mut context = Context::new(&SHA256);
    context.update(prev.as_bytes());
    context.update(b"\n");
    context.update(body.as_bytes());
    hex(context.finish().as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
