//! Simulators of three exchanges that behave like the originals on the wire: [`hyperliquid`],
//! [`aster`] and [`lighter`], and of the chains on which they pay: [`chain`].
//!
//! Each is an in-memory server at the network edge, so tests run the code that ships, over real
//! HTTP. A simulator verifies everything: it rebuilds the typed data of every request, and recovers
//! the signer with `alloy`. The product signs with other libraries, so this is an independent
//! check. A simulator enforces nonces, names, slots, expiries and deposits, with the exchanges' own
//! error texts. Aster also has its legacy API V1, which issues keys with a secret ([`aster::v1`]).
//! Lighter's signatures are of another kind, and are verified by [`lighter::proof`].
//!
//! All trade: they have order books, positions, margin and trigger orders. Tests set prices, the
//! house's liquidity and balances (`set_price`, `set_liquidity`, `deposit_amount`, `set_mode`), and
//! read what became of each client's id (`executions`). A person does the same over HTTP
//! ([`steer`]).
//!
//! Tests can make requests fail ([`faults`]), and act as an account's owner on another client:
//! `add_agent`, `remove_agent`, `add_v1_key`, `remove_v1_key`.
//!
//! Where the exchanges publish no rule, the simulators apply the stricter guess, so that a client
//! that passes here also passes at the exchange. Comments mark each guess.
//!
//! ```no_run
//! # async fn mount() -> std::io::Result<()> {
//! use exchange_sim::{Now, hyperliquid};
//!
//! let now: Now = std::sync::Arc::new(|| 1_790_000_000_000);
//! let exchange = hyperliquid::Exchange::new(hyperliquid::Chain::Mainnet, now);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! axum::serve(listener, exchange.router()).await
//! # }
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use alloy_primitives::Address;
use alloy_primitives::U256;

pub mod aster;
pub mod chain;
mod edge;
mod eip712;
pub mod faults;
pub mod hyperliquid;
pub mod journal;
pub mod lighter;
mod market;
mod nonces;
pub mod requests;
pub mod signature;
pub mod steer;

/// Returns the time in milliseconds since the Unix epoch. Passed in, so that tests control the
/// time.
pub type Now = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Locks, even if a test panicked while it held the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Parses `0x` and 40 hex digits of any letter case, the only form of an address on these wires.
fn parse_address(text: &str) -> Option<Address> {
    let digits = text.strip_prefix("0x")?;
    let mut bytes = [0; 20];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(Address::from(bytes))
}

/// Parses `0x` and hex digits, with or without leading zeros.
fn parse_hex_number(text: &str) -> Option<U256> {
    let digits = text.strip_prefix("0x")?;
    let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    plain.then(|| U256::from_str_radix(digits, 16).ok())?
}
