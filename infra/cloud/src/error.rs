//! Errors of the stand-ins: one clear line each.

use std::path::PathBuf;

use hyperdex_listen::ListenError;

/// A stand-in does not start or run.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The data directory cannot be used.
    #[error("cannot use the data directory {}: {cause}", path.display())]
    Data {
        /// The directory, or the file in it.
        path: PathBuf,
        /// Why not.
        cause: String,
    },
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

/// Writes an error with its causes in one line: `what: why: why`.
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
