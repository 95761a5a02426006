//! What steering and tests read from a simulator.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use serde::Serialize;

use crate::market::{Booking, Execution, Order};

/// What became of one client's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Executed {
    /// Number of orders with the id that the exchange accepted.
    pub accepted: u32,
    /// Quantity that all of them filled, as a decimal.
    pub filled: String,
    /// Hashes of the signed requests that were accepted.
    pub requests: BTreeSet<String>,
}

impl From<Execution> for Executed {
    fn from(execution: Execution) -> Self {
        let Execution { accepted, filled, requests } = execution;
        Self { accepted, filled: filled.text(), requests }
    }
}

/// An open order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenOrder {
    /// The exchange's number.
    pub order_id: u64,
    /// The client's id.
    pub client_order_id: Option<String>,
    /// Name of the market.
    pub symbol: String,
    /// Whether the order buys.
    pub buy: bool,
    /// Decimal.
    pub price: String,
    /// Decimal.
    pub quantity: String,
    /// Decimal.
    pub filled: String,
    /// The exchange's word.
    pub status: &'static str,
}

impl OpenOrder {
    pub(crate) fn new(order: &Order, status: &'static str) -> Self {
        Self {
            order_id: order.oid,
            client_order_id: order.client.clone(),
            symbol: order.market.clone(),
            buy: order.buy,
            price: order.price.text(),
            quantity: order.size.text(),
            filled: order.filled.text(),
            status,
        }
    }
}

/// An entry of an account's ledger at an exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The exchange's word, such as `withdraw`, `send` or `DEPOSIT`.
    pub kind: String,
    /// Nonce of the signed request; absent for money that arrived.
    pub nonce: Option<u64>,
    /// Hash of the signed request, or of the deposit's transaction.
    pub hash: String,
    /// Decimal.
    pub amount: String,
    /// The payment on a chain: the chain's id, the asset, the receiver, and the amount.
    pub payout: Option<(u64, String, Address, String)>,
    /// Whether the payment on the chain was made.
    pub is_paid: bool,
}

impl From<&Booking> for Payment {
    fn from(booking: &Booking) -> Self {
        let payout = booking.payout.as_ref();
        Self {
            kind: booking.shown["type"].as_str().unwrap_or_default().to_owned(),
            nonce: booking.nonce,
            hash: booking.hash.clone(),
            amount: booking.amount.text(),
            payout: payout.map(|it| (it.chain_id, it.asset.clone(), it.to, it.amount.text())),
            is_paid: payout.is_some_and(|it| it.paid.is_some()),
        }
    }
}
