//! Metrics, named in one place. In Lambda they are lines of CloudWatch's embedded metric format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>),
//! elsewhere they are log lines.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::api::ids::Exchange;
use crate::clock::Clock;

/// CloudWatch's namespace for them.
pub const NAMESPACE: &str = "HyperDEXKeys";

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Metric {
    /// Credentials that the renewal job has rotated.
    CredentialsRenewed,
    /// Work of others that the renewal job has brought to its end.
    OperationsFinished,
    /// Credentials that the renewal job could not rotate or finish.
    RenewalsFailed,
    /// Credentials that are to be renewed and have expired.
    CredentialsOverdue,
    /// Credentials that were compared with the exchange.
    CredentialsChecked,
    /// Differences that were found.
    CredentialDrift,
    /// Secrets that an exchange made and that could not be stored.
    SecretsLost,
    /// Approvals that an exchange took for another signer's.
    SignatureFaults,
    /// What the cosigner refused.
    CosignerRefusals,
    /// Runs after which the day's heads of the audit log were sealed.
    AuditSealed,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::CredentialsRenewed,
        Self::OperationsFinished,
        Self::RenewalsFailed,
        Self::CredentialsOverdue,
        Self::CredentialsChecked,
        Self::CredentialDrift,
        Self::SecretsLost,
        Self::SignatureFaults,
        Self::CosignerRefusals,
        Self::AuditSealed,
    ];

    /// The name in CloudWatch.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CredentialsRenewed => "CredentialsRenewed",
            Self::OperationsFinished => "OperationsFinished",
            Self::RenewalsFailed => "RenewalsFailed",
            Self::CredentialsOverdue => "CredentialsOverdue",
            Self::CredentialsChecked => "CredentialsChecked",
            Self::CredentialDrift => "CredentialDrift",
            Self::SecretsLost => "SecretsLost",
            Self::SignatureFaults => "SignatureFaults",
            Self::CosignerRefusals => "CosignerRefusals",
            Self::AuditSealed => "AuditSealed",
        }
    }
}

static EMBEDDED: AtomicBool = AtomicBool::new(false);

/// From here on metrics are lines of the embedded metric format on standard output.
pub fn embed() {
    EMBEDDED.store(true, Ordering::Relaxed);
}

/// Emits counts, all together for one exchange or for none.
pub fn emit(clock: &Clock, exchange: Option<Exchange>, counts: &[(Metric, u64)]) {
    if EMBEDDED.load(Ordering::Relaxed) {
        let mut line = document(clock.now_ms(), exchange, counts).to_string();
        line.push('\n');
        // A metric that cannot be written fails nothing.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    } else {
        for (metric, count) in counts {
            let exchange = exchange.map(Exchange::as_str);
            tracing::info!(metric = metric.name(), count, exchange, "metric");
        }
    }
}

fn document(now_ms: u64, exchange: Option<Exchange>, counts: &[(Metric, u64)]) -> Value {
    let metrics: Vec<Value> = counts
        .iter()
        .map(|(metric, _)| json!({ "Name": metric.name(), "Unit": "Count" }))
        .collect();
    let dimensions = if exchange.is_some() { json!([[], ["exchange"]]) } else { json!([[]]) };
    let mut document = json!({
        "_aws": {
            "Timestamp": now_ms,
            "CloudWatchMetrics": [
                { "Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics },
            ],
        },
    });
    if let Some(exchange) = exchange {
        document["exchange"] = json!(exchange.as_str());
    }
    for (metric, count) in counts {
        document[metric.name()] = json!(count);
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_each_metric_it_holds_and_its_value() {
        let counts = [(Metric::CredentialsRenewed, 3), (Metric::RenewalsFailed, 0)];
        let line = document(1_790_000_000_000, Some(Exchange::Aster), &counts);
        assert_eq!(line["CredentialsRenewed"], 3);
        assert_eq!(line["RenewalsFailed"], 0);
        assert_eq!(line["exchange"], "aster");
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Metrics"][1], json!({ "Name": "RenewalsFailed", "Unit": "Count" }));
        assert_eq!(directive["Dimensions"], json!([[], ["exchange"]]));
    }
}
