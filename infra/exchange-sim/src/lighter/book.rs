//! Accounts, their keys and nonces, and the transactions that the exchange accepted.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use super::proof::{self, Five};
use super::refusal::{ACCOUNT_NOT_FOUND, INVALID_NONCE, INVALID_SIGNATURE, KEY_NOT_FOUND, Refusal};
use super::wire::{SKIP_NONCE, Tx};

/// Number of transactions that the exchange remembers. Older ones are forgotten.
const REMEMBERED: usize = 500;

/// The largest nonce that may be skipped to.
const MAX_SKIPPED_NONCE: u64 = (1 << 47) - 2;

/// After this time an executed transaction is final.
const FINAL_MS: u64 = 600_000;

/// State of accounts and transactions. A snapshot is its JSON.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Book {
    accounts: BTreeMap<u64, Account>,
    /// By hash.
    transactions: BTreeMap<String, Record>,
    /// Number of the newest transaction.
    last: u64,
}

/// An account.
#[derive(Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) l1_address: Address,
    pub(super) slots: BTreeMap<u8, Slot>,
    /// When all orders are cancelled, in milliseconds, or 0.
    pub(super) cancel_all_at: u64,
}

/// A slot for a key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Slot {
    /// 80 hex digits.
    pub(super) public_key: String,
    /// The next nonce.
    pub(super) nonce: u64,
}

/// An accepted transaction.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) tx_type: u8,
    pub(super) info: String,
    pub(super) account: u64,
    pub(super) slot: u8,
    pub(super) nonce: u64,
    /// The slot's nonce before this transaction.
    before: u64,
    pub(super) expired_at: u64,
    pub(super) queued_at: u64,
    /// When it is executed.
    pub(super) due: u64,
    pub(super) outcome: Option<Outcome>,
}

/// The sequencer's result.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) at: u64,
    /// Code and text of a refusal.
    pub(super) error: Option<(u32, String)>,
    /// Order, trade or market, as JSON.
    pub(super) event_info: String,
}

impl Record {
    /// Returns 0 for a failed one, 1 for a pending one, 2 for an executed one, 3 for a final one.
    pub(super) fn status(&self, now: u64) -> u8 {
        match &self.outcome {
            None => 1,
            Some(Outcome { error: Some(_), .. }) => 0,
            Some(outcome) if outcome.at + FINAL_MS <= now => 3,
            Some(_) => 2,
        }
    }
}

impl Book {
    pub(super) fn account(&self, index: u64) -> Result<&Account, Refusal> {
        self.accounts.get(&index).ok_or(ACCOUNT_NOT_FOUND)
    }

    pub(super) fn account_mut(&mut self, index: u64) -> Option<&mut Account> {
        self.accounts.get_mut(&index)
    }

    pub(super) fn slot(&self, index: u64, slot: u8) -> Result<&Slot, Refusal> {
        self.account(index)?.slots.get(&slot).ok_or(KEY_NOT_FOUND)
    }

    /// Returns the accounts of an L1 address, the master first.
    pub(super) fn accounts_of(&self, l1_address: Address) -> Vec<u64> {
        let owned = self.accounts.iter().filter(|(_, account)| account.l1_address == l1_address);
        owned.map(|(index, _)| *index).collect()
    }

    pub(super) fn indexes(&self) -> Vec<u64> {
        self.accounts.keys().copied().collect()
    }

    /// Adds an account. Returns whether it was missing.
    pub(super) fn add_account(&mut self, index: u64, l1_address: Address) -> bool {
        let is_new = !self.accounts.contains_key(&index);
        if is_new {
            let account = Account { l1_address, slots: BTreeMap::new(), cancel_all_at: 0 };
            self.accounts.insert(index, account);
        }
        is_new
    }

    /// Puts a key into a slot, which keeps its nonce. Returns false for an unknown account.
    pub(super) fn set_key(&mut self, index: u64, slot: u8, public_key: String) -> bool {
        let Some(account) = self.accounts.get_mut(&index) else { return false };
        let nonce = account.slots.get(&slot).map_or(0, |slot| slot.nonce);
        account.slots.insert(slot, Slot { public_key, nonce });
        true
    }

    /// Empties a slot. Returns whether it had a key.
    pub(super) fn remove_key(&mut self, index: u64, slot: u8) -> bool {
        self.accounts.get_mut(&index).is_some_and(|account| account.slots.remove(&slot).is_some())
    }

    /// Checks a signature by the key of an account's slot.
    pub(super) fn verify(
        &self,
        (index, slot): (u64, u8),
        hash: &Five,
        signature: &[u8],
    ) -> Result<(), Refusal> {
        let key = &self.slot(index, slot)?.public_key;
        let key = hex::decode(key).ok().and_then(|bytes| proof::parse(&bytes));
        let verified = key.is_some_and(|key| proof::verifies(&key, hash, signature));
        if verified { Ok(()) } else { Err(INVALID_SIGNATURE) }
    }

    /// Checks a nonce: the next one, or with the attribute any larger one.
    pub(super) fn check_nonce(&self, tx: &Tx) -> Result<(), Refusal> {
        let next = self.slot(tx.account, tx.slot)?.nonce;
        let skips = tx.attributes.get(&SKIP_NONCE) == Some(&1);
        let fits =
            if skips { (next..=MAX_SKIPPED_NONCE).contains(&tx.nonce) } else { tx.nonce == next };
        if fits { Ok(()) } else { Err(INVALID_NONCE) }
    }

    /// Accepts a checked transaction: uses its nonce, and remembers it.
    pub(super) fn accept(&mut self, hash: String, tx: &Tx, info: String, (now, due): (u64, u64)) {
        let slots = self.accounts.get_mut(&tx.account).map(|account| &mut account.slots);
        let Some(slot) = slots.and_then(|slots| slots.get_mut(&tx.slot)) else { return };
        let before = std::mem::replace(&mut slot.nonce, tx.nonce + 1);
        self.last += 1;
        let record = Record {
            number: self.last,
            tx_type: tx.act.tx_type(),
            info,
            account: tx.account,
            slot: tx.slot,
            nonce: tx.nonce,
            before,
            expired_at: tx.expired_at,
            queued_at: now,
            due,
            outcome: None,
        };
        self.transactions.insert(hash, record);
        if self.transactions.len() > REMEMBERED {
            let done = self.transactions.iter().filter(|(_, record)| record.outcome.is_some());
            let oldest = done.min_by_key(|(_, record)| record.number);
            if let Some(hash) = oldest.map(|(hash, _)| hash.clone()) {
                self.transactions.remove(&hash);
            }
        }
    }

    /// Returns the pending transaction that is due first by now.
    pub(super) fn due(&self, now: u64) -> Option<(String, Record)> {
        let pending = self.transactions.iter();
        let due = pending.filter(|(_, record)| record.outcome.is_none() && record.due <= now);
        let first = due.min_by_key(|(_, record)| (record.due, record.number));
        first.map(|(hash, record)| (hash.clone(), record.clone()))
    }

    /// Stores an outcome. `unused`: the nonce counts as not used, if no later one was.
    pub(super) fn finish(&mut self, hash: &str, outcome: Outcome, unused: bool) {
        let Some(record) = self.transactions.get_mut(hash) else { return };
        record.outcome = Some(outcome);
        let (account, slot, nonce, before) =
            (record.account, record.slot, record.nonce, record.before);
        let slots = self.accounts.get_mut(&account).map(|account| &mut account.slots);
        let slot = slots.and_then(|slots| slots.get_mut(&slot));
        if let Some(slot) = slot.filter(|slot| unused && slot.nonce == nonce + 1) {
            slot.nonce = before;
        }
    }

    pub(super) fn transaction(&self, hash: &str) -> Option<&Record> {
        self.transactions.get(hash)
    }
}
