//! Checks of a wallet's orders at an exchange when no operation is in progress: the service's
//! records against the simulator's own journal of executions.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing test panics"
)]

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{Exchange, PerExchange};
use exchange_sim::steer::{Executed, OpenOrder};
use exchange_sim::{Address, aster, hyperliquid};
use hyperdex_local::Options;
use platform::items::from_item;
use serde_json::Value;
use shared::store::{LegKind, OrderRecord, OrderState, StoredOutcome, TradingAccount};
use shared::trading::decimal::Decimal;
use shared::trading::ids::{ClientOrderId, ExchangeOrderId, Leg, OrderKey};
use shared::trading::ledger::{Ledger, READ_LAG_MS};

use crate::kill::Harness;
use crate::{TestApp, invariants};

/// Starts a stack for many calls at once, which do not use up a budget. `timeout_ms` bounds a call
/// to an exchange.
pub async fn start_for_many(timeout_ms: u64) -> Harness {
    start_for_many_with(timeout_ms, |_| {}).await
}

/// Like [`start_for_many`], with changed options.
pub async fn start_for_many_with(timeout_ms: u64, change: impl FnOnce(&mut Options)) -> Harness {
    let h = Harness::start_with(|options| {
        change(options);
        options.exchange_timeout_ms = timeout_ms;
        options.order_timeout_ms = timeout_ms;
        options.budget.per_minute = PerExchange::from_fn(|_| 1_000_000);
    });
    let h = h.await;
    let (aster, hyperliquid) = (&h.app.stack.aster_sim, &h.app.stack.hyperliquid_sim);
    aster.set_rules(aster::Rules { weight_per_minute: 1_000_000, ..aster.rules() });
    let rules = hyperliquid.rules();
    hyperliquid.set_rules(hyperliquid::Rules { weight_per_minute: 1_000_000, ..rules });
    h
}

/// A wallet at an exchange.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The wallet.
    pub account: TradingAccount,
    /// The wallet's address.
    pub address: Address,
}

/// What the service and the exchange have at one moment.
#[derive(Debug)]
struct Books {
    records: Vec<OrderRecord>,
    ledger: Ledger,
    executions: BTreeMap<String, Executed>,
    /// The ids of the orders that the exchange accepted, with the key of their record.
    accepted: BTreeMap<OrderKey, Vec<(String, ExchangeOrderId)>>,
    open: Vec<OpenOrder>,
}

impl Desk {
    /// Returns a user's wallet at an exchange.
    pub async fn of(app: &TestApp, user: &str, exchange: Exchange) -> Self {
        let wallet = invariants::view(app, user).await.wallet;
        let address = wallet.address.to_string().parse().unwrap();
        let (tenant, wallet_id) = (wallet.tenant, wallet.wallet_id);
        Self { account: TradingAccount { tenant, wallet_id, exchange }, address }
    }

    const fn exchange(&self) -> Exchange {
        self.account.exchange
    }

    /// Returns the simulator's journal: what became of each id that the wallet's account has used.
    #[must_use]
    pub fn executions(&self, app: &TestApp) -> BTreeMap<String, Executed> {
        match self.exchange() {
            Exchange::Aster => app.stack.aster_sim.executions(self.address),
            Exchange::Hyperliquid => app.stack.hyperliquid_sim.executions(self.address),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        }
    }

    /// Returns the account's open orders at the exchange.
    #[must_use]
    pub fn open_orders(&self, app: &TestApp) -> Vec<OpenOrder> {
        match self.exchange() {
            Exchange::Aster => app.stack.aster_sim.open_orders_of(self.address),
            Exchange::Hyperliquid => app.stack.hyperliquid_sim.open_orders_of(self.address),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        }
    }

    /// Returns how often the exchange has accepted an order, under the ids of all its signatures.
    #[must_use]
    pub fn accepted(&self, app: &TestApp, id: &str) -> u32 {
        self.executed(app, id, Leg::Entry).iter().map(|executed| executed.accepted).sum()
    }

    /// Returns what became of a part of an order, for each of its ids that the exchange accepted.
    #[must_use]
    pub fn executed(&self, app: &TestApp, id: &str, leg: Leg) -> Vec<Executed> {
        let executions = self.executions(app).into_iter();
        let of_part = executions.filter(|(text, _)| self.is_part_of(text, id, leg));
        of_part.map(|(_, executed)| executed).collect()
    }

    /// Returns the open orders at the exchange that have the ids of an order.
    #[must_use]
    pub fn open_of(&self, app: &TestApp, id: &str) -> Vec<OpenOrder> {
        let mut open = self.open_orders(app);
        open.retain(|order| order.client_order_id.as_ref().is_some_and(|it| self.is_of(it, id)));
        open
    }

    /// Returns the open orders at the exchange that are attached to an order.
    #[must_use]
    pub fn attached_to(&self, app: &TestApp, id: &str) -> Vec<OpenOrder> {
        let is_attached = |text: &String| {
            [Leg::TakeProfit, Leg::StopLoss].iter().any(|leg| self.is_part_of(text, id, *leg))
        };
        let mut open = self.open_orders(app);
        open.retain(|order| order.client_order_id.as_ref().is_some_and(is_attached));
        open
    }

    fn is_of(&self, text: &str, id: &str) -> bool {
        self.is_part_of(text, id, Leg::Entry)
    }

    fn is_part_of(&self, text: &str, id: &str, leg: Leg) -> bool {
        let key = self.account.order_key(&id.parse::<ClientOrderId>().unwrap());
        let parsed = ExchangeOrderId::parse(self.exchange(), text);
        parsed.is_some_and(|it| it.key == key && it.leg == leg)
    }

    /// Returns the records of all orders, read from the table itself.
    pub async fn records(&self, app: &TestApp) -> Vec<OrderRecord> {
        self.stored(app).await.0
    }

    /// Returns the record of an order.
    pub async fn record(&self, app: &TestApp, id: &str) -> Option<OrderRecord> {
        let records = self.records(app).await;
        records.into_iter().find(|record| record.client_order_id.as_str() == id)
    }

    async fn stored(&self, app: &TestApp) -> (Vec<OrderRecord>, Ledger) {
        let TradingAccount { tenant, wallet_id, exchange } = &self.account;
        let partition = format!("{tenant}#O#{wallet_id}#{exchange}");
        let (mut records, mut ledger) = (Vec::new(), Ledger::default());
        let sent = app
            .stack
            .aws()
            .dynamodb()
            .query()
            .table_name(hyperdex_local::WALLETS_TABLE)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(
                ":pk",
                aws_sdk_dynamodb::types::AttributeValue::S(partition),
            )
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        for item in sent.try_collect().await.unwrap() {
            match item["sk"].as_s().unwrap().as_str() {
                sort if sort.starts_with("order#") => {
                    records.push(from_item("order", item).unwrap());
                }
                "ledger" => ledger = from_item("ledger", item).unwrap(),
                sort if sort.starts_with("closing#") => {}
                sort => assert!(sort.starts_with("leverage#"), "{sort}"),
            }
        }
        (records, ledger)
    }

    /// Returns the nonces of signed changes that the exchange has accepted from the wallet's present
    /// agents. Signed reads, which take no nonce of the ledger, are left out.
    fn nonces(&self, app: &TestApp) -> Vec<u64> {
        let (snapshot, agents): (_, Vec<Address>) = match self.exchange() {
            Exchange::Aster => {
                let agents = app.stack.aster_sim.agents_of(self.address).into_iter();
                (app.stack.aster_sim.snapshot(), agents.map(|agent| agent.address).collect())
            }
            Exchange::Hyperliquid => {
                let agents = app.stack.hyperliquid_sim.agents_of(self.address).into_iter();
                (app.stack.hyperliquid_sim.snapshot(), agents.map(|agent| agent.address).collect())
            }
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        let snapshot: Value = serde_json::from_slice(&snapshot.unwrap()).unwrap();
        let signers = snapshot["nonces"].as_object().expect("the used nonces").iter();
        let own = signers.filter(|(signer, _)| agents.contains(&signer.parse().unwrap()));
        let nonces = own.flat_map(|(_, nonces)| nonces.as_array().unwrap());
        let nonces = nonces.map(|nonce| nonce.as_u64().unwrap());
        let is_change = |nonce: &u64| match self.exchange() {
            Exchange::Aster => nonce.is_multiple_of(shared::trading::ledger::ASTER_NONCE_STEP),
            Exchange::Hyperliquid => true,
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        nonces.filter(is_change).collect()
    }

    /// Returns the orders whose outcome is open, and which were signed more than two minutes ago.
    pub async fn overdue(&self, app: &TestApp) -> Vec<OrderRecord> {
        let now_ms = app.clock.now_ms();
        let mut records = self.records(app).await;
        records.retain(|record| {
            record.unresolved().is_some_and(|submission| {
                let signed_ms = match self.exchange() {
                    Exchange::Aster => submission.nonce / 1_000,
                    Exchange::Hyperliquid => submission.nonce,
                    Exchange::Lighter => unreachable!("no wallet is registered there"),
                };
                signed_ms + 120_000 < now_ms
            })
        });
        records
    }

    /// Checks that every outcome is known and agrees with the exchange, that the exchange executed
    /// each order at most once, that the ledger's nonce is not below one that the exchange has seen,
    /// and that nothing stays reserved.
    pub async fn assert_settled(&self, app: &TestApp) {
        let (records, ledger) = self.stored(app).await;
        let (executions, open) = (self.executions(app), self.open_orders(app));
        let mut accepted = BTreeMap::<OrderKey, Vec<_>>::new();
        for text in executions.keys() {
            let id = ExchangeOrderId::parse(self.exchange(), text).expect("an id of the service");
            accepted.entry(id.key).or_default().push((text.clone(), id));
        }
        let books = Books { records, ledger, executions, accepted, open };
        for record in &books.records {
            self.assert_agrees(record, &books);
        }
        let known: BTreeSet<OrderKey> =
            books.records.iter().map(|it| self.account.order_key(&it.client_order_id)).collect();
        for (key, ids) in &books.accepted {
            assert!(known.contains(key), "orders without a record: {ids:?}");
        }
        for (text, executed) in &books.executions {
            assert!(executed.accepted <= 1, "accepted twice under one id: {text} {executed:?}");
            assert!(executed.requests.len() <= 1, "signed twice under one id: {text}");
        }
        let reserved = &books.ledger.at(app.clock.now_ms() + READ_LAG_MS).reserved;
        assert_eq!(reserved, &BTreeMap::new(), "reserved for no order");
        let last = books.ledger.nonce;
        for nonce in self.nonces(app) {
            assert!(nonce <= last, "the exchange has seen nonce {nonce}, the ledger has {last}");
        }
    }

    /// Checks a record against the exchange.
    fn assert_agrees(&self, record: &OrderRecord, books: &Books) {
        assert!(record.is_at_rest(), "an open outcome: {record:?}");
        let text = |generation| {
            self.account.exchange_id(record, generation, Leg::Entry).text(self.exchange())
        };
        let own = books.accepted.get(&self.account.order_key(&record.client_order_id));
        let own = own.into_iter().flatten();
        let own = own.filter(|(found, id)| id.leg == Leg::Entry && *found == text(id.generation));
        let own: Vec<_> = own.map(|(text, id)| (id.generation, &books.executions[text])).collect();
        let accepted: Vec<u8> = own.iter().map(|(generation, _)| *generation).collect();
        let unsigned = accepted.iter().find(|generation| **generation > record.generation);
        assert_eq!(unsigned, None, "a signature without a record: {record:?}");
        match (record.state, &record.change) {
            (OrderState::Placed, None) => {
                assert_eq!(accepted, [record.placed_generation], "placed: {record:?}");
            }
            (OrderState::Placed, Some(change)) => {
                assert!(accepted.contains(&record.placed_generation), "changed: {record:?}");
                let last = accepted.contains(&change.generation);
                let made = change.state == OrderState::Placed;
                if self.exchange() == Exchange::Hyperliquid {
                    assert_eq!(last, made, "the change: {record:?}");
                } else {
                    assert_eq!(accepted.len(), 1, "changed in place: {record:?}");
                }
            }
            _ => assert_eq!(accepted, [0_u8; 0], "not placed: {record:?}"),
        }
        let filled = own.iter().fold(Decimal::ZERO, |sum, (_, executed)| {
            sum.checked_add(Decimal::parse(&executed.filled).unwrap()).unwrap()
        });
        assert!(filled <= record.request.quantity.value(), "{filled} filled: {record:?}");
        if let Some(StoredOutcome::Placed { filled: stored, .. }) = &record.outcome {
            assert!(Decimal::parse(stored).unwrap() <= filled, "{filled} filled: {record:?}");
        }
        self.assert_open_agrees(record, books, &text(record.placed_generation));
        self.assert_legs_agree(record, books, &accepted);
    }

    /// Checks the attached orders of a record. `entries` are the generations of the order itself
    /// that the exchange accepted.
    fn assert_legs_agree(&self, record: &OrderRecord, books: &Books, entries: &[u8]) {
        for (leg, kind) in
            [(Leg::TakeProfit, LegKind::TakeProfit), (Leg::StopLoss, LegKind::StopLoss)]
        {
            let own = books.accepted.get(&self.account.order_key(&record.client_order_id));
            let own: Vec<_> = own.into_iter().flatten().filter(|(_, id)| id.leg == leg).collect();
            assert!(own.len() <= 1, "attached twice: {own:?} {record:?}");
            let Some((text, id)) = own.first() else { continue };
            assert!(entries.contains(&id.generation), "attached to no order: {record:?}");
            let size = record.request.quantity.value();
            let filled = Decimal::parse(&books.executions[text].filled).unwrap();
            assert!(filled <= size, "{filled} filled by an attached order: {record:?}");
            let is_it = |order: &&OpenOrder| order.client_order_id.as_ref() == Some(text);
            let open = books.open.iter().find(is_it);
            let Some(StoredOutcome::Placed { legs, .. }) = &record.outcome else { continue };
            let stored = legs.iter().find(|stored| stored.kind == kind);
            let stored = stored.and_then(|stored| stored.order_id.as_deref());
            if let (Some(open), Some(stored)) = (open, stored) {
                assert_eq!(stored, open.order_id.to_string(), "{record:?}");
            }
        }
    }

    /// Checks the open order of a record, if there is one.
    fn assert_open_agrees(&self, record: &OrderRecord, books: &Books, text: &str) {
        let id = record.client_order_id.as_str();
        let is_own = |order: &&OpenOrder| {
            order.client_order_id.as_ref().is_some_and(|text| self.is_of(text, id))
        };
        let open: Vec<_> = books.open.iter().filter(is_own).collect();
        assert!(open.len() <= 1, "two open orders: {open:?} {record:?}");
        let Some(order) = open.first() else { return };
        assert_eq!(order.client_order_id.as_deref(), Some(text), "{record:?}");
        let Some(StoredOutcome::Placed { order_id, .. }) = &record.outcome else {
            panic!("an open order without an outcome: {record:?}")
        };
        if let Some(order_id) = order_id {
            assert_eq!(*order_id, order.order_id.to_string(), "{record:?}");
        }
        if let Some(price) = &record.request.price {
            assert_eq!(Decimal::parse(&order.price).unwrap(), price.value(), "{record:?}");
        }
    }
}
