//! Messages of a recovery to the cosigner, from its operator. They travel as JSON text within
//! postcard.

use serde::{Deserialize, Serialize};

use crate::key::WalletKey;
use crate::recovery::{Encrypted, RecoveryRecord, SealingKey, Side};

/// How long a transport key may be used, in milliseconds: seven days.
pub const TRANSPORT_LIFE_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// Most halves in one message.
pub const MAX_HALVES: usize = 25;

/// A key of a new stack, to which the holders of the recovery keys encrypt the halves. Its private
/// part is sealed under the stack's KMS key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Transport {
    /// The side.
    pub side: Side,
    /// The public key.
    pub public_key: SealingKey,
    /// The private key, sealed; only the stack can open it.
    pub sealed: String,
    /// Unix milliseconds.
    pub created_at_ms: u64,
}

/// A half on its way to a new stack.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransportedHalf {
    /// The record that the half belongs to.
    pub record: RecoveryRecord,
    /// The half, encrypted to the transport key.
    pub half: Encrypted,
}

/// A call of a recovery.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecoveryCall {
    /// Makes a transport key.
    Begin,
    /// Restores shares. Repeating it changes nothing.
    Import {
        /// The transport key.
        transport: Transport,
        /// The halves, at most [`MAX_HALVES`].
        halves: Vec<TransportedHalf>,
    },
    /// Encrypts the side's half of one wallet's key to a recipient. Repeating it is harmless.
    Export {
        /// The wallet and the version of its share.
        key: WalletKey,
        /// The number of the change of the tenant's policy that allows it.
        change: u64,
        /// The recipient that the change names.
        recipient: SealingKey,
        /// The cosigner's half, for the endpoint side. The cosigner decides, and comes first.
        released: Option<Box<RecoveryRecord>>,
    },
}

/// A response to a [`RecoveryCall`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecoveryAnswer {
    /// To [`RecoveryCall::Begin`].
    Begun(Transport),
    /// To [`RecoveryCall::Import`]: one result for each half.
    Imported(Vec<Imported>),
    /// To [`RecoveryCall::Export`]: the half, encrypted to the recipient.
    Exported(Box<RecoveryRecord>),
    /// The export is not allowed, for this reason.
    NotAllowed(String),
    /// The transport key is not of this stack, or has expired.
    UnknownTransport,
}

/// What became of one half.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Imported {
    /// A hollow share is stored. It signs after its refresh.
    Restored,
    /// The side has a share that opens.
    Present,
    /// Nothing was stored.
    Refused(String),
}
