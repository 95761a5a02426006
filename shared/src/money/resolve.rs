//! Finding the outcome of a payment: in the ledger of Hyperliquid by the nonce, in the history of
//! Aster by asset, amount and time, and on a chain by the receipt. What the ledger cannot decide stays
//! unknown.

use domain::money::{AsterWithdraw, EvmTokenTransfer, HyperliquidWithdraw, Nonces, Payment, Route};
use domain::policy::Amount;

use super::MoneyError;
use super::entries::{CLOCK_MS, has_nonce_in_ledger, is_payment, is_withdrawal};
use super::plan::cctp_fee;
use super::send::Change;
use super::track::{Holder, Tracker, Wire};
use crate::exchanges::aster::money::{HistoryEntry, HistoryState};
use crate::store::{PaymentRecord, PaymentState, SignedPayment};

/// How long after a nonce its bytes may execute at Hyperliquid, with a margin, in milliseconds: two
/// days and an hour.
const NONCE_LIFE_MS: u64 = 49 * 60 * 60 * 1_000;

/// How long a ledger or a node may lag behind the use of a nonce, in milliseconds. A payment whose
/// nonce is used is refused for good only when it is still missing after this time.
const LAG_MS: u64 = 5 * 60 * 1_000;

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
        let wallet = holder.wallet.address;
        let age_ms = self.now_ms().saturating_sub(nonce_ms);
        if !has_nonce_in_ledger(&record.payment) {
            // Two equal transfers cannot be told apart there, so only the exchange's response to these
            // bytes states their outcome. Otherwise it stays unknown.
            if signed.fenced_at_ms.is_some()
                || age_ms > NONCE_LIFE_MS
                || holder.wallet.operator_freeze.is_some()
            {
                let state = match record.state {
                    PaymentState::Signed => PaymentState::Unknown,
                    state => state,
                };
                return Ok(Change::to(state));
            }
            calls.take(tenant).await?;
            return self.send(holder, record, signed, false).await;
        }
        let found = calls.in_ledger(tenant, wallet, from_ms, |entry| {
            is_payment(entry, &record.payment, wallet, nonce_ms)
        });
        if let Some(entry) = found.await? {
            return Ok(Change {
                transaction_hash: Some(entry.hash),
                fee_taken: entry.fee.and_then(|fee| self.fee_taken(&record.payment, &fee.text())),
                ..Change::to(PaymentState::Completed)
            });
        }
        if record.state == PaymentState::Sent {
            return Ok(Change::default());
        }
        if age_ms > NONCE_LIFE_MS {
            return Ok(Change::refused("NONCE_EXPIRED", "the exchange never executed the payment"));
        }
        if signed.fenced_at_ms.is_some() {
            let refused = || {
                Change::refused("NOT_EXECUTED", "the nonce is used and the ledger has no payment")
            };
            return Ok(if self.is_settled(signed) { refused() } else { Change::default() });
        }
        // A freeze holds back what was not executed yet.
        if holder.wallet.operator_freeze.is_some() {
            return Ok(Change::default());
        }
        calls.take(tenant).await?;
        self.send(holder, record, signed, false).await
    }

    /// Returns the fee of a payment. The ledger does not have the fee of Circle's way.
    fn fee_taken(&self, payment: &Payment, in_ledger: &str) -> Option<String> {
        let beside = match payment {
            Payment::HyperliquidWithdraw(HyperliquidWithdraw {
                route: Route::Cctp { domain, .. },
                ..
            }) => cctp_fee(self.networks.hyperliquid, *domain)?,
            _ => return Some(in_ledger.to_owned()),
        };
        Some(Amount::parse(in_ledger).ok()?.checked_add(beside)?.to_string())
    }

    /// Returns whether the nonce has been used for so long that every ledger and node shows by what.
    fn is_settled(&self, signed: &SignedPayment) -> bool {
        let fenced_at_ms = signed.fenced_at_ms;
        fenced_at_ms.is_some_and(|at_ms| self.now_ms() > at_ms.saturating_add(LAG_MS))
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
        // The bytes are sent once, and Aster refused their nonce: too late, or used by other bytes.
        if self.is_settled(signed) && record.state != PaymentState::Sent {
            let text = "the exchange refused the nonce, and its history has no such withdrawal";
            return Ok(Found::Change(Change::refused("NONCE_EXPIRED", text)));
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
        let hash = record.transaction_hash.as_deref();
        let hash = hash.ok_or(MoneyError::Damaged("no transaction hash"))?;
        // The account has this nonce on every chain.
        chain.check().await?;
        let mined = chain.mined_nonce(holder.wallet.address).await?;
        let receipt = chain.receipt(hash).await?;
        if receipt.is_some_and(|receipt| receipt.succeeded) {
            return Ok(Change::to(PaymentState::Completed));
        }
        if receipt.is_some() || mined > transfer.account_nonce {
            // Another node may be behind, and a block that was replaced changes both.
            let refused = || match receipt {
                Some(_) => Change::refused("REVERTED", "the chain has reverted the transaction"),
                None => {
                    let text = "another transaction has used the account's nonce";
                    Change::refused("NONCE_TAKEN", text)
                }
            };
            let wait = || Change { fenced: true, ..Change::default() };
            return Ok(if self.is_settled(signed) { refused() } else { wait() });
        }
        if holder.wallet.operator_freeze.is_some() {
            return Ok(Change::default());
        }
        self.send(holder, record, signed, false).await
    }
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
