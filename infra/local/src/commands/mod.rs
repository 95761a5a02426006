//! The commands that act on a data directory or on a wallet, without a stack.

pub mod keys;
pub mod wallets;
