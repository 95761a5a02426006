//! The bodies of calls that a test watches.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Bytes;

use super::{Proxy, lock};

/// The bodies by the names of their calls. Other calls are not kept.
#[derive(Default)]
pub(super) struct Watched(BTreeMap<String, BTreeSet<Bytes>>);

impl Watched {
    pub(super) fn note(&mut self, name: &str, body: &Bytes) {
        if let Some(bodies) = self.0.get_mut(name) {
            bodies.insert(body.clone());
        }
    }
}

impl Proxy {
    /// Keeps the different bodies of the calls of this name that any process sends from now on.
    pub fn watch(&self, name: &str) {
        lock(&self.0.watched).0.insert(name.to_owned(), BTreeSet::new());
    }

    /// Returns the different bodies of the watched calls of this name since the last reading.
    #[must_use]
    pub fn sent(&self, name: &str) -> BTreeSet<Bytes> {
        lock(&self.0.watched).0.get_mut(name).map(std::mem::take).unwrap_or_default()
    }
}
