//! The gate in front of a share: how many runs of it may be unfinished.
//!
//! DKLs23 requires that a pair never runs again after a detected cheat in the oblivious-transfer
//! extension, because the outcome of each attempt tells one bit of the share's correlation. A bar
//! that is read now and relied on later does not stop attempts that are under way. So call 1 takes
//! a slot of the share version before anything is computed from the share, in the transaction that
//! records the decision. Call 2 closes the slot in the transaction that records the signature, and
//! both require that the key is not barred. A slot that is never closed (an abort, a crash, a lost
//! write) is never given back within the life of that share version.
//!
//! At most [`SLOTS`] attempts can therefore fail, whatever happens to the write of the bar; an
//! attempt that passes tells one bit too, and closes its slot. Reasons and numbers:
//! `docs/decisions/atomic-ban.md`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use shared::mpc::{Refusal, SessionId};

use crate::audit::{Head, hex};

/// The number of runs of one share version that may be unclosed, open ones included.
pub(crate) const SLOTS: usize = 4;

/// A run that has taken a slot and has not closed it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpenRun {
    /// The share version that the run works on.
    version: u32,
    /// The run, in hex.
    session: String,
    /// When its session expires, Unix seconds. Later it cannot close its slot.
    until_s: u64,
}

impl Head {
    /// Checks that the key is not barred.
    ///
    /// # Errors
    /// [`Refusal::Barred`].
    pub(crate) fn unbarred(&self) -> Result<(), Refusal> {
        if self.barred { Err(Refusal::Barred) } else { Ok(()) }
    }

    /// Checks that a share version has a free slot.
    ///
    /// # Errors
    /// [`Refusal::Barred`]; [`Refusal::Busy`] while a run that holds a slot may still close it;
    /// [`Refusal::Worn`] when no slot of this version becomes free again.
    pub(crate) fn admits(&self, version: u32, now_s: u64) -> Result<(), Refusal> {
        self.unbarred()?;
        let runs = || self.runs.iter().filter(|run| run.version == version);
        if runs().count() < SLOTS {
            Ok(())
        } else if runs().any(|run| run.until_s > now_s) {
            Err(Refusal::Busy)
        } else {
            Err(Refusal::Worn)
        }
    }

    /// Takes a slot for a run.
    ///
    /// # Errors
    /// As [`Head::admits`].
    pub(crate) fn open_run(
        &mut self,
        version: u32,
        session: &SessionId,
        now_s: u64,
        until_s: u64,
    ) -> Result<(), Refusal> {
        self.admits(version, now_s)?;
        self.runs.push(OpenRun { version, session: hex(session), until_s });
        Ok(())
    }

    /// Closes the slot of a run.
    ///
    /// # Errors
    /// [`Refusal::Barred`]; [`Refusal::NoSession`] when the run holds no slot.
    pub(crate) fn close_run(&mut self, version: u32, session: &SessionId) -> Result<(), Refusal> {
        self.unbarred()?;
        let session = hex(session);
        let found = self.runs.iter().position(|it| it.version == version && it.session == session);
        self.runs.swap_remove(found.ok_or(Refusal::NoSession)?);
        Ok(())
    }

    /// Drops the slots of share versions that no longer exist.
    pub(crate) fn keep_runs_of(&mut self, live: &BTreeSet<u32>) {
        self.runs.retain(|run| live.contains(&run.version));
    }

    /// Drops the slots of an earlier share that had this version and was discarded.
    pub(crate) fn clear_runs_of(&mut self, version: u32) {
        self.runs.retain(|run| run.version != version);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTIL_S: u64 = 100;

    fn worn(version: u32) -> Head {
        let mut head = Head::default();
        for byte in 0..SLOTS {
            let session = [u8::try_from(byte).unwrap(); 32];
            head.open_run(version, &session, 0, UNTIL_S).unwrap();
        }
        head
    }

    #[test]
    fn full_gate_is_busy_until_its_sessions_expire() {
        let head = worn(1);
        assert_eq!(head.admits(1, UNTIL_S - 1), Err(Refusal::Busy));
        assert_eq!(head.admits(1, UNTIL_S), Err(Refusal::Worn));
        assert_eq!(head.admits(2, UNTIL_S), Ok(()));
    }

    #[test]
    fn closed_run_frees_its_slot_once() {
        let mut head = worn(1);
        assert_eq!(head.close_run(2, &[0; 32]), Err(Refusal::NoSession));
        assert_eq!(head.close_run(1, &[0; 32]), Ok(()));
        assert_eq!(head.close_run(1, &[0; 32]), Err(Refusal::NoSession));
        assert_eq!(head.open_run(1, &[9; 32], UNTIL_S, 2 * UNTIL_S), Ok(()));
        assert_eq!(head.admits(1, UNTIL_S), Err(Refusal::Busy));
    }

    #[test]
    fn barred_key_neither_opens_nor_closes_a_run() {
        let mut head = worn(1);
        head.barred = true;
        assert_eq!(head.close_run(1, &[0; 32]), Err(Refusal::Barred));
        assert_eq!(head.open_run(2, &[9; 32], 0, UNTIL_S), Err(Refusal::Barred));
    }

    #[test]
    fn slots_outlive_everything_but_their_share() {
        let mut head = worn(1);
        head.keep_runs_of(&BTreeSet::from([1, 2]));
        assert_eq!(head.admits(1, UNTIL_S), Err(Refusal::Worn));
        head.keep_runs_of(&BTreeSet::from([2]));
        assert_eq!(head.admits(1, UNTIL_S), Ok(()));
    }

    #[test]
    fn head_without_a_gate_still_parses() {
        let head = serde_json::to_value(Head::default()).unwrap();
        assert!(head.get("barred").is_none() && head.get("runs").is_none(), "{head}");
        assert_eq!(serde_json::from_value::<Head>(head).unwrap(), Head::default());
    }
}
