//! Errors that end a measurement early.

use hyperdex_cloud::error::CloudError;
use hyperdex_listen::ListenError;
use hyperdex_local::StartError;

/// An error that ends a measurement.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The stack did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The local cloud did not start.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// A port is in use.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The measurement failed.
    #[error("the measurement: {0}")]
    Run(String),
}

pub(crate) fn failed(cause: impl Into<Box<dyn std::error::Error>>) -> BenchError {
    BenchError::Run(cause.into().to_string())
}
