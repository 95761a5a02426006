//! Prepares a payment: checks it, and fixes its nonces.

use domain::ids::Exchange;
use domain::intent::nonce_lead;
use domain::money::{Nonces, Payment};
use platform::items::StoreError;
use protocol::{Charge, PaymentPrepared, PreparePayment, Refusal};

use super::decide::Stored;
use super::record::Withdrawal;
use super::terms::Terms;
use crate::audit::{Decision, Head, RequestContext};
use crate::party::{CallError, Cosigner};
use crate::rates::Kind;
use crate::sign::usable;

/// How long uncounted nonces are returned again before new ones replace them, in milliseconds.
const FRESH_MS: u64 = 5_000;

/// Maximum number of attempts when another call prepares the same payment.
const TRIES: u32 = 4;

impl Cosigner {
    /// Handles the first call of a payment. Nothing is counted, and no share is opened.
    pub(crate) async fn prepare_payment(
        &self,
        context: &RequestContext,
        message: PreparePayment,
    ) -> Result<PaymentPrepared, CallError> {
        let PreparePayment { order, dry_run } = message;
        let key = &context.key;
        let (rules, setting) = (self.policy.payments(), self.policy.setting());
        let terms = Terms::of(&order.payment, None, rules, setting).map_err(Refusal::from);
        // A flood of preparations must not take the table's capacity from the operator's calls.
        let (rate, now_ms) = (self.policy.limits().tenant, self.clock.now_ms());
        self.shares.count_tenant(&key.tenant, Kind::Preparation, rate, now_ms).await?;
        for _ in 0..TRIES {
            let charges = terms.as_ref().map_or(&[][..], |terms| &terms.charges);
            let (Stored { share, head }, known) = self.known(key, &order, charges).await?;
            usable(&share.ok_or(Refusal::UnknownKey)?, &head)?;
            let now_ms = self.clock.now_ms();
            let decided = match &terms {
                Ok(terms) => known.decide(key, &order, terms, now_ms).map(|counting| {
                    counting.map_or_else(|| terms.charges.clone(), |counting| counting.charges)
                }),
                Err(refusal) => Err(CallError::Refused(refusal.clone())),
            };
            let charges = match decided {
                Ok(charges) => charges,
                Err(CallError::Refused(refusal)) if !dry_run => {
                    let (id, payment) = (order.id, order.payment);
                    let reason = refusal.to_string();
                    let refused = Decision::PaymentRefused { id, payment, reason };
                    return Err(self.refuse_with(context, head, &refused, refusal).await);
                }
                Err(error) => return Err(error),
            };
            let next = match known.withdrawal {
                Some(known) if known.is_of(&order.payment)? && known.is_final(&head, now_ms) => {
                    return Ok(prepared(known, charges));
                }
                // Nothing is counted or signed under this id, so it may still mean something else.
                known => {
                    let nonces = nonces(&order.payment, &head, now_ms);
                    let version = known.map_or(1, |known| known.version + 1);
                    Withdrawal { version, ..Withdrawal::new(&order.payment, nonces, now_ms)? }
                }
            };
            if dry_run {
                return Ok(prepared(next, charges));
            }
            match self.shares.put_version(next.item(key, &order.id)?, next.version).await {
                Ok(()) => return Ok(prepared(next, charges)),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Refusal::Busy.into())
    }
}

impl Withdrawal {
    /// Returns whether the nonces stay: the payment is counted, or they are new and no other
    /// signature of the wallet took them.
    fn is_final(&self, head: &Head, now_ms: u64) -> bool {
        let is_taken = match self.nonces {
            Nonces::Hyperliquid(nonce) => {
                let until = latest(Exchange::Hyperliquid, now_ms);
                last(head, Exchange::Hyperliquid, (nonce, until)).is_some()
            }
            Nonces::Aster(_, user_nonce) => {
                let until = latest(Exchange::Aster, now_ms.saturating_mul(1_000));
                last(head, Exchange::Aster, (user_nonce, until)).is_some()
            }
            Nonces::Evm => false,
        };
        let is_new = now_ms < self.prepared_at_ms + FRESH_MS;
        self.counted_at_ms.is_some() || (is_new && !is_taken)
    }
}

/// Returns the latest nonce that a correct clock explains, in the exchange's unit.
const fn latest(exchange: Exchange, now: u64) -> u64 {
    now.saturating_add(nonce_lead(exchange) / 2)
}

/// Returns the wallet's last nonce within this range, of an intent or a payment.
fn last(head: &Head, exchange: Exchange, (from, until): (u64, u64)) -> Option<u64> {
    let nonces = match exchange {
        Exchange::Aster => [head.aster_nonce, head.aster_payment],
        Exchange::Hyperliquid => [head.hyperliquid_nonce, head.hyperliquid_payment],
        // The cosigner signs nothing for it.
        Exchange::Lighter => return None,
    };
    nonces.into_iter().filter(|nonce| (from..=until).contains(nonce)).max()
}

fn prepared(withdrawal: Withdrawal, charges: Vec<Charge>) -> PaymentPrepared {
    PaymentPrepared {
        nonces: withdrawal.nonces,
        is_counted: withdrawal.counted_at_ms.is_some(),
        signatures: withdrawal.signatures,
        charges,
    }
}

/// Returns a payment's nonces: the present by the cosigner's clock, or the first number after the
/// wallet's last nonce.
fn nonces(payment: &Payment, head: &Head, now_ms: u64) -> Nonces {
    let after = |now: u64, exchange: Exchange| {
        last(head, exchange, (now, latest(exchange, now))).map_or(now, |last| last + 1)
    };
    match payment {
        Payment::HyperliquidWithdraw(_)
        | Payment::HyperliquidSendAsset(_)
        | Payment::HyperliquidMoveOwn(_) => {
            Nonces::Hyperliquid(after(now_ms, Exchange::Hyperliquid))
        }
        Payment::AsterWithdraw(_) => {
            let first = after(now_ms.saturating_mul(1_000), Exchange::Aster);
            // Aster's documents state milliseconds, written as microseconds.
            let user_nonce_us = first.div_ceil(1_000) * 1_000;
            Nonces::Aster(user_nonce_us + 1, user_nonce_us)
        }
        Payment::EvmTokenTransfer(_) => Nonces::Evm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_790_000_000_000;

    #[test]
    fn nonce_follows_the_cosigners_clock_and_the_last_nonce() {
        let payment = super::super::tests::move_own("1");
        for (last, want) in [
            (0, NOW_MS),
            (NOW_MS - 1, NOW_MS),
            (NOW_MS, NOW_MS + 1),
            (NOW_MS + 30_000, NOW_MS + 30_001),
            (NOW_MS + 30_001, NOW_MS),
        ] {
            let head = Head { hyperliquid_nonce: last, ..Head::default() };
            assert_eq!(nonces(&payment, &head, NOW_MS), Nonces::Hyperliquid(want), "{last}");
        }
    }

    #[test]
    fn aster_nonces_differ_and_both_follow_the_last_one() {
        let payment = super::super::tests::aster("10", "0.1");
        let now_us = NOW_MS * 1_000;
        for (last, want) in [(0, now_us), (now_us, now_us + 1_000), (now_us + 999, now_us + 1_000)]
        {
            let head = Head { aster_nonce: last, ..Head::default() };
            assert_eq!(nonces(&payment, &head, NOW_MS), Nonces::Aster(want + 1, want), "{last}");
        }
    }
}
