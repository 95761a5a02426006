//! The state of the service.

use serde::{Deserialize, Serialize};

/// The response of `GET /api/health`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// The service's version.
    pub version: String,
    /// Whether new shares of both sides get recovery records.
    #[serde(default)]
    pub recovery_key: bool,
}
