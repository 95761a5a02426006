//! The job that finds the outcome of every order whose response was lost.

use std::time::Duration;

/// The limits of a run.
#[derive(Clone, Debug)]
pub struct ResolveLimits {
    /// Maximum number of submissions in a run.
    pub limit: u32,
    /// Maximum duration of a run.
    pub run_time: Duration,
}

/// The result of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ResolveRun {
    /// Submissions whose outcome is known now.
    pub resolved: u64,
    /// Submissions whose outcome is still unknown. The next run tries again.
    pub unknown: u64,
    /// Submissions whose outcome no question can find any more, or for which no key exists.
    pub unresolvable: u64,
    /// Failed submissions; the log has the reasons.
    pub failed: u64,
    /// Whether submissions remain for the next run.
    pub more: bool,
    /// Whether the exchange's budget is used up.
    pub exhausted: bool,
}
