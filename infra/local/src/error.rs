//! Why the local stack does not start: one clear line each.

use std::path::PathBuf;

use hyperdex_cloud::error::CloudError;
use hyperdex_console::ConsoleError;
use hyperdex_listen::ListenError;

use crate::identity::Fault;

/// Why the local stack does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is taken, or may not be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A stand-in for the cloud does not start or run, or the data directory cannot be used.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The console does not start.
    #[error(transparent)]
    Console(#[from] ConsoleError),
    /// More than this machine would reach it.
    #[error(
        "{0} is not loopback: every caller that reaches it can use every wallet; say --expose if that is meant"
    )]
    NotLoopback(std::net::IpAddr),
    /// Another local stack uses the data directory.
    #[error("the data directory {} is in use by another local stack", .0.display())]
    InUse(PathBuf),
    /// Settings contradict each other.
    #[error(transparent)]
    Config(#[from] platform::env::ConfigError),
    /// The API keys cannot be read or changed.
    #[error(transparent)]
    Keys(#[from] crate::keys::KeysError),
    /// The data directory's files do not belong together.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The data directory belongs to other engines.
    #[error(
        "the data directory {} does not belong to these engines: {cause}, or pass another \
         --data-dir",
        directory.display()
    )]
    Engines {
        /// The directory.
        directory: PathBuf,
        /// What differs, and the next action.
        cause: &'static str,
    },
    /// A command that only reads was given a directory in which nothing is stored.
    #[error(
        "{} holds no data of a local stack: pass the --data-dir that the stack was started with",
        .0.display()
    )]
    NoData(PathBuf),
    /// A part did not come up.
    #[error("{what} did not start: {cause}")]
    Part {
        /// Which part.
        what: &'static str,
        /// Why not.
        cause: String,
    },
}

/// The files of a data directory do not belong together, or one is lost.
#[derive(Debug, thiserror::Error)]
#[error(
    "the data directory {} is damaged: {fault}; put the file back, or restore a backup with \
     `hyperdex restore FILE`; to start without its wallets, move the directory away",
    directory.display()
)]
pub struct Damaged {
    pub(crate) directory: PathBuf,
    /// What is wrong.
    pub fault: Fault,
}
