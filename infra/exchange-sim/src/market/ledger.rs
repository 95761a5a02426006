//! Ledger of money that enters or leaves an account other than by trading.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Engine, Num, journal::Key};

/// An entry of an account's ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Booking {
    pub(crate) account: Address,
    pub(crate) at: u64,
    /// Hash of the signed request, or of the deposit's transaction.
    pub(crate) hash: String,
    /// Nonce of the signed request; absent for money that arrives.
    pub(crate) nonce: Option<u64>,
    /// Amount that left the account, or arrived.
    pub(crate) amount: Num,
    /// What the exchange shows.
    pub(crate) shown: Value,
    /// Payment on a chain that belongs to the entry.
    pub(crate) payout: Option<Payout>,
}

/// Payment of an exchange on a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payout {
    pub(crate) chain_id: u64,
    /// Symbol of the token, or of the chain's own coin.
    pub(crate) asset: String,
    pub(crate) to: Address,
    pub(crate) amount: Num,
    /// Time of the payment, in milliseconds.
    pub(crate) due: u64,
    /// Hash of the transaction, once it was made.
    pub(crate) paid: Option<String>,
}

impl Engine {
    /// Adds an entry to the ledger, and returns its number.
    pub(crate) fn book(&mut self, booking: Booking) -> u64 {
        let id = self.ledger.last_key_value().map_or(0, |(id, _)| *id) + 1;
        self.touch(Key::Booking(id));
        self.ledger.insert(id, booking);
        id
    }

    /// Returns the entries of an account, oldest first.
    pub(crate) fn bookings(&self, account: Address) -> impl Iterator<Item = (u64, &Booking)> {
        let own = self.ledger.iter().filter(move |(_, booking)| booking.account == account);
        own.map(|(id, booking)| (*id, booking))
    }

    /// Returns whether an entry has this hash.
    pub(crate) fn has_booked(&self, hash: &str) -> bool {
        self.ledger.values().any(|booking| booking.hash == hash)
    }

    /// Returns the hash of an entry.
    pub(crate) fn booking_hash(&self, id: u64) -> String {
        self.ledger.get(&id).map(|booking| booking.hash.clone()).unwrap_or_default()
    }

    /// Returns the payments that are due and not made.
    pub(crate) fn due_payouts(&self, now: u64) -> Vec<(u64, Payout)> {
        let payouts =
            self.ledger.iter().filter_map(|(id, booking)| Some((*id, booking.payout.clone()?)));
        payouts.filter(|(_, payout)| payout.paid.is_none() && payout.due <= now).collect()
    }

    /// Notes that a payment was made.
    pub(crate) fn mark_paid(&mut self, id: u64, transaction: String) {
        self.touch(Key::Booking(id));
        if let Some(payout) = self.ledger.get_mut(&id).and_then(|it| it.payout.as_mut()) {
            payout.paid = Some(transaction);
        }
    }

    /// Moves a sum from one pocket to another, which may belong to another account. Returns false if
    /// the first does not have it.
    pub(crate) fn move_funds(
        &mut self,
        (from, pocket): (Address, &str),
        (to, other): (Address, &str),
        amount: Num,
    ) -> bool {
        if amount > self.available(from, pocket) {
            return false;
        }
        self.account_mut(from).credit(pocket, -amount);
        self.credit(to, other, amount);
        true
    }

    /// Takes a sum out of a pocket. Returns false if the pocket does not have it.
    pub(crate) fn debit(&mut self, account: Address, pocket: &str, amount: Num) -> bool {
        let covered = amount <= self.available(account, pocket);
        if covered {
            self.account_mut(account).credit(pocket, -amount);
        }
        covered
    }
}
