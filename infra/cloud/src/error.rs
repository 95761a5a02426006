//! Errors of the local cloud, one line each.

use std::path::PathBuf;

use hyperdex_listen::ListenError;

/// A part of the local cloud did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// The port cannot be bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The data directory cannot be used.
    #[error("cannot use the data directory {}: {cause}", path.display())]
    Data {
        /// The directory, or the file in it.
        path: PathBuf,
        /// Cause.
        cause: String,
    },
    /// A part ended while the stack was running.
    #[error("{what} ended: {cause}")]
    Ended {
        /// Name of the part.
        what: &'static str,
        /// Cause.
        cause: String,
    },
    /// A part did not start.
    #[error("{what} did not start: {cause}")]
    Part {
        /// Name of the part.
        what: &'static str,
        /// Cause.
        cause: String,
    },
}

/// Formats an error with its causes in one line: `what: cause: cause`.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
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
