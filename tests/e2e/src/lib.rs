//! Starts the whole stack for a test with one call: the embedded cloud, the cosigner, the exchange
//! simulators and the API, on free ports, with its own data and a clock that the test controls.

pub mod attacker;
pub mod documented;
pub mod invariants;
pub mod kill;
pub mod leak;
pub mod lighter;
pub mod payments;
mod prepared;
pub mod proxy;
mod reply;
pub mod shares;
pub mod trading;
pub mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::Random;
use hyperdex_local::keys::KeyFile;
use hyperdex_local::{CosignerHost, Endpoints, Options, Stack};
use platform::aws::Aws;
use platform::items::Item;
use serde_json::{Value, json};
use shared::credentials::{ReconcileLimits, RenewLimits};
use shared::store::{KeyRecord, Store, StoreConfig, TenantRecord};
use shared::tenancy::{Change, KeyId, KeyLabel, draw_key_value};
use shared::wallets::{Custody, CustodyConfig, RefreshBy};
use tempfile::TempDir;

pub use reply::Reply;

/// A clock that advances only when the test moves it.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(Clock::system().now_us())))
    }

    /// Returns the clock for the product. A wait advances it to the end of the wait. A short wait
    /// also takes an eighth of its time in real time, so that concurrent callers can make progress.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let (now, clock) = (self.0.clone(), self.clone());
        Clock::from_micros(move || now.load(Ordering::SeqCst)).waiting(move |ms| {
            let (clock, until_ms) = (clock.clone(), clock.now_ms() + ms);
            async move {
                tokio::time::sleep(Duration::from_millis(ms.min(320) / 8)).await;
                clock.0.fetch_max(until_ms * 1_000, Ordering::SeqCst);
            }
        })
    }

    /// Returns the time in Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst) / 1_000
    }

    /// Sets the clock back, as when a clock that was ahead is corrected.
    pub fn set_back_ms(&self, ms: u64) {
        self.0.fetch_sub(ms * 1_000, Ordering::SeqCst);
    }

    /// Advances the clock.
    pub fn advance_ms(&self, ms: u64) {
        self.0.fetch_add(ms * 1_000, Ordering::SeqCst);
    }
}

/// A day in milliseconds.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The renewal job's limits.
pub const RENEW_LIMITS: RenewLimits = RenewLimits {
    within_ms: 14 * DAY_MS,
    limit: 500,
    run_time: Duration::from_secs(240),
    keys_are_handed_out: false,
};

/// The reconciliation job's limits.
pub const RECONCILE_LIMITS: ReconcileLimits =
    ReconcileLimits { every_ms: 7 * DAY_MS, limit: 500, run_time: Duration::from_secs(240) };

/// The stack under test.
#[derive(Debug)]
pub struct TestApp {
    /// The stack.
    pub stack: Stack,
    /// The clock of the stack.
    pub clock: TestClock,
    /// The data directory.
    pub data: TempDir,
    /// The options that the stack was started with.
    pub options: Options,
    http: reqwest::Client,
}

#[expect(clippy::expect_used, reason = "a failing test panics")]
impl TestApp {
    /// Starts the stack with default options.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts the stack with changed options.
    pub async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        prepared::fill(data.path()).await;
        Self::start_in(data, change).await
    }

    /// Starts the stack with changed options in an empty directory.
    pub async fn start_empty(change: impl FnOnce(&mut Options)) -> Self {
        Self::start_in(tempfile::tempdir().expect("a temporary directory"), change).await
    }

    async fn start_in(data: TempDir, change: impl FnOnce(&mut Options)) -> Self {
        let clock = TestClock::new();
        let mut options = Options::new(data.path());
        options.clock = clock.clock();
        options.cosigner = CosignerHost::InProcess;
        options.exchange_timeout_ms = 400;
        options.order_timeout_ms = 400;
        change(&mut options);
        let stack = Stack::start(options.clone()).await.expect("a running stack");
        let http = shared::http_client::client_builder()
            .and_then(|builder| Ok(builder.build()?))
            .expect("an HTTP client");
        Self { stack, clock, data, options, http }
    }

    /// Sends a request. Fails if a response of the API does not match its document.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let sent = request.try_clone().and_then(|request| request.build().ok()).expect("a request");
        let (method, url) = (sent.method(), sent.url());
        let reply = self.send_unchecked(request).await;
        if url.as_str().starts_with(&format!("{}/api/", self.stack.api)) {
            let documented = documented::check(method, url.path(), reply.status, &reply.body);
            assert_eq!(documented, Ok(()), "{method} {url}: {reply:?}");
        }
        reply
    }

    /// Sends a request without comparing the response with the API's document.
    pub async fn send_unchecked(&self, request: reqwest::RequestBuilder) -> Reply {
        let request = request.build().expect("a request");
        let response = self.http.execute(request).await.expect("a response");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a complete body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Reply { status, body, headers }
    }

    /// Starts a request to a path.
    pub fn request(&self, method: http::Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.stack.api))
            .header("X-API-KEY", "any-key")
    }

    /// Creates a tenant key without a record, as earlier versions did: a tenant of this name. The
    /// first key turns authentication on.
    pub fn key(&self, tenant: &str) -> String {
        let id = tenant.parse().expect("a key id");
        let file = KeyFile::new(self.data.path());
        let key = file.add(&id, &self.clock.clock(), &Random::system());
        String::clone(&key.expect("a key"))
    }

    /// Creates a tenant key with a record, changed by `change`, and returns its id and its value. The
    /// tenant is created with its first key.
    pub async fn key_with(
        &self,
        tenant: &str,
        change: impl FnOnce(&mut KeyRecord),
    ) -> (KeyId, String) {
        let (store, random) = (self.store(), Random::system());
        let tenant: Tenant = tenant.parse().expect("a tenant");
        let made = self.change("test");
        if store.tenant(&tenant).await.expect("the table answers").is_none() {
            let revision = random.uuid().expect("randomness");
            let record = TenantRecord::new(tenant.clone(), KeyLabel::default(), &made, revision);
            store.create_tenant(&record).await.expect("a new tenant");
        }
        let id = KeyId::draw(&random).expect("randomness");
        let value = draw_key_value(&random).expect("randomness");
        let mut record = KeyRecord::new(id.clone(), tenant, &made);
        change(&mut record);
        store.add_key(&record, &random).await.expect("a new key");
        let file = KeyFile::new(self.data.path());
        file.issue(&id, &value, &self.clock.clock()).expect("the key file is written");
        (id, String::clone(&value))
    }

    /// Returns the wallets' table.
    #[must_use]
    pub fn store(&self) -> Store {
        Store::new(self.stack.aws().dynamodb(), hyperdex_local::WALLETS_TABLE)
    }

    /// Returns a change that is made now.
    #[must_use]
    pub fn change(&self, reason: &str) -> Change {
        Change { at_ms: self.clock.now_ms(), by: "test".to_owned(), reason: reason.to_owned() }
    }

    /// Sends a request with a tenant key and an optional JSON body.
    pub async fn send_as(
        &self,
        key: &str,
        (method, path): (http::Method, &str),
        body: Option<&Value>,
    ) -> Reply {
        let mut request = self.http.request(method, format!("{}{path}", self.stack.api));
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(request.header("X-API-KEY", key)).await
    }

    /// Sends a `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.request(http::Method::POST, path).json(&body)).await
    }

    /// Sends a `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(http::Method::GET, path)).await
    }

    /// Returns the wallet of a user, who has one after this. Its key may be that of the same user in
    /// another test.
    pub async fn wallet(&self, user: &str) -> Reply {
        if prepared::fits(&self.options)
            && self.is_open()
            && let Some(reply) = prepared::wallet(self, user).await
        {
            return reply;
        }
        self.create_wallet(user).await
    }

    /// Returns whether the stack has no tenant key, so that every caller is the tenant `local`.
    fn is_open(&self) -> bool {
        KeyFile::new(self.data.path()).list().is_ok_and(|keys| keys.is_empty())
    }

    /// Creates a wallet for a user by the API, with a new key.
    pub async fn create_wallet(&self, user: &str) -> Reply {
        let reply = self.post("/api/wallets", json!({ "userId": user })).await;
        assert!(matches!(reply.status, 200 | 201), "{reply:?}");
        reply
    }

    /// Signs a message with a wallet.
    pub async fn sign(&self, name: &str) -> Reply {
        self.post(&format!("/api/wallets/{name}/sign"), json!({ "message": "hello" })).await
    }

    /// Reads a wallet's credential.
    pub async fn api_key(&self, exchange: &str, name: &str) -> Reply {
        self.get(&format!("/api/trading/{exchange}/apikey?walletIdOrAddress={name}")).await
    }

    /// Deletes a wallet's credential.
    pub async fn delete(&self, exchange: &str, name: &str) -> Reply {
        let path = format!("/api/trading/{exchange}/apikey?walletIdOrAddress={name}");
        self.send(self.request(http::Method::DELETE, &path)).await
    }

    /// Rotates a wallet's credential.
    pub async fn rotate(&self, exchange: &str, name: &str) -> Reply {
        let path = format!("/api/trading/{exchange}/apikey/rotate");
        self.post(&path, json!({ "walletIdOrAddress": name })).await
    }

    /// Registers a user's wallet with an exchange.
    pub async fn register(&self, exchange: &str, name: &str) -> Reply {
        let path = format!("/api/trading/{exchange}/apikey");
        self.post(&path, json!({ "walletIdOrAddress": name })).await
    }
}

#[expect(clippy::expect_used, reason = "a failing test panics")]
impl TestApp {
    /// Starts a `POST` to another server than the API.
    pub fn request_to(&self, url: &str) -> reqwest::RequestBuilder {
        self.http.post(url)
    }

    /// Returns every item of a table.
    pub async fn scan(&self, table: &str) -> Vec<Item> {
        let (mut items, mut from) = (Vec::new(), None);
        loop {
            let scan = self.stack.aws().dynamodb().scan().table_name(table).consistent_read(true);
            let page = scan.set_exclusive_start_key(from).send().await.expect("a page");
            items.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() {
                return items;
            }
        }
    }

    /// Returns the names and addresses of a wallet's agents at an exchange.
    pub fn agents(&self, exchange: &str, address: &str) -> Vec<(String, String)> {
        let master = address.parse().expect("an address");
        if exchange == "aster" {
            let agents = self.stack.aster_sim.agents_of(master).into_iter();
            agents.map(|agent| (agent.name, agent.address.to_string())).collect()
        } else {
            let agents = self.stack.hyperliquid_sim.agents_of(master).into_iter();
            agents.map(|agent| (agent.name, agent.address.to_string())).collect()
        }
    }

    /// Returns the endpoints that a process of the stack's functions uses.
    pub fn endpoints(&self) -> Endpoints {
        Endpoints {
            dynamodb: self.stack.dynamodb.clone(),
            kms: self.stack.kms.clone(),
            lambda: self.stack.lambda.clone(),
            deliveries: self.stack.sqs.clone(),
            api_gateway: self.stack.api_gateway.clone(),
            hyperliquid: self.stack.hyperliquid.clone(),
            aster: self.stack.aster.clone(),
            lighter: self.stack.lighter.clone(),
            chains: self.stack.chains.clone(),
        }
    }

    /// Returns party 1 of every wallet, with the cosigner at `lambda`.
    pub fn custody_through(&self, lambda: &str) -> Custody {
        let aws = Aws::local(&self.stack.dynamodb, &self.stack.kms, lambda);
        let store = StoreConfig { table: hyperdex_local::WALLETS_TABLE.to_owned() };
        let config = CustodyConfig {
            kms_key_id: hyperdex_local::WALLETS_KEY.to_owned(),
            cosigner_function: "cosigner".to_owned(),
            caller: "test".to_owned(),
            refresh: RefreshBy::ThisProcess("cosigner".to_owned()),
        };
        Custody::new(&aws, &store, &config, self.clock.clock(), Random::system())
    }

    /// A request to another part of the stack than the API.
    pub fn request_by(&self, method: http::Method, url: &str) -> reqwest::RequestBuilder {
        self.http.request(method, url)
    }

    /// Starts a `GET` to another server than the API.
    pub fn request_from(&self, url: &str) -> reqwest::RequestBuilder {
        self.http.get(url)
    }
}
