//! A proxy between the product's processes and the local cloud. It counts each call and the
//! capacity units that DynamoDB would charge. It is used only where calls are counted, because it
//! takes time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use hyperdex_listen::{Stop, bind, serve, url};
use serde_json::Value;

use crate::client::client;
use crate::error::{BenchError, failed};

/// Larger than every payload.
const MAX_BODY_BYTES: usize = 16 << 20;

/// The calls since the last query.
#[derive(Clone, Default, Debug)]
pub(crate) struct Passed {
    /// The number of calls by name, such as `endpoint DynamoDB.GetItem`.
    pub(crate) calls: BTreeMap<String, u64>,
    /// DynamoDB read units.
    pub(crate) read_units: f64,
    /// DynamoDB write units.
    pub(crate) write_units: f64,
    /// The write units of the most expensive writes.
    pub(crate) most_expensive: BTreeMap<String, f64>,
    /// The calls in the sequence of their ends.
    pub(crate) spans: Vec<Span>,
}

/// The time of a call: numbers that grow with each beginning and each end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    pub(crate) target: Target,
}

/// The kind of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// A change at an exchange.
    Change,
    /// A read of an exchange.
    Read,
    /// A call of AWS.
    Aws,
}

impl Passed {
    pub(crate) fn total(&self, of: &str) -> u64 {
        self.calls.iter().filter(|(name, _)| name.contains(of)).map(|(_, count)| count).sum()
    }
}

/// The proxy. Clones share it.
#[derive(Clone)]
pub(crate) struct Edge(Arc<Inner>);

struct Inner {
    address: String,
    http: reqwest::Client,
    targets: Mutex<BTreeMap<&'static str, String>>,
    passed: Mutex<Passed>,
    moments: AtomicU64,
    delay_ms: AtomicU64,
}

impl Edge {
    pub(crate) async fn start(stop: Stop) -> Result<Self, BenchError> {
        let listener = bind("the edge", std::net::Ipv4Addr::LOCALHOST.into(), 0).await?;
        let http = client()?;
        let edge = Self(Arc::new(Inner {
            address: url(&listener),
            http,
            targets: Mutex::default(),
            passed: Mutex::default(),
            moments: AtomicU64::default(),
            delay_ms: AtomicU64::default(),
        }));
        let router = Router::new()
            .route("/{who}/{service}", any(pass_root))
            .route("/{who}/{service}/", any(pass_root))
            .route("/{who}/{service}/{*rest}", any(pass))
            .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(edge.clone());
        serve(listener, router, stop);
        Ok(edge)
    }

    /// Returns the URL of a service for a process. The service is at `target`.
    pub(crate) fn url(&self, who: &str, service: &'static str, target: &str) -> String {
        let target = target.trim_end_matches('/').to_owned();
        self.0.targets.lock().unwrap_or_else(PoisonError::into_inner).insert(service, target);
        format!("{}/{who}/{service}", self.0.address)
    }

    /// Returns the calls since the last query.
    pub(crate) fn take(&self) -> Passed {
        std::mem::take(&mut self.0.passed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Delays each call, so that concurrent calls overlap.
    pub(crate) fn set_delay(&self, delay: Duration) {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.0.delay_ms.store(delay_ms, Ordering::Relaxed);
    }

    fn moment(&self) -> u64 {
        self.0.moments.fetch_add(1, Ordering::Relaxed)
    }

    async fn forward(&self, call: Call) -> Result<Response, BenchError> {
        let Call { who, service, rest, method, uri, mut headers, body } = call;
        let target = {
            let targets = self.0.targets.lock().unwrap_or_else(PoisonError::into_inner);
            targets.get(service.as_str()).cloned().ok_or_else(|| failed("unknown service"))?
        };
        let operation = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = operation.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
        let name = match service.as_str() {
            "DynamoDB" | "KMS" => format!("{who} {service}.{operation}"),
            _ => format!("{who} {service}"),
        };
        let target_kind = kind(&service, &method, &rest);
        let begun = self.moment();
        let delay_ms = self.0.delay_ms.load(Ordering::Relaxed);
        if delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
        let body = if service == "DynamoDB" { with_units(&body) } else { body };
        for hop in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH] {
            headers.remove(hop);
        }
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let request = self.0.http.request(method, format!("{target}/{rest}{query}"));
        let answer = request.headers(headers).body(body).send().await.map_err(failed)?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        for hop in [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            headers.remove(hop);
        }
        let body = answer.bytes().await.map_err(failed)?;
        let span = Span { begun, ended: self.moment(), target: target_kind };
        self.note(name, (service == "DynamoDB").then(|| units(&body)), span);
        Ok((status, headers, body).into_response())
    }

    fn note(&self, name: String, units: Option<f64>, span: Span) {
        let mut passed = self.0.passed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(units) = units {
            let reads = ["GetItem", "Query", "BatchGetItem"];
            if reads.iter().any(|read| name.ends_with(read)) {
                passed.read_units += units;
            } else {
                passed.write_units += units;
                *passed.most_expensive.entry(name.clone()).or_default() += units;
            }
        }
        *passed.calls.entry(name).or_default() += 1;
        passed.spans.push(span);
    }
}

fn kind(service: &str, method: &Method, path: &str) -> Target {
    match service {
        "Hyperliquid" if path == "exchange" => Target::Change,
        "Aster" if *method != Method::GET => Target::Change,
        "Hyperliquid" | "Aster" => Target::Read,
        _ => Target::Aws,
    }
}

struct Call {
    who: String,
    service: String,
    rest: String,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// Returns the request with `ReturnConsumedCapacity`.
fn with_units(body: &Bytes) -> Bytes {
    let Ok(Value::Object(mut asked)) = serde_json::from_slice(body) else { return body.clone() };
    asked.insert("ReturnConsumedCapacity".to_owned(), Value::from("TOTAL"));
    Value::Object(asked).to_string().into()
}

/// Returns the charged units of all tables.
fn units(body: &Bytes) -> f64 {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let of = |consumed: &Value| consumed["CapacityUnits"].as_f64().unwrap_or_default();
    match &answer["ConsumedCapacity"] {
        Value::Array(tables) => tables.iter().map(of).sum(),
        table => of(table),
    }
}

async fn pass_root(
    State(edge): State<Edge>,
    Path((who, service)): Path<(String, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let rest = String::new();
    answer(edge.forward(Call { who, service, rest, method, uri, headers, body }).await)
}

async fn pass(
    State(edge): State<Edge>,
    Path((who, service, rest)): Path<(String, String, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(edge.forward(Call { who, service, rest, method, uri, headers, body }).await)
}

fn answer(answer: Result<Response, BenchError>) -> Response {
    answer.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, error.to_string()).into_response())
}
