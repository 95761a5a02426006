//! Errors of the console, one line each.

use hyperdex_listen::ListenError;

/// The console did not start.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The port cannot be bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A part did not start.
    #[error("{what} did not start: {cause}")]
    Part {
        /// Name of the part.
        what: &'static str,
        /// Cause.
        cause: String,
    },
}
