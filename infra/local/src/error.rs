//! Errors of the local stack's start, one line each.

use std::path::PathBuf;

use hyperdex_cloud::error::CloudError;
use hyperdex_console::ConsoleError;
use hyperdex_listen::ListenError;

use crate::identity::Fault;

/// Error of the local stack's start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is in use or not permitted.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// An engine did not start or ended, or the data directory cannot be used.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The console did not start.
    #[error(transparent)]
    Console(#[from] ConsoleError),
    /// The address exposes the stack to other machines.
    #[error(
        "{0} is not loopback: anyone who can reach it can use every wallet; pass --expose to allow this"
    )]
    NotLoopback(std::net::IpAddr),
    /// A local stack or another command uses the data directory.
    #[error("the data directory {} is in use by a local stack or another command", .0.display())]
    InUse(PathBuf),
    /// Settings contradict each other.
    #[error(transparent)]
    Config(#[from] platform::env::ConfigError),
    /// The tenant keys cannot be read or changed.
    #[error(transparent)]
    Keys(#[from] crate::keys::KeysError),
    /// The local approver's key cannot be used.
    #[error(transparent)]
    Approver(#[from] crate::approver::ApproverKeyError),
    /// The data directory's files do not belong together.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The data directory was used with other engines.
    #[error(
        "the data directory {} does not belong to these engines: {cause}, or pass another \
         --data-dir",
        directory.display()
    )]
    Engines {
        /// The directory.
        directory: PathBuf,
        /// The difference, and the next action.
        cause: &'static str,
    },
    /// A command that only reads got a directory without data.
    #[error(
        "{} holds no data of a local stack: pass the --data-dir that the stack was started with",
        .0.display()
    )]
    NoData(PathBuf),
    /// A part did not start.
    #[error("{what} did not start: {cause}")]
    Part {
        /// Name of the part.
        what: &'static str,
        /// Cause.
        cause: String,
    },
}

/// A file of the data directory is missing or does not belong to the others.
#[derive(Debug, thiserror::Error)]
#[error(
    "the data directory {} is damaged: {fault}; put the file back, or restore a backup with \
     `hyperdex restore FILE`; to start without its wallets, move the directory away",
    directory.display()
)]
pub struct Damaged {
    pub(crate) directory: PathBuf,
    /// The fault.
    pub fault: Fault,
}
