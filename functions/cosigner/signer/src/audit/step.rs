//! Changes that a record makes to its chain's head.

use domain::ids::Exchange;
use domain::intent::{NONCE_USED, nonce_lead};
use protocol::Refusal;

use super::{Head, RequestContext};
use crate::policy::Rate;
use crate::rates::Kind;

pub(super) const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The refusal of a nonce for an exchange at which no wallet is registered.
const NO_WALLETS: &str = "no wallet signs for this exchange";

/// A change of the head, made in the transaction of its record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Changes nothing else. Allowed for a barred key.
    Note,
    /// Counts a refusal. Allowed for a barred key.
    Refuse,
    /// Begins a run of the named share: takes a run slot, counts against the wallet's limit, and
    /// takes the nonces of its intent or payment.
    Open {
        kind: Kind,
        rate: Rate,
        nonces: Vec<(Exchange, u64)>,
        /// Whether the nonces are a payment's.
        pays: bool,
        /// Expiry of the run's session, Unix seconds.
        until_s: u64,
    },
    /// Begins the only trial of the named share: takes a run slot, and counts against the wallet's
    /// limit.
    Try { rate: Rate, until_s: u64 },
    /// Ends a run with its result: closes its run slot.
    Close,
    /// Begins a refresh to a version: counts against the wallet's limit, and retires newer
    /// versions that are not in `kept`.
    Refresh { rate: Rate, to: u32, kept: Vec<u32> },
    /// Stores a new share.
    Refreshed,
    /// Retires all versions before the named shares.
    Retire,
    /// Stores a share from a recovery record. New versions come after it.
    Recover {
        /// Whether the key was exported before.
        exported: bool,
    },
    /// Marks the key as exported.
    Export,
    /// Bars the key.
    Bar,
}

impl Head {
    /// Applies a step to the head.
    ///
    /// # Errors
    /// Fails when the step is not allowed.
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
                self.count(Kind::Refresh, rate, now_ms)
            }
            Step::Open { kind, rate, ref nonces, pays, until_s } => {
                self.open_run(key.key_version, session, now_ms / 1_000, until_s)?;
                self.count(kind, rate, now_ms)?;
                let mut nonces = nonces.iter();
                nonces.try_for_each(|(exchange, nonce)| {
                    if pays {
                        self.take_payment_nonce(*exchange, *nonce, now_ms)?;
                    }
                    self.take_nonce(*exchange, *nonce, now_ms)
                })
            }
            Step::Close => self.close_run(key.key_version, session),
            Step::Refresh { rate, to, ref kept } => {
                self.begin_refresh(key.key_version, to, kept)?;
                self.count(Kind::Refresh, rate, now_ms)
            }
            Step::Refreshed => self.unbarred(),
            Step::Retire => self.give_up_before(key.key_version),
            Step::Recover { exported } => {
                self.unbarred()?;
                self.newest = self.newest.max(key.key_version);
                self.exported |= exported;
                Ok(())
            }
            Step::Export => {
                self.unbarred()?;
                self.exported = true;
                Ok(())
            }
            Step::Bar => {
                self.barred = true;
                Ok(())
            }
        }
    }

    /// Takes a nonce. Nonces rise, except after a wrong clock: a last nonce further ahead than a
    /// correct clock allows is ignored.
    ///
    /// # Errors
    /// Fails when this nonce or a later one was taken before.
    fn take_nonce(&mut self, exchange: Exchange, nonce: u64, now_ms: u64) -> Result<(), Refusal> {
        let last = match exchange {
            Exchange::Aster => &mut self.aster_nonce,
            Exchange::Hyperliquid => &mut self.hyperliquid_nonce,
            // No intent is for Lighter, whose keys callers bring.
            Exchange::Lighter => return Err(Refusal::Policy(NO_WALLETS.into())),
        };
        take(last, exchange, nonce, now_ms)
    }

    /// Takes a payment's nonce. An intent's nonce far ahead, which the rule of [`Self::take_nonce`]
    /// ignores, has no effect here.
    fn take_payment_nonce(
        &mut self,
        exchange: Exchange,
        nonce: u64,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let last = match exchange {
            Exchange::Aster => &mut self.aster_payment,
            Exchange::Hyperliquid => &mut self.hyperliquid_payment,
            // The service makes no payments there.
            Exchange::Lighter => return Err(Refusal::Policy(NO_WALLETS.into())),
        };
        take(last, exchange, nonce, now_ms)
    }
}

fn take(last: &mut u64, exchange: Exchange, nonce: u64, now_ms: u64) -> Result<(), Refusal> {
    let now = match exchange {
        Exchange::Aster => now_ms.saturating_mul(1_000),
        Exchange::Hyperliquid | Exchange::Lighter => now_ms,
    };
    // Half of the endpoint's own allowance; the clocks may differ by the other half.
    let latest = now.saturating_add(nonce_lead(exchange) / 2);
    if nonce <= *last && *last <= latest {
        return Err(Refusal::Policy(NONCE_USED.into()));
    }
    *last = nonce;
    Ok(())
}

#[cfg(test)]
mod tests;
