//! A value that is read from an exchange and kept for a bounded time.

use std::sync::Arc;

use domain::clock::Clock;
use tokio::sync::Mutex;

/// A value with the time at which its reading began, Unix milliseconds.
#[derive(Debug)]
struct Held<T> {
    value: Arc<T>,
    at_ms: u64,
}

/// A cached value. One caller reads it again, and the others wait for it.
#[derive(Debug)]
pub(super) struct Cache<T>(Mutex<Option<Held<T>>>);

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

/// How old a cached value may be, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Age {
    /// An older value is read again.
    pub(super) fresh_ms: u64,
    /// A value up to this age is used when it cannot be read again.
    pub(super) usable_ms: u64,
}

impl<T> Cache<T> {
    /// Returns the value, which is read if the cached one is too old. A value from the future came
    /// from a wrong clock, and is read again.
    pub(super) async fn get<E>(
        &self,
        clock: &Clock,
        age: Age,
        read: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E> {
        let mut held = self.0.lock().await;
        let now_ms = clock.now_ms();
        let is_younger = |held: &Held<T>, than_ms: u64| {
            now_ms.checked_sub(held.at_ms).is_some_and(|age_ms| age_ms < than_ms)
        };
        if let Some(known) = held.as_ref()
            && is_younger(known, age.fresh_ms)
        {
            return Ok(known.value.clone());
        }
        match read.await {
            Ok(value) => {
                let value = Arc::new(value);
                *held = Some(Held { value: value.clone(), at_ms: now_ms });
                Ok(value)
            }
            Err(error) => match held.as_ref() {
                Some(known) if is_younger(known, age.usable_ms) => Ok(known.value.clone()),
                _ => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const AGE: Age = Age { fresh_ms: 1_000, usable_ms: 5_000 };

    fn clock() -> (Clock, Arc<AtomicU64>) {
        let now_us = Arc::new(AtomicU64::new(1_790_000_000_000_000));
        let shared = now_us.clone();
        (Clock::from_micros(move || shared.load(Ordering::SeqCst)), now_us)
    }

    async fn get(cache: &Cache<u32>, clock: &Clock, read: Result<u32, ()>) -> Result<u32, ()> {
        cache.get(clock, AGE, async { read }).await.map(|value| *value)
    }

    #[tokio::test]
    async fn fresh_value_is_not_read_again() {
        let (clock, now_us) = clock();
        let cache = Cache::default();
        assert_eq!(get(&cache, &clock, Ok(1)).await, Ok(1));
        now_us.fetch_add(999_000, Ordering::SeqCst);
        assert_eq!(get(&cache, &clock, Ok(2)).await, Ok(1));
        now_us.fetch_add(1_000, Ordering::SeqCst);
        assert_eq!(get(&cache, &clock, Ok(3)).await, Ok(3));
    }

    #[tokio::test]
    async fn old_value_is_used_for_a_bounded_time_after_failures() {
        let (clock, now_us) = clock();
        let cache = Cache::default();
        assert_eq!(get(&cache, &clock, Err(())).await, Err(()));
        assert_eq!(get(&cache, &clock, Ok(1)).await, Ok(1));
        now_us.fetch_add(4_999_000, Ordering::SeqCst);
        assert_eq!(get(&cache, &clock, Err(())).await, Ok(1));
        now_us.fetch_add(1_000, Ordering::SeqCst);
        assert_eq!(get(&cache, &clock, Err(())).await, Err(()));
    }

    #[tokio::test]
    async fn value_from_the_future_is_read_again() {
        let (clock, now_us) = clock();
        let cache = Cache::default();
        assert_eq!(get(&cache, &clock, Ok(1)).await, Ok(1));
        now_us.fetch_sub(1_000, Ordering::SeqCst);
        assert_eq!(get(&cache, &clock, Ok(2)).await, Ok(2));
    }
}
