//! `recovery open`: encrypts the halves of a side to the transport key of a new stack.

use std::fs;
use std::path::Path;

use protocol::recovery::{RecoveryRecord, SealingKey, Side};
use protocol::{TRANSPORT_LIFE_MS, Transport, TransportedHalf};

use crate::check::newest_pairs;
use crate::error::RecoveryError;
use crate::file::{Header, Kind, Writer};
use crate::key::{PrivateKey, write_new};

/// Writes a transport key's file.
///
/// # Errors
/// Fails when the file exists or cannot be written.
pub fn write(path: &Path, transport: &Transport) -> Result<(), RecoveryError> {
    let text = serde_json::to_vec_pretty(transport);
    let text = text.map_err(|error| RecoveryError::file(path, error.to_string()))?;
    write_new(path, &text)
}

/// Reads a transport key's file.
///
/// # Errors
/// Fails when the file is not one, is of the other side, or the key has expired.
pub fn read(path: &Path, side: Side, now_ms: u64) -> Result<Transport, RecoveryError> {
    let text = fs::read(path).map_err(RecoveryError::io(path))?;
    let transport: Transport = serde_json::from_slice(&text)
        .map_err(|_| RecoveryError::file(path, "expected a file of `recovery begin`"))?;
    if transport.side != side {
        return Err(RecoveryError::WrongSide { wanted: side, found: transport.side });
    }
    if now_ms > transport.created_at_ms.saturating_add(TRANSPORT_LIFE_MS) {
        return Err(RecoveryError::TransportExpired);
    }
    Ok(transport)
}

/// What `open` did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The halves in the file.
    pub halves: u64,
    /// Wallets without a pair of records.
    pub alone: Vec<uuid::Uuid>,
}

/// Encrypts the half of each wallet's newest paired record to the transport key, into a new file.
/// A second run continues an unfinished file.
///
/// # Errors
/// Fails when the fingerprint differs, a record does not open, or the file cannot be written.
pub fn open(
    key: &PrivateKey,
    (records, other): (&[RecoveryRecord], &[RecoveryRecord]),
    (transport, fingerprint): (&Transport, &str),
    (path, now_ms): (&Path, u64),
    mut progress: impl FnMut(u64, u64),
) -> Result<Opened, RecoveryError> {
    let to: &SealingKey = &transport.public_key;
    if fingerprint.replace(['-', ' ', ':'], "").to_lowercase() != to.id() {
        return Err(RecoveryError::Fingerprint { found: grouped(&to.id()) });
    }
    let (mut chosen, alone) = newest_pairs(records, other);
    chosen.sort_by(|one, two| order(one).cmp(&order(two)));
    let mut header = Header::new(Kind::Halves, key.side, now_ms);
    header.transport = Some(to.id());
    let (mut writer, last) = Writer::open::<TransportedHalf>(path, &header)?;
    let done = last.map(|entry| order(&entry.record));
    let all = chosen.len() as u64;
    for record in chosen {
        if done.as_ref().is_some_and(|done| order(record) <= *done) {
            continue;
        }
        let failed = |source| RecoveryError::Record {
            wallet: record.wallet_id,
            version: record.key_version,
            source,
        };
        let half = record.open(&key.key).map_err(failed)?;
        let half = record.seal_for(&half, to).map_err(failed)?;
        writer.entry(&TransportedHalf { record: record.clone(), half })?;
        progress(writer.entries(), all);
    }
    Ok(Opened { halves: writer.finish()?, alone })
}

fn order(record: &RecoveryRecord) -> (String, uuid::Uuid, u32) {
    (record.tenant.to_string(), record.wallet_id, record.key_version)
}

/// Returns a fingerprint in groups of four digits, to read it aloud.
#[must_use]
pub fn grouped(fingerprint: &str) -> String {
    let digits: Vec<char> = fingerprint.chars().collect();
    let groups = digits.chunks(4).map(|group| group.iter().collect::<String>());
    groups.collect::<Vec<_>>().join("-")
}
