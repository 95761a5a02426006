//! Times in a report's units.

use std::time::Duration;

/// In milliseconds.
pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Below which so many hundredths of these times are.
pub(crate) fn percentile(times: &[Duration], part: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() * part / 100).copied().unwrap_or_default()
}
