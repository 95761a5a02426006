//! Why the local stack does not start: one clear line each.

use std::path::PathBuf;

/// Why the local stack does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is taken, or may not be used.
    #[error("cannot listen on {address} for {what}: {cause}")]
    Port {
        /// What wanted it.
        what: &'static str,
        /// The address.
        address: std::net::SocketAddr,
        /// Why not.
        cause: std::io::Error,
    },
    /// The data directory cannot be used.
    #[error("cannot use the data directory {}: {cause}", path.display())]
    Data {
        /// The directory, or the file in it.
        path: PathBuf,
        /// Why not.
        cause: String,
    },
    /// More than this machine would reach it.
    #[error(
        "{0} is not loopback: whoever reaches it can use every wallet; say --expose if that is meant"
    )]
    NotLoopback(std::net::IpAddr),
    /// Another local stack uses the data directory.
    #[error("the data directory {} is in use by another local stack", .0.display())]
    InUse(PathBuf),
    /// Settings contradict each other.
    #[error(transparent)]
    Config(#[from] shared::config::ConfigError),
    /// The API keys cannot be read or changed.
    #[error(transparent)]
    Keys(#[from] crate::keys::KeysError),
    /// The keys that the data was sealed with are gone.
    #[error(
        "{} is missing, and with it the keys that the data beside it was sealed with; restore it, or remove the directory to start anew",
        .0.display()
    )]
    KeysGone(PathBuf),
    /// A part did not come up.
    #[error("{what} did not start: {cause}")]
    Part {
        /// Which part.
        what: &'static str,
        /// Why not.
        cause: String,
    },
}
