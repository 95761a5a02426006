//! Trading with the registered keys: the rules that need neither an exchange nor the table.
//!
//! The modules here refer to no other module of the crate, so that the exchanges' clients and the
//! store can use their types.

pub mod code;
pub mod decimal;
pub mod ids;
pub mod ledger;
pub mod order;
pub mod policy;
