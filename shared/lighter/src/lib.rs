//! Signs what a caller's own key signs at Lighter: orders, cancellations, changes of orders and of
//! leverage, and tokens for reads. The transactions of this crate are the whole list: it cannot
//! sign a transfer, a withdrawal, a change of keys or an approval of fees.
//!
//! Sources of the algorithms: `poseidon_crypto` and `lighter-go` of Elliot Technologies, and
//! Thomas Pornin's paper on ECgFp5. Operations on a secret key or a signature's nonce have no
//! branches and no memory accesses that depend on it.
//!
//! - [`SecretKey`] makes [`Signature`]s of a [`Hash`](struct@Hash), and [`AuthToken`]s.
//! - [`Transaction`] has exact integers. [`Transaction::sign`] refuses what Lighter refuses, and
//!   returns the body's `tx_info` with its hash.

mod curve;
mod extension;
mod field;
mod fields;
mod key;
mod order;
mod poseidon2;
mod scalar;
mod signature;
mod token;
mod transaction;
#[cfg(test)]
mod vectors;

pub use fields::TransactionError;
pub use key::{KeyError, PublicKey, SecretKey};
pub use order::{Grouping, Order, OrderGroup, OrderType, TimeInForce};
pub use signature::{Hash, SignError, Signature};
pub use token::{AuthToken, MAX_LIFETIME_S};
pub use transaction::{
    Action, Attributes, CancelAll, MarginMode, Modify, SignedTransaction, Transaction,
};

/// Chain id of the main network, the first element of each hash.
pub const MAINNET: u32 = 304;

/// Chain id of the test network.
pub const TESTNET: u32 = 300;
