//! Commands that act on a data directory or a wallet, without a stack.

pub mod keys;
pub mod wallets;
