//! The audit log: one append-only record for each decision, chained by hash to the wallet's record
//! before it.
//!
//! A record's `body` is the JSON text of an [`Entry`], so that readers hash exactly the stored
//! bytes. Its `hash` is the SHA-256 of the previous hash (in hex), a line feed, and the body. The
//! head of a wallet's chain is a separate item. The transaction that appends a record replaces the
//! head and its counts of signatures, so records, counts and sessions always agree.

mod append;
mod covers;
mod payments;
mod step;
pub mod verify;

use std::fmt::Write;

use domain::eth::Address;
use domain::ids::Tenant;
use domain::intent::{HyperliquidChain, Intent};
use domain::money::{Nonces, Payment, PaymentId};
use protocol::{Charge, SessionId, WalletKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::head::GENESIS;
pub(crate) use crate::head::Head;
pub use crate::record::Record;
pub(crate) use crate::record::link;

pub(crate) use step::Step;

/// The recorded facts of one decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Position in the wallet's chain, from 1.
    pub seq: u64,
    /// Time of the decision, Unix milliseconds, by the cosigner's clock.
    pub at_ms: u64,
    /// The wallet's tenant.
    pub tenant: Tenant,
    /// The wallet.
    pub wallet_id: Uuid,
    /// The version of the wallet's shares.
    pub key_version: u32,
    /// The calling function, as stated by the caller.
    pub caller: String,
    /// The invoked alias, as reported by Lambda. `None` for records from before aliases existed,
    /// and for an invocation without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The API request being served, as stated by the caller.
    pub request_id: String,
    /// The protocol run, in hex.
    pub session: String,
    /// Version of the policy document that applied.
    pub policy: String,
    /// The decision.
    #[serde(flatten)]
    pub decision: Decision,
}

/// A decision of the cosigner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Decision {
    /// A share was restored from a recovery record. It signs only after a refresh.
    ShareRecovered {
        /// The wallet's address.
        address: Address,
    },
    /// This party's half was encrypted to a recipient, whom a change of the policy names.
    HalfExported {
        /// The number of the change.
        change: u64,
        /// The id of the recipient's key.
        recipient: String,
        /// The last record of the tenant's policy chain: its number.
        policy_seq: u64,
        /// The same record's hash, in hex.
        policy_hash: String,
    },
    /// A share was made and stored.
    KeyMade {
        /// The wallet's address.
        address: Address,
    },
    /// The intent may be signed, and the run has begun.
    Allowed {
        /// The intent to be signed.
        intent: Intent,
        /// Its digest, in hex.
        digest: String,
    },
    /// The intent may not be signed.
    Refused {
        /// The refused intent.
        intent: Intent,
        /// Its digest, in hex.
        digest: String,
        /// The reason.
        reason: String,
    },
    /// The wallet's signature now exists.
    Signed {
        /// The digest, in hex.
        digest: String,
        /// The signature, 65 bytes in hex.
        signature: String,
    },
    /// The alias may not make this call. Unlike [`Decision::Refused`], the call has no intent.
    CallRefused {
        /// The call's name.
        call: String,
    },
    /// The protocol failed on a message of party 1.
    Aborted {
        /// The reason.
        reason: String,
    },
    /// A refresh of the named shares has begun.
    RefreshAllowed {
        /// Version of the new shares.
        to: u32,
    },
    /// A new share was made from the named one and stored.
    ShareRefreshed {
        /// Version of the new share.
        to: u32,
    },
    /// A trial of the named new shares has begun.
    TrialAllowed {
        /// The digest to be signed, in hex.
        digest: String,
    },
    /// The named shares have completed their trial signature, which covers only their own name.
    SharesTried {
        /// The signed digest, in hex.
        digest: String,
        /// The signature, 65 bytes in hex.
        signature: String,
    },
    /// The named shares are in use, and these versions are retired.
    SharesRetired {
        /// The retired versions.
        versions: Vec<u32>,
    },
    /// The payment may be signed, is counted, and its first run has begun.
    PaymentAllowed(Box<AllowedPayment>),
    /// A further run of a counted payment has begun.
    PaymentResumed {
        /// The payment's id.
        id: PaymentId,
        /// The digest to be signed, in hex.
        digest: String,
    },
    /// The payment may not be signed.
    PaymentRefused {
        /// The payment's id.
        id: PaymentId,
        /// The refused payment.
        payment: Payment,
        /// The reason.
        reason: String,
    },
    /// A signature of the payment now exists.
    PaymentSigned {
        /// The payment's id.
        id: PaymentId,
        /// The digest, in hex.
        digest: String,
        /// The signature, 65 bytes in hex.
        signature: String,
    },
}

/// A payment that may be signed, and the policy that allows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AllowedPayment {
    /// The payment's id.
    pub id: PaymentId,
    /// The payment.
    pub payment: Payment,
    /// Its nonces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonces: Option<Nonces>,
    /// The networks of Hyperliquid and Aster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<[HyperliquidChain; 2]>,
    /// The digest of its first signature, in hex.
    pub digest: String,
    /// The counted amounts.
    pub charges: Vec<Charge>,
    /// The last record of the tenant's policy chain: its number.
    pub policy_seq: u64,
    /// The same record's hash, in hex.
    pub policy_hash: String,
    /// The change that listed the destination; `None` when the money stays the wallet's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_change: Option<u64>,
    /// The changes that set the limits of the counted assets, in the order of `charges`.
    pub limit_changes: Vec<u64>,
    /// The approvers whose signatures of the payment's text were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// The payment whose account's nonce it takes. At most one of the two can be mined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<PaymentId>,
}

impl Entry {
    /// Returns the wallet's key that the decision is about.
    pub(crate) fn key(&self) -> WalletKey {
        let (tenant, wallet_id, key_version) =
            (self.tenant.clone(), self.wallet_id, self.key_version);
        WalletKey { tenant, wallet_id, key_version }
    }
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

impl Record {
    /// Makes the record of an entry that follows the record with the hash `prev`.
    pub(crate) fn new(entry: &Entry, prev: &str) -> Result<Self, serde_json::Error> {
        let body = serde_json::to_string(entry)?;
        let hash = link(prev, &body);
        Ok(Self { schema: 1, seq: entry.seq, prev: prev.to_owned(), body, hash })
    }
}

/// The caller and purpose of a request, as recorded.
#[derive(Clone, Debug)]
pub(crate) struct RequestContext {
    pub(crate) key: WalletKey,
    pub(crate) session: SessionId,
    pub(crate) caller: String,
    pub(crate) alias: Option<String>,
    pub(crate) request_id: String,
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
