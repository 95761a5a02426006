//! Counts how often each operation ended with each result, and measures the latency.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Durations in microseconds, by operation and result.
#[derive(Default)]
pub(crate) struct Tally(Mutex<BTreeMap<(&'static str, String), Vec<u64>>>);

impl Tally {
    /// Adds one operation.
    pub(crate) fn add(&self, operation: &'static str, end: &str, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ends.entry((operation, end.to_owned())).or_default().push(took);
    }

    /// Returns a Markdown table of all operations, with latencies in milliseconds.
    pub(crate) fn table(&self, took: Duration) -> String {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = String::from(
            "\n| operation | end | times | p50 ms | p90 ms | p99 ms | longest ms |\n\
             | --- | --- | ---: | ---: | ---: | ---: | ---: |\n",
        );
        let mut all = 0;
        for ((operation, end), times) in ends.iter() {
            let mut times = times.clone();
            times.sort_unstable();
            all += times.len();
            let _ = write!(table, "| {operation} | {end} | {} |", times.len());
            for permille in [500, 900, 990, 1_000] {
                let _ = write!(table, " {} |", ms(percentile(&times, permille)));
            }
            table.push('\n');
        }
        let seconds = took.as_secs_f64();
        let _ = write!(table, "\n{all} operations, the last part in {seconds:.1} s");
        table
    }
}

/// Returns the given per mille percentile, or 0 without values.
fn percentile(sorted: &[u64], permille: usize) -> u64 {
    let rank = (sorted.len() * permille).div_ceil(1_000).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

fn ms(us: u64) -> String {
    format!("{}.{}", us / 1_000, us % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentile_uses_the_nearest_rank() {
        let times: Vec<u64> = (1..=200).collect();
        assert_eq!(percentile(&times, 500), 100);
        assert_eq!(percentile(&times, 990), 198);
        assert_eq!(percentile(&times, 1_000), 200);
        assert_eq!((percentile(&[7], 500), percentile(&[], 500)), (7, 0));
    }
}
