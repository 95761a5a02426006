//! The attack on the oblivious-transfer extension of DKLs23: a message that passes the peer's check
//! only if one bit of the peer's correlation has a given value. [`tamper`] makes such messages,
//! [`Endpoint`] sends them as party 1, [`Cosigner`] as party 2, and [`bits_learned`] counts what
//! the attacker learned.

mod cosigner;
mod endpoint;
mod processes;
mod scene;
mod tamper;

pub use cosigner::{Cosigner, Opened};
pub use endpoint::{Attempt, Begin, Endpoint, Passed};
pub use processes::Party;
pub use scene::{Scene, alternating};
pub use tamper::tamper;

use std::collections::BTreeMap;

use protocol::SessionId;

/// A tampered message, and everything that the attacker observed of its run.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The session of the run.
    pub session: SessionId,
    /// The probed bit, read from the victim's share.
    pub bit: bool,
    /// The observation. It does not name the run, so equal outcomes are equal texts.
    pub outcome: String,
}

/// Returns how many bits of the correlation the observations reveal: the mutual information between
/// observation and bit, times the number of observations. The bits are random. An observation that
/// fits both values equally counts as zero, and one that fits a single value counts as one bit.
#[must_use]
pub fn bits_learned(seen: &[Observation]) -> f64 {
    let mut kinds = BTreeMap::<&str, (u32, u32)>::new();
    for it in seen {
        let (zeros, ones) = kinds.entry(&it.outcome).or_default();
        *(if it.bit { ones } else { zeros }) += 1;
    }
    let known = kinds.values().map(|(zeros, ones)| {
        let count = f64::from(zeros + ones);
        let entropy = |part: &u32| {
            let share = f64::from(*part) / count;
            if share > 0.0 { -share * share.log2() } else { 0.0 }
        };
        count * (1.0 - entropy(zeros) - entropy(ones))
    });
    known.sum()
}

/// Returns how often each observation was made, for zeros and for ones.
#[must_use]
pub fn summary(seen: &[Observation]) -> String {
    let mut kinds = BTreeMap::<&str, (u32, u32)>::new();
    for it in seen {
        let (zeros, ones) = kinds.entry(&it.outcome).or_default();
        *(if it.bit { ones } else { zeros }) += 1;
    }
    let lines = kinds.iter().map(|(outcome, (zeros, ones))| format!("{outcome}: {zeros} + {ones}"));
    lines.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(outcome: &str, bits: &[bool]) -> Vec<Observation> {
        let one =
            |bit: &bool| Observation { session: [0; 32], bit: *bit, outcome: outcome.to_owned() };
        bits.iter().map(one).collect()
    }

    #[test]
    fn bits_learned_ignores_uninformative_outcomes() {
        let outcome = [seen("passed", &[false; 8]), seen("aborted", &[true; 5])].concat();
        assert!((bits_learned(&outcome) - 13.0).abs() < 1e-9);
        let uninformative = seen("refused", &[false, true].repeat(100));
        assert!(bits_learned(&uninformative).abs() < 1e-9);
    }
}
