//! Time as an argument: nonces, leases, expiries and waits use a [`Clock`] that the caller passes
//! in, so that tests control time.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// Returns how long to wait for a call that holds a lease, in seconds: twice as long as it has
/// worked so far, at least one second, and not beyond the lease. Most calls end within a second,
/// and a dead one is detected after a few attempts.
#[must_use]
pub fn wait_for_lease_s(lease_until_ms: u64, lease_ms: u64, now_ms: u64) -> u64 {
    let left_ms = lease_until_ms.saturating_sub(now_ms);
    let worked_ms = lease_ms.saturating_sub(left_ms);
    left_ms.min(2 * worked_ms).div_ceil(1_000).max(1)
}

type Now = dyn Fn() -> u64 + Send + Sync;
type Sleep = dyn Fn(u64) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// The source of the current time and of waits. Cheap to clone.
#[derive(Clone)]
pub struct Clock {
    now: Arc<Now>,
    sleep: Arc<Sleep>,
}

impl Clock {
    /// Returns the machine's own clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn system() -> Self {
        Self::from_micros(|| {
            let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
        })
    }

    /// Makes a clock from a function that returns the microseconds since the Unix epoch. It waits
    /// in real time.
    pub fn from_micros(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let sleep = |ms| -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
        };
        Self { now: Arc::new(now), sleep: Arc::new(sleep) }
    }

    /// Replaces how this clock waits. `sleep` receives the milliseconds, and ends when they have
    /// passed on this clock.
    #[must_use]
    pub fn waiting<F>(self, sleep: impl Fn(u64) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { sleep: Arc::new(move |ms| Box::pin(sleep(ms))), ..self }
    }

    /// Returns microseconds since the Unix epoch.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        (self.now)()
    }

    /// Returns milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now_us() / 1_000
    }

    /// Waits this many milliseconds.
    pub async fn sleep_ms(&self, ms: u64) {
        (self.sleep)(ms).await;
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({} us)", self.now_us())
    }
}

#[cfg(test)]
mod tests {
    use super::wait_for_lease_s;

    #[test]
    fn wait_for_lease_grows_with_work_done() {
        let wait = |worked_ms: u64| wait_for_lease_s(100_000, 30_000, 70_000 + worked_ms);
        assert_eq!([0, 100, 500, 1_100, 9_000].map(wait), [1, 1, 1, 3, 18]);
        assert_eq!([15_000, 29_000, 29_999, 30_000, 99_000].map(wait), [15, 1, 1, 1, 1]);
    }
}
