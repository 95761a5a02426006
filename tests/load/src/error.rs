//! Errors that end a load run early.

use hyperdex_listen::ListenError;
use hyperdex_local::StartError;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The stack did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A port is taken.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The run could not go on.
    #[error("the load run: {0}")]
    Run(String),
}

pub(crate) fn failed(cause: impl Into<Box<dyn std::error::Error>>) -> LoadError {
    LoadError::Run(cause.into().to_string())
}
