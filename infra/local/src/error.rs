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
    /// A file that the command line names cannot be used.
    #[error("cannot use {what} {}: {cause}", path.display())]
    File {
        /// What the file should be, such as "the public key".
        what: &'static str,
        /// The file.
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
    Config(#[from] platform::env::ConfigError),
    /// The API keys cannot be read or changed.
    #[error(transparent)]
    Keys(#[from] crate::keys::KeysError),
    /// The data directory's files do not belong together.
    #[error(transparent)]
    Damaged(#[from] crate::data::Damaged),
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
    /// A part ended while the stack was running.
    #[error("{what} ended: {cause}")]
    Ended {
        /// Which part.
        what: &'static str,
        /// How.
        cause: String,
    },
    /// A part did not come up.
    #[error("{what} did not start: {cause}")]
    Part {
        /// Which part.
        what: &'static str,
        /// Why not.
        cause: String,
    },
}

/// An error with its causes, in one line: `what: why: why`.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text.replace('\n', " ")
}
