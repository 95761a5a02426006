//! What a record changes of its chain's head.

use domain::ids::Exchange;
use domain::intent::{NONCE_USED, nonce_lead};
use protocol::Refusal;

use super::{Head, RequestContext};
use crate::policy::Rate;

pub(super) const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Changes that a record makes to the head, in its transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Changes nothing else. A barred key is recorded too.
    Note,
    /// Counts a refusal. A barred key is recorded too.
    Refuse,
    /// Begins a run of the share that the message names: takes a slot, counts against the wallet's
    /// limit, and takes the nonce of its intent.
    Open {
        rate: Rate,
        nonce: Option<(Exchange, u64)>,
        /// When the run's session expires, Unix seconds.
        until_s: u64,
    },
    /// Begins the only trial of the share that the message names: takes a slot, and counts against
    /// the wallet's limit.
    Try { rate: Rate, until_s: u64 },
    /// Ends a run with its result: closes its slot.
    Close,
    /// Begins a refresh to a version: counts against the wallet's limit, and gives up the newer
    /// versions that are not among `kept`.
    Refresh { rate: Rate, to: u32, kept: Vec<u32> },
    /// Stores a new share.
    Refreshed,
    /// Gives up what is older than the shares that the message names.
    Retire,
    /// Bars the key.
    Bar,
}

impl Head {
    /// The head after a step.
    ///
    /// # Errors
    /// When the step is not allowed.
    pub(super) fn step(
        &mut self,
        context: &RequestContext,
        step: &Step,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let RequestContext { key, session, .. } = context;
        match *step {
            Step::Note => Ok(()),
            Step::Refuse => self.count_refusal(now_ms),
            Step::Try { rate, until_s } => {
                self.open_trial(key.key_version, session, now_ms / 1_000, until_s)?;
                self.count(rate, now_ms)
            }
            Step::Open { rate, nonce, until_s } => {
                self.open_run(key.key_version, session, now_ms / 1_000, until_s)?;
                self.count(rate, now_ms)?;
                match nonce {
                    Some((exchange, nonce)) => self.take_nonce(exchange, nonce, now_ms),
                    None => Ok(()),
                }
            }
            Step::Close => self.close_run(key.key_version, session),
            Step::Refresh { rate, to, ref kept } => {
                self.begin_refresh(key.key_version, to, kept)?;
                self.count(rate, now_ms)
            }
            Step::Refreshed => self.unbarred(),
            Step::Retire => self.give_up_before(key.key_version),
            Step::Bar => {
                self.barred = true;
                Ok(())
            }
        }
    }

    /// The head after a nonce is taken: an endpoint's nonces rise, except after a clock was wrong.
    /// Ignores a last nonce that lies further ahead than a correct clock allows.
    ///
    /// # Errors
    /// When it was taken before, or one after it.
    fn take_nonce(&mut self, exchange: Exchange, nonce: u64, now_ms: u64) -> Result<(), Refusal> {
        let now = match exchange {
            Exchange::Aster => now_ms.saturating_mul(1_000),
            Exchange::Hyperliquid => now_ms,
        };
        // Half of what the endpoint allows itself: the two clocks may differ by the other half.
        let latest = now.saturating_add(nonce_lead(exchange) / 2);
        let last = match exchange {
            Exchange::Aster => &mut self.aster_nonce,
            Exchange::Hyperliquid => &mut self.hyperliquid_nonce,
        };
        if nonce <= *last && *last <= latest {
            return Err(Refusal::Policy(NONCE_USED.into()));
        }
        *last = nonce;
        Ok(())
    }

    /// The head after one more signature that begins now.
    ///
    /// # Errors
    /// When the wallet has had as many as it may.
    fn count(&mut self, rate: Rate, now_ms: u64) -> Result<(), Refusal> {
        let (minute, day) = (now_ms / 60_000, now_ms / DAY_MS);
        if self.minute != minute {
            (self.minute, self.minute_used) = (minute, 0);
        }
        if self.day != day {
            (self.day, self.day_used) = (day, 0);
        }
        let full = |used: u64, limit: u64| limit > 0 && used >= limit;
        if full(self.minute_used, rate.per_minute) {
            return Err(Refusal::Policy("too many signatures with this wallet in a minute".into()));
        }
        if full(self.day_used, rate.per_day) {
            return Err(Refusal::Policy("too many signatures with this wallet in a day".into()));
        }
        self.minute_used += 1;
        self.day_used += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
