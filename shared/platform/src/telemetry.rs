//! One log line per request, with the count of its remote calls.
//!
//! A request runs in its own scope: its id, and a tally to which every client adds its calls. The
//! tally is the cost of a request. It is in the log line, and tests compare it with the documented
//! costs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::env::Env;

/// A request's remote calls: `Service.Operation` and their number, including retries.
#[derive(Clone, Default)]
pub struct RemoteCalls(Arc<Mutex<BTreeMap<String, u32>>>);

impl RemoteCalls {
    /// Counts one call.
    pub fn add(&self, call: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(call).or_default() += 1;
    }

    /// Returns the counts.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the total.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.counts().values().sum()
    }
}

/// Formats the counts for the log line: `DynamoDB.Query:1 KMS.Decrypt:1`.
impl fmt::Display for RemoteCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        let words: Vec<String> =
            counts.iter().map(|(call, count)| format!("{call}:{count}")).collect();
        f.write_str(&words.join(" "))
    }
}

#[derive(Clone)]
struct Scope {
    request_id: String,
    calls: RemoteCalls,
}

tokio::task_local! {
    static SCOPE: Scope;
}

/// Runs `work` in the scope of a request. Returns its result and its remote calls.
pub async fn in_scope<T>(request_id: String, work: impl Future<Output = T>) -> (T, RemoteCalls) {
    let calls = RemoteCalls::default();
    let scope = Scope { request_id, calls: calls.clone() };
    (SCOPE.scope(scope, work).await, calls)
}

/// Moves `work` to another task without leaving the scope of the current request.
pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let scope = SCOPE.try_with(Clone::clone).ok();
    async {
        match scope {
            Some(scope) => SCOPE.scope(scope, work).await,
            None => work.await,
        }
    }
}

/// Returns the id of the current request; empty outside of one.
#[must_use]
pub fn request_id() -> String {
    SCOPE.try_with(|scope| scope.request_id.clone()).unwrap_or_default()
}

/// Counts a remote call of the current request.
pub fn count_call(service: &str, operation: &str) {
    let _ = SCOPE.try_with(|scope| scope.calls.add(format!("{service}.{operation}")));
}

/// Counts each attempt of an AWS SDK client.
#[derive(Debug)]
pub struct CountCalls;

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for CountCalls {
    fn name(&self) -> &'static str {
        "CountCalls"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(operation) = config.load::<Metadata>() {
            count_call(operation.service(), operation.name());
        }
        Ok(())
    }
}

/// Parses `RUST_LOG`: `level` or `target=level`, separated by commas. Returns `default` when it is
/// invalid. A single word must be a level: `Targets` would treat a misspelled level as a target,
/// which would silence everything else.
#[must_use]
pub fn log_filter(env: &Env<'_>, default: Targets) -> Targets {
    let read = |text: String| {
        let clear = |part: &str| part.contains('=') || part.parse::<LevelFilter>().is_ok();
        text.split(',').all(clear).then(|| text.parse().ok()).flatten()
    };
    env.optional("RUST_LOG").and_then(read).unwrap_or(default)
}

/// Starts logging as JSON lines on standard output, for CloudWatch. `RUST_LOG` filters them; the
/// default is `info`. `SERVICE_NAME`, the stack's name, is the dimension of the metrics.
pub fn init_lambda(env: &Env<'_>) {
    let service = env.optional("SERVICE_NAME").unwrap_or_else(|| "hyperdex-keys".to_owned());
    crate::metrics::embed(service);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .without_time();
    tracing_subscriber::registry()
        .with(lines)
        .with(log_filter(env, Targets::new().with_default(LevelFilter::INFO)))
        .init();
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn invalid_rust_log_falls_back_to_the_default() {
        let default = Targets::new().with_default(LevelFilter::INFO);
        let of = |text: Option<&str>| {
            log_filter(&Env(&|_| text.map(ToOwned::to_owned)), default.clone())
        };
        for unread in ["", "loud", "inof", "warn,shared", "shared=["].map(Some) {
            assert_eq!(of(unread), default, "{unread:?}");
        }
        assert_eq!(of(None), default);
        let asked = of(Some("warn,shared=debug"));
        assert!(asked.would_enable("shared::mpc", &Level::DEBUG));
        assert!(!asked.would_enable("hyper", &Level::INFO));
    }
}
