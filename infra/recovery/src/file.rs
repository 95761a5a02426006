//! The files that go between the stacks and the holders of the recovery keys.
//!
//! A file has one JSON value in each line: a header, the entries, and an end with their number and
//! SHA-256. A file without its end is incomplete and is refused. It is written under the name
//! `FILE.part`; a second run within 24 hours continues that file, and the complete one gets its
//! name.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use protocol::recovery::Side;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::RecoveryError;
use crate::new_file::{absent, create_new, named, place};

const VERSION: u32 = 1;

/// An older unfinished file is not continued, in milliseconds: 24 hours. Its records may be those
/// of another state of the stack.
const MAX_AGE_MS: u64 = 24 * 60 * 60 * 1_000;

/// The kind of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Kind {
    /// The recovery records of a side.
    #[serde(rename = "hyperdex-recovery-records")]
    Records,
    /// The halves of a side, encrypted to a transport key.
    #[serde(rename = "hyperdex-recovery-halves")]
    Halves,
}

/// The first line of a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    /// The kind.
    pub format: Kind,
    /// The version of the format: 1.
    pub version: u32,
    /// The side.
    pub side: Side,
    /// When the file was begun, Unix milliseconds.
    pub created_at_ms: u64,
    /// The stack and table that a file of records was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The transport key of a file of halves: its fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// The recovery key that opened a file of halves: its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_key: Option<String>,
    /// The SHA-256 of the side's records that a file of halves was made of, as lines of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_sha256: Option<String>,
    /// The SHA-256 of the other side's records, as lines of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_records_sha256: Option<String>,
}

impl Header {
    /// Makes the header of a new file.
    #[must_use]
    pub const fn new(format: Kind, side: Side, created_at_ms: u64) -> Self {
        Self {
            format,
            version: VERSION,
            side,
            created_at_ms,
            source: None,
            transport: None,
            recovery_key: None,
            records_sha256: None,
            other_records_sha256: None,
        }
    }

    /// Checks that this run continues the file that began with `known`.
    fn continues(&self, known: &Self) -> Result<(), &'static str> {
        let same = Self { created_at_ms: self.created_at_ms, ..known.clone() } == *self;
        if !same {
            Err("an unfinished file of another stack, table, side or key: remove it")
        } else if self.created_at_ms.abs_diff(known.created_at_ms) > MAX_AGE_MS {
            Err("an unfinished file that was begun more than 24 hours ago: remove it")
        } else {
            Ok(())
        }
    }
}

/// The last line of a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct End {
    end: bool,
    entries: u64,
    sha256: String,
}

impl End {
    /// Returns the end of a file with this number of entries. The hash is that of all lines before.
    fn of(entries: u64, hash: &Hash) -> Self {
        let sha256 = hex::encode(hash.0.clone().finish().as_ref());
        Self { end: true, entries, sha256 }
    }
}

/// A file being written.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    part: PathBuf,
    file: File,
    entries: u64,
    hash: Hash,
    /// Whether the end is written, and only the name is missing.
    ended: bool,
}

#[derive(Clone)]
struct Hash(Context);

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hash")
    }
}

impl Writer {
    /// Begins a file, or continues the unfinished one of the same kind, side and source. Returns
    /// the last entry that was written.
    ///
    /// # Errors
    /// Fails when the file exists already, or the unfinished one is of something else, is damaged,
    /// or is older than 24 hours.
    pub fn open<T: DeserializeOwned>(
        path: &Path,
        header: &Header,
    ) -> Result<(Self, Option<T>), RecoveryError> {
        let part = named(path, ".part");
        if let Ok(found) = fs::symlink_metadata(&part) {
            // A second name of a complete file: the run before ended between its last two steps.
            if found.nlink() < 2 {
                absent(path)?;
                return Self::resume(path, part, header);
            }
            fs::remove_file(&part).map_err(RecoveryError::io(&part))?;
        }
        absent(path)?;
        let file = create_new(&part)?;
        let hash = Hash(Context::new(&SHA256));
        let path = path.to_owned();
        let mut writer = Self { path, part, file, entries: 0, hash, ended: false };
        writer.line(header)?;
        Ok((writer, None))
    }

    fn resume<T: DeserializeOwned>(
        path: &Path,
        part: PathBuf,
        header: &Header,
    ) -> Result<(Self, Option<T>), RecoveryError> {
        let io = |error| RecoveryError::io(&part)(error);
        let mut file = File::options().read(true).write(true).open(&part).map_err(io)?;
        let mut reader = BufReader::new(&file);
        let (mut hash, mut length, mut lines) = (Hash(Context::new(&SHA256)), 0_u64, 0_u64);
        let (mut line, mut last, mut ended) = (String::new(), None, false);
        let fault = |cause: &str| RecoveryError::file(&part, cause);
        loop {
            line.clear();
            let read = reader.read_line(&mut line).map_err(io)?;
            // A torn last line is written again.
            if read == 0 || (!line.ends_with('\n') && !ended) {
                break;
            }
            if ended {
                return Err(fault("something follows the end of the file: remove it"));
            } else if lines == 0 {
                let known: Header = parsed(&part, &line, 1)?;
                header.continues(&known).map_err(fault)?;
            } else if let Ok(end) = serde_json::from_str::<End>(&line) {
                if end != End::of(lines - 1, &hash) {
                    return Err(fault("the unfinished file was changed: remove it"));
                }
                ended = true;
            } else {
                last = Some(parsed(&part, &line, lines + 1)?);
            }
            hash.0.update(line.as_bytes());
            length += read as u64;
            lines += 1;
        }
        file.set_len(length).map_err(io)?;
        file.seek(SeekFrom::Start(length)).map_err(io)?;
        let entries = lines.saturating_sub(1 + u64::from(ended));
        let mut writer = Self { path: path.to_owned(), part, file, entries, hash, ended };
        if lines == 0 {
            writer.line(header)?;
        }
        Ok((writer, last))
    }

    /// Returns whether the unfinished file has its end already. It takes no more entries.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.ended
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// Fails when the file is complete or cannot be written.
    pub fn entry<T: Serialize>(&mut self, entry: &T) -> Result<(), RecoveryError> {
        if self.ended {
            return Err(RecoveryError::file(&self.part, "the file is complete: remove it"));
        }
        self.line(entry)?;
        self.entries += 1;
        Ok(())
    }

    /// Returns the number of entries.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// Writes the end, and gives the file its name. Returns the number of entries.
    ///
    /// # Errors
    /// Fails when the file cannot be written, or its name has been taken meanwhile.
    pub fn finish(mut self) -> Result<u64, RecoveryError> {
        if !self.ended {
            let end = End::of(self.entries, &self.hash);
            self.line(&end)?;
        }
        self.file.sync_all().map_err(RecoveryError::io(&self.part))?;
        place(&self.part, &self.path)?;
        Ok(self.entries)
    }

    fn line<T: Serialize>(&mut self, value: &T) -> Result<(), RecoveryError> {
        let text = serde_json::to_string(value);
        let mut text = text.map_err(|error| RecoveryError::file(&self.part, error.to_string()))?;
        text.push('\n');
        self.hash.0.update(text.as_bytes());
        self.file.write_all(text.as_bytes()).map_err(RecoveryError::io(&self.part))
    }
}

/// Returns the SHA-256 of entries as lines of JSON, in hex.
///
/// # Errors
/// Fails when an entry does not serialise.
pub(crate) fn digest<T: Serialize>(path: &Path, entries: &[T]) -> Result<String, RecoveryError> {
    let mut hash = Context::new(&SHA256);
    for entry in entries {
        let line = serde_json::to_vec(entry);
        hash.update(&line.map_err(|error| RecoveryError::file(path, error.to_string()))?);
        hash.update(b"\n");
    }
    Ok(hex::encode(hash.finish().as_ref()))
}

/// Reads a complete file of a kind and side.
///
/// # Errors
/// Fails when the file is incomplete, was changed, or is of another kind, version or side.
pub fn read<T: DeserializeOwned>(
    path: &Path,
    format: Kind,
    side: Side,
) -> Result<(Header, Vec<T>), RecoveryError> {
    let text = fs::read_to_string(path).map_err(RecoveryError::io(path))?;
    let fault = |cause: &str| RecoveryError::file(path, cause);
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().ok_or_else(|| fault("the file is empty"))?;
    let header: Header = serde_json::from_str(first)
        .map_err(|_| fault("expected a file of `hyperdex recovery` of version 1"))?;
    if header.version != VERSION {
        return Err(fault("expected a file of version 1"));
    }
    if header.format != format {
        return Err(fault("the file is of another kind: see its first line"));
    }
    if header.side != side {
        let path = path.to_owned();
        return Err(RecoveryError::WrongSide { path, wanted: side, found: header.side });
    }
    let mut hash = Context::new(&SHA256);
    hash.update(first.as_bytes());
    let mut entries = Vec::new();
    let mut pending: Option<&str> = None;
    for line in lines {
        if let Some(entry) = pending.replace(line) {
            hash.update(entry.as_bytes());
            entries.push(parsed(path, entry, entries.len() as u64 + 2)?);
        }
    }
    let end = pending.and_then(|line| serde_json::from_str::<End>(line).ok());
    let end = end.ok_or_else(|| fault("the file is incomplete: its end is missing"))?;
    let found = (entries.len() as u64, hex::encode(hash.finish().as_ref()));
    if (end.entries, end.sha256) != found {
        return Err(fault("the file was changed: its number of entries or its hash differs"));
    }
    Ok((header, entries))
}

fn parsed<T: DeserializeOwned>(path: &Path, line: &str, number: u64) -> Result<T, RecoveryError> {
    serde_json::from_str(line)
        .map_err(|error| RecoveryError::file(path, format!("line {number}: {error}")))
}
