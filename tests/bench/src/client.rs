//! The HTTP client for measurements.

use std::time::Duration;

use crate::error::{BenchError, failed};

/// Returns a client with a timeout of two minutes.
pub(crate) fn client() -> Result<reqwest::Client, BenchError> {
    shared::http_client::client_builder()
        .and_then(|builder| Ok(builder.timeout(Duration::from_secs(120)).build()?))
        .map_err(failed)
}
