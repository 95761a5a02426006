//! What can go wrong on the way to an exchange and back, on demand.

use std::collections::VecDeque;

/// What happens to the next matching request
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: lets one request of several go by
    Pass,
    /// Not executed; this status and body are the answer
    Status(u16, String),
    /// Not executed; the exchange's own "too many requests", with `Retry-After`
    RateLimited {
        /// Seconds, as in the header
        retry_after_s: u64,
    },
    /// Not executed; 200 with a body that is no JSON
    Garbage,
    /// Not executed, never answered
    Hang,
    /// Not executed; the connection breaks before the answer
    Reset,
    /// Executed, but a gateway answers 502 in the exchange's place
    AppliedButLost,
    /// Executed, but never answered
    AppliedThenHang,
}

impl Fault {
    /// Whether the exchange executes the request all the same
    pub(crate) fn applies(&self) -> bool {
        matches!(self, Self::AppliedButLost | Self::AppliedThenHang)
    }
}

/// Faults in the order in which they were asked for, each with the requests it is meant for
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<(String, Fault)>);

impl Faults {
    pub(crate) fn push(&mut self, target: &str, fault: Fault) {
        self.0.push_back((target.to_owned(), fault));
    }

    /// Forgets all of them, and says how many
    pub(crate) fn clear(&mut self) -> usize {
        std::mem::take(&mut self.0).len()
    }

    /// Takes the oldest fault meant for this path or this kind of request
    pub(crate) fn take(&mut self, path: &str, kind: &str) -> Option<Fault> {
        let matching = |(target, _): &(String, Fault)| target == path || target == kind;
        let position = self.0.iter().position(matching)?;
        self.0.remove(position).map(|(_, fault)| fault)
    }
}
