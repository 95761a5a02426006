//! The gate in front of a share: how many runs of it may be unfinished.
//!
//! DKLs23 requires that a pair never runs again after a detected cheat in the oblivious-transfer
//! extension, because the outcome of each attempt tells one bit of the share's correlation. A bar
//! that is read now and relied on later does not stop attempts that are under way. So call 1 takes
//! a slot of the share version before anything is computed from the share, in the transaction that
//! records the decision. Call 2 closes the slot in the transaction that records the signature, and
//! both require that the key is not barred. A slot that is never closed (an abort, a crash, a lost
//! write) is never given back within the life of that share version. A call may have read a share
//! before it was given up and compute from it later, so a version that was given up with unclosed
//! runs is remembered as spent, and no version is used twice.
//!
//! At most [`SLOTS`] attempts can therefore fail, whatever happens to the write of the bar; an
//! attempt that passes tells one bit too, and closes its slot. Reasons and numbers:
//! `docs/decisions/atomic-ban.md`.

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
        if self.spent.contains(&version) {
            return Err(Refusal::Worn);
        }
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
    /// [`Refusal::Barred`]; [`Refusal::Retired`] when the version was given up meanwhile;
    /// [`Refusal::NoSession`] when the run holds no slot.
    pub(crate) fn close_run(&mut self, version: u32, session: &SessionId) -> Result<(), Refusal> {
        self.unbarred()?;
        let session = hex(session);
        let found = self.runs.iter().position(|it| it.version == version && it.session == session);
        match found {
            Some(run) => {
                self.runs.swap_remove(run);
                Ok(())
            }
            None if self.spent.contains(&version) => Err(Refusal::Retired),
            None => Err(Refusal::NoSession),
        }
    }

    /// Begins a refresh that makes shares of version `to`.
    ///
    /// # Errors
    /// [`Refusal::Barred`]; [`Refusal::Newest`] when a refresh to this version, or to a newer one, was
    /// begun before.
    pub(crate) fn begin_refresh(&mut self, to: u32) -> Result<(), Refusal> {
        self.unbarred()?;
        if to <= self.newest {
            return Err(Refusal::Newest(self.newest));
        }
        self.newest = to;
        Ok(())
    }

    /// Gives up all versions before this one. Those with unclosed runs are spent: they are told in
    /// a few bytes each, so that the head stays small.
    ///
    /// # Errors
    /// [`Refusal::Barred`].
    pub(crate) fn give_up_before(&mut self, version: u32) -> Result<(), Refusal> {
        self.unbarred()?;
        let given_up = self.runs.extract_if(.., |run| run.version < version);
        self.spent.extend(given_up.map(|run| run.version));
        Ok(())
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
    fn given_up_version_takes_no_more_slots_than_four() {
        let mut head = Head::default();
        head.open_run(1, &[1; 32], 0, UNTIL_S).unwrap();
        head.give_up_before(1).unwrap();
        assert_eq!(head.close_run(1, &[1; 32]), Ok(()));
        // A call that still holds the share, in the first place without unclosed runs.
        head.give_up_before(2).unwrap();
        assert_eq!(head.open_run(1, &[2; 32], UNTIL_S, 2 * UNTIL_S), Ok(()));
        head.give_up_before(3).unwrap();
        assert!(head.runs.is_empty());
        assert_eq!(head.close_run(1, &[2; 32]), Err(Refusal::Retired));
        assert_eq!(head.admits(1, UNTIL_S), Err(Refusal::Worn));
        assert_eq!(head.admits(3, UNTIL_S), Ok(()));
    }

    #[test]
    fn version_is_refreshed_to_once() {
        let mut head = Head::default();
        head.begin_refresh(3).unwrap();
        assert_eq!(head.begin_refresh(3), Err(Refusal::Newest(3)));
        assert_eq!(head.begin_refresh(2), Err(Refusal::Newest(3)));
        assert_eq!(head.begin_refresh(4), Ok(()));
    }

    #[test]
    fn head_without_a_gate_still_parses() {
        let head = serde_json::to_value(Head::default()).unwrap();
        let gate = ["barred", "runs", "spent", "newest"];
        assert!(gate.iter().all(|name| head.get(name).is_none()), "{head}");
        assert_eq!(serde_json::from_value::<Head>(head).unwrap(), Head::default());
    }
}
