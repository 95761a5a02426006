//! The vocabulary and the rules of trading: decimal numbers, orders and their ids, the policy and the
//! ledger. It depends on no other module, so the store and the exchanges use it too.

#![deny(clippy::float_arithmetic)]

pub mod decimal;
pub mod dollar;
pub mod ids;
pub mod ledger;
pub mod order;
pub mod policy;
pub mod signed;
