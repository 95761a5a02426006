//! Errors that end a measurement early.

use hyperdex_cloud::error::CloudError;
use hyperdex_listen::ListenError;
use hyperdex_local::StartError;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The stack did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A stand-in for the cloud did not start.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// A port is taken.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The run could not go on.
    #[error("the measurement: {0}")]
    Run(String),
}

pub(crate) fn failed(cause: impl Into<Box<dyn std::error::Error>>) -> BenchError {
    BenchError::Run(cause.into().to_string())
}
