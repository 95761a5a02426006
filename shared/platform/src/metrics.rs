//! Metrics, named in one place. In Lambda they are lines of CloudWatch's embedded metric format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>),
//! elsewhere they are log lines.

use std::io::Write;
use std::sync::OnceLock;

use domain::clock::Clock;
use domain::ids::Exchange;
use serde_json::{Value, json};

/// CloudWatch's namespace for them.
pub const NAMESPACE: &str = "HyperDEXKeys";

/// Defines the metrics once: what they are, their name in CloudWatch and their unit.
macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $name:ident: $unit:ident,)+) => {
        /// What is counted and measured. Its name in CloudWatch is the variant's.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Metric {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Metric {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name in CloudWatch.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The unit in CloudWatch.
            #[must_use]
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$name => stringify!($unit),)+ }
            }
        }
    };
}

metrics! {
    /// Keys that a caller has registered, for an exchange.
    Registrations: Count,
    /// Registrations that were answered with an error, for an exchange and the error's code.
    RegistrationFailures: Count,
    /// How long both parties took to make a wallet's key, from here.
    KeyGenerationMs: Milliseconds,
    /// How long both parties took to sign, from here.
    SigningMs: Milliseconds,
    /// Calls over the network that a request made.
    RemoteCalls: Count,
    /// What of an exchange's budget of a minute was used after a call took its share.
    ExchangeBudgetUsed: Percent,
    /// Calls that were not sent, because an exchange's budget was used up or its circuit open.
    ExchangeBudgetRefusals: Count,
    /// Calls that the edge in front of an exchange turned away (HTTP 403 or 451).
    ExchangeBlocked: Count,
    /// How far our clock differs from an exchange's, where that is a minute or more.
    ClockSkewSeconds: Seconds,
    /// Credentials that the renewal job has rotated.
    CredentialsRenewed: Count,
    /// Work of others that the renewal job has brought to its end.
    OperationsFinished: Count,
    /// Registrations that nobody has ended for five minutes, as the renewal job met them.
    RegistrationsPending: Count,
    /// Credentials that the renewal job could not rotate or finish.
    RenewalsFailed: Count,
    /// Credentials that were due when the renewal job's run ended.
    RenewalBacklog: Count,
    /// Credentials that are to be renewed and expire within seven days, after the run.
    CredentialsExpiring: Count,
    /// Credentials that are to be renewed and have expired.
    CredentialsOverdue: Count,
    /// Credentials that were compared with the exchange.
    CredentialsChecked: Count,
    /// Differences that were found.
    CredentialDrift: Count,
    /// Secrets that an exchange made and that could not be stored.
    SecretsLost: Count,
    /// Approvals that an exchange took for another signer's.
    SignatureFaults: Count,
    /// What the cosigner refused, by reason.
    CosignerRefusals: Count,
    /// Keys that the cosigner has barred, because an endpoint cheated in a run of the protocol.
    KeyBarred: Count,
    /// Wallets that were frozen, because the cosigner cheated in a run of the protocol.
    WalletFrozen: Count,
    /// The age of the oldest shares of a wallet that is not frozen, in days.
    OldestSharesDays: Count,
    /// Runs after which the day's heads of the audit log were sealed.
    AuditSealed: Count,
    /// Events that were kept and queued for webhooks.
    EventsPublished: Count,
    /// Events that a receiver has taken.
    WebhooksDelivered: Count,
    /// Attempts that ended otherwise, by reason.
    WebhookFailures: Count,
}

/// What a measurement is about: the dimensions beside the service's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct About {
    exchange: Option<Exchange>,
    reason: Option<&'static str>,
}

impl About {
    /// The whole service.
    pub const SERVICE: Self = Self { exchange: None, reason: None };

    /// One exchange.
    #[must_use]
    pub const fn exchange(exchange: Exchange) -> Self {
        Self { exchange: Some(exchange), reason: None }
    }

    /// For this reason, one of a fixed few.
    #[must_use]
    pub const fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }
}

static SERVICE: OnceLock<String> = OnceLock::new();

/// From here on metrics are lines of the embedded metric format on standard output, each with the
/// name of the service: two stacks in one account have metrics of their own.
pub fn embed(service: String) {
    let _ = SERVICE.set(service);
}

/// Emits values that are about the same.
pub fn emit(clock: &Clock, about: About, values: &[(Metric, u64)]) {
    if let Some(service) = SERVICE.get() {
        let mut line = document(clock.now_ms(), service, about, values).to_string();
        line.push('\n');
        // A metric that cannot be written fails nothing.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    } else {
        for (metric, value) in values {
            let exchange = about.exchange.map(Exchange::as_str);
            tracing::debug!(metric = metric.name(), value, exchange, about.reason, "metric");
        }
    }
}

/// A metric is kept for the service, and for each dimension that it has beside.
fn document(now_ms: u64, service: &str, about: About, values: &[(Metric, u64)]) -> Value {
    let metrics: Vec<Value> = values
        .iter()
        .map(|(metric, _)| json!({ "Name": metric.name(), "Unit": metric.unit() }))
        .collect();
    let mut names = vec!["service"];
    let mut dimensions = vec![json!(names)];
    let mut document = json!({ "service": service });
    let own = [("exchange", about.exchange.map(Exchange::as_str)), ("reason", about.reason)];
    for (name, value) in own {
        if let Some(value) = value {
            names.push(name);
            dimensions.push(json!(names));
            document[name] = json!(value);
        }
    }
    document["_aws"] = json!({
        "Timestamp": now_ms,
        "CloudWatchMetrics": [
            { "Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics },
        ],
    });
    for (metric, value) in values {
        document[metric.name()] = json!(value);
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_each_metric_it_holds_and_its_value() {
        let values = [(Metric::CredentialsRenewed, 3), (Metric::SigningMs, 0)];
        let about = About::exchange(Exchange::Aster);
        let line = document(1_790_000_000_000, "prod", about, &values);
        assert_eq!(line["CredentialsRenewed"], 3);
        assert_eq!(line["SigningMs"], 0);
        assert_eq!((&line["service"], &line["exchange"]), (&json!("prod"), &json!("aster")));
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Metrics"][1], json!({ "Name": "SigningMs", "Unit": "Milliseconds" }));
        assert_eq!(directive["Dimensions"], json!([["service"], ["service", "exchange"]]));
    }

    #[test]
    fn a_reason_is_a_dimension_below_what_it_is_about() {
        let dimensions = |about: About| {
            let line = document(0, "prod", about, &[(Metric::CosignerRefusals, 1)]);
            line["_aws"]["CloudWatchMetrics"][0]["Dimensions"].clone()
        };
        assert_eq!(
            dimensions(About::SERVICE.because("POLICY")),
            json!([["service"], ["service", "reason"]])
        );
        assert_eq!(
            dimensions(About::exchange(Exchange::Aster).because("TIMEOUT")),
            json!([["service"], ["service", "exchange"], ["service", "exchange", "reason"]])
        );
    }
}
