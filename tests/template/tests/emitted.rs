//! The metrics that this process emits.

use std::collections::BTreeSet;
use std::sync::{Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

static EMITTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Collects the name of every metric that this process emits.
struct Listener;

impl<S: tracing::Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        event.record(&mut Name);
    }
}

struct Name;

impl Visit for Name {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "metric" {
            EMITTED.lock().unwrap_or_else(PoisonError::into_inner).insert(value.to_owned());
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

/// Starts to collect metrics.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let metrics = filter_fn(|event| event.target() == "platform::metrics");
        registry().with(Listener.with_filter(metrics)).init();
    });
}

/// Returns the names of the metrics so far.
pub(crate) fn emitted() -> BTreeSet<String> {
    EMITTED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
