//! What an exchange was asked: for tests that count calls, and for the limit by weight.

use std::collections::{HashMap, VecDeque};

/// Requests kept for inspection; older ones are forgotten, so that a long run stays small
const KEPT: usize = 10_000;

/// The exchanges count weight over one minute
const WINDOW_MS: u64 = 60_000;

/// One request as it reached an exchange
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// When, in milliseconds of the exchange's clock
    pub at: u64,
    /// Path without the query
    pub path: String,
    /// What was asked, for example `approveAgent` or `userRole`; `malformed` if that was unreadable
    pub kind: &'static str,
    /// Weight in the exchange's rate limit
    pub weight: u32,
    /// Whether the exchange executed it and found nothing wrong. An injected fault may still have
    /// kept the answer from the client.
    pub accepted: bool,
}

/// A limit of weight; each name has a minute of its own
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    pub(crate) per_minute: u32,
}

/// The requests of late, and the weight of the last minute
#[derive(Debug, Default)]
pub(crate) struct Log {
    requests: VecDeque<Request>,
    windows: HashMap<&'static str, VecDeque<(u64, u32)>>,
}

impl Log {
    /// Adds the weight unless the minute's limit would be exceeded
    ///
    /// # Errors
    ///
    /// The seconds after which there is room again.
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

    /// The weight used of a limit in the minute before `now`
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
