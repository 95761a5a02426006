//! Payments on the chains, and deposits from them.

use std::sync::Arc;

use serde_json::json;

use super::super::Exchange;
use super::pockets::{USDC, usdc_system};
use super::{bridge_chain, hyperevm};
use crate::chain::{Chains, Deposit, Venue};
use crate::lock;
use crate::market::{Booking, Num};
use crate::steer::Payment;

/// Less than this is lost.
const LEAST_DEPOSIT: Num = Num::whole(5);

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

    /// Returns the entries of an account's ledger, oldest first.
    #[must_use]
    pub fn payments(&self, account: alloy_primitives::Address) -> Vec<Payment> {
        self.0.edge.run_late();
        self.settle();
        lock(&self.0.engine).bookings(account).map(|(_, booking)| booking.into()).collect()
    }

    /// Makes the payments that are due, and credits deposits. Repeats change nothing.
    pub(in crate::hyperliquid) fn settle(&self) {
        let Some(chains) = lock(&self.0.chains).clone() else { return };
        let now = (self.0.now)();
        let due = lock(&self.0.engine).due_payouts(now);
        for (id, payout) in due {
            let hash = lock(&self.0.engine).booking_hash(id);
            let paid = chains.pay(&format!("hyperliquid/{hash}"), &payout);
            let mut engine = lock(&self.0.engine);
            engine.mark_paid(id, paid);
            engine.commit(now);
        }
        for deposit in chains.deposits(Venue::Hyperliquid) {
            self.credit(&deposit, now);
        }
    }

    fn credit(&self, deposit: &Deposit, now: u64) {
        let Deposit { chain_id, account, amount, to_spot, hash, .. } = deposit;
        let chain = self.0.chain;
        let over_bridge = *chain_id == bridge_chain(chain);
        let is_own = over_bridge || *chain_id == hyperevm(chain);
        if !is_own || (over_bridge && *amount < LEAST_DEPOSIT) {
            return;
        }
        let mut book = lock(&self.0.book);
        let mut engine = lock(&self.0.engine);
        if engine.has_booked(hash) {
            return;
        }
        book.deposit(*account);
        engine.credit(*account, if *to_spot { "spot:USDC" } else { "perp:" }, *amount);
        let shown = if over_bridge {
            json!({"type": "deposit", "usdc": amount.text()})
        } else {
            json!({
                "type": "send",
                "user": format!("{:#x}", usdc_system()),
                "destination": format!("{account:#x}"),
                "sourceDex": "spot",
                "destinationDex": if *to_spot { "spot" } else { "" },
                "token": USDC,
                "amount": amount.text(),
                "usdcValue": amount.text(),
                "fee": "0.0",
                "nativeTokenFee": "0.0",
                "nonce": null,
                "feeToken": "",
            })
        };
        let (account, hash, amount) = (*account, hash.clone(), *amount);
        engine.book(Booking { account, at: now, hash, nonce: None, amount, shown, payout: None });
        engine.commit(now);
    }
}
