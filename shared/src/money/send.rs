//! Sending stored bytes, and the outcome for the record.

use domain::ids::Tenant;
use domain::money::Payment;
use platform::items::StoreError;

use super::MoneyError;
use super::track::{Holder, Tracker, Wire};
use crate::evm::BroadcastOutcome;
use crate::exchanges::trade::{Sent, TradeCode, TradeRefusal, Unresolved, shown};
use crate::store::{PaymentRecord, PaymentRefusal, PaymentState, SignedPayment};

/// When a payment is looked at first after it was sent, in milliseconds. Ledgers lag behind.
const FIRST_CHECK_MS: u64 = 5_000;

/// How long the job looks for an outcome, in milliseconds: 30 days. A reader looks at any time.
const WATCHED_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// The change of a record that an outcome makes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Change {
    /// The new state; `None` keeps it.
    pub(super) state: Option<PaymentState>,
    /// The exchange's id.
    pub(super) exchange_id: Option<String>,
    /// The hash of the transaction.
    pub(super) transaction_hash: Option<String>,
    /// The fee that was taken.
    pub(super) fee_taken: Option<String>,
    /// The reason of a refusal.
    pub(super) refusal: Option<(&'static str, String)>,
    /// Whether the bytes can no longer execute.
    pub(super) fenced: bool,
}

impl Change {
    pub(super) fn to(state: PaymentState) -> Self {
        Self { state: Some(state), ..Self::default() }
    }

    pub(super) fn refused(code: &'static str, text: &str) -> Self {
        let refusal = Some((code, text.to_owned()));
        Self { state: Some(PaymentState::Refused), refusal, ..Self::default() }
    }

    /// Returns the record after the change. An open payment, and one whose outcome is to be reported,
    /// is looked at again after a time that grows with each look.
    pub(super) fn apply(self, record: &PaymentRecord, now_ms: u64) -> PaymentRecord {
        let Self { state, exchange_id, transaction_hash, fee_taken, refusal, fenced } = self;
        let mut next = record.clone();
        if let Some(state) = state.filter(|state| state.may_follow(record.state)) {
            if state != record.state {
                next.checks = 0;
                next.updated_at_ms = now_ms;
                next.unreported = state.is_final() && record.is_listed();
            }
            next.state = state;
        }
        next.exchange_id = next.exchange_id.or(exchange_id);
        next.transaction_hash = transaction_hash.or(next.transaction_hash);
        next.fee_taken = fee_taken.or(next.fee_taken);
        if let Some((code, text)) = refusal {
            next.refusal = Some(PaymentRefusal { code: code.to_owned(), text, at_ms: now_ms });
        } else if !matches!(next.state, PaymentState::Refused) {
            next.refusal = None;
        }
        if let Some(signed) = &mut next.signed
            && fenced
        {
            signed.fenced_at_ms.get_or_insert(now_ms);
        }
        next.lease_until_ms = now_ms;
        let is_due = next.state.is_open() || next.unreported;
        let is_watched = is_due && now_ms < record.created_at_ms + WATCHED_MS;
        next.next_check_ms = is_watched.then(|| now_ms + wait_ms(next.checks));
        next.checks = next.checks.saturating_add(1);
        next
    }
}

/// Returns the time until the next look, in milliseconds: 5 seconds, doubled with each look up to
/// 6 hours.
fn wait_ms(checks: u32) -> u64 {
    const MOST_MS: u64 = 6 * 60 * 60 * 1_000;
    (FIRST_CHECK_MS << checks.min(13)).min(MOST_MS)
}

impl Tracker {
    /// Takes the weight of a payment that is about to be sent to an exchange.
    pub(super) async fn take_weight(&self, tenant: &Tenant) -> Result<(), MoneyError> {
        match &self.wire {
            Wire::Hyperliquid(calls) => calls.take(tenant).await,
            Wire::Aster(calls) => calls.take(tenant).await,
            Wire::Evm => Ok(()),
        }
    }

    /// Sends bytes that were just stored, and stores the outcome. Nothing is sent from `until_ms` on.
    pub(super) async fn send_first(
        &self,
        holder: &Holder,
        record: PaymentRecord,
        until_ms: u64,
    ) -> Result<PaymentRecord, MoneyError> {
        let signed = record.signed.clone().ok_or(MoneyError::Damaged("no signed bytes"))?;
        let change = if self.now_ms() < until_ms {
            self.send(holder, &record, &signed, true).await?
        } else {
            self.unsent("no time was left to send")
        };
        match change.exchange_id.clone() {
            // The entry with this id belongs to no other payment with the same amount.
            Some(entry) => self.store_claim(holder, &record, change, &entry).await,
            None => self.store_change(holder, &record, change).await,
        }
    }

    /// Sends stored bytes to the exchange or the chain.
    pub(super) async fn send(
        &self,
        holder: &Holder,
        record: &PaymentRecord,
        signed: &SignedPayment,
        is_first: bool,
    ) -> Result<Change, MoneyError> {
        let wallet = holder.wallet.address;
        Ok(match (&record.payment, &self.wire) {
            (Payment::EvmTokenTransfer(transfer), Wire::Evm) => {
                let Some(chain) = self.chains.get(transfer.chain_id) else {
                    return Ok(Change::default());
                };
                let raw = signed.body.strip_prefix("0x").and_then(|text| hex::decode(text).ok());
                let raw = raw.ok_or(MoneyError::Damaged("the transaction is not hex"))?;
                of_broadcast(chain.broadcast(&raw).await)
            }
            (Payment::AsterWithdraw(withdraw), Wire::Aster(calls)) => {
                let sent = calls.withdraw(withdraw.account_type, &signed.body).await;
                self.of_sent(sent, |id| Change {
                    exchange_id: id,
                    ..Change::to(PaymentState::Sent)
                })
            }
            (payment, Wire::Hyperliquid(calls)) => {
                let sent = calls.send(&signed.body, wallet, is_first).await;
                let accepted = match payment {
                    // The exchange's own chain has moved the money; the arrival elsewhere takes time.
                    Payment::HyperliquidWithdraw(_) => PaymentState::Sent,
                    _ => PaymentState::Completed,
                };
                self.of_sent(sent, |()| Change::to(accepted))
            }
            _ => return Err(MoneyError::Damaged("a payment of another place")),
        })
    }

    /// Returns the change for bytes that were certainly not sent. Where the nonce makes the bytes
    /// single-use, they are sent later; at Aster they are given up.
    fn unsent(&self, text: &str) -> Change {
        match self.wire {
            Wire::Aster(_) => Change::refused("NOT_SENT", text),
            Wire::Hyperliquid(_) | Wire::Evm => Change::default(),
        }
    }

    fn of_sent<T>(&self, sent: Sent<T>, accepted: impl FnOnce(T) -> Change) -> Change {
        match sent {
            Sent::Accepted(value) => accepted(value),
            Sent::Refused(refusal) => match refusal.code {
                TradeCode::RateLimited { .. } => self.unsent(&refusal.text),
                _ => of_refusal(&refusal),
            },
            Sent::NotSent(cause) => {
                tracing::warn!(%cause, "a payment did not reach the exchange");
                self.unsent("the exchange was not reached")
            }
            Sent::Unknown(Unresolved { why, fenced, .. }) => {
                tracing::warn!(%why, "the outcome of a payment is unknown");
                Change { fenced, ..Change::to(PaymentState::Unknown) }
            }
        }
    }

    /// Stores the change of a record with the entry of the exchange's history that belongs to it. An
    /// entry of another payment changes nothing.
    pub(super) async fn store_claim(
        &self,
        holder: &Holder,
        record: &PaymentRecord,
        change: Change,
        entry: &str,
    ) -> Result<PaymentRecord, MoneyError> {
        let mut next = change.apply(record, self.now_ms());
        next.revision = self.random.uuid()?;
        let account = &holder.account;
        match self.store.claim_payment(account, &next, record.revision, entry).await {
            Ok(()) => Ok(next),
            // Another payment owns the entry, or another call was faster.
            Err(StoreError::Conflict) => {
                let state = record.state;
                let state =
                    if state == PaymentState::Signed { PaymentState::Unknown } else { state };
                self.store_change(holder, record, Change::to(state)).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Stores the change of a record.
    pub(super) async fn store_change(
        &self,
        holder: &Holder,
        record: &PaymentRecord,
        change: Change,
    ) -> Result<PaymentRecord, MoneyError> {
        let mut next = change.apply(record, self.now_ms());
        next.revision = self.random.uuid()?;
        match self.store.put_payment(&holder.account, &next, Some(record.revision)).await {
            Ok(()) => Ok(next),
            // Another call has found an outcome in the meantime.
            Err(StoreError::Conflict) => {
                let present = self.store.payment(&holder.account, &record.id).await?;
                present.ok_or(MoneyError::Damaged("the record is gone"))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns the published code of a refusal.
fn of_refusal(refusal: &TradeRefusal) -> Change {
    let code = match refusal.code {
        TradeCode::InsufficientFunds => "INSUFFICIENT_FUNDS",
        TradeCode::DepositRequired => "DEPOSIT_REQUIRED",
        TradeCode::NotOffered => "NOT_OFFERED_BY_EXCHANGE",
        TradeCode::BelowMinimum => "EXCHANGE_LIMIT_EXCEEDED",
        TradeCode::NonceTooLow => "NONCE_EXPIRED",
        _ => "PAYMENT_REJECTED",
    };
    Change::refused(code, &refusal.text)
}

/// Returns the change of a broadcast. A node that refuses may accept the same bytes later, so the
/// payment stays open with the node's words.
fn of_broadcast(outcome: BroadcastOutcome) -> Change {
    match outcome {
        BroadcastOutcome::Accepted | BroadcastOutcome::Known => Change::to(PaymentState::Sent),
        // The receipt decides.
        BroadcastOutcome::NonceUsed => Change { fenced: true, ..Change::default() },
        BroadcastOutcome::Refused(text) => {
            let refusal = Some(("NODE_REFUSED", shown(&text)));
            Change { refusal, ..Change::default() }
        }
        BroadcastOutcome::NotSent => Change::default(),
        BroadcastOutcome::Unknown(error) => {
            tracing::warn!(%error, "the outcome of a broadcast is unknown");
            Change::to(PaymentState::Unknown)
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::money::Nonces;

    use super::super::tests::record;
    use super::*;

    const NOW_MS: u64 = 1_790_000_000_000;

    fn open(state: PaymentState) -> PaymentRecord {
        let nonces = Nonces::Hyperliquid(NOW_MS);
        let body = "{}".to_owned();
        let signed = Some(SignedPayment { nonces, body, at_ms: NOW_MS, fenced_at_ms: None });
        PaymentRecord { state, signed, created_at_ms: NOW_MS, ..record() }
    }

    #[test]
    fn final_state_is_never_left() {
        for state in [PaymentState::Completed, PaymentState::Refused] {
            for change in PaymentState::ALL {
                let next = Change::to(change).apply(&open(state), NOW_MS);
                assert_eq!((next.state, next.next_check_ms), (state, None), "{change:?}");
            }
        }
    }

    #[test]
    fn final_state_of_a_signed_payment_is_to_be_reported() {
        for state in [PaymentState::Completed, PaymentState::Refused] {
            let next = Change::to(state).apply(&open(PaymentState::Sent), NOW_MS);
            assert_eq!((next.unreported, next.due_at_ms()), (true, Some(NOW_MS + 5_000)));
            // A failed report is tried again.
            let again = Change::default().apply(&next, NOW_MS);
            assert_eq!((again.unreported, again.due_at_ms()), (true, Some(NOW_MS + 10_000)));
        }
    }

    #[test]
    fn wait_for_the_next_look_grows_and_ends() {
        let mut record = open(PaymentState::Unknown);
        let mut waits = Vec::new();
        for _ in 0..20 {
            record = Change::default().apply(&record, NOW_MS);
            waits.push(record.next_check_ms.unwrap() - NOW_MS);
        }
        assert_eq!(waits[..3], [5_000, 10_000, 20_000]);
        assert!(waits.is_sorted() && waits[19] == 6 * 60 * 60 * 1_000);
        // A new state is looked at soon.
        let sent = Change::to(PaymentState::Sent).apply(&record, NOW_MS);
        assert_eq!(sent.next_check_ms, Some(NOW_MS + 5_000));
        let late = Change::default().apply(&record, NOW_MS + WATCHED_MS);
        assert_eq!((late.state, late.next_check_ms), (PaymentState::Unknown, None));
    }

    #[test]
    fn refusal_keeps_code_and_text() {
        let refusal = TradeRefusal::new(TradeCode::InsufficientFunds, "Insufficient balance");
        let next = of_refusal(&refusal).apply(&open(PaymentState::Signed), NOW_MS);
        let stored = next.refusal.unwrap();
        assert_eq!(
            (next.state, stored.code.as_str()),
            (PaymentState::Refused, "INSUFFICIENT_FUNDS")
        );
        assert_eq!(stored.text, "Insufficient balance");
    }

    #[test]
    fn refused_broadcast_stays_open() {
        let refused = BroadcastOutcome::Refused("insufficient funds for gas".to_owned());
        let next = of_broadcast(refused).apply(&open(PaymentState::Signed), NOW_MS);
        assert_eq!(next.state, PaymentState::Signed);
        assert_eq!(next.refusal.unwrap().code, "NODE_REFUSED");
        let sent = of_broadcast(BroadcastOutcome::Known).apply(&open(PaymentState::Signed), NOW_MS);
        assert_eq!((sent.state, sent.refusal), (PaymentState::Sent, None));
        let used = of_broadcast(BroadcastOutcome::NonceUsed);
        let used = used.apply(&open(PaymentState::Signed), NOW_MS);
        assert_eq!(used.signed.as_ref().unwrap().fenced_at_ms, Some(NOW_MS));
        // The first time counts.
        let later = of_broadcast(BroadcastOutcome::NonceUsed).apply(&used, NOW_MS + 1);
        assert_eq!(later.signed.unwrap().fenced_at_ms, Some(NOW_MS));
    }
}
