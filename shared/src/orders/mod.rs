//! Orders with the registered keys: placed, changed, cancelled, read, and resolved after a lost
//! response. Each order executes at most once.
//!
//! | file | holds |
//! | --- | --- |
//! | `place`, `modify`, `cancel`, `cancel_all`, `read` | the operations of callers |
//! | `close`, `close_all`, `leverage`, `account` | closing positions, changing leverage, and reading an account |
//! | `resolve`, `finding`, `job`, `removal` | finding the outcome of an order whose response was lost |
//! | `plan` | the orders of a request: checked, priced, and built for the exchange |
//! | `reserve`, `exposure` | the transaction that stores the signed bytes before they are sent |
//! | `outcome`, `made` | the meaning of an exchange's response for the record |
//! | `target` | the order that a caller names |
//! | `legs` | the orders that are attached to another one |
//! | `lighter_keys` | the stored keys of Lighter's accounts |
//! | `client` | the exchanges with their budget and circuit |
//! | `markets` | the markets of an exchange, cached with a bounded age |
//! | `access` | the wallet, its credential, its policy and its agent's key |
//! | `sequencer` | one reservation at a time for each wallet in a process |
//! | `deadline` | the time limits of a request |
//! | `config` | settings and dependencies |
//! | `view`, `error` | results and errors |
//!
//! Three rules make an order execute at most once. The signed bytes and their nonce are stored
//! before the first byte is sent. Only one signature of an order may be unresolved. A new signature
//! follows only a proof that the previous one did not and cannot execute: a refusal of bytes that
//! were sent for the first time, or a nonce that can no longer execute and two lookups after it,
//! at least a second apart, that find nothing.

#![deny(clippy::float_arithmetic)]

mod access;
mod account;
mod cancel;
mod cancel_all;
mod client;
mod close;
mod close_all;
mod config;
mod deadline;
mod error;
mod exposure;
mod finding;
mod job;
mod legs;
mod leverage;
mod lighter_keys;
mod made;
mod markets;
mod modify;
mod outcome;
mod place;
mod plan;
mod read;
mod removal;
mod reserve;
mod resolve;
mod sequencer;
mod target;
mod view;

pub use account::{BalancesView, FillView, FillsView, PositionsView};
pub use close::PositionToClose;
pub use close_all::{AllToClose, ClosedPosition, Closing};
pub use config::{TradeConfig, TraderParts};
pub use error::{BrokenRule, CredentialGap, TradeError};
pub use job::{ResolveLimits, ResolveRun};
pub use leverage::LeverageView;
pub use lighter_keys::LighterKeyView;
pub use outcome::is_about_the_order;
pub use removal::Resolvers;
pub use view::{LegView, OrderToPlace, OrderView, PlacedOrder, Placing};

use std::sync::Arc;

use domain::builder::Builder;
use domain::clock::Clock;
use domain::ids::{Exchange, Tenant, WalletRef};
use domain::random::Random;
use platform::env::ConfigError;
use platform::envelope::{Envelope, KeyCache};

use crate::exchanges::budget::{Budget, Spender};
use crate::exchanges::lighter::Credential;
use crate::exchanges::{
    AsterConfig, HyperliquidConfig, LighterConfig, aster, hyperliquid, lighter,
};
use crate::runtime::Runtime;
use crate::store::Store;
use crate::trading::ids::lighter_account_id;
use client::TradeClient;
use client::wire::Wire;
use markets::{MarketCache, Reading};
use sequencer::Sequencer;

/// Until when a request may begin a call to an exchange, in milliseconds after its start. With the
/// last call it is shorter than API Gateway's 29 seconds.
const REQUEST_MS: u64 = 20_000;

/// The orders of one exchange. Clones share connections, caches and turns.
#[derive(Clone, Debug)]
pub struct Trader {
    store: Store,
    envelope: Envelope,
    random: Random,
    keys: KeyCache,
    client: TradeClient,
    budget: config::BudgetParts,
    markets: Arc<MarketCache>,
    sequencer: Sequencer,
    /// The builder that orders carry if the wallet has approved it.
    builder: Option<Builder>,
}

impl Trader {
    /// Returns Aster's orders, with clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn aster_from_env(runtime: &Runtime<'_>, spender: Spender) -> Result<Self, ConfigError> {
        let parts = TraderParts::from_env(runtime, spender)?;
        Ok(Self::aster(parts, &AsterConfig::from_env(&runtime.env)?))
    }

    /// Returns Hyperliquid's orders, with clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn hyperliquid_from_env(
        runtime: &Runtime<'_>,
        spender: Spender,
    ) -> Result<Self, ConfigError> {
        let parts = TraderParts::from_env(runtime, spender)?;
        Ok(Self::hyperliquid(parts, &HyperliquidConfig::from_env(&runtime.env)?))
    }

    /// Returns Aster's orders, with these dependencies.
    #[must_use]
    pub fn aster(parts: TraderParts, config: &AsterConfig) -> Self {
        let timeout_ms = parts.config.order_timeout_ms;
        let client = aster::trade::Client::new(config, timeout_ms, &parts.clock, &parts.random);
        Self::new(parts, Wire::Aster(client), config.builder)
    }

    /// Returns Hyperliquid's orders, with these dependencies.
    #[must_use]
    pub fn hyperliquid(parts: TraderParts, config: &HyperliquidConfig) -> Self {
        let timeout_ms = parts.config.order_timeout_ms;
        let client = hyperliquid::trade::Client::new(config, timeout_ms, &parts.clock);
        Self::new(parts, Wire::Hyperliquid(client), config.builder)
    }

    /// Returns Lighter's orders, with clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn lighter_from_env(runtime: &Runtime<'_>, spender: Spender) -> Result<Self, ConfigError> {
        let parts = TraderParts::from_env(runtime, spender)?;
        Ok(Self::lighter(parts, &LighterConfig::from_env(&runtime.env)?))
    }

    /// Returns Lighter's orders, with these dependencies. They have no key: see
    /// [`Trader::with_key`].
    #[must_use]
    pub fn lighter(parts: TraderParts, config: &LighterConfig) -> Self {
        let timeout_ms = parts.config.order_timeout_ms;
        let client = lighter::trade::Client::new(config, timeout_ms, &parts.clock, &parts.random);
        Self::new(parts, Wire::Lighter(client), None)
    }

    /// Returns a trader with the same connections, caches and turns that signs with a caller's key, and
    /// the name of its account. `None` for an exchange whose keys the service has.
    #[must_use]
    pub fn with_key(&self, credential: Arc<Credential>) -> Option<(Self, WalletRef)> {
        let index = credential.account_index;
        self.with_lighter(index, |client| client.with_credential(credential))
    }

    /// Returns a trader that asks about an account of Lighter, and has no key for it.
    #[must_use]
    pub fn with_account(&self, index: u64) -> Option<(Self, WalletRef)> {
        self.with_lighter(index, |client| client.with_account(index))
    }

    fn with_lighter(
        &self,
        index: u64,
        with: impl FnOnce(&lighter::trade::Client) -> lighter::trade::Client,
    ) -> Option<(Self, WalletRef)> {
        let Wire::Lighter(client) = &self.client.wire else { return None };
        let account = lighter_account_id(client.chain_id(), index);
        let client = self.client.with_wire(Wire::Lighter(with(client)));
        Some((Self { client, ..self.clone() }, WalletRef::Wallet(account)))
    }

    fn new(parts: TraderParts, wire: Wire, builder: Option<Builder>) -> Self {
        let TraderParts { store, envelope, clock, random, budget, spender, config } = parts;
        let exchange = wire.exchange();
        let budget = config::BudgetParts { config: Arc::new(budget), exchange };
        let first = budget.make(&store, spender, &clock, &random);
        Self {
            client: TradeClient::new(wire, first, clock, config.order_timeout_ms),
            keys: config.keys,
            markets: Arc::default(),
            sequencer: Sequencer::default(),
            builder,
            store,
            envelope,
            random,
            budget,
        }
    }

    /// Returns a trader with the same connections, caches and turns that spends as `spender`.
    #[must_use]
    pub fn with_spender(&self, spender: Spender) -> Self {
        let budget: Budget = self.budget.make(&self.store, spender, self.clock(), &self.random);
        Self { client: self.client.with_budget(budget), ..self.clone() }
    }

    /// Returns the exchange.
    #[must_use]
    pub const fn exchange(&self) -> Exchange {
        self.client.exchange()
    }

    /// Returns the table.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the clock.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        self.client.clock()
    }

    fn now_ms(&self) -> u64 {
        self.clock().now_ms()
    }

    /// Returns the markets, read for a tenant.
    fn markets<'a>(&'a self, tenant: &'a Tenant) -> Reading<'a> {
        Reading { client: &self.client, cache: &self.markets, tenant }
    }
}
