//! A client made with its first call.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

/// A client of AWS that is made with its first call. Copies share it and its settings.
///
/// Each SDK parses AWS's partitions from JSON and compiles regular expressions when its first
/// client is made. For three SDKs, this takes longer than the rest of a function's own start.
/// Requests that use no client do not wait for one, and each job or request waits only for the
/// clients that it calls.
pub struct Lazy<C>(Arc<LazyLock<C, Box<dyn FnOnce() -> C + Send>>>);

impl<C> Lazy<C> {
    /// Wraps the function that makes the client, once.
    pub(super) fn new(make: impl FnOnce() -> C + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(make))))
    }
}

/// Wraps an existing client.
impl<C: Send + 'static> From<C> for Lazy<C> {
    fn from(made: C) -> Self {
        Self::new(|| made)
    }
}

impl<C> Deref for Lazy<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

impl<C> Clone for Lazy<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for Lazy<C> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Lazy")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn lazy_client_is_made_once_on_first_use() {
        let times = Arc::new(AtomicU32::new(0));
        let counted = times.clone();
        let lazy = Lazy::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            "client".to_owned()
        });
        let copy = lazy.clone();
        assert_eq!(format!("{copy:?}"), "Lazy");
        assert_eq!(times.load(Ordering::Relaxed), 0);
        assert_eq!((lazy.len(), copy.as_str()), (6, "client"));
        assert_eq!(times.load(Ordering::Relaxed), 1);
    }
}
