//! Why a command of recovery failed.

use std::path::PathBuf;

use domain::random::RandomError;
use protocol::recovery::{
    HalfError, HpkeError, RecordError, RecoveryKeyError, RecoveryRecord, Side,
};

/// Why a command of recovery failed. No error contains a secret.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A file exists and is never overwritten.
    #[error("{} exists: name another file, or move it away", .0.display())]
    Exists(PathBuf),
    /// The file has another format or is incomplete.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The problem and the expectation.
        cause: String,
    },
    /// The passphrase is wrong, or the key file was changed.
    #[error("cannot decrypt {}: wrong passphrase, or the file was changed", .0.display())]
    Passphrase(PathBuf),
    /// The directory of a new file does not exist.
    #[error("the directory {} does not exist", .0.display())]
    NoDirectory(PathBuf),
    /// The passphrase is too short.
    #[error("the passphrase has fewer than {0} characters; spaces at its ends do not count")]
    WeakPassphrase(usize),
    /// The key is of another holder.
    #[error("{}: expected a key of the {wanted}, and found one of the {found}", path.display())]
    WrongHolder {
        /// The file.
        path: PathBuf,
        /// Whose key is needed.
        wanted: String,
        /// Whose key it is.
        found: String,
    },
    /// The file is of the other side.
    #[error(
        "{}: expected a file of the {wanted} side, and found one of the {found} side",
        path.display()
    )]
    WrongSide {
        /// The file.
        path: PathBuf,
        /// The side that is needed.
        wanted: Side,
        /// The side of the file.
        found: Side,
    },
    /// No record is encrypted to this key.
    #[error("the records are not encrypted to the recovery key {0}: use the key of that time")]
    WrongKey(String),
    /// The confirmed fingerprint is not that of the transport key. The error does not contain the
    /// file's fingerprint: the holder must hear it from the second operator.
    #[error(
        "the fingerprint is not that of the transport key in the file: do not continue; have the \
         second operator read it to you again"
    )]
    Fingerprint,
    /// The side's file has no records.
    #[error("the file of the {0} side has no records: export them again, from the right table")]
    NoRecords(Side),
    /// The transport key is too old.
    #[error("the transport key has expired: run `recovery begin` again")]
    TransportExpired,
    /// The transport key is of a later day.
    #[error("the transport key is dated in the future: correct the clock of this machine")]
    TransportAhead,
    /// The wallet has no pair of records of one version.
    #[error("no version of the wallet {0} has a record of both sides")]
    NoPair(String),
    /// More than one wallet has this name.
    #[error(
        "more than one wallet matches {name}: name the tenant, or one of the walletIds {}",
        wallets.join(", ")
    )]
    Ambiguous {
        /// The name.
        name: String,
        /// The wallets: tenant and walletId.
        wallets: Vec<String>,
    },
    /// A record is invalid.
    #[error("the record of {wallet}, version {version}: {source}")]
    Record {
        /// The wallet.
        wallet: uuid::Uuid,
        /// The version.
        version: u32,
        /// The cause.
        #[source]
        source: RecordError,
    },
    /// The halves do not give the key.
    #[error(transparent)]
    Half(#[from] HalfError),
    /// A key is invalid.
    #[error(transparent)]
    Key(#[from] HpkeError),
    /// A recovery key's text is invalid.
    #[error(transparent)]
    RecoveryKey(#[from] RecoveryKeyError),
    /// The random number generator failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The cryptography library failed.
    #[error("the cryptography library failed")]
    Cryptography,
}

impl RecoveryError {
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => Self::Exists(path),
            _ => Self::Io { path, source },
        }
    }

    pub(crate) fn record(record: &RecoveryRecord, source: RecordError) -> Self {
        Self::Record { wallet: record.wallet_id, version: record.key_version, source }
    }

    pub(crate) fn file(path: &std::path::Path, cause: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), cause: cause.into() }
    }
}
