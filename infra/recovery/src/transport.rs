//! `recovery open`: encrypts the halves of a side to the transport key of a new stack.

use std::fs;
use std::path::Path;

use protocol::recovery::{Half, RecoveryRecord, SealingKey, Side};
use protocol::{TRANSPORT_LIFE_MS, Transport, TransportedHalf};

use crate::check::{Fault, Pairs, pairs, wallet_of};
use crate::error::RecoveryError;
use crate::file::{Header, Kind, Writer, digest};
use crate::key::PrivateKey;
use crate::new_file::NewFile;

/// The most by which a transport key's date may be ahead of this machine's clock, in milliseconds:
/// a day. A machine without a network has no exact time.
const MAX_AHEAD_MS: u64 = 24 * 60 * 60 * 1_000;

/// Writes a transport key's file.
///
/// # Errors
/// Fails when the file exists or cannot be written.
pub fn write(path: &Path, transport: &Transport) -> Result<(), RecoveryError> {
    write_to(NewFile::reserve(path)?, transport)
}

/// Writes a transport key into a reserved file.
///
/// # Errors
/// Fails when the file cannot be written.
pub fn write_to(file: NewFile, transport: &Transport) -> Result<(), RecoveryError> {
    file.write_json(transport)
}

/// Reads a transport key's file.
///
/// # Errors
/// Fails when the file is not one, is of the other side, or the key has expired or is of a later
/// day.
pub fn read(path: &Path, side: Side, now_ms: u64) -> Result<Transport, RecoveryError> {
    let text = fs::read(path).map_err(RecoveryError::io(path))?;
    let transport: Transport = serde_json::from_slice(&text)
        .map_err(|_| RecoveryError::file(path, "expected a file of `recovery begin`"))?;
    if transport.side != side {
        let path = path.to_owned();
        return Err(RecoveryError::WrongSide { path, wanted: side, found: transport.side });
    }
    if transport.created_at_ms > now_ms.saturating_add(MAX_AHEAD_MS) {
        return Err(RecoveryError::TransportAhead);
    }
    if now_ms > transport.created_at_ms.saturating_add(TRANSPORT_LIFE_MS) {
        return Err(RecoveryError::TransportExpired);
    }
    Ok(transport)
}

/// The result of [`open`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The halves in the file.
    pub halves: u64,
    /// Wallets of either file without a pair of records.
    pub alone: Vec<uuid::Uuid>,
    /// Wallets with pairs, none of which opens: the fault of each one's newest record.
    pub faults: Vec<Fault>,
}

impl Opened {
    /// Returns whether the file has the half of every wallet.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.alone.is_empty() && self.faults.is_empty()
    }
}

/// Encrypts the half of each wallet's newest paired record that opens to the transport key, into a
/// new file. A second run continues an unfinished file. `progress` gets the number of wallets that
/// are done, and that of all.
///
/// # Errors
/// Fails when the fingerprint differs, a side has no records, no record is encrypted to the key, or
/// the file cannot be written.
pub fn open(
    key: &PrivateKey,
    (records, other): (&[RecoveryRecord], &[RecoveryRecord]),
    (transport, fingerprint): (&Transport, &str),
    (path, now_ms): (&Path, u64),
    mut progress: impl FnMut(u64, u64),
) -> Result<Opened, RecoveryError> {
    let to: &SealingKey = &transport.public_key;
    if fingerprint.replace(['-', ' ', ':'], "").to_lowercase() != to.fingerprint() {
        return Err(RecoveryError::Fingerprint);
    }
    for (side, records) in [(key.side, records), (key.side.other(), other)] {
        if records.is_empty() {
            return Err(RecoveryError::NoRecords(side));
        }
    }
    let Pairs { wallets, alone } = pairs(records, other);
    let id = key.key.public().id();
    let own = |record: &&RecoveryRecord| record.sealed.iter().any(|sealed| sealed.key_id == id);
    if !wallets.is_empty() && !wallets.values().flatten().any(own) {
        return Err(RecoveryError::WrongKey(id));
    }
    let mut header = Header::new(Kind::Halves, key.side, now_ms);
    header.transport = Some(to.fingerprint());
    header.recovery_key = Some(id);
    header.records_sha256 = Some(digest(path, records)?);
    header.other_records_sha256 = Some(digest(path, other)?);
    let (mut writer, last) = Writer::open::<TransportedHalf>(path, &header)?;
    let done = last.map(|entry| wallet_of(&entry.record));
    let (all, mut faults) = (wallets.len() as u64, Vec::new());
    for (count, (wallet, paired)) in (1..).zip(&wallets) {
        match opened(key, paired) {
            // The same records and key open the same wallets, so these are in the file.
            Ok(_) if done.as_ref().is_some_and(|done| wallet <= done) => {}
            Ok((record, half)) => {
                let half = record.seal_for(&half, to);
                let half = half.map_err(|source| RecoveryError::record(record, source))?;
                writer.entry(&TransportedHalf { record: record.clone(), half })?;
            }
            Err(fault) => faults.push(fault),
        }
        progress(count, all);
    }
    Ok(Opened { halves: writer.finish()?, alone, faults })
}

/// Opens the newest of a wallet's records that opens. Fails with the fault of the newest one.
fn opened<'a>(
    key: &PrivateKey,
    paired: &[&'a RecoveryRecord],
) -> Result<(&'a RecoveryRecord, Half), Fault> {
    let mut fault = None;
    for &record in paired {
        match record.open(&key.key) {
            Ok(half) => return Ok((record, half)),
            Err(error) => {
                let (id, version) = (record.wallet_id, record.key_version);
                fault.get_or_insert(Fault::Record(id, version, error));
            }
        }
    }
    Err(fault.unwrap_or(Fault::Empty))
}

/// Returns a fingerprint in groups of four digits, to read it aloud.
#[must_use]
pub fn grouped(fingerprint: &str) -> String {
    let digits: Vec<char> = fingerprint.chars().collect();
    let groups = digits.chunks(4).map(|group| group.iter().collect::<String>());
    groups.collect::<Vec<_>>().join("-")
}
