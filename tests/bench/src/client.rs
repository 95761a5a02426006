//! The HTTP client of a measurement.

use std::time::Duration;

use crate::error::{BenchError, failed};

/// Makes a client that waits for two minutes.
pub(crate) fn client() -> Result<reqwest::Client, BenchError> {
    shared::http_client::client_builder()
        .and_then(|builder| Ok(builder.timeout(Duration::from_secs(120)).build()?))
        .map_err(failed)
}
