//! A wallets' table of its own for a test, and orders to store in it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use domain::clock::Clock;
use domain::ids::{Exchange, Tenant};
use domain::random::Random;
use hyperdex_cloud::dynamodb;
use hyperdex_cloud::names::WALLETS_TABLE;
use hyperdex_listen::Stop;
use platform::aws::Aws;
use platform::items::Item;
use serde_json::json;
use shared::store::{
    Change, IndexShape, OrderRecord, OrderState, ReserveLost, ReserveTime, Reserving, Seen,
    SentMethod, Store, StoredOutcome, StoredSymbol, Submission, SubmissionKind, TradingAccount,
};
use shared::trading::ids::ClientOrderId;
use shared::trading::ledger::Ledger;
use shared::trading::order::{Fingerprint, OrderRequest};
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;

/// The time of the tests. It is in the future, so that the table's own sweep of expired items
/// drops none.
pub(crate) const NOW_MS: u64 = 4_000_000_000_000;

pub(crate) const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// The wallet of the samples in `shared/tests/samples`.
pub(crate) const WALLET: Uuid = Uuid::from_u128(0x834c_c3e9_8bba_4a41_a7fb_39b9_bf9b_b66a);

pub(crate) struct Table {
    pub(crate) store: Store,
    pub(crate) db: Client,
    now_us: Arc<AtomicU64>,
    _stop: watch::Sender<bool>,
    _folder: TempDir,
}

impl Table {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dynamodb.sqlite");
        let database = dynamodb::open(&file).unwrap();
        let ip = Ipv4Addr::LOCALHOST.into();
        let listener = hyperdex_listen::bind("DynamoDB", ip, 0).await.unwrap();
        let url = hyperdex_listen::url(&listener);
        let (sender, stop) = Stop::new();
        dynamodb::serve_with_conflicts(listener, database, &file, stop);
        let db = Aws::local(&url, &url, &url).dynamodb();
        let indexes = IndexShape::all();
        dynamodb::create_table(&db, WALLETS_TABLE, Some("expiresAtS"), &indexes).await.unwrap();
        Self {
            store: Store::new(db.clone(), WALLETS_TABLE),
            db: (*db).clone(),
            now_us: Arc::new(AtomicU64::new(NOW_MS * 1_000)),
            _stop: sender,
            _folder: folder,
        }
    }

    /// Returns a clock that only waits move.
    pub(crate) fn clock(&self) -> Clock {
        let (now_us, passes) = (self.now_us.clone(), self.now_us.clone());
        Clock::from_micros(move || now_us.load(Ordering::SeqCst)).waiting(move |ms| {
            passes.fetch_add(ms * 1_000, Ordering::SeqCst);
            std::future::ready(())
        })
    }

    pub(crate) fn pass_ms(&self, ms: u64) {
        self.now_us.fetch_add(ms * 1_000, Ordering::SeqCst);
    }

    /// Stores an item in DynamoDB's JSON.
    pub(crate) async fn put(&self, text: &str) {
        let item: serde_dynamo::Item = serde_json::from_str(text).unwrap();
        let item: Item = item.into();
        let put = self.db.put_item().table_name(WALLETS_TABLE).set_item(Some(item));
        put.send().await.unwrap();
    }

    /// Stores the sample of a wallet.
    pub(crate) async fn put_wallet(&self) {
        self.put(include_str!("../../../../shared/tests/samples/record.v1.json")).await;
    }

    pub(crate) async fn order(&self, account: &TradingAccount, id: &str) -> OrderRecord {
        let found = self.orders(account, &[id]).await;
        found.into_iter().next().unwrap_or_else(|| panic!("{id} has no record"))
    }

    pub(crate) async fn orders(&self, account: &TradingAccount, ids: &[&str]) -> Vec<OrderRecord> {
        let keys: Vec<_> = ids.iter().map(|id| account.order_key(&id.parse().unwrap())).collect();
        self.store.orders_by_keys(account, &keys, &self.clock()).await.unwrap()
    }

    pub(crate) async fn ledger(&self, account: &TradingAccount) -> Ledger {
        let view = self.store.trading_view(account, &[], &self.clock()).await.unwrap();
        view.unwrap().ledger
    }

    /// Reserves orders as a request does: with the next nonce, and once more with the present
    /// ledger after each lost race for it.
    pub(crate) async fn reserve(
        &self,
        account: &TradingAccount,
        orders: &[Reserving],
    ) -> Result<u64, ReserveLost> {
        let mut seen = Ledger::default();
        loop {
            let count = u32::try_from(orders.len()).unwrap();
            let next = seen.at(NOW_MS).with_orders(count);
            let next = next.with_next_nonce(account.exchange, NOW_MS * 1_000);
            match self.store.reserve(account, orders, &next, at(NOW_MS)).await {
                Ok(()) => return Ok(next.nonce),
                Err(ReserveLost::Ledger(present)) => seen = *present,
                Err(lost) => return Err(lost),
            }
        }
    }

    /// Stores a new order in state sending.
    pub(crate) async fn sent(&self, account: &TradingAccount, id: &str) -> OrderRecord {
        let record = record(account, id);
        self.reserve(account, &[new(&record)]).await.unwrap();
        record
    }
}

pub(crate) fn account(exchange: Exchange) -> TradingAccount {
    TradingAccount { tenant: Tenant::local(), wallet_id: WALLET, exchange }
}

pub(crate) fn uuid() -> Uuid {
    Random::system().uuid().unwrap()
}

/// The times of a reservation right after its policy was read.
pub(crate) const fn at(now_ms: u64) -> ReserveTime {
    ReserveTime { policy_read_at_ms: now_ms, now_ms }
}

/// A reservation of an order without a record.
pub(crate) fn new(record: &OrderRecord) -> Reserving {
    Reserving { record: record.clone(), seen: Seen::Absent }
}

pub(crate) fn submission(kind: SubmissionKind, members: &[&OrderRecord]) -> Submission {
    Submission {
        kind,
        agent: "0x1a31000000000000000000000000000000000001".parse().unwrap(),
        nonce: NOW_MS,
        method: SentMethod::Post,
        path: "/exchange".to_owned(),
        body: r#"{"action":{"type":"order"}}"#.to_owned(),
        expires_at_ms: NOW_MS + 10_000,
        final_at_ms: NOW_MS + 15_000,
        members: members.iter().map(|record| record.client_order_id.clone()).collect(),
        fenced: false,
        hash: None,
        stated_hash: None,
    }
}

/// The first record of a single order.
pub(crate) fn record(account: &TradingAccount, id: &str) -> OrderRecord {
    let request: OrderRequest = serde_json::from_value(json!({
        "symbol": "BTC", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "60000",
        "timeInForce": "GTC", "reduceOnly": false,
    }))
    .unwrap();
    let fingerprint = request.fingerprint();
    OrderRecord {
        schema: 1,
        exchange: account.exchange,
        wallet_id: account.wallet_id,
        client_order_id: id.parse().unwrap(),
        unit: fingerprint.clone(),
        fingerprint,
        generation: 0,
        placed_generation: 0,
        revision: uuid(),
        state: OrderState::Sending,
        request,
        symbol: StoredSymbol { name: "BTC".to_owned(), asset: Some(0), dex: Some(String::new()) },
        lead: None,
        submission: Some(submission(SubmissionKind::Place, &[])),
        carried: None,
        whole: false,
        change: None,
        outcome: None,
        reserved: false,
        created_at_ms: NOW_MS,
        lease_until_ms: NOW_MS + 15_000,
        expires_at_s: None,
    }
}

/// The first records of a batch. The first one leads.
pub(crate) fn batch(account: &TradingAccount, count: usize) -> Vec<OrderRecord> {
    let mut records: Vec<_> =
        (0..count).map(|place| record(account, &format!("batch-{place}"))).collect();
    let unit: Vec<(ClientOrderId, Fingerprint)> =
        records.iter().map(|it| (it.client_order_id.clone(), it.fingerprint.clone())).collect();
    let unit = Fingerprint::of_unit(&unit);
    let members = records.clone();
    for (place, record) in records.iter_mut().enumerate() {
        record.unit = unit.clone();
        record.lead = (place > 0).then(|| members[0].client_order_id.clone());
        let members: Vec<_> = members.iter().collect();
        record.submission = (place == 0).then(|| submission(SubmissionKind::Place, &members));
    }
    records
}

pub(crate) fn placed(order_id: &str) -> StoredOutcome {
    StoredOutcome::Placed {
        order_id: Some(order_id.to_owned()),
        exchange_status: "resting".to_owned(),
        filled: "0".to_owned(),
        average_price: None,
        exchange_price: None,
        at_ms: NOW_MS,
        legs: Vec::new(),
    }
}

/// The placed record with a change under way.
pub(crate) fn changing(record: &OrderRecord) -> OrderRecord {
    let generation = record.generation + 1;
    let change = Change {
        submission: submission(SubmissionKind::Modify, &[]),
        price: "61000.0".to_owned(),
        quantity: "0.02".to_owned(),
        filled: Some("0".to_owned()),
        state: OrderState::Sending,
        generation,
        refusal: None,
    };
    OrderRecord {
        generation,
        revision: uuid(),
        change: Some(change),
        lease_until_ms: NOW_MS + 15_000,
        expires_at_s: None,
        ..record.clone()
    }
}
