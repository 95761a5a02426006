//! The attack on the oblivious-transfer extension of DKLs23: a message that passes the peer's check
//! only if one bit of the peer's correlation has a given value. [`bend`] makes such messages,
//! [`Endpoint`] sends them as party 1, [`Cosigner`] as party 2, and [`bits_learned`] counts what
//! the attacker knows afterwards.

mod bend;
mod cosigner;
mod endpoint;
mod processes;
mod scene;

pub use bend::bend;
pub use cosigner::{Cosigner, Opened};
pub use endpoint::{Attempt, Begin, Endpoint, Passed};
pub use processes::Party;
pub use scene::{Scene, alternating};

use std::collections::BTreeMap;

use protocol::SessionId;

/// One bent message, and everything that the attacker observed of its run.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The run.
    pub session: SessionId,
    /// The bit that the message asked for, read from the victim's share.
    pub bit: bool,
    /// The observation. It names no run, so that equal outcomes are equal texts.
    pub told: String,
}

/// How many bits of the correlation the observations give away: the mutual information between
/// observation and bit, times the number of observations. The bits are random, so an observation
/// that fits both values equally well counts nothing, and one that fits a single value counts a
/// whole bit.
#[must_use]
pub fn bits_learned(seen: &[Seen]) -> f64 {
    let mut kinds = BTreeMap::<&str, (u32, u32)>::new();
    for it in seen {
        let (zeros, ones) = kinds.entry(&it.told).or_default();
        *(if it.bit { ones } else { zeros }) += 1;
    }
    let known = kinds.values().map(|(zeros, ones)| {
        let count = f64::from(zeros + ones);
        let doubt = |part: &u32| {
            let share = f64::from(*part) / count;
            if share > 0.0 { -share * share.log2() } else { 0.0 }
        };
        count * (1.0 - doubt(zeros) - doubt(ones))
    });
    known.sum()
}

/// How often each observation was made, and of how many zeros and ones.
#[must_use]
pub fn summary(seen: &[Seen]) -> String {
    let mut kinds = BTreeMap::<&str, (u32, u32)>::new();
    for it in seen {
        let (zeros, ones) = kinds.entry(&it.told).or_default();
        *(if it.bit { ones } else { zeros }) += 1;
    }
    let lines = kinds.iter().map(|(told, (zeros, ones))| format!("{told}: {zeros} + {ones}"));
    lines.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(told: &str, bits: &[bool]) -> Vec<Seen> {
        let one = |bit: &bool| Seen { session: [0; 32], bit: *bit, told: told.to_owned() };
        bits.iter().map(one).collect()
    }

    #[test]
    fn bits_learned_counts_only_what_tells_the_bits_apart() {
        let told = [seen("passed", &[false; 8]), seen("aborted", &[true; 5])].concat();
        assert!((bits_learned(&told) - 13.0).abs() < 1e-9);
        let silent = seen("refused", &[false, true].repeat(100));
        assert!(bits_learned(&silent).abs() < 1e-9);
    }
}
