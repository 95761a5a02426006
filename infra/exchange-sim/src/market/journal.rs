//! Changes of the engine's entities: for the journal on disk, and to answer reads with an earlier
//! state.

use std::collections::{BTreeMap, VecDeque};

use alloy_primitives::Address;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Engine, Order};

/// How long earlier states can be restored.
const UNDO_MS: u64 = 120_000;

/// Limit of the commits whose earlier states can be restored.
const UNDO: usize = 5_000;

/// An entity of the engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Order(u64),
    Account(Address),
    Market(String),
    Execution(Address, String),
    Fill(u64),
    LastOid,
    Booking(u64),
}

/// The state of an entity after a change. A line of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Name of the entity, such as `order/12`.
    k: String,
    /// `null` if the entity no longer exists.
    v: Value,
}

#[derive(Clone, Default)]
pub(super) struct Journal {
    /// Entities changed since the last commit, with their state before.
    touched: BTreeMap<Key, Value>,
    /// Committed entries that were not taken yet.
    entries: Vec<Entry>,
    /// Earlier states, oldest first.
    undo: VecDeque<(u64, BTreeMap<Key, Value>)>,
}

impl Key {
    fn text(&self) -> String {
        match self {
            Self::Order(oid) => format!("order/{oid}"),
            Self::Account(account) => format!("account/{account:#x}"),
            Self::Market(name) => format!("market/{name}"),
            Self::Execution(account, client) => format!("execution/{account:#x}/{client}"),
            Self::Fill(id) => format!("fill/{id}"),
            Self::LastOid => "last/oid".to_owned(),
            Self::Booking(id) => format!("booking/{id}"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('/')?;
        Some(match kind {
            "order" => Self::Order(rest.parse().ok()?),
            "account" => Self::Account(rest.parse().ok()?),
            "market" => Self::Market(rest.to_owned()),
            "execution" => {
                let (account, client) = rest.split_once('/')?;
                Self::Execution(account.parse().ok()?, client.to_owned())
            }
            "fill" => Self::Fill(rest.parse().ok()?),
            "last" => Self::LastOid,
            "booking" => Self::Booking(rest.parse().ok()?),
            _ => return None,
        })
    }
}

impl Engine {
    /// Notes that an entity is about to change.
    pub(super) fn touch(&mut self, key: Key) {
        if !self.journal.touched.contains_key(&key) {
            let before = self.value(&key);
            self.journal.touched.insert(key, before);
        }
    }

    /// Ends a request: its changes become entries of the journal.
    pub(crate) fn commit(&mut self, now: u64) {
        let touched = std::mem::take(&mut self.journal.touched);
        if touched.is_empty() {
            return;
        }
        for key in touched.keys() {
            let entry = Entry { k: key.text(), v: self.value(key) };
            self.journal.entries.push(entry);
        }
        let undo = &mut self.journal.undo;
        undo.push_back((now, touched));
        while undo.len() > UNDO || undo.front().is_some_and(|(at, _)| at + UNDO_MS < now) {
            undo.pop_front();
        }
    }

    /// Takes the entries since the last call.
    pub(crate) fn take_entries(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.journal.entries)
    }

    pub(crate) fn has_entries(&self) -> bool {
        !self.journal.entries.is_empty()
    }

    /// Returns the whole state as entries.
    pub(crate) fn all_entries(&self) -> Vec<Entry> {
        let orders = self.orders.keys().map(|oid| Key::Order(*oid));
        let accounts = self.accounts.keys().map(|account| Key::Account(*account));
        let markets = self.markets.keys().map(|name| Key::Market(name.clone()));
        let executions = self.executions.keys();
        let executions = executions.map(|(account, id)| Key::Execution(*account, id.clone()));
        let fills = self.fills.keys().map(|id| Key::Fill(*id));
        let bookings = self.ledger.keys().map(|id| Key::Booking(*id));
        let keys = orders.chain(accounts).chain(markets).chain(executions).chain(fills);
        let keys = keys.chain(bookings);
        keys.chain([Key::LastOid]).map(|key| Entry { k: key.text(), v: self.value(&key) }).collect()
    }

    /// Applies an entry of a journal. Returns false for an unreadable entry.
    pub(crate) fn apply(&mut self, entry: Entry) -> bool {
        Key::parse(&entry.k).is_some_and(|key| self.set(key, entry.v))
    }

    /// Returns the engine as it was at a time, as far as its memory reaches.
    pub(crate) fn as_of(&self, then: u64) -> Self {
        let mut past = self.clone();
        while let Some((at, before)) = past.journal.undo.pop_back() {
            if at <= then {
                break;
            }
            for (key, value) in before {
                past.set(key, value);
            }
        }
        past
    }

    fn value(&self, key: &Key) -> Value {
        fn json<T: Serialize>(value: Option<&T>) -> Value {
            value.and_then(|value| serde_json::to_value(value).ok()).unwrap_or_default()
        }
        match key {
            Key::Order(oid) => json(self.orders.get(oid)),
            Key::Account(account) => json(self.accounts.get(account)),
            Key::Market(name) => json(self.markets.get(name)),
            Key::Execution(account, client) => {
                json(self.executions.get(&(*account, client.clone())))
            }
            Key::Fill(id) => json(self.fills.get(id)),
            Key::LastOid => self.last_oid.into(),
            Key::Booking(id) => json(self.ledger.get(id)),
        }
    }

    /// Sets the state of an entity. Returns false if the value is not of its type.
    fn set(&mut self, key: Key, value: Value) -> bool {
        fn read<T: DeserializeOwned>(value: Value) -> Option<Option<T>> {
            if value.is_null() { Some(None) } else { serde_json::from_value(value).ok().map(Some) }
        }
        match key {
            Key::Order(oid) => {
                let Some(order) = read::<Order>(value) else { return false };
                self.forget(oid);
                if let Some(order) = order {
                    self.index(&order);
                    self.orders.insert(oid, order);
                }
            }
            Key::Account(account) => match read(value) {
                Some(Some(value)) => drop(self.accounts.insert(account, value)),
                Some(None) => drop(self.accounts.remove(&account)),
                None => return false,
            },
            // A market that is no longer listed is left out.
            Key::Market(name) => match read(value) {
                Some(Some(value)) if self.markets.contains_key(&name) => {
                    self.markets.insert(name, value);
                }
                Some(_) => {}
                None => return false,
            },
            Key::Execution(account, client) => match read(value) {
                Some(Some(value)) => drop(self.executions.insert((account, client), value)),
                Some(None) => drop(self.executions.remove(&(account, client))),
                None => return false,
            },
            Key::Fill(id) => match read(value) {
                Some(Some(value)) => drop(self.fills.insert(id, value)),
                Some(None) => drop(self.fills.remove(&id)),
                None => return false,
            },
            Key::Booking(id) => match read(value) {
                Some(Some(value)) => drop(self.ledger.insert(id, value)),
                Some(None) => drop(self.ledger.remove(&id)),
                None => return false,
            },
            Key::LastOid => match value.as_u64() {
                Some(oid) => self.last_oid = oid,
                None => return false,
            },
        }
        true
    }

    /// Adds an order to the derived indexes.
    pub(super) fn index(&mut self, order: &Order) {
        if let Some(client) = &order.client {
            let oids = self.by_client.entry((order.account, client.clone())).or_default();
            if let Err(position) = oids.binary_search(&order.oid) {
                oids.insert(position, order.oid);
            }
        }
        if !order.is_open() {
            self.finished.insert(order.oid);
            return;
        }
        self.open.entry(order.account).or_default().insert(order.oid);
        let book = self.books.entry(order.market.clone()).or_default();
        if order.is_dormant() {
            book.triggers.insert(order.oid);
        } else if order.buy {
            book.bids.insert((-order.price, order.oid));
        } else {
            book.asks.insert((order.price, order.oid));
        }
    }

    /// Removes an order from the derived indexes but that of clients' ids.
    pub(super) fn unindex(&mut self, order: &Order) {
        self.finished.remove(&order.oid);
        if let Some(open) = self.open.get_mut(&order.account) {
            open.remove(&order.oid);
        }
        if let Some(book) = self.books.get_mut(&order.market) {
            book.triggers.remove(&order.oid);
            book.bids.remove(&(-order.price, order.oid));
            book.asks.remove(&(order.price, order.oid));
        }
    }

    /// Removes an order from the memory.
    pub(super) fn forget(&mut self, oid: u64) {
        let Some(order) = self.orders.remove(&oid) else { return };
        self.unindex(&order);
        if let Some(client) = order.client {
            let key = (order.account, client);
            if let Some(oids) = self.by_client.get_mut(&key) {
                oids.retain(|known| *known != oid);
            }
        }
    }
}
