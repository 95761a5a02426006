//! Payments: money that leaves a wallet's account at an exchange or its address on a chain, or moves
//! between its own balances. The cosigner decides and sets the nonces; this is the endpoint's side.
//!
//! | file | holds |
//! | --- | --- |
//! | `request`, `id` | what a caller asks for, and the id that follows from its `Idempotency-Key` |
//! | `plan` | the payment and its costs, from the exchange's or the chain's present state |
//! | `pay`, `send` | making a payment: record, signatures, stored bytes, sending |
//! | `track`, `resolve` | the outcome of a payment, from the exchange's ledger or the chain's receipt |
//! | `entries` | the entries of ledgers that belong to a payment |
//! | `job` | the outcome of every payment that is due |
//! | `report` | the report of an outcome to the cosigner |
//! | `calls` | the exchanges with their budget and circuit |
//! | `tokens` | the tokens of the chains |
//! | `error` | errors |
//!
//! Four rules make a payment execute at most once. The record is stored before the cosigner hears of
//! the payment, and never changes what it asks for. The cosigner gives one id one set of nonces and
//! signatures. The bytes are stored before the first of them is sent. After a lost response the same
//! bytes are sent again where the nonce makes them single-use (Hyperliquid, chains), and never at
//! Aster, whose history is read instead; without a match such a payment stays unknown.

mod agent;
mod calls;
mod entries;
mod error;
mod id;
mod job;
mod pay;
mod plan;
mod report;
mod request;
mod resolve;
mod send;
#[cfg(test)]
mod tests;
pub mod tokens;
mod track;

pub use error::MoneyError;
pub use id::payment_id;
pub use job::{PaymentJob, PaymentRun};
pub use pay::{Paid, Payer};
pub use plan::{Arrival, Quote};
pub use request::{
    EvmTransfer, Gas, HyperliquidMove, PaymentRequest, Wanted, WithdrawAster, WithdrawHyperliquid,
};
pub use track::{PaymentView, Tracker, TrackerParts};

/// Until when a request may begin a call, in milliseconds after its start. With the last call it is
/// shorter than API Gateway's 29 seconds.
const REQUEST_MS: u64 = 20_000;

/// The lease of a call at work, in milliseconds. It exceeds the longest request.
const LEASE_MS: u64 = 30_000;
