//! The file of a backup: a tar archive (ustar) with a manifest and the files it lists.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

const BLOCK: usize = 512;

/// The first file of the archive.
pub(crate) const MANIFEST: &str = "manifest.json";

pub(crate) const SCHEMA: u32 = 1;

/// Upper limit for a manifest.
const MAX_MANIFEST_BYTES: u64 = 1024 * 1024;

/// Manifest of a backup.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) schema: u32,
    /// Version of the program that wrote it.
    pub(crate) version: String,
    /// The id of the data directory.
    pub(crate) id: String,
    /// Time of the backup, Unix milliseconds.
    pub(crate) created_at_ms: u64,
    /// The files in the order of the archive.
    pub(crate) files: Vec<Entry>,
}

/// A file of a backup.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// In hex.
    pub(crate) sha256: String,
}

/// Error of reading or writing a backup.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The file is not a complete backup.
    #[error("{0}")]
    Malformed(String),
}

fn malformed(cause: impl Into<String>) -> ArchiveError {
    ArchiveError::Malformed(cause.into())
}

impl Entry {
    /// Returns the entry of a file on the disk.
    pub(crate) fn of(path: &Path, name: &str) -> std::io::Result<Self> {
        let (mut file, mut context) = (File::open(path)?, Context::new(&SHA256));
        let (mut buffer, mut bytes) = (vec![0; 64 * 1024], 0);
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            context.update(&buffer[..read]);
            bytes += read as u64;
        }
        let sha256 = hex::encode(context.finish().as_ref());
        Ok(Self { name: name.to_owned(), bytes, sha256 })
    }
}

/// Writes an archive of a manifest and its files, which are in `directory`.
pub(crate) fn write(
    to: &mut impl Write,
    manifest: &Manifest,
    directory: &Path,
) -> Result<(), ArchiveError> {
    let text = serde_json::to_vec_pretty(manifest).map_err(|error| malformed(error.to_string()))?;
    let seconds = manifest.created_at_ms / 1_000;
    put(to, MANIFEST, text.len() as u64, seconds, &mut text.as_slice())?;
    for Entry { name, bytes, .. } in &manifest.files {
        put(to, name, *bytes, seconds, &mut File::open(directory.join(name))?)?;
    }
    Ok(to.write_all(&[0; 2 * BLOCK])?)
}

fn put(
    to: &mut impl Write,
    name: &str,
    bytes: u64,
    seconds: u64,
    content: &mut impl Read,
) -> Result<(), ArchiveError> {
    to.write_all(&header(name, bytes, seconds)?)?;
    let copied = std::io::copy(&mut content.take(bytes), to)?;
    if copied != bytes {
        return Err(malformed(format!("{name} changed during the copy")));
    }
    Ok(to.write_all(&vec![0; padding(bytes)])?)
}

/// Returns the number of padding bytes after a file.
fn padding(bytes: u64) -> usize {
    let block = BLOCK as u64;
    usize::try_from((block - bytes % block) % block).unwrap_or_default()
}

fn header(name: &str, bytes: u64, seconds: u64) -> Result<[u8; BLOCK], ArchiveError> {
    // A size has eleven octal digits: 8 GiB.
    if name.len() > 100 || bytes >= 1 << 33 {
        return Err(malformed(format!("{name} is too large for a backup: 8 GiB at most")));
    }
    let mut header = [0; BLOCK];
    let mut field = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    field(0, name);
    field(100, "0000600\0");
    field(108, "0000000\0");
    field(116, "0000000\0");
    field(124, &format!("{bytes:011o}\0"));
    field(136, &format!("{seconds:011o}\0"));
    field(148, "        ");
    field(156, "0");
    field(257, "ustar\x0000");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}

/// Reads an archive, and writes the files of its manifest into `directory`. Compares every file
/// with its hash.
pub(crate) fn read(from: &mut impl Read, directory: &Path) -> Result<Manifest, ArchiveError> {
    let (name, bytes) = next(from)?.ok_or_else(|| malformed("it is empty"))?;
    if name != MANIFEST || bytes > MAX_MANIFEST_BYTES {
        return Err(malformed("expected a backup of a local stack: the manifest is missing"));
    }
    let mut text = Vec::new();
    content(from, bytes, &mut text)?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| malformed(format!("its manifest cannot be read: {error}")))?;
    if manifest.schema != SCHEMA {
        return Err(malformed(format!("unknown schema {}", manifest.schema)));
    }
    for entry in &manifest.files {
        let (name, bytes) = next(from)?.ok_or_else(|| malformed("it ends too early"))?;
        let plain = !name.contains(['/', '\\']) && !name.starts_with('.');
        if !plain || (name.as_str(), bytes) != (entry.name.as_str(), entry.bytes) {
            return Err(malformed(format!("expected {} next, as in the manifest", entry.name)));
        }
        let path = directory.join(&name);
        let mut file = private(&path)?;
        content(from, bytes, &mut file)?;
        file.sync_all()?;
        if Entry::of(&path, &name)? != *entry {
            return Err(malformed(format!(
                "{name} was changed after the backup: its hash differs"
            )));
        }
    }
    Ok(manifest)
}

/// Creates a file that only its owner can read.
fn private(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// Returns the name and size of the next file, or `None` at the end.
fn next(from: &mut impl Read) -> Result<Option<(String, u64)>, ArchiveError> {
    let mut header = [0; BLOCK];
    from.read_exact(&mut header).map_err(|_| malformed("it ends too early"))?;
    if header.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let text = |range: std::ops::Range<usize>| {
        let field = &header[range];
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
        std::str::from_utf8(&field[..end]).unwrap_or_default().trim().to_owned()
    };
    if !header[257..].starts_with(b"ustar") {
        return Err(malformed("it is not a tar archive"));
    }
    let bytes = u64::from_str_radix(&text(124..136), 8)
        .map_err(|_| malformed("it is not a tar archive"))?;
    Ok(Some((text(0..100), bytes)))
}

fn content(from: &mut impl Read, bytes: u64, to: &mut impl Write) -> Result<(), ArchiveError> {
    if std::io::copy(&mut from.by_ref().take(bytes), to)? != bytes {
        return Err(malformed("it ends too early"));
    }
    let mut rest = vec![0; padding(bytes)];
    from.read_exact(&mut rest).map_err(|_| malformed("it ends too early"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let entries = files.iter().map(|(name, content)| {
            std::fs::write(directory.path().join(name), content).unwrap();
            Entry::of(&directory.path().join(name), name).unwrap()
        });
        let manifest = Manifest {
            schema: SCHEMA,
            version: "0.1.0".to_owned(),
            id: "id".to_owned(),
            created_at_ms: 1_795_406_234_446,
            files: entries.collect(),
        };
        let mut bytes = Vec::new();
        write(&mut bytes, &manifest, directory.path()).unwrap();
        bytes
    }

    fn unpack(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
        let directory = tempfile::tempdir().unwrap();
        let manifest = read(&mut &*bytes, directory.path())?;
        let files = manifest.files.into_iter().map(|entry| {
            let content = std::fs::read(directory.path().join(&entry.name)).unwrap();
            (entry.name, content)
        });
        Ok(files.collect())
    }

    #[test]
    fn archive_round_trip_keeps_every_byte() {
        let large = vec![7; 3 * BLOCK + 1];
        let files: [(&str, &[u8]); 4] =
            [("empty", b""), ("block", &[1; BLOCK]), ("large", &large), ("text", b"hello")];
        let found = unpack(&archive(&files)).unwrap();
        assert_eq!(found.len(), files.len());
        for ((name, content), (found_name, found)) in files.iter().zip(&found) {
            assert_eq!((*name, *content), (found_name.as_str(), found.as_slice()));
        }
    }

    #[test]
    fn archive_is_readable_by_tar() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), archive(&[("text", b"hello")])).unwrap();
        let listed = std::process::Command::new("tar").arg("tf").arg(file.path()).output();
        // Skipped on a machine without tar.
        let Ok(listed) = listed else { return };
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        assert_eq!(String::from_utf8_lossy(&listed.stdout), "manifest.json\ntext\n");
    }

    #[test]
    fn changed_or_truncated_archive_is_refused() {
        let whole = archive(&[("text", b"hello")]);
        for length in [0, 1, BLOCK, BLOCK + 10, whole.len() - 3 * BLOCK] {
            assert!(unpack(&whole[..length]).is_err(), "{length}");
        }
        let mut changed = whole.clone();
        let at = changed.windows(5).rposition(|window| window == b"hello").unwrap();
        changed[at] = b'j';
        assert!(unpack(&changed).unwrap_err().to_string().contains("hash differs"));
        for name in ["../text", "/etc/x", ".text"] {
            let mut changed = whole.clone();
            let header = changed.windows(5).rposition(|window| window == b"text\0").unwrap();
            changed[header..header + name.len()].copy_from_slice(name.as_bytes());
            assert!(unpack(&changed).is_err(), "{name}");
        }
    }
}
