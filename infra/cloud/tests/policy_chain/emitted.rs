//! The metrics that a test's own thread emits.
//!
//! One listener serves the whole process: with one for each thread, a thread without any could switch
//! the event off for all of them.

use std::cell::RefCell;
use std::sync::Once;

use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

thread_local! {
    static NAMES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

static LISTENS: Once = Once::new();

/// Begins to collect the metrics of this thread.
pub(crate) fn listen() {
    LISTENS.call_once(|| {
        tracing::subscriber::set_global_default(registry().with(Listener)).unwrap();
    });
    NAMES.take();
}

/// Returns how often a metric was emitted since the last call.
pub(crate) fn count(metric: &str) -> usize {
    NAMES.take().iter().filter(|name| *name == metric).count()
}

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() == "platform::metrics" {
            event.record(&mut Name);
        }
    }
}

struct Name;

impl Visit for Name {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "metric" {
            NAMES.with_borrow_mut(|names| names.push(value.to_owned()));
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}
