//! Finding the outcome of a payment: in the ledger of Hyperliquid by the nonce, in the history of
//! Aster by asset, amount and time, and on a chain by the receipt.

use domain::money::{AsterWithdraw, EvmTokenTransfer, Nonces, Payment};
use domain::policy::Amount;

use super::send::Change;
use super::track::{Holder, Tracker, Wire};
use super::{LEASE_MS, MoneyError};
use crate::evm::Chain;
use crate::exchanges::aster::money::{HistoryEntry, HistoryState};
use crate::exchanges::hyperliquid::money::{LedgerEntry, LedgerKind};
use crate::store::{PaymentRecord, PaymentState, SignedPayment};

/// How far the ledger's clock may be behind the nonce's, in milliseconds.
const CLOCK_MS: u64 = 60_000;

/// How long after a nonce its bytes may execute at Hyperliquid, with a margin, in milliseconds: two
/// days and an hour.
const NONCE_LIFE_MS: u64 = 49 * 60 * 60 * 1_000;

/// How long the ledger may lag behind bytes that can no longer execute, in milliseconds.
const LEDGER_LAG_MS: u64 = 5 * 60 * 1_000;

/// What one look has found.
enum Found {
    /// The change of the record.
    Change(Change),
    /// The entry of Aster's history that belongs to the payment, with the change.
    Entry(String, Change),
}

impl Tracker {
    /// Looks once for the outcome of an open payment, and stores what it finds.
    ///
    /// # Errors
    /// Fails when the exchange or the chain cannot be asked. Another look may find the outcome.
    pub(super) async fn resolve(
        &self,
        holder: &Holder,
        record: PaymentRecord,
    ) -> Result<PaymentRecord, MoneyError> {
        let Some(record) = self.take_over(&holder.account, record.clone()).await? else {
            return Ok(record);
        };
        let found = match self.look(holder, &record).await {
            Ok(found) => found,
            Err(error) => {
                // The next look is due after a time that grows.
                self.store_change(holder, &record, Change::default()).await?;
                return Err(error);
            }
        };
        match found {
            Found::Change(change) => self.store_change(holder, &record, change).await,
            Found::Entry(entry, change) => self.store_claim(holder, &record, change, &entry).await,
        }
    }

    async fn look(&self, holder: &Holder, record: &PaymentRecord) -> Result<Found, MoneyError> {
        let signed = record.signed.as_ref().ok_or(MoneyError::Damaged("no signed bytes"))?;
        match (&record.payment, &self.wire) {
            (Payment::AsterWithdraw(withdraw), Wire::Aster(_)) => {
                self.look_at_aster(holder, record, withdraw, signed).await
            }
            (Payment::EvmTokenTransfer(transfer), Wire::Evm) => {
                let change = self.look_at_chain(holder, record, transfer, signed).await?;
                Ok(Found::Change(change))
            }
            (_, Wire::Hyperliquid(_)) => {
                self.look_at_hyperliquid(holder, record, signed).await.map(Found::Change)
            }
            _ => Err(MoneyError::Damaged("a payment of another place")),
        }
    }

    /// Reads the ledger, and sends the same bytes again if it does not have the payment.
    async fn look_at_hyperliquid(
        &self,
        holder: &Holder,
        record: &PaymentRecord,
        signed: &SignedPayment,
    ) -> Result<Change, MoneyError> {
        let Wire::Hyperliquid(calls) = &self.wire else {
            return Err(MoneyError::Damaged("a payment of another place"));
        };
        let Nonces::Hyperliquid(nonce_ms) = signed.nonces else {
            return Err(MoneyError::Damaged("nonces of another place"));
        };
        let tenant = &holder.account.tenant;
        let from_ms = nonce_ms.saturating_sub(CLOCK_MS);
        let ledger = calls.ledger(tenant, holder.wallet.address, from_ms).await?;
        if let Some(entry) = ledger.iter().find(|entry| is_payment(entry, record, nonce_ms)) {
            return Ok(Change {
                transaction_hash: Some(entry.hash.clone()),
                fee_taken: entry.fee.map(|fee| fee.text()),
                ..Change::to(PaymentState::Completed)
            });
        }
        let age_ms = self.now_ms().saturating_sub(nonce_ms);
        if record.state == PaymentState::Sent {
            return Ok(Change::default());
        }
        if age_ms > NONCE_LIFE_MS {
            return Ok(Change::refused("NONCE_EXPIRED", "the exchange never executed the payment"));
        }
        if signed.fenced {
            let is_settled = age_ms > LEDGER_LAG_MS;
            let refused = || {
                Change::refused("NOT_EXECUTED", "the nonce is used and the ledger has no payment")
            };
            return Ok(if is_settled { refused() } else { Change::default() });
        }
        // A freeze holds back what was not executed yet.
        if holder.wallet.operator_freeze.is_some() {
            return Ok(Change::default());
        }
        calls.take(tenant).await?;
        self.send(holder, record, signed, false).await
    }

    /// Reads the history. The bytes are never sent again.
    async fn look_at_aster(
        &self,
        holder: &Holder,
        record: &PaymentRecord,
        withdraw: &AsterWithdraw,
        signed: &SignedPayment,
    ) -> Result<Found, MoneyError> {
        let Wire::Aster(calls) = &self.wire else {
            return Err(MoneyError::Damaged("a payment of another place"));
        };
        let key = self.agent(holder).await?.ok_or(MoneyError::NoAgent)?;
        let (tenant, user) = (&holder.account.tenant, holder.wallet.address);
        let history = calls.history(tenant, user, &key).await?;
        let by_id = record
            .exchange_id
            .as_ref()
            .and_then(|id| history.iter().find(|entry| entry.is_withdrawal && entry.id == *id));
        if let Some(entry) = by_id {
            return Ok(of_entry(entry));
        }
        for entry in history.iter().filter(|entry| is_withdrawal(entry, withdraw, signed)) {
            let owner = self.store.claim_of(&holder.account, &entry.id).await?;
            if owner.is_none_or(|owner| owner == record.id) {
                return Ok(of_entry(entry));
            }
        }
        let state = match record.state {
            PaymentState::Signed => PaymentState::Unknown,
            state => state,
        };
        Ok(Found::Change(Change::to(state)))
    }

    /// Reads the receipt, and broadcasts the same bytes again if the chain does not have them.
    async fn look_at_chain(
        &self,
        holder: &Holder,
        record: &PaymentRecord,
        transfer: &EvmTokenTransfer,
        signed: &SignedPayment,
    ) -> Result<Change, MoneyError> {
        // The caller broadcasts the transaction.
        let Some(chain) = self.chains.get(transfer.chain_id) else { return Ok(Change::default()) };
        if let Some(change) = receipt(chain, record).await? {
            return Ok(change);
        }
        let mined = chain.mined_nonce(holder.wallet.address).await?;
        if mined > transfer.account_nonce {
            // The receipt may be newer than the first look.
            let change = receipt(chain, record).await?;
            let taken = || {
                Change::refused("NONCE_TAKEN", "another transaction has used the account's nonce")
            };
            return Ok(change.unwrap_or_else(taken));
        }
        if holder.wallet.operator_freeze.is_some() {
            return Ok(Change::default());
        }
        self.send(holder, record, signed, false).await
    }
}

async fn receipt(chain: &Chain, record: &PaymentRecord) -> Result<Option<Change>, MoneyError> {
    let hash = record.transaction_hash.as_deref();
    let hash = hash.ok_or(MoneyError::Damaged("no transaction hash"))?;
    Ok(chain.receipt(hash).await?.map(|receipt| {
        if receipt.succeeded {
            Change::to(PaymentState::Completed)
        } else {
            Change::refused("REVERTED", "the chain has reverted the transaction")
        }
    }))
}

/// Returns whether an entry of Hyperliquid's ledger is a payment. An entry without a nonce is
/// compared by kind, amount, receiver and time.
fn is_payment(entry: &LedgerEntry, record: &PaymentRecord, nonce_ms: u64) -> bool {
    if let Some(nonce) = entry.nonce {
        return nonce == nonce_ms;
    }
    let amount = |amount: Amount| {
        entry.amount.and_then(|entry| Amount::parse(&entry.text()).ok()) == Some(amount)
    };
    let is_timely = entry.at_ms.abs_diff(nonce_ms) <= CLOCK_MS;
    match &record.payment {
        Payment::HyperliquidSendAsset(send) if send.standard => {
            entry.kind == LedgerKind::InternalTransfer
                && entry.destination == Some(send.destination)
                && amount(send.amount)
                && is_timely
        }
        Payment::HyperliquidMoveOwn(moved) if moved.standard => {
            let to_perp = moved.to.as_str().is_empty();
            entry.kind == LedgerKind::ClassTransfer { to_perp } && amount(moved.amount) && is_timely
        }
        _ => false,
    }
}

/// Returns whether an entry of Aster's history can be a withdrawal.
fn is_withdrawal(entry: &HistoryEntry, wanted: &AsterWithdraw, signed: &SignedPayment) -> bool {
    entry.is_withdrawal
        && entry.asset == wanted.asset
        && entry.chain_id == wanted.chain_id
        && Amount::parse(&entry.amount.text()).is_ok_and(|amount| amount == wanted.amount)
        && entry.at_ms.saturating_add(CLOCK_MS) >= signed.at_ms
        && entry.at_ms <= signed.at_ms.saturating_add(LEASE_MS + CLOCK_MS)
}

fn of_entry(entry: &HistoryEntry) -> Found {
    let change = match entry.state {
        HistoryState::Processing => Change::to(PaymentState::Sent),
        HistoryState::Succeeded => Change::to(PaymentState::Completed),
        HistoryState::Failed => Change::refused("EXCHANGE_FAILED", "Aster reports it as failed"),
    };
    let transaction_hash = entry.tx_hash.clone();
    let exchange_id = Some(entry.id.clone());
    Found::Entry(entry.id.clone(), Change { transaction_hash, exchange_id, ..change })
}

#[cfg(test)]
mod tests {
    use domain::money::{Dex, HyperliquidMoveOwn, HyperliquidSendAsset, HyperliquidToken};

    use super::super::tests::record;
    use super::*;
    use crate::trading::decimal::Decimal;

    const NONCE: u64 = 1_790_000_000_000;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn usdc() -> HyperliquidToken {
        "USDC:0x6d1e7cde53ba9467b783cb7c530ce054".to_owned().try_into().unwrap()
    }

    fn of(payment: Payment) -> PaymentRecord {
        PaymentRecord { payment, ..record() }
    }

    fn entry(kind: LedgerKind, nonce: Option<u64>, text: &str) -> LedgerEntry {
        LedgerEntry {
            at_ms: NONCE + 300,
            hash: "0xaa".to_owned(),
            kind,
            nonce,
            amount: Some(Decimal::parse(text).unwrap()),
            destination: Some("0x00000000000000000000000000000000000000aa".parse().unwrap()),
            fee: None,
        }
    }

    #[test]
    fn ledger_entry_with_another_nonce_is_another_payment() {
        let record = record();
        assert!(is_payment(&entry(LedgerKind::Withdraw, Some(NONCE), "5"), &record, NONCE));
        assert!(!is_payment(&entry(LedgerKind::Withdraw, Some(NONCE + 1), "5"), &record, NONCE));
        assert!(!is_payment(&entry(LedgerKind::Withdraw, None, "5"), &record, NONCE));
    }

    #[test]
    fn ledger_entry_without_nonce_is_compared_by_content() {
        let (source, target) = (Dex::perps(), Dex::perps());
        let destination = "0x00000000000000000000000000000000000000aa".parse().unwrap();
        let send = of(Payment::HyperliquidSendAsset(HyperliquidSendAsset {
            destination,
            token: usdc(),
            amount: amount("5"),
            source,
            target,
            standard: true,
        }));
        let sent = entry(LedgerKind::InternalTransfer, None, "5.0");
        assert!(is_payment(&sent, &send, NONCE));
        for other in [
            entry(LedgerKind::InternalTransfer, None, "5.1"),
            entry(LedgerKind::Deposit, None, "5"),
            LedgerEntry { destination: None, ..sent.clone() },
            LedgerEntry { at_ms: NONCE + CLOCK_MS + 1, ..sent },
        ] {
            assert!(!is_payment(&other, &send, NONCE), "{other:?}");
        }
        let moved = of(Payment::HyperliquidMoveOwn(HyperliquidMoveOwn {
            token: usdc(),
            amount: amount("5"),
            from: Dex::spot(),
            to: Dex::perps(),
            standard: true,
        }));
        let class = |to_perp| entry(LedgerKind::ClassTransfer { to_perp }, None, "5");
        assert!(is_payment(&class(true), &moved, NONCE));
        assert!(!is_payment(&class(false), &moved, NONCE));
    }

    #[test]
    fn history_entry_matches_asset_amount_chain_and_time() {
        let Payment::AsterWithdraw(wanted) = record().payment else { panic!() };
        let nonces = Nonces::Aster(NONCE * 1_000, NONCE * 1_000);
        let body = String::new();
        let signed = SignedPayment { nonces, body, at_ms: NONCE, fenced: false };
        let entry = HistoryEntry {
            id: "7".to_owned(),
            is_withdrawal: true,
            asset: "USDT".to_owned(),
            amount: Decimal::parse("50.0").unwrap(),
            chain_id: 56,
            state: HistoryState::Processing,
            tx_hash: None,
            at_ms: NONCE + 2_000,
        };
        assert!(is_withdrawal(&entry, &wanted, &signed));
        for other in [
            HistoryEntry { is_withdrawal: false, ..entry.clone() },
            HistoryEntry { asset: "USDC".to_owned(), ..entry.clone() },
            HistoryEntry { amount: Decimal::parse("50.01").unwrap(), ..entry.clone() },
            HistoryEntry { chain_id: 1, ..entry.clone() },
            HistoryEntry { at_ms: NONCE - CLOCK_MS - 1, ..entry.clone() },
            HistoryEntry { at_ms: NONCE + 10 * 60_000, ..entry.clone() },
        ] {
            assert!(!is_withdrawal(&other, &wanted, &signed), "{other:?}");
        }
    }
}
