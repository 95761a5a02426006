//! Recovery: each party encrypts its own half of a wallet's key to a recovery key that is kept
//! offline, for every version of its share.
//!
//! A half is one scalar of 32 bytes. `2·p₁ − p₂` is the wallet's private key, so a record of one
//! side alone reveals nothing about it. A scalar restores its side as a hollow share
//! (`KeyShare::hollow`), which never signs and becomes a share again with the next
//! refresh.

mod half;
mod hpke;
mod keys;
mod record;

pub use half::{Half, HalfError, private_key};
pub use hpke::{Encrypted, HpkeError, OpeningKey, SealingKey};
pub use keys::{MAX_KEYS, RecoveryKey, RecoveryKeyError, RecoveryKeys, Side};
pub use record::{RECORD_SCHEMA, RecordError, RecoveryRecord, Subject};
