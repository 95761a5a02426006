//! A small exchange that both simulators share: order books with price-time priority, positions,
//! margin, fees and trigger orders.
//!
//! The simulators translate their wire formats to [`NewOrder`], and the results back. Liquidations
//! and funding are not simulated.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use alloy_primitives::Address;

mod account;
mod engine;
mod journal;
mod ledger;
mod matching;
mod number;
mod order;
mod prices;
mod risk;
mod triggers;

pub(crate) use account::{Account, Mode, Position};
pub(crate) use journal::Entry;
pub(crate) use ledger::{Booking, Payout};
pub(crate) use number::Num;
pub(crate) use order::{
    BuilderFee, Execution, Fill, NewOrder, Order, Reject, Side, Status, Tif, Trigger,
};
pub(crate) use prices::{Level, Market};

use journal::Journal;

/// Finished orders and fills that the exchange remembers. Older ones are forgotten.
const REMEMBERED: usize = 20_000;

/// A market, as its exchange lists it.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// Name on the wire, such as `BTC`, `PURR/USDC`, `test:GOLD` or `BTCUSDT`.
    pub(crate) name: &'static str,
    /// The base token of a spot market. `None` for a perpetual.
    pub(crate) base: Option<&'static str>,
    /// Name of the DEX that lists a perpetual; empty for the exchange's own.
    pub(crate) dex: &'static str,
    /// Number of a market in orders (Hyperliquid).
    pub(crate) asset: u32,
    /// Digits of a quantity after the point.
    pub(crate) size_places: u8,
    /// Digits of a price after the point.
    pub(crate) price_places: u8,
    /// The smallest difference of two prices in addition to `price_places`; zero if there is none.
    pub(crate) tick: Num,
    pub(crate) max_leverage: u32,
    /// Whether cross margin is refused.
    pub(crate) only_isolated: bool,
    /// Whether orders are accepted.
    pub(crate) listed: bool,
    /// The first price.
    pub(crate) price: Num,
}

/// Rules that differ between the exchanges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Whether an order that cannot match as requested is accepted and expires (Aster), or is
    /// rejected (Hyperliquid).
    pub(crate) expires: bool,
    /// Whether a price has at most 5 significant figures.
    pub(crate) five_figures: bool,
    /// Fee of a taker and of a maker, in millionths of the value.
    pub(crate) fees: (i128, i128),
    /// Token of the balances that perpetuals use.
    pub(crate) collateral: &'static str,
    /// Whether reduce-only orders that exceed the position together cancel the oldest.
    pub(crate) cancels_excess: bool,
}

/// The market engine.
#[derive(Clone)]
pub(crate) struct Engine {
    specs: Arc<[Spec]>,
    style: Style,
    orders: HashMap<u64, Order>,
    accounts: HashMap<Address, Account>,
    markets: BTreeMap<String, Market>,
    executions: BTreeMap<(Address, String), Execution>,
    fills: BTreeMap<u64, Fill>,
    ledger: BTreeMap<u64, Booking>,
    /// The last number of an order.
    last_oid: u64,
    /// Open orders of each market that wait for a match or a trigger.
    books: HashMap<String, Book>,
    /// Open orders of each account.
    open: HashMap<Address, BTreeSet<u64>>,
    /// All orders with a client's id, oldest first.
    by_client: HashMap<(Address, String), Vec<u64>>,
    /// Finished orders, oldest first.
    finished: BTreeSet<u64>,
    journal: Journal,
}

/// Orders of one market. Derived from the orders.
#[derive(Clone, Default)]
struct Book {
    /// By negative price, then age.
    bids: BTreeSet<(Num, u64)>,
    /// By price, then age.
    asks: BTreeSet<(Num, u64)>,
    /// Trigger orders by number.
    triggers: BTreeSet<u64>,
}

impl Engine {
    pub(crate) fn new(specs: Vec<Spec>, style: Style, first_oid: u64) -> Self {
        let mut engine = Self {
            specs: specs.into(),
            style,
            orders: HashMap::new(),
            accounts: HashMap::new(),
            markets: BTreeMap::new(),
            executions: BTreeMap::new(),
            fills: BTreeMap::new(),
            ledger: BTreeMap::new(),
            last_oid: first_oid,
            books: HashMap::new(),
            open: HashMap::new(),
            by_client: HashMap::new(),
            finished: BTreeSet::new(),
            journal: Journal::default(),
        };
        for spec in Arc::clone(&engine.specs).iter() {
            let market = engine.quote(spec, spec.price);
            engine.markets.insert(spec.name.to_owned(), market);
        }
        engine
    }

    pub(crate) fn specs(&self) -> &[Spec] {
        &self.specs
    }

    pub(crate) fn spec(&self, name: &str) -> Option<Spec> {
        self.specs.iter().find(|spec| spec.name == name).cloned()
    }

    /// Returns the number of the next order.
    pub(crate) fn next_number(&self) -> u64 {
        self.last_oid + 1
    }

    pub(crate) fn order(&self, oid: u64) -> Option<&Order> {
        self.orders.get(&oid)
    }

    /// Returns the newest order with a client's id.
    pub(crate) fn order_of_client(&self, account: Address, client: &str) -> Option<&Order> {
        let key = (account, client.to_owned());
        self.by_client.get(&key)?.last().and_then(|oid| self.orders.get(oid))
    }

    /// Returns the open order with a client's id.
    pub(crate) fn open_of_client(&self, account: Address, client: &str) -> Option<&Order> {
        let oids = self.by_client.get(&(account, client.to_owned()))?;
        oids.iter().filter_map(|oid| self.orders.get(oid)).find(|order| order.is_open())
    }

    /// Returns the open orders of an account, oldest first.
    pub(crate) fn open_orders(&self, account: Address) -> impl Iterator<Item = &Order> {
        let oids = self.open.get(&account).into_iter().flatten();
        oids.filter_map(|oid| self.orders.get(oid))
    }

    /// Returns all remembered orders of an account, oldest first.
    pub(crate) fn all_orders(&self, account: Address) -> Vec<&Order> {
        let mut orders: Vec<_> =
            self.orders.values().filter(|order| order.account == account).collect();
        orders.sort_by_key(|order| order.oid);
        orders
    }

    /// Returns the fills of an account, oldest first.
    pub(crate) fn fills(&self, account: Address) -> impl Iterator<Item = &Fill> {
        self.fills.values().filter(move |fill| fill.account == account)
    }

    pub(crate) fn account(&self, account: Address) -> Option<&Account> {
        self.accounts.get(&account)
    }

    /// Returns every client's id that an account has used, with what became of it. Never forgets.
    pub(crate) fn executions(&self, account: Address) -> BTreeMap<String, Execution> {
        let range = self.executions.iter().filter(|((owner, _), _)| *owner == account);
        range.map(|((_, client), execution)| (client.clone(), execution.clone())).collect()
    }
}
