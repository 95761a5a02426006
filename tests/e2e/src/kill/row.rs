//! The table of kill points.

use std::collections::BTreeMap;
use std::fmt;

/// The results of killing one operation.
#[derive(Debug)]
pub struct Row {
    operation: &'static str,
    /// Each remote call, and how often it is made.
    pub(super) points: BTreeMap<String, usize>,
    /// The statuses of the retries, and the number of kills with these statuses.
    outcomes: BTreeMap<String, usize>,
    max_retries: usize,
}

impl Row {
    pub(super) fn new(operation: &'static str) -> Self {
        let (points, outcomes) = Default::default();
        Self { operation, points, outcomes, max_retries: 0 }
    }

    pub(super) fn add(&mut self, statuses: &[u16]) {
        let texts: Vec<String> = statuses.iter().map(u16::to_string).collect();
        *self.outcomes.entry(texts.join(" ")).or_default() += 1;
        self.max_retries = self.max_retries.max(statuses.len());
    }

    /// The head of a table of rows.
    pub const HEAD: &str = "\
        | operation | remote calls | kills | retry statuses (kills) | max. retries | result |\n\
        | --- | --- | --- | --- | --- | --- |";
}

/// A row of the table.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: usize = self.points.values().sum();
        let outcomes: Vec<String> =
            self.outcomes.iter().map(|(statuses, kills)| format!("{statuses} ({kills})")).collect();
        let (operation, outcomes, most) = (self.operation, outcomes.join(", "), self.max_retries);
        let kills: usize = self.outcomes.values().sum();
        write!(f, "| {operation} | {calls} | {kills} | {outcomes} | {most} | as expected |")
    }
}
