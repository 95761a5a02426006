//! The whole stack for a test, started by one call: the embedded cloud, the cosigner, the
//! exchange simulators and the API, on free ports, with data of its own and a clock that the test
//! owns.

pub mod attacker;
pub mod documented;
pub mod invariants;
pub mod kill;
pub mod leak;
pub mod proxy;
pub mod shares;
pub mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::clock::Clock;
use domain::random::Random;
use hyperdex_local::keys::KeyFile;
use hyperdex_local::{CosignerHost, Endpoints, Options, Stack};
use platform::aws::Aws;
use platform::items::Item;
use serde_json::{Value, json};
use shared::credentials::{ReconcileLimits, RenewLimits};
use shared::store::StoreConfig;
use shared::wallets::{Custody, CustodyConfig, RefreshBy};
use tempfile::TempDir;

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(Clock::system().now_us())))
    }

    /// The clock as the product takes it. A wait moves it to the wait's end, after an eighth of a
    /// short wait in real time, so that a crowd that waits for others lets them work.
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

    /// Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst) / 1_000
    }

    /// Moves it back, as a clock that was ahead is corrected.
    pub fn set_back_ms(&self, ms: u64) {
        self.0.fetch_sub(ms * 1_000, Ordering::SeqCst);
    }

    /// Moves it on.
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
    /// Its clock.
    pub clock: TestClock,
    /// Its data.
    pub data: TempDir,
    /// What it was started with.
    pub options: Options,
    http: reqwest::Client,
}

/// An answer of the API.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
    /// The headers.
    pub headers: http::HeaderMap,
}

/// The one secret that an answer may hold is not shown by a test that fails.
impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut body = self.body.clone();
        if let Some(key) = body.pointer_mut("/data/apiPrivateKey") {
            *key = Value::from("(redacted)");
        }
        write!(f, "{} {body} {:?}", self.status, self.headers)
    }
}

impl Reply {
    /// The names of the fields of the object at `pointer`, sorted.
    #[must_use]
    pub fn fields(&self, pointer: &str) -> Vec<&str> {
        let object = self.body.pointer(pointer).and_then(Value::as_object);
        let mut names: Vec<&str> =
            object.into_iter().flat_map(|object| object.keys().map(String::as_str)).collect();
        names.sort_unstable();
        names
    }

    /// The address of the agent that a registration or a rotation has made.
    #[must_use]
    pub fn agent(&self, exchange: &str) -> &str {
        self.text(match exchange {
            "aster" => "/data/agentAddress",
            _ => "/data/apiWalletAddress",
        })
    }

    /// The seconds that a caller is told to wait.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u64> {
        self.headers.get("retry-after")?.to_str().ok()?.parse().ok()
    }

    /// The text at `pointer`; empty when there is none.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

#[expect(clippy::expect_used, reason = "a test that cannot go on should say so and end")]
impl TestApp {
    /// The stack with everything by default.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The stack with other options.
    pub async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let clock = TestClock::new();
        let mut options = Options::new(data.path());
        options.clock = clock.clock();
        options.cosigner = CosignerHost::InProcess;
        options.exchange_timeout_ms = 400;
        change(&mut options);
        let stack = Stack::start(options.clone()).await.expect("the stack starts");
        let http = shared::http_client::client_builder()
            .and_then(|builder| Ok(builder.build()?))
            .expect("an HTTP client");
        Self { stack, clock, data, options, http }
    }

    /// Sends a request as it is. An answer of the API that is not in its document ends the test.
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

    /// Sends a request as it is, to which the API's document does not apply.
    pub async fn send_unchecked(&self, request: reqwest::RequestBuilder) -> Reply {
        let request = request.build().expect("a request");
        let response = self.http.execute(request).await.expect("the API answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a whole body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Reply { status, body, headers }
    }

    /// A request to a path, to be completed.
    pub fn request(&self, method: http::Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.stack.api))
            .header("X-API-KEY", "any-key")
    }

    /// Makes an API key. With the first one, the stack is closed to all others.
    pub fn key(&self, tenant: &str) -> String {
        let tenant = tenant.parse().expect("a tenant");
        let file = KeyFile::new(self.data.path());
        let key = file.add(&tenant, &self.clock.clock(), &Random::system());
        String::clone(&key.expect("a key"))
    }

    /// A request with an API key, and a JSON body if there is one.
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

    /// `POST` of a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.request(http::Method::POST, path).json(&body)).await
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(http::Method::GET, path)).await
    }

    /// Creates a wallet for a user.
    pub async fn wallet(&self, user: &str) -> Reply {
        let reply = self.post("/api/wallets", json!({ "userId": user })).await;
        assert!(matches!(reply.status, 200 | 201), "{reply:?}");
        reply
    }

    /// Signs a message with a wallet.
    pub async fn sign(&self, name: &str) -> Reply {
        self.post(&format!("/api/wallets/{name}/sign"), json!({ "message": "hello" })).await
    }

    /// What is known of a wallet's credential.
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

#[expect(clippy::expect_used, reason = "a test that cannot go on should say so and end")]
impl TestApp {
    /// A `POST` to somebody else than the API.
    pub fn request_to(&self, url: &str) -> reqwest::RequestBuilder {
        self.http.post(url)
    }

    /// Every item of a table.
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

    /// The agents of a wallet's address on an exchange: names and addresses.
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

    /// The parts of the stack that a process of its functions reaches.
    pub fn endpoints(&self) -> Endpoints {
        Endpoints {
            dynamodb: self.stack.dynamodb.clone(),
            kms: self.stack.kms.clone(),
            lambda: self.stack.lambda.clone(),
            deliveries: self.stack.sqs.clone(),
            hyperliquid: self.stack.hyperliquid.clone(),
            aster: self.stack.aster.clone(),
        }
    }

    /// Party 1 of every wallet, which invokes the cosigner at `lambda`.
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

    /// A `GET` from somebody else than the API.
    pub fn request_from(&self, url: &str) -> reqwest::RequestBuilder {
        self.http.get(url)
    }
}
