//! The vocabulary of trading: decimal numbers and the words of orders. It depends on no other
//! module, so the store and the exchanges use it too.

pub mod decimal;
pub mod order;
