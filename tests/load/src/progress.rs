//! Shows the progress of a load run: a bar on a terminal, otherwise a line for each tenth.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

/// The progress of one part of a run.
pub(crate) struct Progress {
    what: &'static str,
    total: u64,
    done: AtomicU64,
    /// `None` without a terminal.
    bar: Option<ProgressBar>,
    say: fn(&str),
}

impl Progress {
    pub(crate) fn new(what: &'static str, total: u64, say: fn(&str)) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total).with_message(what);
            let template = "{msg} {wide_bar} {pos}/{len} {per_sec} {eta}";
            ProgressStyle::with_template(template)
                .map_or(bar.clone(), |style| bar.with_style(style))
        });
        Self { what, total, done: AtomicU64::new(0), bar, say }
    }

    /// Counts one more step.
    pub(crate) fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        } else if tenth(done, self.total) > tenth(done - 1, self.total) {
            (self.say)(&format!("{}: {done} of {}", self.what, self.total));
        }
    }

    /// Ends the part.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Returns the number of completed tenths.
fn tenth(done: u64, total: u64) -> u64 {
    done.saturating_mul(10) / total.max(1)
}

#[cfg(test)]
mod tests {
    use super::tenth;

    #[test]
    fn progress_reports_each_tenth_once() {
        for total in [1, 3, 10, 240, 2_000] {
            let lines = (1..=total).filter(|done| tenth(*done, total) > tenth(done - 1, total));
            assert_eq!(lines.count() as u64, total.min(10), "{total}");
        }
    }
}
