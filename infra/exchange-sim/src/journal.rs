//! Lines of a market's journal, as the local stack stores them.

use crate::market::{Engine, Entry};

/// A line that is not an entry of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is not an entry of a market's journal")]
pub struct BadLine(pub usize);

/// Returns entries as lines of JSON.
pub(crate) fn lines(entries: Vec<Entry>) -> String {
    let mut lines = String::new();
    for entry in entries {
        if let Ok(line) = serde_json::to_string(&entry) {
            lines.push_str(&line);
            lines.push('\n');
        }
    }
    lines
}

/// Applies lines to an engine.
pub(crate) fn restore(engine: &mut Engine, lines: &str) -> Result<(), BadLine> {
    for (nth, line) in lines.lines().enumerate() {
        let entry = serde_json::from_str(line).map_err(|_| BadLine(nth + 1))?;
        if !engine.apply(entry) {
            return Err(BadLine(nth + 1));
        }
    }
    Ok(())
}
