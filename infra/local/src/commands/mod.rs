//! Commands that act on a data directory or a wallet, without a stack.

pub mod arguments;
pub mod keys;
pub mod policy;
pub mod reach;
pub mod recovery;
pub mod tenants;
pub mod wallets;
