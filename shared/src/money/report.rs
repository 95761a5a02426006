//! Reporting outcomes to the cosigner, for its list of counted payments.

use protocol::{
    MAX_REFERENCE, PaymentRefusal as CosignersRefusal, Refusal, ReportedOutcome, SettlePayment,
};

use super::MoneyError;
use super::job::PaymentJob;
use super::send::Change;
use crate::mpc::{CosignerError, ProtocolError, report_outcome};
use crate::store::{PaymentAccount, PaymentRecord, PaymentState};
use crate::wallets::PaySignError;
use platform::items::StoreError;

impl PaymentJob {
    /// Reports a final outcome, and notes that it is reported. A process that dies in between reports
    /// again, which changes nothing.
    pub(super) async fn report(
        &self,
        account: PaymentAccount,
        record: PaymentRecord,
    ) -> Result<(), MoneyError> {
        let Some(outcome) = outcome(record.state) else { return Ok(()) };
        let tracker = &self.tracker;
        let holder = tracker.holder_of(account).await?;
        let report =
            SettlePayment { id: record.id.clone(), outcome, reference: reference(&record) };
        let key = holder.wallet.key();
        match report_outcome(&self.cosigner, &tracker.random, &key, report).await {
            Ok(()) => {}
            // A table that was restored to an older moment does not know the payment.
            Err(ProtocolError::Cosigner(CosignerError::Refused(Refusal::Payment(
                refusal @ CosignersRefusal::NotSigned,
            )))) => tracing::error!(%refusal, id = %record.id, "an outcome was not reported"),
            Err(error) => {
                // The next report is due after a time that grows.
                tracker.store_change(&holder, &record, Change::default()).await?;
                return Err(PaySignError::from(error).into());
            }
        }
        let seen = record.revision;
        let revision = tracker.random.uuid()?;
        let reported = PaymentRecord { revision, unreported: false, next_check_ms: None, ..record };
        match tracker.store.put_payment(&holder.account, &reported, Some(seen)).await {
            // Another run has reported it.
            Ok(()) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

const fn outcome(state: PaymentState) -> Option<ReportedOutcome> {
    match state {
        PaymentState::Completed => Some(ReportedOutcome::Completed),
        PaymentState::Refused => Some(ReportedOutcome::Refused),
        PaymentState::Accepted
        | PaymentState::Signed
        | PaymentState::Sent
        | PaymentState::Unknown => None,
    }
}

/// Returns the name of a payment in the exchange's ledger or on the chain, if it has the form that the
/// cosigner accepts.
fn reference(record: &PaymentRecord) -> Option<String> {
    let name = record.transaction_hash.as_ref().or(record.exchange_id.as_ref())?;
    let is_text = name.len() <= MAX_REFERENCE && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_text.then(|| name.clone())
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;

    #[test]
    fn reference_is_the_hash_or_the_exchanges_id() {
        let mut record = record();
        assert_eq!(reference(&record), None);
        record.exchange_id = Some("1014".to_owned());
        assert_eq!(reference(&record).as_deref(), Some("1014"));
        record.transaction_hash = Some("0xaa".to_owned());
        assert_eq!(reference(&record).as_deref(), Some("0xaa"));
        for strange in ["0xaa\n".to_owned(), "a b".to_owned(), "a".repeat(MAX_REFERENCE + 1)] {
            record.transaction_hash = Some(strange);
            assert_eq!(reference(&record), None);
        }
    }

    #[test]
    fn open_payment_has_no_outcome_to_report() {
        for state in PaymentState::ALL {
            assert_eq!(outcome(state).is_some(), state.is_final(), "{state:?}");
        }
    }
}
