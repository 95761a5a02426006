//! The metrics that a test's own thread emits.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

type Names = Arc<Mutex<Vec<String>>>;

/// Collects metrics until it is dropped.
pub(crate) struct Emitted {
    names: Names,
    _guard: DefaultGuard,
}

impl Emitted {
    pub(crate) fn listen() -> Self {
        let names = Names::default();
        let _guard = tracing::subscriber::set_default(registry().with(Listener(names.clone())));
        Self { names, _guard }
    }

    /// Returns how often a metric was emitted since the last call.
    pub(crate) fn count(&self, metric: &str) -> usize {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *names);
        taken.iter().filter(|name| *name == metric).count()
    }
}

struct Listener(Names);

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() == "platform::metrics" {
            event.record(&mut Name(&self.0));
        }
    }
}

struct Name<'a>(&'a Names);

impl Visit for Name<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "metric" {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(value.to_owned());
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}
