//! The form of the page's charts, which is the same for a local stack and for a deployment.

use domain::ids::Exchange;
use serde::Serialize;

/// Series of the last hours, and alarms.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metrics {
    /// Time of the read, Unix milliseconds.
    pub(crate) now: u64,
    /// Start of the series, Unix milliseconds.
    pub(crate) from: u64,
    /// Length of one period, in seconds.
    pub(crate) period_s: u16,
    pub(crate) series: Vec<Series>,
    /// Alarms in state ALARM.
    pub(crate) alarms: Vec<Alarm>,
    /// Recent requests with an error, newest first. A deployment has none here.
    pub(crate) refusals: Vec<Refusal>,
}

/// One metric over time.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Series {
    pub(crate) metric: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) stat: &'static str,
    pub(crate) exchange: Option<Exchange>,
    /// Time in Unix milliseconds, and value.
    pub(crate) points: Vec<(u64, f64)>,
}

/// An alarm in state ALARM.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alarm {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) since: Option<u64>,
}

/// A request that returned an error.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refusal {
    /// Unix milliseconds.
    pub(crate) at: u64,
    pub(crate) method: String,
    /// The path, without the query.
    pub(crate) path: String,
    pub(crate) status: u16,
    /// The error's code; `None` if the body has none.
    pub(crate) code: Option<String>,
    pub(crate) request_id: Option<String>,
}
