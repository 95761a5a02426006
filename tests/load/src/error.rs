//! Errors that end a load run early.

use hyperdex_listen::ListenError;
use hyperdex_local::StartError;

/// An error that ends a load run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The stack did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A port is in use.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The load run failed.
    #[error("the load run: {0}")]
    Run(String),
}

pub(crate) fn failed(cause: impl Into<Box<dyn std::error::Error>>) -> LoadError {
    LoadError::Run(cause.into().to_string())
}
