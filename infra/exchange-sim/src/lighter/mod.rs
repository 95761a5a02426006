//! Lighter: sending of transactions, and the reads of accounts, keys, markets and orders.
//!
//! The exchange verifies every signature with code that the product does not use ([`proof`]). It
//! accepts a transaction first, and its sequencer executes it, at once or after
//! [`Rules::pending_ms`]. A response of 200 therefore does not mean that an order exists. Orders do
//! not expire, and a TWAP order is one market order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alloy_primitives::Address;
use axum::Router;
use http::StatusCode;

use crate::edge::{Edge, Reply};
use crate::faults::Fault;
use crate::market::Engine;
use crate::{Now, journal, lock, requests, steer};

mod book;
mod key;
pub mod proof;
mod reads;
mod refusal;
mod routes;
mod send;
mod trade;
mod wire;

use book::Book;

/// Network. Its number is part of each hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// `mainnet.zklighter.elliot.ai`
    Mainnet,
    /// `testnet.zklighter.elliot.ai`
    Testnet,
}

impl Network {
    const fn chain_id(self) -> u32 {
        match self {
            Self::Mainnet => 304,
            Self::Testnet => 300,
        }
    }
}

/// The hash that a response states for a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatedHash {
    /// The hash that was signed.
    #[default]
    Own,
    /// Another one, by which the transaction is found.
    Other,
    /// Another one, by which nothing is found.
    Lost,
}

/// Rules that tests can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Weight per minute of a premium account. The real exchange counts by L1 address, the
    /// simulator counts all callers together.
    pub weight_per_minute: u32,
    /// Whether all callers have a standard account: 60 requests per minute.
    pub standard: bool,
    /// Whether the caller's address is in a restricted jurisdiction.
    pub restricted: bool,
    /// Whether the exchange requires a newer SDK.
    pub outdated: bool,
    /// Time between acceptance and execution in milliseconds.
    pub pending_ms: u64,
    /// Code and text with which the sequencer refuses the next transaction.
    pub refuse_next: Option<(u32, String)>,
    /// The hash that the response to a transaction states.
    pub hash: StatedHash,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            weight_per_minute: 24_000,
            standard: false,
            restricted: false,
            outdated: false,
            pending_ms: 0,
            refuse_next: None,
            hash: StatedHash::Own,
        }
    }
}

/// A simulated Lighter. Clones share its state.
#[derive(Clone)]
pub struct Exchange(Arc<Inner>);

struct Inner {
    network: Network,
    now: Now,
    edge: Edge,
    rules: Mutex<Rules>,
    /// Locked before the engine.
    book: Mutex<Book>,
    engine: Mutex<Engine>,
}

impl Exchange {
    /// Returns an exchange without accounts, with the default rules.
    #[must_use]
    pub fn new(network: Network, now: Now) -> Self {
        let edge = Edge::new(Arc::clone(&now), too_many_requests);
        let (rules, book) = (Mutex::default(), Mutex::default());
        let engine = Mutex::new(trade::markets::engine());
        Self(Arc::new(Inner { network, now, edge, rules, book, engine }))
    }

    /// Returns the HTTP API.
    pub fn router(&self) -> Router {
        routes::router(self).merge(key::router(self.clone())).merge(steer::router(self.clone()))
    }

    /// Adds an account with funds of 10,000 dollars for perpetuals and as spot. An existing account
    /// stays as it is. Returns whether the account was missing.
    pub fn add_account(&self, account: u64, l1_address: Address) -> bool {
        let is_new = lock(&self.0.book).add_account(account, l1_address);
        if is_new {
            let mut engine = lock(&self.0.engine);
            trade::fund(&mut engine, account);
            engine.commit((self.0.now)());
        }
        is_new
    }

    /// Puts a public key (80 hex digits, with or without `0x`) into a slot of an account, as its
    /// owner can do elsewhere. The slot keeps its nonce. Returns false for an unknown account, a
    /// slot above 254, and an invalid key.
    pub fn set_key(&self, account: u64, slot: u8, public_key: &str) -> bool {
        let digits = public_key.strip_prefix("0x").unwrap_or(public_key);
        let parsed = hex::decode(digits).ok().and_then(|bytes| proof::parse(&bytes));
        let valid = parsed.filter(proof::is_public_key).filter(|_| slot < u8::MAX);
        let text = valid.map(|key| proof::text(&key));
        text.is_some_and(|text| lock(&self.0.book).set_key(account, slot, text))
    }

    /// Empties a slot. Returns whether it had a key.
    pub fn remove_key(&self, account: u64, slot: u8) -> bool {
        lock(&self.0.book).remove_key(account, slot)
    }

    /// Returns the current rules.
    #[must_use]
    pub fn rules(&self) -> Rules {
        lock(&self.0.rules).clone()
    }

    /// Replaces the rules.
    pub fn set_rules(&self, rules: Rules) {
        *lock(&self.0.rules) = rules;
    }

    /// Changes one rule by its name: `region` (`open`, `restricted`), `sdk` (`current`,
    /// `outdated`), `tier` (`premium`, `standard`), `pendingMs` (a number), `refuseNext` (a code and
    /// a text) or `hash` (`own`, `other`, `lost`). Returns false for another name or value.
    pub fn set_rule(&self, name: &str, value: &str) -> bool {
        let mut rules = lock(&self.0.rules);
        match (name, value) {
            ("region", "open" | "restricted") => rules.restricted = value == "restricted",
            ("sdk", "current" | "outdated") => rules.outdated = value == "outdated",
            ("tier", "premium" | "standard") => rules.standard = value == "standard",
            ("hash", "own") => rules.hash = StatedHash::Own,
            ("hash", "other") => rules.hash = StatedHash::Other,
            ("hash", "lost") => rules.hash = StatedHash::Lost,
            ("pendingMs", _) => match value.parse() {
                Ok(ms) => rules.pending_ms = ms,
                Err(_) => return false,
            },
            ("refuseNext", _) => {
                let (code, text) = value.split_once(' ').unwrap_or((value, "refused"));
                let Ok(code) = code.parse() else { return false };
                rules.refuse_next = Some((code, text.to_owned()));
            }
            _ => return false,
        }
        true
    }

    /// Makes the next request with this path (`/api/v1/sendTx`) or kind (`createOrder`,
    /// `cancelOrder`, `nextNonce`, `tx`: any transaction or read) fail. Faults of one target queue
    /// up.
    pub fn fail_next(&self, target: &str, fault: Fault) {
        self.0.edge.fail_next(target, fault);
    }

    /// Removes the faults that have not applied yet, and returns their number.
    #[must_use]
    pub fn clear_faults(&self) -> usize {
        self.0.edge.clear_faults()
    }

    /// Sets a delay before every request is processed.
    pub fn set_latency(&self, latency: Duration) {
        self.0.edge.set_latency(latency);
    }

    /// Returns the requests so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<requests::Request> {
        self.0.edge.requests()
    }

    /// Takes the changes of the market since the last call, as lines for
    /// [`Exchange::restore_market`]. Write [`Exchange::snapshot`] first: an order must not be
    /// remembered without its nonce's use.
    #[must_use]
    pub fn take_changes(&self) -> String {
        journal::lines(lock(&self.0.engine).take_entries())
    }

    /// Returns whether the market has changed since [`Exchange::take_changes`].
    #[must_use]
    pub fn has_changes(&self) -> bool {
        lock(&self.0.engine).has_entries()
    }

    /// Returns the whole state of the market, as lines for [`Exchange::restore_market`].
    #[must_use]
    pub fn market_snapshot(&self) -> String {
        journal::lines(lock(&self.0.engine).all_entries())
    }

    /// Applies the lines of a market's journal.
    ///
    /// # Errors
    ///
    /// Returns the number of the first line that is not an entry, and stops there.
    pub fn restore_market(&self, lines: &str) -> Result<(), journal::BadLine> {
        journal::restore(&mut lock(&self.0.engine), lines)
    }

    /// Returns accounts, keys, nonces and transactions as JSON, for [`Exchange::restore`].
    ///
    /// # Errors
    ///
    /// Returns an error when the state cannot be written as JSON.
    pub fn snapshot(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&*lock(&self.0.book))
    }

    /// Replaces accounts, keys, nonces and transactions with those of a snapshot.
    ///
    /// # Errors
    ///
    /// Returns an error, and changes nothing, when the JSON is not a snapshot.
    pub fn restore(&self, snapshot: &[u8]) -> serde_json::Result<()> {
        *lock(&self.0.book) = serde_json::from_slice(snapshot)?;
        Ok(())
    }

    /// Executes the transactions that have arrived and are due. Callers must not hold a lock.
    fn catch_up(&self) {
        self.0.edge.run_late();
        self.settle((self.0.now)());
    }
}

fn too_many_requests() -> Reply {
    Reply::json(false, StatusCode::TOO_MANY_REQUESTS, &refusal::TOO_MANY.body())
}
