//! `GET /console/data/metrics`: the deployment's metrics of the last hours, and its alarms in state
//! ALARM.

use std::time::Duration;

use domain::clock::Clock;
use domain::ids::Exchange;
use platform::metrics::{Metric, NAMESPACE};
use serde_json::{Value, json};
use shared::api::error::ApiError;
use tokio::sync::Mutex;

use super::aws::{Account, CallError};
use crate::series::{Alarm, Metrics, Series};

/// Length of the series, in milliseconds.
const BACK_MS: u64 = 6 * 60 * 60 * 1_000;
/// Length of one period, in seconds.
const PERIOD_S: u16 = 300;
/// How long a result is cached. CloudWatch charges for each requested series.
const FRESH_MS: u64 = 60_000;
/// Maximum number of result pages that are read.
const PAGES: usize = 5;

/// Part of the deployment that a metric belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Of {
    Service,
    EachExchange,
    Cosigner,
}

/// Metrics of the page, in this order.
const SHOWN: [(Metric, &str, Of); 20] = [
    (Metric::Registrations, "Sum", Of::EachExchange),
    (Metric::RegistrationFailures, "Sum", Of::EachExchange),
    (Metric::OrdersPlaced, "Sum", Of::EachExchange),
    (Metric::OrdersRefused, "Sum", Of::EachExchange),
    (Metric::OrdersUnknown, "Sum", Of::EachExchange),
    (Metric::OldestUnknownOrderMs, "Maximum", Of::Service),
    (Metric::PolicyRefusals, "Sum", Of::Service),
    (Metric::CosignerRefusals, "Sum", Of::Cosigner),
    (Metric::CredentialDrift, "Sum", Of::Service),
    (Metric::RenewalBacklog, "Maximum", Of::Service),
    (Metric::CredentialsExpiring, "Maximum", Of::Service),
    (Metric::CredentialsOverdue, "Maximum", Of::Service),
    (Metric::CredentialsRenewed, "Sum", Of::Service),
    (Metric::RenewalsFailed, "Sum", Of::Service),
    (Metric::RegistrationsPending, "Maximum", Of::Service),
    (Metric::ExchangeBudgetUsed, "Maximum", Of::EachExchange),
    (Metric::SecretsLost, "Sum", Of::Service),
    (Metric::SignatureFaults, "Sum", Of::Service),
    (Metric::KeyGenerationMs, "p99", Of::Service),
    (Metric::SigningMs, "p99", Of::Service),
];

/// Metrics of API Gateway, with unit and statistic. Their dimension is the API's name.
const GATEWAY: [(&str, &str, &str); 4] = [
    ("Count", "Count", "Sum"),
    ("Latency", "Milliseconds", "p99"),
    ("4XXError", "Count", "Sum"),
    ("5XXError", "Count", "Sum"),
];

/// Returns a query of CloudWatch. `at` is its place in the response.
fn query(at: usize, namespace: &str, series: &Series, dimensions: &[Value]) -> Value {
    json!({
        "Id": format!("m{at}"),
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": series.metric,
                "Dimensions": dimensions,
            },
            "Period": PERIOD_S,
            "Stat": series.stat,
        },
    })
}

/// An account to read, with the metrics and alarms to read in it.
pub(super) struct Source {
    pub(super) account: Account,
    /// Prefix of its alarms' names.
    pub(super) alarms: String,
    pub(super) service: Option<String>,
    pub(super) cosigner: Option<String>,
}

/// Reader of a deployment's metrics, which may be in two accounts.
pub(super) struct Reader {
    sources: Vec<Source>,
    clock: Clock,
    last: Mutex<Option<Metrics>>,
}

fn failed(error: &CallError) -> ApiError {
    // The cause is safe to show: the reader of the page uses their own credentials.
    ApiError::new(502, "CLOUDWATCH", "CloudWatch did not return the metrics")
        .advise(error.to_string())
}

/// Converts seconds, as in AWS's JSON, to milliseconds.
fn ms(seconds: &Value) -> Option<u64> {
    let seconds = seconds.as_f64().filter(|seconds| seconds.is_finite() && *seconds >= 0.0)?;
    Duration::try_from_secs_f64(seconds).ok().and_then(|time| time.as_millis().try_into().ok())
}

impl Source {
    /// Returns the source's series, each with its query.
    fn asked(&self) -> Vec<(Series, Value)> {
        let mut asked = Vec::new();
        for (metric, stat, of) in SHOWN {
            let service = if of == Of::Cosigner { &self.cosigner } else { &self.service };
            let Some(service) = service else { continue };
            let exchanges: Vec<Option<Exchange>> = match of {
                Of::EachExchange => Exchange::ALL.into_iter().map(Some).collect(),
                _ => vec![None],
            };
            for exchange in exchanges {
                let mut dimensions = vec![json!({ "Name": "service", "Value": service })];
                dimensions.extend(
                    exchange.map(|one| json!({ "Name": "exchange", "Value": one.as_str() })),
                );
                let (metric, unit) = (metric.name(), metric.unit());
                let series = Series { metric, unit, stat, exchange, points: Vec::new() };
                let query = query(asked.len(), NAMESPACE, &series, &dimensions);
                asked.push((series, query));
            }
        }
        // The template names the API after the stack, as it names the service.
        if let Some(service) = &self.service {
            let dimensions = [json!({ "Name": "ApiName", "Value": service })];
            for (metric, unit, stat) in GATEWAY {
                let series = Series { metric, unit, stat, exchange: None, points: Vec::new() };
                let query = query(asked.len(), "AWS/ApiGateway", &series, &dimensions);
                asked.push((series, query));
            }
        }
        asked
    }

    async fn series(&self, from_ms: u64, now_ms: u64) -> Result<Vec<Series>, ApiError> {
        let (mut series, queries): (Vec<_>, Vec<_>) = self.asked().into_iter().unzip();
        let mut question = json!({
            "StartTime": from_ms / 1_000,
            "EndTime": now_ms / 1_000,
            "ScanBy": "TimestampAscending",
            "MetricDataQueries": queries,
        });
        for _ in 0..PAGES {
            if series.is_empty() {
                break;
            }
            let page = self.account.cloudwatch("cloudwatch:GetMetricData", &question).await;
            let page = page.map_err(|error| failed(&error))?;
            for result in page["MetricDataResults"].as_array().into_iter().flatten() {
                let id = result["Id"].as_str().and_then(|id| id.strip_prefix('m'));
                let place = id.and_then(|number| number.parse::<usize>().ok());
                let Some(series) = place.and_then(|place| series.get_mut(place)) else { continue };
                let list = |name: &str| result[name].as_array().into_iter().flatten();
                let times = list("Timestamps").map(|time| ms(time).unwrap_or_default());
                let values = list("Values").map(|value| value.as_f64().unwrap_or_default());
                series.points.extend(times.zip(values));
            }
            match page["NextToken"].as_str() {
                Some(next) => question["NextToken"] = json!(next),
                None => break,
            }
        }
        Ok(series)
    }

    /// Returns the source's alarms in state ALARM.
    async fn alarms(&self) -> Result<Vec<Alarm>, ApiError> {
        let question = json!({
            "AlarmNamePrefix": self.alarms,
            "StateValue": "ALARM",
            "MaxRecords": 100,
        });
        let said = self.account.cloudwatch("cloudwatch:DescribeAlarms", &question).await;
        let said = said.map_err(|error| failed(&error))?;
        let text = |alarm: &Value, name: &str| alarm[name].as_str().unwrap_or_default().to_owned();
        let alarms = said["MetricAlarms"].as_array().into_iter().flatten();
        Ok(alarms
            .map(|alarm| Alarm {
                name: text(alarm, "AlarmName"),
                description: text(alarm, "AlarmDescription"),
                since: ms(&alarm["StateUpdatedTimestamp"]),
            })
            .collect())
    }
}

impl Reader {
    pub(super) fn new(sources: Vec<Source>, clock: Clock) -> Self {
        Self { sources, clock, last: Mutex::default() }
    }

    /// Returns whether there is anything to read.
    pub(super) fn has_any(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Returns the metrics, read at most a minute ago.
    pub(super) async fn read(&self) -> Result<Metrics, ApiError> {
        let mut last = self.last.lock().await;
        let now = self.clock.now_ms();
        if let Some(last) = last.as_ref().filter(|last| last.now + FRESH_MS > now) {
            return Ok(last.clone());
        }
        let from = now.saturating_sub(BACK_MS);
        let (series, alarms, refusals) = (Vec::new(), Vec::new(), Vec::new());
        let mut read = Metrics { now, from, period_s: PERIOD_S, series, alarms, refusals };
        for source in &self.sources {
            read.series.extend(source.series(from, now).await?);
            read.alarms.extend(source.alarms().await?);
        }
        *last = Some(read.clone());
        Ok(read)
    }
}
