//! Payments: what moves money out of a wallet, or between its own balances.
//!
//! A payment has three calls. `prepare` fixes the nonces, because a run of the protocol is bound to
//! its digest from party 1's first message. `start` checks the tenant's policy and counts the
//! payment in the transaction that opens the signing session, so that the money is counted before a
//! signature exists. `finish` stores the signature in the transaction of its record.
//!
//! One id always means the same bytes. Once a payment is counted, its nonces never change, and a
//! signature is made once: a repeat reads it. So an Aster `Action` has one wrapper.

mod decide;
mod list;
mod nonce;
mod prepare;
mod record;
mod sign;
mod spent;
mod terms;
#[cfg(test)]
mod tests;

pub use list::counted_payments;
