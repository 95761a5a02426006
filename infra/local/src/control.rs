//! Control socket of a running stack, for commands of the command line. It is a Unix socket in the
//! data directory, which only the owner can open.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use domain::eth::Address;
use domain::ids::{Tenant, WalletRef};
use http::StatusCode;
use hyperdex_cloud::error::chain;
use hyperdex_cloud::files::broken;
use hyperdex_console::Simulators;
use hyperdex_listen::Stop;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::wallets::Custody;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use crate::admin::{Admin, AdminRequest};
use crate::data::existing;
use crate::error::StartError;
use crate::jobs::{JobName, Jobs};
use crate::sim_state::Kept;

/// Name of the socket in the data directory.
const SOCKET: &str = "control.sock";

/// Timeout of a command. A job can run for minutes.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Error of a command to a running stack.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] StartError),
    /// No stack uses the directory.
    #[error(
        "no stack runs with the data directory {}: start it with `hyperdex --data-dir {}`",
        .0.display(), .0.display()
    )]
    NotRunning(PathBuf),
    /// The connection failed.
    #[error("the running stack did not respond: {0}")]
    Call(String),
    /// The stack refused the command.
    #[error("{0}")]
    Refused(String),
}

/// A deposit on the simulators.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deposit {
    /// Tenant of the wallet.
    pub tenant: Tenant,
    /// A userId, a walletId or an address.
    pub wallet: String,
}

/// State of the control socket's commands.
#[derive(Clone)]
pub(crate) struct Control {
    jobs: Jobs,
    custody: Custody,
    simulators: Simulators,
    kept: Kept,
    admin: Admin,
}

impl Control {
    pub(crate) fn new(
        jobs: Jobs,
        custody: Custody,
        simulators: &Simulators,
        kept: Kept,
        admin: Admin,
    ) -> Self {
        Self { jobs, custody, simulators: simulators.clone(), kept, admin }
    }

    /// Listens on the socket of a data directory whose lock is held.
    pub(crate) fn serve(self, data_dir: &Path, stop: Stop) -> Result<JoinHandle<()>, StartError> {
        let path = data_dir.join(SOCKET);
        // A leftover of a killed stack. The lock proves that no stack uses it.
        let _ = std::fs::remove_file(&path);
        let listener = match UnixListener::bind(&path) {
            Ok(listener) => listener,
            // The path exceeds the limit for sockets (108 bytes). Everything else works.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                tracing::warn!(%error, "`jobs run` and `sim deposit` cannot reach this stack");
                return Ok(tokio::spawn(std::future::ready(())));
            }
            Err(error) => return Err(broken(&path, &error).into()),
        };
        let router = Router::new()
            .route("/jobs", post(run_job))
            .route("/deposits", post(deposit))
            .route("/admin", post(administer))
            .with_state(self);
        Ok(tokio::spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(stop.wait()).await;
            if let Err(error) = served {
                tracing::error!(%error, "the control socket ended");
            }
            let _ = std::fs::remove_file(&path);
        }))
    }
}

async fn run_job(State(control): State<Control>, Json(job): Json<String>) -> Response {
    let Some(job) = JobName::ALL.into_iter().find(|name| name.as_str() == job) else {
        return refused(StatusCode::BAD_REQUEST, &format!("unknown job {job}"));
    };
    match control.jobs.run(job).await {
        Ok(summary) => Json(summary).into_response(),
        Err(cause) => {
            refused(StatusCode::INTERNAL_SERVER_ERROR, &format!("the job {job} failed: {cause}"))
        }
    }
}

async fn administer(State(control): State<Control>, Json(asked): Json<AdminRequest>) -> Response {
    match control.admin.run(asked).await {
        Ok(reply) => Json(reply).into_response(),
        Err(error) => refused(StatusCode::CONFLICT, &chain(&error)),
    }
}

async fn deposit(State(control): State<Control>, Json(asked): Json<Deposit>) -> Response {
    let address = match asked.wallet.parse::<Address>() {
        Ok(address) => address,
        Err(_) => match control.address(&asked).await {
            Ok(address) => address,
            Err((status, cause)) => return refused(status, &cause),
        },
    };
    let Ok(account) = address.to_string().parse() else {
        return refused(StatusCode::BAD_REQUEST, &format!("{address} is not an account address"));
    };
    let mut exchanges = Vec::new();
    if let Some(hyperliquid) = &control.simulators.hyperliquid {
        hyperliquid.deposit(account);
        control.kept.hyperliquid.write();
        exchanges.push("hyperliquid");
    }
    if let Some(aster) = &control.simulators.aster {
        aster.deposit(account);
        control.kept.aster.write();
        exchanges.push("aster");
    }
    if exchanges.is_empty() {
        let cause = "this stack simulates no exchange: deposit at the exchange itself";
        return refused(StatusCode::CONFLICT, cause);
    }
    Json(json!({ "address": address.to_string(), "exchanges": exchanges })).into_response()
}

impl Control {
    async fn address(&self, asked: &Deposit) -> Result<Address, (StatusCode, String)> {
        let name: WalletRef = asked.wallet.parse().map_err(|_| {
            let expected = "expected a userId, a walletId or an address";
            (StatusCode::BAD_REQUEST, format!("invalid wallet {}: {expected}", asked.wallet))
        })?;
        let found = self.custody.store.find(&asked.tenant, &name).await;
        let found = found.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, chain(&error)))?;
        let found = found.ok_or_else(|| {
            let cause = format!("the tenant {} has no wallet {}", asked.tenant, asked.wallet);
            (StatusCode::NOT_FOUND, cause)
        })?;
        Ok(found.wallet.address)
    }
}

fn refused(status: StatusCode, cause: &str) -> Response {
    (status, Json(json!({ "error": cause }))).into_response()
}

/// Makes the running stack run a job now, and returns the job's summary.
///
/// # Errors
/// Returns an error when no stack runs or the job fails.
pub async fn run_job_now(data_dir: &Path, job: JobName) -> Result<Value, ControlError> {
    ask(data_dir, "jobs", &json!(job.as_str())).await
}

/// Credits an account on the running stack's simulators.
///
/// # Errors
/// Returns an error when no stack runs, it has no simulator, or the wallet does not exist.
pub async fn deposit_now(data_dir: &Path, deposit: &Deposit) -> Result<Value, ControlError> {
    ask(data_dir, "deposits", &json!(deposit)).await
}

/// Returns whether a stack listens on the control socket of a data directory.
pub(crate) fn is_running(data_dir: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(data_dir.join(SOCKET)).is_ok()
}

pub(crate) async fn ask(data_dir: &Path, what: &str, body: &Value) -> Result<Value, ControlError> {
    existing(data_dir)?;
    let call = |error: &(dyn std::error::Error + 'static)| ControlError::Call(chain(error));
    let client = shared::http_client::client_builder()
        .map_err(|error| call(&error))?
        .unix_socket(data_dir.join(SOCKET))
        .timeout(TIMEOUT)
        .build()
        .map_err(|error| call(&error))?;
    let request = client.post(format!("http://localhost/{what}"));
    let request = request.header("content-type", "application/json").body(body.to_string());
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() => {
            return Err(ControlError::NotRunning(data_dir.to_owned()));
        }
        Err(error) => return Err(call(&error.without_url())),
    };
    let done = response.status().is_success();
    let text = response.text().await.map_err(|error| call(&error.without_url()))?;
    let body: Value = serde_json::from_str(&text).map_err(|error| call(&error))?;
    if done {
        return Ok(body);
    }
    let cause = body["error"].as_str().unwrap_or("the stack gave no reason");
    Err(ControlError::Refused(cause.to_owned()))
}
