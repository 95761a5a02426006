//! Requests that an exchange received: for tests that count calls, and for the limit by weight.

use std::collections::{HashMap, VecDeque};

/// Number of stored requests. Older ones are dropped, so that a long run stays small.
const KEPT: usize = 10_000;

/// Window over which the exchanges count weight.
const WINDOW_MS: u64 = 60_000;

/// One request as it reached an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Time, in milliseconds of the exchange's clock.
    pub at: u64,
    /// Path without the query.
    pub path: String,
    /// Kind, for example `approveAgent` or `userRole`; `malformed` if the request is unreadable.
    pub kind: &'static str,
    /// Weight in the exchange's rate limit.
    pub weight: u32,
    /// Whether the exchange executed the request without an error. An injected fault may still have
    /// suppressed the response.
    pub accepted: bool,
}

/// A limit of weight. Each name has its own minute.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    pub(crate) per_minute: u32,
}

/// Recent requests, and the weight of the last minute.
#[derive(Debug, Default)]
pub(crate) struct Log {
    requests: VecDeque<Request>,
    windows: HashMap<&'static str, VecDeque<(u64, u32)>>,
}

impl Log {
    /// Adds the weight unless that exceeds the minute's limit.
    ///
    /// # Errors
    ///
    /// Returns the number of seconds until there is room.
    pub(crate) fn weigh(&mut self, now: u64, weight: u32, limit: Limit) -> Result<(), u64> {
        let used = self.used(limit.name, now);
        let window = self.windows.entry(limit.name).or_default();
        if used.saturating_add(weight) > limit.per_minute {
            let oldest = window.front().map_or(now, |(at, _)| *at);
            return Err((oldest + WINDOW_MS).saturating_sub(now).div_ceil(1_000).max(1));
        }
        window.push_back((now, weight));
        Ok(())
    }

    /// Returns the weight used of a limit in the minute before `now`.
    pub(crate) fn used(&mut self, limit: &'static str, now: u64) -> u32 {
        let window = self.windows.entry(limit).or_default();
        while window.front().is_some_and(|(at, _)| at + WINDOW_MS <= now) {
            window.pop_front();
        }
        window.iter().map(|(_, weight)| weight).sum()
    }

    pub(crate) fn record(&mut self, request: Request) {
        if self.requests.len() == KEPT {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.iter().cloned().collect()
    }
}
