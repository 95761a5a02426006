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

    /// Returns what became of each operation.
    pub(crate) fn summaries(&self) -> BTreeMap<&'static str, Summary> {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut good: BTreeMap<&'static str, (usize, Vec<u64>)> = BTreeMap::new();
        for ((operation, end), times) in ends.iter() {
            let (all, good) = good.entry(*operation).or_default();
            *all += times.len();
            if end.starts_with('2') {
                good.extend(times);
            }
        }
        let summary = |(all, mut good): (usize, Vec<u64>)| {
            good.sort_unstable();
            let [p50_us, p99_us] = [500, 990].map(|permille| percentile(&good, permille));
            Summary { all, good: good.len(), p50_us, p99_us }
        };
        good.into_iter().map(|(operation, ends)| (operation, summary(ends))).collect()
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

/// What became of one operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Summary {
    /// How often it was called.
    pub(crate) all: usize,
    /// How often it succeeded.
    pub(crate) good: usize,
    /// Half of the successes took no longer, in microseconds.
    pub(crate) p50_us: u64,
    /// 99 of a hundred successes took no longer, in microseconds.
    pub(crate) p99_us: u64,
}

/// Returns the given per mille percentile, or 0 without values.
fn percentile(sorted: &[u64], permille: usize) -> u64 {
    let rank = (sorted.len() * permille).div_ceil(1_000).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

pub(crate) fn ms(us: u64) -> String {
    format!("{}.{}", us / 1_000, us % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Summary, Tally, percentile};

    #[test]
    fn summary_counts_successes_and_their_times() {
        let tally = Tally::default();
        for (end, ms) in [("200", 1), ("201", 3), ("429 RATE_LIMITED", 900)] {
            tally.add("sign", end, Duration::from_millis(ms));
        }
        let expected = Summary { all: 3, good: 2, p50_us: 1_000, p99_us: 3_000 };
        assert_eq!(tally.summaries()["sign"], expected);
    }

    #[test]
    fn percentile_uses_the_nearest_rank() {
        let times: Vec<u64> = (1..=200).collect();
        assert_eq!(percentile(&times, 500), 100);
        assert_eq!(percentile(&times, 990), 198);
        assert_eq!(percentile(&times, 1_000), 200);
        assert_eq!((percentile(&[7], 500), percentile(&[], 500)), (7, 0));
    }
}
