//! Payments on the chains, and deposits from them.

use std::sync::Arc;

use alloy_primitives::Address;
use serde_json::json;

use super::super::Exchange;
use super::Kind;
use crate::chain::{Chains, Deposit, Venue};
use crate::lock;
use crate::market::Booking;
use crate::steer::Payment;

impl Exchange {
    /// Connects the exchange to chains, on which it pays withdrawals and finds deposits.
    pub fn connect(&self, chains: &Chains) {
        *lock(&self.0.chains) = Some(chains.clone());
        let weak = Arc::downgrade(&self.0);
        chains.on_use(move || {
            if let Some(inner) = weak.upgrade() {
                Self(inner).settle();
            }
        });
    }

    /// Returns the entries of an account's history, oldest first.
    #[must_use]
    pub fn payments(&self, account: Address) -> Vec<Payment> {
        self.0.edge.run_late();
        self.settle();
        lock(&self.0.engine).bookings(account).map(|(_, booking)| booking.into()).collect()
    }

    /// Makes the payments that are due, and credits deposits. Repeats change nothing.
    pub(in crate::aster) fn settle(&self) {
        let Some(chains) = lock(&self.0.chains).clone() else { return };
        let now = (self.0.now)();
        let due = lock(&self.0.engine).due_payouts(now);
        for (id, payout) in due {
            let hash = lock(&self.0.engine).booking_hash(id);
            let paid = chains.pay(&format!("aster/{hash}"), &payout);
            let mut engine = lock(&self.0.engine);
            engine.mark_paid(id, paid);
            engine.commit(now);
        }
        for deposit in chains.deposits(Venue::Aster) {
            self.credit(deposit, now);
        }
    }

    fn credit(&self, deposit: Deposit, now: u64) {
        let Deposit { chain_id, account, asset, amount, to_spot, hash, .. } = deposit;
        let kind = if to_spot { Kind::Spot } else { Kind::Perp };
        let mut accounts = lock(&self.0.accounts);
        let mut engine = lock(&self.0.engine);
        if engine.has_booked(&hash) {
            return;
        }
        accounts.deposit(account);
        engine.credit(account, &kind.pocket(&asset), amount);
        let shown = json!({
            "type": "DEPOSIT",
            "asset": asset,
            "chainId": chain_id,
            "accountType": kind.word(),
        });
        engine.book(Booking { account, at: now, hash, nonce: None, amount, shown, payout: None });
        engine.commit(now);
    }
}
