//! A deployment for an operator, and the console as a separate process.

#![allow(dead_code, clippy::allow_attributes, reason = "each test program uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::Random;
use hyperdex_local::keys::KeyFile;
use hyperdex_local::{CosignerHost, Options, Stack};
use serde_json::{Value, json};
use shared::access::MAX_AGE_MS;
use shared::store::{KeyRecord, Position, Store, TenantRecord};
use shared::tenancy::{Change, KeyId, KeyLabel, Scope, draw_key_value};
use tempfile::TempDir;

use crate::cloud::{Administration, Cloud};
use crate::running;

/// A stack with data, behind a simulated AWS.
pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) cloud: Cloud,
    pub(crate) http: reqwest::Client,
    pub(crate) data: TempDir,
    /// The time by which the stack's clock is ahead of the machine's.
    later_ms: Arc<AtomicU64>,
}

const AWS: [&str; 8] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
];

impl World {
    pub(crate) async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut options = Options::new(data.path());
        options.cosigner = CosignerHost::InProcess;
        let later_ms = Arc::new(AtomicU64::default());
        let (later, clock) = (later_ms.clone(), Clock::system());
        options.clock =
            Clock::from_micros(move || clock.now_us() + 1_000 * later.load(Ordering::SeqCst));
        let stack = Stack::start(options).await.unwrap();
        let http = shared::http_client::client_builder().unwrap().build().unwrap();
        let administration = Administration {
            api_gateway: stack.api_gateway.clone(),
            renewal: stack.scheduled.renewal(),
        };
        let cloud = Cloud::start(&stack.dynamodb, Some(administration)).await;
        std::fs::write(
            data.path().join("config"),
            "[profile operator]\nregion = eu-central-1\n[profile cosigner]\nregion = eu-central-1\n\
             [profile nowhere]\noutput = json\n",
        )
        .unwrap();
        std::fs::write(
            data.path().join("credentials"),
            "[operator]\naws_access_key_id = AKIAMAIN\naws_secret_access_key = one\n\
             [cosigner]\naws_access_key_id = AKIATHEIRS\naws_secret_access_key = two\n\
             [nowhere]\naws_access_key_id = AKIANONE\naws_secret_access_key = three\n",
        )
        .unwrap();
        let world = Self { stack, cloud, http, data, later_ms };
        world.post("/api/wallets", json!({ "userId": "alice" })).await;
        for exchange in ["aster", "hyperliquid"] {
            let path = format!("/api/trading/{exchange}/apikey");
            world.post(&path, json!({ "walletIdOrAddress": "alice" })).await;
        }
        world.post("/api/wallets", json!({ "userId": "bob" })).await;
        world
    }

    /// Returns the status of a signing request with a user's wallet.
    pub(crate) async fn sign(&self, user: &str) -> u16 {
        let request = self.http.post(format!("{}/api/wallets/{user}/sign", self.stack.api));
        let request = request.header("x-api-key", "a").header("content-type", "application/json");
        request.body(r#"{"message":"hello"}"#).send().await.unwrap().status().as_u16()
    }

    /// The status of a read with a tenant key.
    pub(crate) async fn reads(&self, key: &str) -> u16 {
        let request = self.http.get(format!("{}/api/wallets", self.stack.api));
        request.header("x-api-key", key).send().await.unwrap().status().as_u16()
    }

    /// Makes a tenant key with these scopes, and its tenant with the first one: its id and its value.
    pub(crate) async fn key(&self, tenant: &str, scopes: &[Scope]) -> (KeyId, String) {
        let (store, random) = (self.store(), Random::system());
        let tenant: Tenant = tenant.parse().unwrap();
        let change = Change { at_ms: self.now_ms(), by: "test".to_owned(), reason: String::new() };
        let revision = random.uuid().unwrap();
        let record = TenantRecord::new(tenant.clone(), KeyLabel::default(), &change, revision);
        store.create_tenant(&record).await.unwrap();
        let (id, value) = (KeyId::draw(&random).unwrap(), draw_key_value(&random).unwrap());
        let scopes = scopes.iter().copied().collect();
        let key = KeyRecord { scopes, ..KeyRecord::new(id.clone(), tenant, &change) };
        store.add_key(&key, &random).await.unwrap();
        KeyFile::new(self.data.path()).issue(&id, &value, &Clock::system()).unwrap();
        (id, String::clone(&value))
    }

    /// The time of the stack.
    fn now_ms(&self) -> u64 {
        Clock::system().now_ms() + self.later_ms.load(Ordering::SeqCst)
    }

    /// Moves the stack's clock past the time that a function remembers a key.
    pub(crate) fn forget_keys(&self) {
        self.later_ms.fetch_add(MAX_AGE_MS, Ordering::SeqCst);
    }

    /// How many agents the exchanges have for a tenant's wallets.
    pub(crate) async fn agents(&self, tenant: &str) -> u16 {
        let page = self.store().list(&tenant.parse().unwrap(), Position::default(), 100).await;
        let wallets = page.unwrap().0.into_iter().map(|wallet| wallet.address.to_string());
        let count = wallets.map(|address| {
            let master = address.parse().unwrap();
            let hyperliquid = self.stack.hyperliquid_sim.agents_of(master).len();
            hyperliquid + self.stack.aster_sim.agents_of(master).len()
        });
        u16::try_from(count.sum::<usize>()).unwrap()
    }

    /// The status of a `POST` with a tenant key.
    pub(crate) async fn post_as(&self, key: &str, path: &str, body: &Value) -> u16 {
        let request = self.http.post(format!("{}{path}", self.stack.api)).header("x-api-key", key);
        let request = request.header("content-type", "application/json").body(body.to_string());
        request.send().await.unwrap().status().as_u16()
    }

    /// The wallets' table.
    pub(crate) fn store(&self) -> Store {
        Store::new(self.stack.aws().dynamodb(), hyperdex_local::WALLETS_TABLE)
    }

    /// Makes a tenant key without a record, as earlier versions did.
    pub(crate) fn old_key(&self, name: &str) {
        let file = KeyFile::new(self.data.path());
        file.add(&name.parse().unwrap(), &Clock::system(), &Random::system()).unwrap();
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.stack.api)).header("x-api-key", "a");
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// Returns a command that starts the console.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&["console"]);
        command.args(["--tenant", "local", "--endpoint-url", &self.cloud.url]).args(arguments);
        command
    }

    /// Returns a command of the program, with the profiles of both accounts.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = running::program();
        self.as_operator(&mut command);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Gives a process the profiles of both accounts, and no other setting of AWS.
    pub(crate) fn as_operator(&self, command: &mut Command) {
        for name in AWS {
            command.env_remove(name);
        }
        command
            .env("RUST_LOG", "warn")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", self.data.path().join("config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.data.path().join("credentials"));
    }

    /// Starts the console over both accounts.
    pub(crate) fn console(&self) -> Console {
        let two = ["--cosigner-stack", "cosigner", "--cosigner-profile", "cosigner"];
        let arguments = [["--profile", "operator", "--stack", "prod"], two].concat();
        let mut child = self.program(&arguments).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said: Vec<String> =
            lines.map(Result::unwrap).take_while(|line| !line.starts_with("Ctrl-C")).collect();
        let address = said.iter().find_map(|line| line.trim().strip_prefix("console "));
        let address = address.unwrap_or_else(|| panic!("{said:?}")).trim();
        let (url, token) = address.split_once("/#token=").unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        Console { child, url: url.to_owned(), token: token.to_owned(), http: self.http.clone() }
    }

    /// Returns the content of both tables.
    pub(crate) async fn tables(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for table in [hyperdex_local::WALLETS_TABLE, hyperdex_local::COSIGNER_TABLE] {
            let scan = self.stack.aws().dynamodb().scan().table_name(table).send().await.unwrap();
            for item in scan.items() {
                let name = format!("{table} {:?} {:?}", item["pk"], item["sk"]);
                all.insert(name, canonical(&AttributeValue::M(item.clone())));
            }
        }
        all
    }

    /// Returns every binary value of the wallets' table, in the encodings that a page could show.
    pub(crate) async fn sealed(&self) -> Vec<String> {
        let table = hyperdex_local::WALLETS_TABLE;
        let scan = self.stack.aws().dynamodb().scan().table_name(table).send().await.unwrap();
        let mut found = Vec::new();
        for item in scan.items() {
            for value in item.values() {
                binary(value, &mut found);
            }
        }
        assert!(found.len() > 4, "something is sealed");
        found
    }
}

/// The first policy of a document, behind a heading: its actions, and its statements.
pub(crate) fn policy(document: &str, heading: &str) -> (BTreeSet<String>, Vec<Value>) {
    let path = format!("{}/../../docs/{document}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once(heading).unwrap();
    let (_, rest) = rest.split_once("```json\n").unwrap();
    let policy: Value = serde_json::from_str(rest.split_once("```").unwrap().0).unwrap();
    let statements = policy["Statement"].as_array().unwrap().clone();
    let mut actions = BTreeSet::new();
    for statement in &statements {
        assert_eq!(statement["Effect"], "Allow");
        let listed = statement["Action"].as_array().unwrap();
        actions.extend(listed.iter().map(|action| action.as_str().unwrap().to_owned()));
    }
    (actions, statements)
}

/// Returns a value as a canonical text.
fn canonical(value: &AttributeValue) -> String {
    match value {
        AttributeValue::M(map) => {
            let sorted: BTreeMap<_, _> =
                map.iter().map(|(name, value)| (name, canonical(value))).collect();
            format!("{sorted:?}")
        }
        AttributeValue::L(list) => format!("{:?}", list.iter().map(canonical).collect::<Vec<_>>()),
        other => format!("{other:?}"),
    }
}

fn binary(value: &AttributeValue, found: &mut Vec<String>) {
    match value {
        AttributeValue::B(blob) => {
            found.push(STANDARD.encode(blob.as_ref()));
            found.push(hex::encode(blob.as_ref()));
        }
        AttributeValue::M(map) => map.values().for_each(|value| binary(value, found)),
        AttributeValue::L(list) => list.iter().for_each(|value| binary(value, found)),
        _ => {}
    }
}

pub(crate) struct Console {
    pub(crate) child: Child,
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) http: reqwest::Client,
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Console {
    pub(crate) async fn send(
        &self,
        method: http::Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (u16, String) {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub(crate) async fn read(&self, path: &str) -> (u16, Value) {
        let path = format!("/console/data/{path}");
        let headers = [("x-api-key", self.token.as_str())];
        let (status, body) = self.send(http::Method::GET, &path, &headers).await;
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path}: {body}")))
    }
}
