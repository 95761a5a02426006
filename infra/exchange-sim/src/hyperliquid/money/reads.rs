//! `POST /info`: the ledger, fees and routes of payments.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::super::Exchange;
use super::exists;
use super::pockets::{ONE_USDC, system_token};
use crate::lock;
use crate::market::{Engine, Num};

/// Most entries of a response. The oldest of the period come first.
const MOST: usize = 500;

/// Returns the response to `userNonFundingLedgerUpdates`.
pub(in crate::hyperliquid) fn ledger(
    engine: &Engine,
    user: Address,
    (start, end): (u64, Option<u64>),
) -> Value {
    let period = start..=end.unwrap_or(u64::MAX);
    let own = engine.bookings(user).filter(|(_, booking)| period.contains(&booking.at));
    own.take(MOST)
        .map(|(_, it)| json!({"time": it.at, "hash": it.hash, "delta": it.shown}))
        .collect()
}

/// Returns the response to `preTransferCheck`: the fee of a transfer from `source` to `user`. A
/// guess: it includes the activation that the source itself has not paid.
pub(in crate::hyperliquid) fn check(
    exchange: &Exchange,
    user: Address,
    source: Address,
    now: u64,
) -> Value {
    let mut book = lock(&exchange.0.book);
    let engine = lock(&exchange.0.engine);
    let known = system_token(user).is_some() || exists(&mut book, &engine, user, now);
    let of_user = if known { Num::ZERO } else { ONE_USDC };
    let activated = engine.account(source).is_some_and(|account| account.activated);
    let of_source = if activated { Num::ZERO } else { ONE_USDC };
    json!({
        "fee": (of_user + of_source).dotted(),
        "isSanctioned": false,
        "userExists": known,
        "userHasSentTx": engine.account(user).is_some_and(|account| account.activated),
    })
}

/// Returns the response to `usdcRouting`.
pub(in crate::hyperliquid) fn routing(exchange: &Exchange) -> Value {
    let route = exchange.rules().money.route.word();
    json!({"depositRoute": route, "withdrawalRoute": route})
}
