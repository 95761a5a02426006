//! The gate of a share: the limit on its unfinished runs.
//!
//! DKLs23 requires that a pair never runs again after a detected cheat in the oblivious-transfer
//! extension, because the outcome of each attempt reveals one bit of the share's correlation. A
//! bar that is checked now and relied on later does not stop attempts that are under way. Call 1
//! therefore takes a run slot of the share version before anything is computed from the share, in
//! the transaction that records the decision. Call 2 closes the slot in the transaction that
//! records the signature, and both calls require that the key is not barred. A slot that is never
//! closed (an abort, a crash, a lost write) stays taken for the life of that share version. A call
//! may have read a share before it was retired and compute from it later. A retired version is
//! therefore remembered as spent, and no version number is used twice. A version is tried once,
//! and signs only after its trial.
//!
//! So at most [`SLOTS`] attempts can fail, even if the write of the bar fails. A successful
//! attempt also reveals one bit, and closes its slot. Reasons and numbers:
//! `docs/decisions/atomic-ban.md`.

use protocol::{Refusal, SessionId};

use crate::audit::hex;
use crate::head::{Head, OpenRun};

/// Maximum number of unclosed runs of one share version, open ones included.
pub(crate) const SLOTS: usize = 4;

/// Maximum number of refusals recorded in one wallet's log in a minute. Further refusals appear
/// only in the log stream, so that a caller without rights cannot keep the wallet's log busy.
pub(crate) const MOST_REFUSALS: u64 = 30;

impl Head {
    /// Checks that the key is not barred.
    ///
    /// # Errors
    /// [`Refusal::Barred`].
    pub(crate) fn unbarred(&self) -> Result<(), Refusal> {
        if self.barred { Err(Refusal::Barred) } else { Ok(()) }
    }

    /// Checks that a share version has a free run slot.
    ///
    /// # Errors
    /// [`Refusal::Barred`]; [`Refusal::Busy`] while a run that holds a slot may still close it;
    /// [`Refusal::Worn`] when no slot of this version can become free again.
    pub(crate) fn admits(&self, version: u32, now_s: u64) -> Result<(), Refusal> {
        self.unbarred()?;
        if self.is_spent(version) {
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

    /// Takes a run slot.
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
    /// [`Refusal::Barred`]; [`Refusal::Retired`] when the version was retired in the meantime;
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
            None if self.is_spent(version) => Err(Refusal::Retired),
            None => Err(Refusal::NoSession),
        }
    }

    /// Begins the only trial of a version: takes a run slot for it.
    ///
    /// # Errors
    /// As [`Head::admits`]; [`Refusal::Tried`] when a trial of this version or of a newer one was
    /// begun before.
    pub(crate) fn open_trial(
        &mut self,
        version: u32,
        session: &SessionId,
        now_s: u64,
        until_s: u64,
    ) -> Result<(), Refusal> {
        if version <= self.last_trial {
            return Err(Refusal::Tried);
        }
        self.open_run(version, session, now_s, until_s)?;
        self.last_trial = version;
        Ok(())
    }

    /// Begins a refresh from the shares `from` to shares of version `to`. Retires versions between
    /// the two that are not in `kept`.
    ///
    /// # Errors
    /// [`Refusal::Barred`]; [`Refusal::Newest`] when a refresh to this version or to a newer one
    /// was begun before.
    pub(crate) fn begin_refresh(
        &mut self,
        from: u32,
        to: u32,
        kept: &[u32],
    ) -> Result<(), Refusal> {
        self.unbarred()?;
        if to <= self.newest {
            return Err(Refusal::Newest(self.newest));
        }
        let mut first = from.saturating_add(1);
        let mut kept: Vec<u32> =
            kept.iter().copied().filter(|it| (first..to).contains(it)).collect();
        kept.sort_unstable();
        for version in kept {
            self.spend(first, version.saturating_sub(1));
            first = version.saturating_add(1);
        }
        self.spend(first, to.saturating_sub(1));
        self.newest = to;
        Ok(())
    }

    /// Retires all versions before this one.
    ///
    /// # Errors
    /// [`Refusal::Barred`].
    pub(crate) fn give_up_before(&mut self, version: u32) -> Result<(), Refusal> {
        self.unbarred()?;
        self.spend(0, version.saturating_sub(1));
        Ok(())
    }

    /// Counts a recorded refusal.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when [`MOST_REFUSALS`] were recorded in this minute.
    pub(crate) fn count_refusal(&mut self, now_ms: u64) -> Result<(), Refusal> {
        let minute = now_ms / 60_000;
        if self.refusals_minute != minute {
            (self.refusals_minute, self.refusals) = (minute, 0);
        }
        if self.refusals >= MOST_REFUSALS {
            return Err(Refusal::Busy);
        }
        self.refusals += 1;
        Ok(())
    }

    pub(crate) fn is_spent(&self, version: u32) -> bool {
        self.spent.iter().any(|(first, last)| (*first..=*last).contains(&version))
    }

    /// Ends all runs of these versions, `last` included, and remembers the versions as spent.
    /// Merges adjacent ranges, so that the head stays small.
    fn spend(&mut self, mut first: u32, mut last: u32) {
        if first > last {
            return;
        }
        self.runs.retain(|run| !(first..=last).contains(&run.version));
        self.spent.retain(|(low, high)| {
            let touches = *low <= last.saturating_add(1) && first <= high.saturating_add(1);
            if touches {
                (first, last) = (first.min(*low), last.max(*high));
            }
            !touches
        });
        self.spent.push((first, last));
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
    fn retired_version_takes_at_most_four_slots() {
        let mut head = Head::default();
        head.open_run(1, &[1; 32], 0, UNTIL_S).unwrap();
        head.give_up_before(1).unwrap();
        assert_eq!(head.close_run(1, &[1; 32]), Ok(()));
        // Calls that still hold a retired share.
        head.open_run(1, &[2; 32], 0, UNTIL_S).unwrap();
        head.give_up_before(3).unwrap();
        assert!(head.runs.is_empty());
        assert_eq!(head.close_run(1, &[2; 32]), Err(Refusal::Retired));
        assert_eq!(head.admits(1, UNTIL_S), Err(Refusal::Worn));
        assert_eq!(head.admits(2, UNTIL_S), Err(Refusal::Worn));
        assert_eq!(head.admits(3, UNTIL_S), Ok(()));
    }

    #[test]
    fn second_refresh_to_a_version_is_refused() {
        let mut head = Head::default();
        head.begin_refresh(1, 3, &[]).unwrap();
        assert_eq!(head.begin_refresh(1, 3, &[]), Err(Refusal::Newest(3)));
        assert_eq!(head.begin_refresh(1, 2, &[]), Err(Refusal::Newest(3)));
        assert_eq!(head.begin_refresh(1, 4, &[]), Ok(()));
    }

    #[test]
    fn second_trial_of_a_version_is_refused() {
        let mut head = Head::default();
        head.open_trial(2, &[1; 32], 0, UNTIL_S).unwrap();
        assert_eq!(head.open_trial(2, &[2; 32], UNTIL_S, 2 * UNTIL_S), Err(Refusal::Tried));
        assert_eq!(head.open_trial(1, &[2; 32], UNTIL_S, 2 * UNTIL_S), Err(Refusal::Tried));
        assert_eq!(head.close_run(2, &[1; 32]), Ok(()));
        assert_eq!(head.open_run(2, &[3; 32], UNTIL_S, 2 * UNTIL_S), Ok(()));
    }

    #[test]
    fn many_refreshes_leave_a_small_head() {
        let mut head = worn(1);
        for to in 2..10_000 {
            // Every thousandth version was tried and is kept; the others are retired.
            let kept: Vec<u32> = (2..to).filter(|it| it % 1_000 == 0).collect();
            head.begin_refresh(1, to, &kept).unwrap();
            head.open_trial(to, &[9; 32], 0, UNTIL_S).unwrap();
        }
        assert_eq!(head.runs.len(), SLOTS + 9 + 1, "the shares in use, kept ones and the newest");
        assert_eq!(head.spent.len(), 10, "{:?}", head.spent);
        assert_eq!(head.admits(5_500, UNTIL_S), Err(Refusal::Worn));
        assert_eq!(head.admits(5_000, UNTIL_S), Ok(()));
        head.give_up_before(10_000).unwrap();
        assert_eq!((head.runs.len(), head.spent.clone()), (0, vec![(0, 9_999)]));
    }

    #[test]
    fn refusals_above_the_minute_limit_are_not_recorded() {
        let mut head = Head::default();
        for _ in 0..MOST_REFUSALS {
            head.count_refusal(60_000).unwrap();
        }
        assert_eq!(head.count_refusal(119_999), Err(Refusal::Busy));
        assert_eq!(head.count_refusal(120_000), Ok(()));
    }

    #[test]
    fn head_without_a_gate_still_parses() {
        let head = serde_json::to_value(Head::default()).unwrap();
        let gate = ["barred", "runs", "spent", "newest", "lastTrial", "refusals"];
        assert!(gate.iter().all(|name| head.get(name).is_none()), "{head}");
        assert_eq!(serde_json::from_value::<Head>(head).unwrap(), Head::default());
    }
}
