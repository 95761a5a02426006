//! A local Lambda: cargo-lambda's emulator of the Runtime API and the Invoke API, and the built
//! functions as processes that poll the emulator.

mod function;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

pub(crate) use function::{Function, Invoked};
use hyperdex_local::{
    AUDIT_KEY, COSIGNER_KEY, COSIGNER_RECOVERY_TABLE, COSIGNER_TABLE, CosignerHost, Options,
    RECOVERY_TABLE, SEALS_TABLE, Stack, WALLETS_KEY, WALLETS_TABLE,
};
use tempfile::TempDir;
use template::cloudformation::REGION;
use template::stacks::Sources;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::yield_now;
use tokio::time::timeout;

/// All functions.
pub(crate) const FUNCTIONS: [&str; 76] = [
    "approve-policy-change",
    "cancel-orders-aster",
    "cancel-orders-hyperliquid",
    "cancel-orders-lighter",
    "cancel-policy-change",
    "close-position-aster",
    "close-position-hyperliquid",
    "cosigner",
    "create-tenant-key",
    "create-wallet",
    "create-webhook",
    "delete-agent",
    "delete-apikey",
    "delete-credentials-lighter",
    "delete-webhook",
    "deliver-webhook",
    "exchange-guidance",
    "get-apikey",
    "get-balances-aster",
    "get-balances-hyperliquid",
    "get-balances-lighter",
    "get-credentials-lighter",
    "get-fills-aster",
    "get-fills-hyperliquid",
    "get-orders-aster",
    "get-orders-hyperliquid",
    "get-orders-lighter",
    "get-policy",
    "get-positions-all",
    "get-positions-aster",
    "get-positions-hyperliquid",
    "get-positions-lighter",
    "get-token-transfer",
    "get-trading-policy",
    "get-transfer-aster",
    "get-transfer-hyperliquid",
    "get-wallet",
    "health",
    "list-agents",
    "list-deliveries",
    "list-tenant-keys",
    "list-wallets",
    "list-webhooks",
    "modify-order-aster",
    "modify-order-hyperliquid",
    "modify-order-lighter",
    "place-order-aster",
    "place-order-hyperliquid",
    "place-order-lighter",
    "propose-policy-change",
    "publish-events",
    "reconcile-apikeys",
    "refresh-shares",
    "register-aster",
    "register-hyperliquid",
    "renew-apikeys",
    "replay-webhook",
    "resolve-orders-aster",
    "resolve-orders-hyperliquid",
    "resolve-orders-lighter",
    "revoke-tenant-key",
    "rotate-apikey",
    "rotate-tenant-key",
    "seal-audit",
    "send-tokens",
    "set-credentials-lighter",
    "set-leverage-aster",
    "set-leverage-hyperliquid",
    "set-leverage-lighter",
    "set-trading-policy",
    "sign-message",
    "test-webhook",
    "transfer-hyperliquid",
    "update-webhook",
    "withdraw-aster",
    "withdraw-hyperliquid",
];

/// The functions that a schedule invokes. API Gateway invokes the others, except the cosigner.
pub(crate) const JOBS: [&str; 7] = [
    "reconcile-apikeys",
    "refresh-shares",
    "renew-apikeys",
    "resolve-orders-aster",
    "resolve-orders-hyperliquid",
    "resolve-orders-lighter",
    "seal-audit",
];

/// The functions that a stream or a queue invokes.
pub(crate) const CONSUMERS: [&str; 2] = ["deliver-webhook", "publish-events"];

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

    /// Returns the variables that Lambda and the templates set for this function, with the local
    /// names of the resources. Nothing is inherited.
    fn environment(&self, name: &str, stack: &Stack) -> BTreeMap<String, String> {
        let queue = format!("{}/queue/deliveries", stack.sqs);
        let mut variables = templates()[name].clone();
        for value in variables.values_mut() {
            match value.as_str() {
                "WalletsTable" => WALLETS_TABLE.clone_into(value),
                "WalletsKey.Arn" => WALLETS_KEY.clone_into(value),
                "CosignerTable" => COSIGNER_TABLE.clone_into(value),
                "SealsTable" => SEALS_TABLE.clone_into(value),
                "RecoveryTable" => RECOVERY_TABLE.clone_into(value),
                "CosignerRecoveryTable" => COSIGNER_RECOVERY_TABLE.clone_into(value),
                "CosignerKey.Arn" => COSIGNER_KEY.clone_into(value),
                "AuditKey.Arn" => AUDIT_KEY.clone_into(value),
                "Deliveries" => queue.clone_into(value),
                _ => {}
            }
        }
        let known = [
            // The emulator does not support aliases.
            ("CALLER_WITHOUT_ALIAS", "local"),
            ("COSIGNER_FUNCTION", "cosigner"),
            ("REFRESH_FUNCTION", "refresh-shares"),
            ("HYPERLIQUID_URL", stack.hyperliquid.as_str()),
            ("ASTER_URL", stack.aster.as_str()),
            ("WEBHOOK_TARGETS", "public-and-loopback"),
        ];
        for (name, value) in known {
            variables.entry(name.to_owned()).and_modify(|it| value.clone_into(it));
        }
        for (name, value) in [
            ("AWS_LAMBDA_RUNTIME_API", format!("{}/.rt/{name}", self.address).as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", name),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_SESSION_TOKEN", "local"),
            ("AWS_ENDPOINT_URL_DYNAMODB", stack.dynamodb.as_str()),
            ("AWS_ENDPOINT_URL_KMS", stack.kms.as_str()),
            ("AWS_ENDPOINT_URL_LAMBDA", self.address.as_str()),
            ("AWS_ENDPOINT_URL_SQS", stack.sqs.as_str()),
            ("AWS_ENDPOINT_URL_API_GATEWAY", stack.api_gateway.as_str()),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        variables
    }
}

/// Returns the environment of each function in the templates, on the networks of the simulators and
/// for tenant keys without a record.
fn templates() -> &'static BTreeMap<String, BTreeMap<String, String>> {
    static TEMPLATES: OnceLock<BTreeMap<String, BTreeMap<String, String>>> = OnceLock::new();
    TEMPLATES.get_or_init(|| {
        let given = [("ExchangeEnvironment", "mainnet"), ("KeysWithoutRecord", "tenant")];
        let functions = Sources::read().deploy(&given).functions().into_iter();
        functions.map(|function| (function.package.clone(), function.variables())).collect()
    })
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
