//! Retries, and the clock for them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

/// The number of attempts of a call, and the time for all of them.
///
/// The client retries after: no connection; no complete response, if the call only reads or has an
/// `Idempotency-Key`; a response with `Retry-After`, or with 429, 502, 503 or 504. The key stays
/// the same. Between two attempts it waits for the time in `Retry-After`, plus a random time that
/// doubles, so that many clients do not return at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retry {
    /// Maximum number of attempts; 1 disables retries.
    pub attempts: u32,
    /// Maximum of the first random wait.
    pub first_wait: Duration,
    /// Maximum of any random wait.
    pub longest_wait: Duration,
    /// Timeout of one attempt. API Gateway stops after 29 s.
    pub attempt_timeout: Duration,
    /// Time for all attempts and waits. A wait that would end later is not begun.
    pub deadline: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(30),
            deadline: Duration::from_secs(90),
        }
    }
}

impl Retry {
    /// Disables retries.
    #[must_use]
    pub fn never() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// Returns the wait after this attempt, counted from 1. `random` may be any number.
    pub(crate) fn wait(&self, attempt: u32, asked: Option<Duration>, random: u64) -> Duration {
        let doubled = self.first_wait.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        let most = doubled.min(self.longest_wait);
        let least = most / 2;
        let span = u64::try_from((most - least).as_micros()).unwrap_or(u64::MAX);
        let while_ = least + Duration::from_micros(random % span.saturating_add(1).max(1));
        asked.unwrap_or_default().saturating_add(while_)
    }
}

/// Returns a random number.
#[expect(clippy::disallowed_methods, reason = "spreads waits; nothing depends on its value")]
pub(crate) fn random() -> u64 {
    Uuid::new_v4().as_u64_pair().0
}

type Now = dyn Fn() -> Duration + Send + Sync;
type Sleep = dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// The time, and how to wait. Tests provide their own.
#[derive(Clone)]
pub struct Clock {
    now: Arc<Now>,
    sleep: Arc<Sleep>,
}

impl Clock {
    /// Returns the machine's clock with tokio's timer.
    #[must_use]
    pub fn system() -> Self {
        let begun = Instant::now();
        Self::new(move || begun.elapsed(), tokio::time::sleep)
    }

    /// Makes a clock. `now` returns the time since a fixed moment, and `sleep` ends when that much
    /// time has passed.
    pub fn new<F>(
        now: impl Fn() -> Duration + Send + Sync + 'static,
        sleep: impl Fn(Duration) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { now: Arc::new(now), sleep: Arc::new(move |time| Box::pin(sleep(time))) }
    }

    pub(crate) fn now(&self) -> Duration {
        (self.now)()
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        (self.sleep)(time).await;
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_maximum_and_vary() {
        let retry = Retry::default();
        for (attempt, most) in [(1, 200), (2, 400), (3, 800), (5, 3_200), (6, 5_000), (60, 5_000)] {
            let most = Duration::from_millis(most);
            for random in [0, 1, 77_777, 50_000_000, u64::MAX] {
                let wait = retry.wait(attempt, None, random);
                assert!(wait >= most / 2 && wait <= most, "{attempt} {random} {wait:?}");
            }
            assert_eq!(retry.wait(attempt, None, 0), most / 2);
            assert_ne!(retry.wait(attempt, None, 0), retry.wait(attempt, None, 7));
        }
        let asked = Some(Duration::from_secs(9));
        assert!(retry.wait(1, asked, 0) >= Duration::from_secs(9), "no sooner than asked");
        let none = Retry { first_wait: Duration::ZERO, ..retry };
        assert_eq!(none.wait(3, None, u64::MAX), Duration::ZERO);
        assert_eq!(retry.wait(1, Some(Duration::MAX), 1), Duration::MAX);
    }
}
