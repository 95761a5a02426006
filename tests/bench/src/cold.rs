//! Measures cold starts: for each built function, the time from the start of its process to its
//! first poll of Lambda's Runtime API and to its first response, compared with an empty function
//! compiled in the same way.
//!
//! This process implements the Runtime API:
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use domain::ids::Tenant;
use http::StatusCode;
use hyperdex_cloud::names::{AUDIT_KEY, COSIGNER_KEY, COSIGNER_TABLE, WALLETS_KEY, WALLETS_TABLE};
use hyperdex_listen::{Stop, bind, serve, url};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::drive::{Job, drive};
use crate::error::{BenchError, failed};
use crate::machine::peak_mb;
use crate::world::World;

/// The empty function: `tests/hello`.
pub(crate) const EMPTY: &str = "hello";
/// The functions that schedules invoke.
const JOBS: [&str; 4] = ["reconcile-apikeys", "refresh-shares", "renew-apikeys", "seal-audit"];
/// The functions that a stream or a queue invokes.
const CONSUMERS: [&str; 2] = ["deliver-webhook", "publish-events"];
/// The function that uses every client for its first response, and the user whose wallet signs.
const SIGNS: &str = "sign-message";
const USER: &str = "cold";
/// How long a function may take to respond.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The pause between two starts.
const PAUSE: Duration = Duration::from_millis(50);

/// The cold start of one function. Times are medians.
pub(crate) struct Cold {
    pub(crate) name: String,
    /// Until the first poll of the Runtime API.
    pub(crate) poll: Duration,
    /// Until the first response.
    pub(crate) answer: Duration,
    /// The peak memory until then, in MB.
    pub(crate) peak_mb: u64,
    /// The size of the binary, in bytes.
    pub(crate) size: u64,
    /// The size of `bootstrap.zip` in the same folder, in bytes, if it exists.
    pub(crate) zip: Option<u64>,
}

impl Cold {
    /// Returns true if a schedule invokes the function. Then its first response requires a whole
    /// run.
    pub(crate) fn is_job(&self) -> bool {
        JOBS.contains(&self.name.as_str())
    }
}

/// What the Runtime API observes of one process.
#[derive(Default)]
struct Seen {
    event: Value,
    polled: Option<Instant>,
    answered: Option<Instant>,
    answer: Value,
    fault: Option<String>,
}

#[derive(Clone, Default)]
struct Runtime {
    seen: Arc<Mutex<Seen>>,
    done: Arc<Notify>,
}

impl Runtime {
    fn with<T>(&self, work: impl FnOnce(&mut Seen) -> T) -> T {
        work(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns the event to the first poll. Later polls wait.
async fn next(State(runtime): State<Runtime>) -> Response {
    let now = Instant::now();
    let event = runtime.with(|seen| {
        let first = seen.polled.is_none();
        seen.polled.get_or_insert(now);
        first.then(|| seen.event.to_string())
    });
    let Some(event) = event else { return std::future::pending().await };
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:cold",
        ),
    ];
    (headers, event).into_response()
}

async fn answered(State(runtime): State<Runtime>, answer: String) -> StatusCode {
    let now = Instant::now();
    runtime.with(|seen| {
        seen.answered = Some(now);
        seen.answer = serde_json::from_str(&answer).unwrap_or_default();
    });
    runtime.done.notify_one();
    StatusCode::ACCEPTED
}

async fn fault(State(runtime): State<Runtime>, cause: String) -> StatusCode {
    runtime.with(|seen| seen.fault = Some(cause));
    runtime.done.notify_one();
    StatusCode::ACCEPTED
}

/// Starts each function in `folder` (`<name>/bootstrap`) this many times, in turn with all others.
pub(crate) async fn measure(
    world: &World,
    folder: &Path,
    times: usize,
) -> Result<Vec<Cold>, BenchError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if folder.join(&name).join("bootstrap").is_file() {
            names.push(name);
        }
    }
    names.sort_unstable();
    let mut found: Vec<Vec<(Duration, Duration, u64)>> = vec![Vec::new(); names.len()];
    for _ in 0..times {
        for (name, found) in names.iter().zip(&mut found) {
            let run = start(world, folder, name, event(name)).await?;
            found.push((run.poll, run.answer, run.peak_mb));
        }
    }
    let functions = names.into_iter().zip(found).map(|(name, found)| {
        let size = |file| std::fs::metadata(folder.join(&name).join(file)).map(|file| file.len());
        Cold {
            poll: median(found.iter().map(|it| it.0)),
            answer: median(found.iter().map(|it| it.1)),
            peak_mb: found.iter().map(|it| it.2).max().unwrap_or_default(),
            size: size("bootstrap").unwrap_or_default(),
            zip: size("bootstrap.zip").ok(),
            name,
        }
    });
    Ok(functions.collect())
}

/// Returns the median time from the start of `sign-message` to a signature, which includes the
/// creation of every client. The cosigner is warm. Returns `None` if the function was not built.
pub(crate) async fn first_signature(
    world: &World,
    folder: &Path,
    times: usize,
) -> Result<Option<Duration>, BenchError> {
    if !folder.join(SIGNS).join("bootstrap").is_file() {
        return Ok(None);
    }
    drive(world, 1, vec![Job::create(USER), Job::sign(USER, 0)]).await?;
    let body = json!({ "message": "the first" }).to_string();
    let event = request("POST", &format!("/api/wallets/{USER}/sign"), Some(&body));
    let mut found = Vec::new();
    for _ in 0..times {
        let run = start(world, folder, SIGNS, event.clone()).await?;
        let status = &run.response["statusCode"];
        if status != 200 {
            return Err(failed(format!("{SIGNS} returned {status}")));
        }
        found.push(run.answer);
    }
    Ok(Some(median(found.into_iter())))
}

/// One cold start.
struct Start {
    poll: Duration,
    answer: Duration,
    peak_mb: u64,
    /// The response.
    response: Value,
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Measures one cold start: time to the first poll and to the first response, and the memory.
async fn start(
    world: &World,
    folder: &Path,
    name: &str,
    event: Value,
) -> Result<Start, BenchError> {
    // Lets leftover work of the previous process finish.
    tokio::time::sleep(PAUSE).await;
    let runtime = Runtime::default();
    runtime.with(|seen| seen.event = event);
    let api = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(fault))
        .route("/2018-06-01/runtime/init/error", post(fault))
        .with_state(runtime.clone());
    let (sender, stop) = Stop::new();
    let listener = bind("Lambda's Runtime API", std::net::Ipv4Addr::LOCALHOST.into(), 0).await?;
    let address = url(&listener);
    serve(listener, api, stop);

    let mut command = Command::new(folder.join(name).join("bootstrap"));
    command
        .env_clear()
        .envs(environment(world, address.trim_start_matches("http://")))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let begun = Instant::now();
    let mut process = command.spawn().map_err(failed)?;
    let ended = tokio::select! {
        _ = timeout(TIMEOUT, runtime.done.notified()) => false,
        _ = process.wait() => true,
    };
    let peak = peak_mb(process.id().unwrap_or_default());
    let _ = process.kill().await;
    let _ = sender.send(true);
    runtime.with(|seen| match (seen.polled, seen.answered, seen.fault.take()) {
        (Some(polled), Some(answered), None) => Ok(Start {
            poll: polled - begun,
            answer: answered - begun,
            peak_mb: peak,
            response: seen.answer.take(),
        }),
        (_, _, Some(fault)) => Err(failed(format!("{name} failed: {fault}"))),
        _ if ended => Err(failed(format!("{name} ended before it responded"))),
        _ => Err(failed(format!("{name} did not respond"))),
    })
}

/// Returns the first event of a function: an unknown path for an endpoint, a run for a job, and an
/// empty batch for a consumer.
fn event(name: &str) -> Value {
    match name {
        "cosigner" => json!("no message"),
        name if JOBS.contains(&name) => json!({}),
        name if CONSUMERS.contains(&name) => json!({ "Records": [] }),
        _ => request("GET", "/api/nothing", None),
    }
}

/// Returns an event of API Gateway.
fn request(method: &str, path: &str, body: Option<&str>) -> Value {
    json!({
        "resource": "/api/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {
            "host": "example.execute-api.us-east-1.amazonaws.com",
            "content-type": "application/json",
        },
        "multiValueHeaders": {},
        "queryStringParameters": null,
        "multiValueQueryStringParameters": null,
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "example",
            "httpMethod": method,
            "path": format!("/v1{path}"),
            "requestId": "5f6a7a2e-5a3b-4b8f-9b3c-000000000000",
            "resourcePath": "/api/{proxy+}",
            "stage": "v1",
            "identity": {
                "apiKey": "key-without-record",
                "apiKeyId": Tenant::local().to_string(),
                "sourceIp": "192.0.2.1",
            },
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

/// Returns the variables that Lambda and the template set, for all functions together.
fn environment(world: &World, runtime: &str) -> Vec<(&'static str, String)> {
    let endpoints = &world.settings.endpoints;
    let list = [
        ("AWS_LAMBDA_RUNTIME_API", runtime),
        ("AWS_LAMBDA_FUNCTION_NAME", "cold"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_SESSION_TOKEN", "local"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &endpoints.dynamodb),
        ("AWS_ENDPOINT_URL_KMS", &endpoints.kms),
        ("AWS_ENDPOINT_URL_LAMBDA", &endpoints.lambda),
        // Without a webhook nothing is queued.
        ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9"),
        ("DELIVERIES_QUEUE_URL", "http://127.0.0.1:9/queue/deliveries"),
        ("WEBHOOK_TARGETS", "public-and-loopback"),
        ("WALLETS_TABLE", WALLETS_TABLE),
        ("WALLETS_KEY_ID", WALLETS_KEY),
        ("COSIGNER_FUNCTION", "cosigner"),
        ("COSIGNER_TABLE", COSIGNER_TABLE),
        ("COSIGNER_KEY_ID", COSIGNER_KEY),
        ("AUDIT_KEY_ID", AUDIT_KEY),
        ("HYPERLIQUID_URL", endpoints.hyperliquid.as_str()),
        ("HYPERLIQUID_CHAIN", "Mainnet"),
        ("RETURN_API_PRIVATE_KEY", "true"),
        ("ASTER_URL", endpoints.aster.as_str()),
        ("ASTER_API", "v3"),
        ("ASTER_SIGNATURE_CHAIN_ID", "56"),
        ("ASTER_CHAIN", "Mainnet"),
    ];
    list.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}
