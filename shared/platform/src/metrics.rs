//! The metrics, named in one place. In Lambda they are lines of CloudWatch's embedded metric
//! format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>);
//! elsewhere they are log lines.

use std::io::Write;
use std::sync::OnceLock;

use domain::clock::Clock;
use domain::ids::Exchange;
use serde_json::{Value, json};

/// The metrics' namespace in CloudWatch.
pub const NAMESPACE: &str = "HyperDEXKeys";

/// Defines each metric once: its description, its name in CloudWatch and its unit.
macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $name:ident: $unit:ident,)+) => {
        /// A metric. Its name in CloudWatch is the variant's.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Metric {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Metric {
            /// All metrics.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Returns the name in CloudWatch.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// Returns the unit in CloudWatch.
            #[must_use]
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$name => stringify!($unit),)+ }
            }
        }
    };
}

metrics! {
    /// Trading keys registered by callers, by exchange.
    Registrations: Count,
    /// Registrations that returned an error, by exchange and error code.
    RegistrationFailures: Count,
    /// Time to make a wallet's key with both parties, measured at party 1.
    KeyGenerationMs: Milliseconds,
    /// Time to sign with both parties, measured at party 1.
    SigningMs: Milliseconds,
    /// 1 at a start of a party without a recovery key, whose loss would end all wallets; else 0.
    RecoveryKeyMissing: Count,
    /// Days since the last verification of a side's recovery records without faults; 999 without one.
    RecoveryVerifiedDays: Count,
    /// Halves of a wallet's key that the cosigner encrypted to the recipient of an export.
    HalfExported: Count,
    /// Shares that the cosigner restored from recovery records.
    ShareRecovered: Count,
    /// Remote calls of a request.
    RemoteCalls: Count,
    /// Used part of an exchange's budget per minute, after a call took its weight.
    ExchangeBudgetUsed: Percent,
    /// Calls not sent, because an exchange's budget was used up or its circuit open.
    ExchangeBudgetRefusals: Count,
    /// Calls that were not sent, because their tenant's part of an exchange's budget was used up.
    TenantBudgetRefusals: Count,
    /// Calls blocked by the edge in front of an exchange (HTTP 403 or 451).
    ExchangeBlocked: Count,
    /// Difference between the local clock and an exchange's, if at least a minute.
    ClockSkewSeconds: Seconds,
    /// Credentials rotated by the renewal job.
    CredentialsRenewed: Count,
    /// Callers' operations that the renewal job finished.
    OperationsFinished: Count,
    /// Registrations unfinished for more than five minutes, when the renewal job found them.
    RegistrationsPending: Count,
    /// Credentials that the renewal job could not rotate or finish.
    RenewalsFailed: Count,
    /// Credentials still due at the end of the renewal job's run.
    RenewalBacklog: Count,
    /// Automatically renewed credentials that expire within seven days, after the run.
    CredentialsExpiring: Count,
    /// Automatically renewed credentials that have expired.
    CredentialsOverdue: Count,
    /// Credentials compared with the exchange.
    CredentialsChecked: Count,
    /// Differences found.
    CredentialDrift: Count,
    /// Agents in use without an approval of the deployment's builder, by exchange.
    BuilderNotApproved: Count,
    /// Secrets made by an exchange that could not be stored.
    SecretsLost: Count,
    /// Approvals that an exchange attributed to another signer.
    SignatureFaults: Count,
    /// The cosigner's refusals, by reason.
    CosignerRefusals: Count,
    /// Calls that the cosigner refused for their number alone: a rate, or too many runs at once.
    CosignerLimits: Count,
    /// Keys barred by the cosigner, because an endpoint cheated in a run of the protocol.
    KeyBarred: Count,
    /// Changes of a payment policy that are not in effect yet: proposed, or approved one more time.
    PolicyChangePending: Count,
    /// Changes of a payment policy that have all approvals and wait for their delay.
    PolicyChangeApproved: Count,
    /// Changes of a payment policy that took effect at once or were cancelled.
    PolicyChanged: Count,
    /// Calls that found a tenant's payments off, because the cosigner's table was restored or lacks the
    /// newest seal.
    PaymentsOff: Count,
    /// Wallets frozen, because the cosigner cheated in a run of the protocol.
    WalletFrozen: Count,
    /// Age of the oldest shares of a wallet that is not frozen, in days.
    OldestSharesDays: Count,
    /// Completed runs of the seal job.
    AuditSealed: Count,
    /// Events stored and queued for webhooks.
    EventsPublished: Count,
    /// Changes, webhooks and users that cannot be read, and were left out of the events, by reason.
    EventsSkipped: Count,
    /// Events accepted by receivers.
    WebhooksDelivered: Count,
    /// Failed delivery attempts, by reason.
    WebhookFailures: Count,
    /// Orders that an exchange accepted, by exchange.
    OrdersPlaced: Count,
    /// Orders that were refused, by exchange and error code.
    OrdersRefused: Count,
    /// Orders whose outcome was unknown at the end of the request, by exchange.
    OrdersUnknown: Count,
    /// Unknown orders whose outcome was found, by exchange.
    OrdersResolved: Count,
    /// Unknown orders that no further attempt can resolve, at the end of a run of the resolve job.
    OrdersUnresolvable: Count,
    /// Age of the oldest order of unknown outcome, at the end of a run of the resolve job.
    OldestUnknownOrderMs: Milliseconds,
    /// Orders that a trading policy refused, by rule.
    PolicyRefusals: Count,
    /// Reservations that lost a race for the ledger and were made again.
    LedgerRetries: Count,
}

/// The dimensions of a measurement, in addition to the service's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct About {
    exchange: Option<Exchange>,
    reason: Option<&'static str>,
}

impl About {
    /// The whole service.
    pub const SERVICE: Self = Self { exchange: None, reason: None };

    /// Returns the dimensions for one exchange.
    #[must_use]
    pub const fn exchange(exchange: Exchange) -> Self {
        Self { exchange: Some(exchange), reason: None }
    }

    /// Adds a reason, one of a fixed few.
    #[must_use]
    pub const fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }
}

static SERVICE: OnceLock<String> = OnceLock::new();

/// Switches metrics to lines of the embedded metric format on standard output, each with the
/// service's name. Two stacks in one account therefore have separate metrics.
pub fn embed(service: String) {
    let _ = SERVICE.set(service);
}

/// Emits values that share dimensions.
pub fn emit(clock: &Clock, about: About, values: &[(Metric, u64)]) {
    if let Some(service) = SERVICE.get() {
        let mut line = document(clock.now_ms(), service, about, values).to_string();
        line.push('\n');
        // A failed write of a metric must not fail the request.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    } else {
        for (metric, value) in values {
            let exchange = about.exchange.map(Exchange::as_str);
            tracing::debug!(metric = metric.name(), value, exchange, about.reason, "metric");
        }
    }
}

/// Builds the line. A metric is emitted for the service, and for each further dimension.
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
    fn metric_line_has_each_name_unit_and_value() {
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
    fn reason_is_a_dimension_below_the_exchange() {
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
