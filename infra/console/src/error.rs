//! Errors of the console: one clear line each.

use hyperdex_listen::ListenError;

/// The console does not start.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A part did not come up.
    #[error("{what} did not start: {cause}")]
    Part {
        /// Which part.
        what: &'static str,
        /// Why not.
        cause: String,
    },
}
