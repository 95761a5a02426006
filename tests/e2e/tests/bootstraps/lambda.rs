//! A local Lambda: cargo-lambda's emulator of the Runtime API and the Invoke API, and the built
//! functions as processes that poll the emulator.

use std::fmt::Write;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use e2e::Reply;
use hyperdex_local::{
    AUDIT_KEY, COSIGNER_KEY, COSIGNER_TABLE, CosignerHost, Options, Stack, WALLETS_KEY,
    WALLETS_TABLE,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::yield_now;
use tokio::time::timeout;

/// All functions.
pub(crate) const FUNCTIONS: [&str; 54] = [
    "cancel-orders-aster",
    "cancel-orders-hyperliquid",
    "close-position-aster",
    "close-position-hyperliquid",
    "cosigner",
    "create-tenant-key",
    "create-wallet",
    "create-webhook",
    "delete-agent",
    "delete-apikey",
    "delete-webhook",
    "deliver-webhook",
    "exchange-guidance",
    "get-apikey",
    "get-balances-aster",
    "get-balances-hyperliquid",
    "get-fills-aster",
    "get-fills-hyperliquid",
    "get-orders-aster",
    "get-orders-hyperliquid",
    "get-positions-all",
    "get-positions-aster",
    "get-positions-hyperliquid",
    "get-trading-policy",
    "get-wallet",
    "health",
    "list-agents",
    "list-deliveries",
    "list-tenant-keys",
    "list-wallets",
    "list-webhooks",
    "modify-order-aster",
    "modify-order-hyperliquid",
    "place-order-aster",
    "place-order-hyperliquid",
    "publish-events",
    "reconcile-apikeys",
    "refresh-shares",
    "register-aster",
    "register-hyperliquid",
    "renew-apikeys",
    "replay-webhook",
    "resolve-orders-aster",
    "resolve-orders-hyperliquid",
    "revoke-tenant-key",
    "rotate-apikey",
    "rotate-tenant-key",
    "seal-audit",
    "set-leverage-aster",
    "set-leverage-hyperliquid",
    "set-trading-policy",
    "sign-message",
    "test-webhook",
    "update-webhook",
];

/// The functions that a schedule invokes. API Gateway invokes the others, except the cosigner.
pub(crate) const JOBS: [&str; 6] = [
    "reconcile-apikeys",
    "refresh-shares",
    "renew-apikeys",
    "resolve-orders-aster",
    "resolve-orders-hyperliquid",
    "seal-audit",
];

/// The functions that a stream or a queue invokes.
pub(crate) const CONSUMERS: [&str; 2] = ["deliver-webhook", "publish-events"];

/// The functions that work with credentials of Aster.
const OF_ASTER: [&str; 7] = [
    "delete-agent",
    "delete-apikey",
    "list-agents",
    "reconcile-apikeys",
    "register-aster",
    "renew-apikeys",
    "rotate-apikey",
];
const OF_HYPERLIQUID: [&str; 7] = [
    "delete-agent",
    "delete-apikey",
    "list-agents",
    "reconcile-apikeys",
    "register-hyperliquid",
    "renew-apikeys",
    "rotate-apikey",
];

/// The template's timeout of an endpoint function.
const TIMEOUT: Duration = Duration::from_secs(29);

/// How long a process may take to start.
const START: Duration = Duration::from_secs(60);

/// Starts the local stack's cloud and exchanges. Its API and its cosigner are not used.
pub(crate) async fn cloud() -> (Stack, TempDir) {
    let data = tempfile::tempdir().unwrap();
    let mut options = Options::new(data.path());
    options.cosigner = CosignerHost::InProcess;
    (Stack::start(options).await.unwrap(), data)
}

/// The emulator.
pub(crate) struct Lambda {
    address: String,
    home: TempDir,
    http: reqwest::Client,
    _process: Child,
}

impl Lambda {
    /// Starts cargo-lambda's emulator without a function. The functions are started separately.
    pub(crate) async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        // The emulator reads only the names of the binaries from this manifest.
        let mut manifest =
            "[package]\nname = \"functions\"\nversion = \"0.0.0\"\nedition = \"2024\"\n".to_owned();
        for name in FUNCTIONS {
            writeln!(manifest, "[[bin]]\nname = \"{name}\"\npath = \"{name}.rs\"").unwrap();
        }
        std::fs::write(home.path().join("Cargo.toml"), manifest).unwrap();
        let http = shared::http_client::client_builder().unwrap().build().unwrap();
        for _ in 0..8 {
            // The emulator requires a port number and cannot report a free one.
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let address = format!("http://127.0.0.1:{port}");
            if let Some(process) = emulator(home.path(), port, &address, &http).await {
                return Self { address, home, http, _process: process };
            }
        }
        panic!("cargo-lambda's emulator did not start");
    }

    /// Returns a function on the stack, configured as by the templates.
    pub(crate) fn function(&self, name: &'static str, stack: &Stack) -> Function {
        let directory = std::env::var_os("HYPERDEX_BOOTSTRAPS")
            .expect("HYPERDEX_BOOTSTRAPS is the directory of built functions; see .ci/bootstraps");
        Function {
            name,
            program: PathBuf::from(directory).join(name).join("bootstrap"),
            environment: self.environment(name, stack),
            log: self.home.path().join(format!("{name}.log")),
            invoke: format!("{}/2015-03-31/functions/{name}/invocations", self.address),
            http: self.http.clone(),
            timeout: TIMEOUT,
            process: None,
        }
    }

    /// Returns the variables that Lambda and the templates set for this function. Nothing is
    /// inherited.
    fn environment(&self, name: &str, stack: &Stack) -> Vec<(&'static str, String)> {
        let (aster, hyperliquid) = (OF_ASTER.contains(&name), OF_HYPERLIQUID.contains(&name));
        let trades = name.contains("-order");
        let trades_on = |exchange: &str| trades && name.ends_with(exchange);
        let wallets = matches!(name, "create-wallet" | "refresh-shares" | "sign-message");
        let signs = wallets || aster || hyperliquid;
        let (aster, hyperliquid) =
            (aster || trades_on("aster"), hyperliquid || trades_on("hyperliquid"));
        let webhooks = name.contains("-webhook") || name == "publish-events";
        let lists = matches!(name, "list-tenant-keys" | "list-deliveries");
        let finds =
            matches!(name, "get-wallet" | "get-apikey" | "list-wallets" | "exchange-guidance");
        let finds = finds || trades || name.ends_with("-trading-policy");
        let manages = name.ends_with("-tenant-key");
        let reads = signs || finds || webhooks || manages || lists;
        let cosigner = name == "cosigner";
        let mut list = vec![
            ("AWS_LAMBDA_RUNTIME_API", format!("{}/.rt/{name}", self.address)),
            ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_SESSION_TOKEN", "local".to_owned()),
        ];
        let mut set = |when: bool, variables: &[(&'static str, &str)]| {
            let variables = variables.iter().filter(|_| when);
            list.extend(variables.map(|(name, value)| (*name, (*value).to_owned())));
        };
        let own = [("COSIGNER_TABLE", COSIGNER_TABLE), ("COSIGNER_KEY_ID", COSIGNER_KEY)];
        set(cosigner, &own);
        // The emulator does not support aliases.
        set(cosigner, &[("CALLER_WITHOUT_ALIAS", "local")]);
        let seals = name == "seal-audit";
        set(seals, &[("COSIGNER_TABLE", COSIGNER_TABLE), ("AUDIT_KEY_ID", AUDIT_KEY)]);
        let stage = ("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true");
        let called = !cosigner && !JOBS.contains(&name) && !CONSUMERS.contains(&name);
        set(called, &[stage, ("TENANT_WITHOUT_KEY", "")]);
        set(called && name != "health", &[("KEYS_WITHOUT_RECORD", "tenant")]);
        set(reads, &[("WALLETS_TABLE", WALLETS_TABLE)]);
        set(reads || cosigner || seals, &[("AWS_ENDPOINT_URL_DYNAMODB", &stack.dynamodb)]);
        set(signs, &[("WALLETS_KEY_ID", WALLETS_KEY), ("COSIGNER_FUNCTION", "cosigner")]);
        let opens = signs || cosigner || seals || webhooks || trades;
        set(opens, &[("AWS_ENDPOINT_URL_KMS", &stack.kms)]);
        let trading = [("ORDER_TIMEOUT_MS", "6000"), ("DATA_KEY_CACHE_SECONDS", "60")];
        set(trades, &trading);
        set(trades, &[("WALLETS_KEY_ID", WALLETS_KEY)]);
        set(name == "set-trading-policy", &[("POLICY_DELAY_HOURS", "24")]);
        set(webhooks, &[("WALLETS_KEY_ID", WALLETS_KEY), ("AWS_ENDPOINT_URL_SQS", &stack.sqs)]);
        set(manages, &[("WALLETS_KEY_ID", WALLETS_KEY), ("AWS_ENDPOINT_URL_KMS", &stack.kms)]);
        set(manages, &[("SERVICE_NAME", "hyperdex")]);
        set(manages, &[("AWS_ENDPOINT_URL_API_GATEWAY", &stack.api_gateway)]);
        let queue = format!("{}/queue/deliveries", stack.sqs);
        set(webhooks, &[("DELIVERIES_QUEUE_URL", &queue)]);
        set(webhooks, &[("WEBHOOK_TARGETS", "public-and-loopback")]);
        set(signs, &[("AWS_ENDPOINT_URL_LAMBDA", &self.address)]);
        set(hyperliquid || cosigner, &[("HYPERLIQUID_CHAIN", "Mainnet")]);
        set(aster || cosigner, &[("ASTER_API", "v3"), ("ASTER_SIGNATURE_CHAIN_ID", "56")]);
        let key = ("RETURN_API_PRIVATE_KEY", "true");
        set(hyperliquid, &[("HYPERLIQUID_URL", stack.hyperliquid.as_str()), key]);
        set(aster, &[("ASTER_URL", stack.aster.as_str()), ("ASTER_CHAIN", "Mainnet")]);
        set(aster, &[("ASTER_IP_WHITELIST", "")]);
        let limits = [
            ("AGENT_VALIDITY_DAYS", "180"),
            ("EXCHANGE_TIMEOUT_MS", "10000"),
            ("HYPERLIQUID_WEIGHT_PER_MINUTE", "960"),
            ("ASTER_WEIGHT_PER_MINUTE", "1920"),
            ("JOB_BUDGET_PERCENT", "50"),
            ("TENANT_BUDGET_PERCENT", "75"),
            ("EGRESS_ADDRESS", "shared"),
        ];
        set(aster || hyperliquid, &limits);
        set(name == "renew-apikeys", &[("RENEW_WITHIN_DAYS", "14"), ("RENEW_LIMIT", "500")]);
        let reconcile = [("RECONCILE_EVERY_DAYS", "7"), ("RECONCILE_LIMIT", "500")];
        set(name == "reconcile-apikeys", &reconcile);
        let refresh = [("REFRESH_EVERY_DAYS", "90"), ("REFRESH_LIMIT", "200")];
        set(name == "refresh-shares", &refresh);
        list
    }
}

/// Returns the emulator's process once it accepts calls, or `None` if it ended because the port was
/// in use.
async fn emulator(home: &Path, port: u16, address: &str, http: &reqwest::Client) -> Option<Child> {
    let mut child = Command::new("cargo-lambda")
        .args(["lambda", "watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1"])
        .args(["--invoke-port", &port.to_string(), "--manifest-path"])
        .arg(home.join("Cargo.toml"))
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("cargo-lambda, which .ci/bootstraps installs");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("starting Runtime server") {
                break;
            }
        }
        // The line is printed just before the emulator listens.
        let unknown = format!("{address}/2015-03-31/functions/nobody/invocations");
        loop {
            match http.post(&unknown).body("{}").send().await {
                Ok(answer) => return answer.text().await.unwrap().contains("Missing function"),
                Err(_) if child.try_wait().unwrap().is_some() => return false,
                Err(_) => yield_now().await,
            }
        }
    };
    let ready = timeout(START, ready).await.expect("a started emulator");
    // Drains later output, so that the pipe does not fill.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    ready.then_some(child)
}

/// How an invocation ended.
#[derive(Debug)]
pub(crate) enum Invoked {
    /// The function's response.
    Answered(Value),
    /// The function's error.
    Failed(Value),
    /// The function exceeded its timeout and was killed.
    OutOfTime,
}

/// A built function with at most one process, as Lambda has for one call at a time.
pub(crate) struct Function {
    name: &'static str,
    program: PathBuf,
    environment: Vec<(&'static str, String)>,
    log: PathBuf,
    invoke: String,
    http: reqwest::Client,
    timeout: Duration,
    process: Option<Child>,
}

impl Function {
    /// Changes a variable before the start.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Removes a variable before the start.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| *known != name);
        self
    }

    /// Changes the timeout.
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts the function, for a function that other functions invoke.
    pub(crate) fn started(mut self) -> Self {
        self.start();
        self
    }

    fn start(&mut self) {
        if self.process.is_none() {
            self.process = Some(self.command().kill_on_drop(true).spawn().unwrap());
        }
    }

    /// Sends standard output and standard error to the log file.
    fn command(&self) -> Command {
        assert!(self.program.is_file(), "{} is not built", self.program.display());
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        command
    }

    /// Starts the function, which must end at once. Returns true if it failed, and its log.
    pub(crate) async fn ends(self) -> (bool, String) {
        let status = timeout(START, self.command().kill_on_drop(true).status()).await;
        let failed = !status.expect("an ended process").unwrap().success();
        (failed, std::fs::read_to_string(&self.log).unwrap())
    }

    /// Returns the process id. A new process has another id.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.as_ref().and_then(Child::id).unwrap()
    }

    /// Returns the peak memory of the process as text.
    pub(crate) fn peak(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process_id()));
        let status = status.unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        format!("peak memory: {}: {}", self.name, peak.unwrap_or("unknown").trim())
    }

    /// Returns the processor time of the process, with a resolution of 10 ms.
    pub(crate) fn used(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process_id())).unwrap();
        // The fields after the name, which may contain spaces: user time and system time.
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks = [fields[11], fields[12]].map(|field| field.parse::<u64>().unwrap());
        Duration::from_millis(ticks.iter().sum::<u64>() * 10)
    }

    /// Returns the log's lines, which are JSON.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
            .collect()
    }

    /// Invokes the function with any payload. The first call, and the first call after a timeout,
    /// starts a new process.
    pub(crate) async fn invoke(&mut self, payload: impl Into<reqwest::Body>) -> Invoked {
        self.start();
        let answer = async {
            let answer = self.http.post(&self.invoke).body(payload).send().await.unwrap();
            let (status, body) = (answer.status().as_u16(), answer.bytes().await.unwrap());
            (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
        };
        match timeout(self.timeout, answer).await {
            Ok((200, body)) => Invoked::Answered(body),
            // The emulator returns 500. AWS returns 200 with `X-Amz-Function-Error`.
            Ok((500, body)) => Invoked::Failed(body),
            Ok(other) => panic!("{}: the emulator returned {other:?}", self.name),
            Err(_) => {
                self.process.take().unwrap().kill().await.unwrap();
                Invoked::OutOfTime
            }
        }
    }

    /// Sends an event of API Gateway and reads the response as API Gateway does.
    pub(crate) async fn call(&mut self, event: &Value) -> Reply {
        let Invoked::Answered(answer) = self.invoke(event.to_string()).await else {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            panic!("{} did not respond: {event}\n{log}", self.name);
        };
        let text = answer["body"].as_str().unwrap_or_default();
        let bytes = match answer["isBase64Encoded"].as_bool() {
            Some(true) => BASE64_STANDARD.decode(text).unwrap(),
            _ => text.as_bytes().to_vec(),
        };
        let mut headers = http::HeaderMap::new();
        let many = answer["multiValueHeaders"].as_object().into_iter().flatten();
        let one = answer["headers"].as_object().into_iter().flatten();
        for (name, values) in many.chain(one) {
            let values = values.as_array().map_or(std::slice::from_ref(values), Vec::as_slice);
            for value in values {
                let name: http::HeaderName = name.parse().unwrap();
                headers.insert(name, value.as_str().unwrap().parse().unwrap());
            }
        }
        Reply {
            status: answer["statusCode"].as_u64().unwrap().try_into().unwrap(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            headers,
        }
    }
}
