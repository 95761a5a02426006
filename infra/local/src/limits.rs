//! A tenant key's limits: the numbers and rules of the usage plan in AWS.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use shared::api::error::ApiError;
use shared::tenancy::KeyId;

const DAY_US: u64 = 24 * 60 * 60 * 1_000_000;
const SECOND_US: u64 = 1_000_000;

/// Limits of each tenant key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Requests per second.
    pub rate_per_s: u64,
    /// Burst of requests.
    pub burst: u64,
    /// Requests per day (UTC).
    pub quota_per_day: u64,
}

/// The defaults of the template's `KeyRateLimit`, `KeyBurstLimit` and `KeyQuotaPerDay`. A test
/// compares them.
impl Default for Limits {
    fn default() -> Self {
        Self { rate_per_s: 50, burst: 100, quota_per_day: 100_000 }
    }
}

/// State of one key's limits.
#[derive(Clone, Copy, Debug)]
struct Account {
    /// Available tokens, in millionths of a request.
    tokens: u64,
    /// Time of that count, Unix microseconds.
    at_us: u64,
    /// Day that `sent` counts, in days since the Unix epoch.
    day: u64,
    /// Requests on that day.
    sent: u64,
}

/// Enforces the keys' limits. The state is in memory, so a restart resets the day's count.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    accounts: Mutex<HashMap<KeyId, Account>>,
}

impl Limiter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, accounts: Mutex::default() }
    }

    /// Takes one request from a key's tokens at a time in Unix microseconds.
    ///
    /// # Errors
    /// Returns 429 when the key has no token left.
    pub(crate) fn take(&self, key: &KeyId, now_us: u64) -> Result<(), ApiError> {
        let Limits { rate_per_s, burst, quota_per_day } = self.limits;
        let full = burst.saturating_mul(SECOND_US);
        let today = now_us / DAY_US;
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let account = accounts.entry(key.clone()).or_insert(Account {
            tokens: full,
            at_us: now_us,
            day: today,
            sent: 0,
        });
        // A clock that moves back neither adds nor removes tokens.
        let elapsed = now_us.saturating_sub(account.at_us);
        account.tokens =
            account.tokens.saturating_add(elapsed.saturating_mul(rate_per_s)).min(full);
        account.at_us = account.at_us.max(now_us);
        if today > account.day {
            (account.day, account.sent) = (today, 0);
        }
        if account.sent >= quota_per_day {
            let wait = (DAY_US - now_us % DAY_US).div_ceil(SECOND_US);
            return Err(ApiError::quota_exceeded(wait.max(1)));
        }
        if account.tokens < SECOND_US {
            let wait_us = (SECOND_US - account.tokens).div_ceil(rate_per_s.max(1));
            return Err(ApiError::rate_limited(wait_us.div_ceil(SECOND_US).max(1)));
        }
        account.tokens -= SECOND_US;
        account.sent += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> KeyId {
        name.parse().unwrap()
    }

    fn sent(limiter: &Limiter, who: &str, now_us: u64, tries: u64) -> u64 {
        (0..tries).map(|_| u64::from(limiter.take(&key(who), now_us).is_ok())).sum()
    }

    #[test]
    fn tenant_is_limited_to_burst_then_rate() {
        let limiter = Limiter::new(Limits { rate_per_s: 5, burst: 20, quota_per_day: 1_000 });
        let now = 20_000 * DAY_US;
        assert_eq!(sent(&limiter, "one", now, 50), 20);
        assert_eq!(sent(&limiter, "two", now, 50), 20, "another key has its own tokens");
        assert_eq!(sent(&limiter, "one", now + SECOND_US / 5 - 1, 50), 0);
        assert_eq!(sent(&limiter, "one", now + SECOND_US / 5, 50), 1);
        // A clock that moves back adds no tokens.
        assert_eq!(sent(&limiter, "one", now, 50), 0);
        assert_eq!(sent(&limiter, "one", now + SECOND_US, 50), 4);
        assert_eq!(sent(&limiter, "one", now + 3_600 * SECOND_US, 50), 20);
    }

    #[test]
    fn daily_quota_is_enforced() {
        let limiter = Limiter::new(Limits { rate_per_s: 10, burst: 10, quota_per_day: 25 });
        let start = 20_000 * DAY_US + 7 * SECOND_US;
        let all: u64 =
            (0..10).map(|second| sent(&limiter, "one", start + second * SECOND_US, 10)).sum();
        assert_eq!(all, 25);
        let refused = limiter.take(&key("one"), start + 10 * SECOND_US).unwrap_err();
        assert_eq!((refused.code, refused.retry_after_s), ("QUOTA_EXCEEDED", Some(86_400 - 17)));
        assert_eq!(sent(&limiter, "one", 20_001 * DAY_US, 50), 10);
    }

    #[test]
    fn rate_limit_error_has_retry_after() {
        let limiter = Limiter::new(Limits { rate_per_s: 1, burst: 1, quota_per_day: 10 });
        assert_eq!(sent(&limiter, "one", DAY_US, 2), 1);
        let refused = limiter.take(&key("one"), DAY_US).unwrap_err();
        assert_eq!((refused.status, refused.code), (429, "RATE_LIMITED"));
        assert_eq!((refused.error.as_ref(), refused.retry_after_s), ("Too many requests", Some(1)));
    }
}
