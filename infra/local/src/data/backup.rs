//! `hyperdex backup FILE` and `hyperdex restore FILE`: a consistent copy of the whole data
//! directory, even while the stack runs.

use std::fs::{File, Permissions};
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use domain::clock::Clock;
use domain::random::Random;
use hyperdex_cloud::error::CloudError;
use hyperdex_cloud::files::broken;
use hyperdex_cloud::kms::{self, Kms};

use super::archive::{self, ArchiveError, Entry, Manifest};
use super::{AUDIT_KEY_FILE, DATABASE, Directory, KMS_KEYS, QUEUE, existing, lock, sqlite};
use crate::approver::APPROVER_KEY_FILE;
use crate::data::recovery_keys::RECOVERY_KEYS_FILE;
use crate::error::StartError;
use crate::identity;
use crate::keys::KEYS_FILE;

/// Error of a backup or restore.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] StartError),
    /// A file of the data directory cannot be used.
    #[error(transparent)]
    Data(#[from] CloudError),
    /// The backup file cannot be used.
    #[error("cannot use the backup {}: {cause}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Cause.
        cause: ArchiveError,
    },
    /// A backup does not overwrite a file.
    #[error("{} exists: a backup does not overwrite files; name another file", .0.display())]
    Exists(PathBuf),
    /// No version with identities has started the directory yet.
    #[error("{} was made by an earlier version: start the stack once, then make the backup", .0.display())]
    Earlier(PathBuf),
    /// A restore does not overwrite data.
    #[error(
        "{} is not empty: pass --overwrite to restore over it (what is there is moved aside), or \
         restore into another directory with --data-dir",
        .0.display()
    )]
    NotEmpty(PathBuf),
}

/// Files that are copied as they are, in this order. A simulator's state may be newer than the
/// tables, as that of a real exchange is after a restore. Its journal comes before its nonces, so
/// that a copied order's nonce is copied too.
const PLAIN: [&str; 18] = [
    identity::FILE,
    KMS_KEYS,
    AUDIT_KEY_FILE,
    kms::PUBLIC_KEY,
    APPROVER_KEY_FILE,
    RECOVERY_KEYS_FILE,
    KEYS_FILE,
    "hyperliquid-mainnet.trades.jsonl",
    "hyperliquid-testnet.trades.jsonl",
    "aster-mainnet.trades.jsonl",
    "aster-testnet.trades.jsonl",
    "hyperliquid-mainnet.json",
    "hyperliquid-testnet.json",
    "aster-mainnet.json",
    "aster-testnet.json",
    "lighter-304.json",
    "lighter-300.json",
    "chains.json",
];

/// Writes a backup of a data directory, and returns its size in bytes.
///
/// # Errors
/// Returns an error when the directory is damaged, or the file exists or cannot be written.
pub fn backup(data_dir: &Path, file: &Path, clock: &Clock) -> Result<u64, BackupError> {
    let in_file = |cause: ArchiveError| BackupError::File { file: file.to_owned(), cause };
    existing(data_dir)?;
    if file.exists() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let directory = Directory::look(data_dir, &Random::system(), clock)?;
    directory.check_kind(false)?;
    let Some(identity) = directory.known() else {
        return Err(BackupError::Earlier(data_dir.to_owned()));
    };
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let copies = tempfile::Builder::new().prefix(".hyperdex-backup-").tempdir_in(parent);
    let copies = copies.map_err(|error| in_file(error.into()))?;
    // The queue comes last, so that it contains every published event.
    let mut files = vec![DATABASE, QUEUE];
    let pairs: Vec<_> =
        files.iter().map(|name| (data_dir.join(name), copies.path().join(name))).collect();
    sqlite::copy(&pairs).map_err(|error| broken(data_dir, &error))?;
    for name in PLAIN {
        match std::fs::copy(data_dir.join(name), copies.path().join(name)) {
            Ok(_) => files.push(name),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(broken(&data_dir.join(name), &error).into()),
        }
    }
    let entries = files.iter().map(|name| Entry::of(&copies.path().join(name), name));
    let manifest = Manifest {
        schema: archive::SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        id: identity.id.clone(),
        created_at_ms: clock.now_ms(),
        files: entries.collect::<Result<_, _>>().map_err(|error| in_file(error.into()))?,
    };
    // Verify the copy as a start does, so that every backup can start.
    Directory::look(copies.path(), &Random::system(), clock)?;
    let write = || -> Result<u64, ArchiveError> {
        // A temporary file has mode 0600. It contains the KMS keys.
        let mut archive = tempfile::NamedTempFile::new_in(parent)?;
        archive::write(archive.as_file_mut(), &manifest, copies.path())?;
        archive.as_file().sync_all()?;
        let bytes = archive.as_file().metadata()?.len();
        archive.persist_noclobber(file).map_err(|error| error.error)?;
        File::open(parent)?.sync_all()?;
        Ok(bytes)
    };
    write().map_err(in_file)
}

/// Restores a backup into a data directory that is empty or does not exist. With `overwrite`, moves
/// existing data aside first, and returns its new path.
///
/// # Errors
/// Returns an error when the backup is incomplete, the directory has data, or a stack uses it.
pub fn restore(
    data_dir: &Path,
    file: &Path,
    overwrite: bool,
    clock: &Clock,
) -> Result<Option<PathBuf>, BackupError> {
    let in_file = |cause: ArchiveError| BackupError::File { file: file.to_owned(), cause };
    let has_data = match std::fs::read_dir(data_dir) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(broken(data_dir, &error).into()),
    };
    if has_data && !overwrite {
        return Err(BackupError::NotEmpty(data_dir.to_owned()));
    }
    // Held until the end: no stack uses the data that is moved.
    let _lock = if has_data { Some(lock(data_dir)?) } else { None };

    let parent = data_dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(|error| broken(parent, &error))?;
    let unpacked = tempfile::Builder::new()
        .prefix(".hyperdex-restore-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(parent);
    let unpacked = unpacked.map_err(|error| broken(parent, &error))?;
    let archive = File::open(file).map_err(|error| in_file(error.into()))?;
    archive::read(&mut BufReader::new(archive), unpacked.path()).map_err(in_file)?;
    let directory = Directory::look(unpacked.path(), &Random::system(), clock)?;
    if directory.known().is_none() {
        return Err(in_file(ArchiveError::Malformed("it contains no data directory".to_owned())));
    }
    let keys = unpacked.path().join(KMS_KEYS);
    directory.check_keys(&Kms::open(keys, clock, &Random::system())?.0)?;

    let aside = has_data.then(|| {
        let name = data_dir.file_name().unwrap_or_default().to_string_lossy();
        data_dir.with_file_name(format!("{name}.replaced-{}", clock.now_ms()))
    });
    match &aside {
        Some(aside) => {
            std::fs::rename(data_dir, aside).map_err(|error| broken(data_dir, &error))?;
        }
        None if data_dir.exists() => {
            std::fs::remove_dir(data_dir).map_err(|error| broken(data_dir, &error))?;
        }
        None => {}
    }
    std::fs::rename(unpacked.path(), data_dir).map_err(|error| broken(data_dir, &error))?;
    // The directory is in place, and no longer temporary.
    let _ = unpacked.keep();
    File::open(parent).and_then(|it| it.sync_all()).map_err(|error| broken(parent, &error))?;
    Ok(aside)
}
