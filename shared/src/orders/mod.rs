//! Orders with the registered keys: placed, changed, cancelled, read, and resolved after a lost
//! response. Each order executes at most once.
//!
//! | file | holds |
//! | --- | --- |
//! | `place`, `modify`, `cancel`, `read` | the operations of callers |
//! | `resolve`, `job` | finding the outcome of an order whose response was lost |
//! | `plan` | the orders of a request: checked, priced, and built for the exchange |
//! | `reserve` | the transaction that stores the signed bytes before they are sent |
//! | `outcome` | what an exchange's response means for the record |
//! | `client` | the two exchanges with their budget and circuit |
//! | `markets` | the markets of an exchange, cached with a bounded age |
//! | `access` | the wallet, its credential, its policy and its agent's key |
//! | `sequencer` | one reservation at a time for each wallet in a process |
//! | `view`, `error` | results and errors |
//!
//! The rules that make an order execute at most once are in `docs/concepts/trading.md`.

#![deny(clippy::float_arithmetic)]

mod access;
mod cancel;
mod client;
mod error;
mod job;
mod markets;
mod modify;
mod outcome;
mod place;
mod plan;
mod read;
mod reserve;
mod resolve;
mod sequencer;
mod view;

pub use error::{BrokenRule, CredentialGap, TradeError};
pub use job::{ResolveLimits, ResolveRun};
pub use view::{LegView, OrderToPlace, OrderView, PlacedOrder, Placing};

use domain::clock::Clock;
use domain::ids::{Exchange, WalletRef};
use platform::env::ConfigError;
use platform::items::StoreError;

use crate::caller::Caller;
use crate::exchanges::budget::Spender;
use crate::runtime::Runtime;
use crate::store::Store;
use crate::trading::ids::OrderName;
use crate::trading::order::{ChangeRequest, SymbolText};

/// The orders of one exchange. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Trader { /* private */ }

impl Trader {
    /// Returns Aster's orders, with clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn aster_from_env(runtime: &Runtime<'_>, spender: Spender) -> Result<Self, ConfigError>;

    /// Returns Hyperliquid's orders, with clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn hyperliquid_from_env(runtime: &Runtime<'_>, spender: Spender) -> Result<Self, ConfigError>;

    /// Returns the exchange.
    pub const fn exchange(&self) -> Exchange;
    /// Returns the table.
    pub const fn store(&self) -> &Store;
    /// Returns the clock.
    pub const fn clock(&self) -> &Clock;

    /// Places orders. `key` is the `Idempotency-Key`.
    pub async fn place(&self, caller: &Caller, wallet: &WalletRef, orders: &[OrderToPlace], key: Option<&str>) -> Result<Placing, TradeError>;
    /// Changes price and quantity of an open limit order.
    pub async fn modify(&self, caller: &Caller, wallet: &WalletRef, order: &OrderName, change: &ChangeRequest, symbol: Option<&SymbolText>) -> Result<OrderView, TradeError>;
    /// Cancels an order.
    pub async fn cancel(&self, caller: &Caller, wallet: &WalletRef, order: &OrderName, symbol: Option<&SymbolText>) -> Result<OrderView, TradeError>;
    /// Cancels all open orders of a market, and returns them in their state after it.
    pub async fn cancel_all(&self, caller: &Caller, wallet: &WalletRef, symbol: &SymbolText) -> Result<Vec<OrderView>, TradeError>;
    /// Returns the open orders of a market, or of all markets.
    pub async fn open_orders(&self, caller: &Caller, wallet: &WalletRef, symbol: Option<&SymbolText>) -> Result<Vec<OrderView>, TradeError>;
    /// Returns an order in its present state.
    pub async fn status(&self, caller: &Caller, wallet: &WalletRef, order: &OrderName, symbol: Option<&SymbolText>) -> Result<OrderView, TradeError>;
    /// Resolves the orders whose outcome is unknown (the job).
    pub async fn resolve_due(&self, limits: &ResolveLimits) -> Result<ResolveRun, StoreError>;
}
