//! The network edge of a process that may be killed: every remote call passes here, is counted,
//! and may be its last.
//!
//! A process is a set of endpoints: the clients that are made for them are its own, as a new
//! process would have them. Its cosigner is its own too, and that one's calls pass here as well.
//! When a process dies, its clients get no answer any more; what was sent before takes its course,
//! as on a real network.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say so and end")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use cosigner::Policy;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{Full, Limited};
use hyperdex_local::Endpoints;
use hyperdex_local::cosigner::{CosignerSettings, router as cosigner_router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::TestApp;

/// No payload of ours comes near this.
const MAX_BODY_BYTES: usize = 16 << 20;

/// Which side of a call a process dies on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The call is never sent.
    Before,
    /// The call has taken effect, and its answer is not read.
    After,
}

/// When a process dies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kill {
    /// At the so-manieth call of this name, counted from 1.
    Named(String, usize, Side),
    /// At the so-manieth call of all, counted from 1.
    Nth(usize, Side),
}

/// How much of a process is dead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Dead {
    Nothing,
    /// The function; a cosigner that it has invoked goes on.
    Caller,
    /// The cosigner died, and the function with it.
    All,
}

/// Where the calls of all processes pass. Clones share it.
#[derive(Clone, Debug)]
pub struct Proxy(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: String,
    /// Where a service's calls go.
    targets: HashMap<&'static str, String>,
    settings: CosignerSettings,
    options: hyperdex_local::Options,
    http: reqwest::Client,
    processes: Mutex<Vec<Weak<Process>>>,
}

/// A process: what it has called, and whether it lives.
#[derive(Debug)]
pub struct Process {
    base: String,
    kill: Option<Kill>,
    calls: Mutex<Vec<String>>,
    dead: watch::Sender<Dead>,
    /// Calls that were sent and are not answered.
    flying: watch::Sender<usize>,
    cosigner: Mutex<Option<Router>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// A proxy in front of the stack's parts.
    pub async fn start(app: &TestApp) -> Self {
        let stack = &app.stack;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let trimmed = |url: &url::Url| url.as_str().trim_end_matches('/').to_owned();
        let targets = HashMap::from([
            ("dynamodb", stack.dynamodb.clone()),
            ("kms", stack.kms.clone()),
            ("hyperliquid", trimmed(&stack.hyperliquid)),
            ("aster", trimmed(&stack.aster)),
        ]);
        let settings = CosignerSettings {
            dynamodb: String::new(),
            kms: String::new(),
            policy: Policy {
                hyperliquid_chain: app.options.hyperliquid.chain,
                aster_signature_chain_id: app.options.aster.signature_chain_id,
                aster_login: app.options.aster.v1,
            },
            ip: app.options.ip,
            port: 0,
        };
        // A simulator that hangs is left alone after a while; whoever called it has given up.
        let http = shared::exchanges::http::client_builder()
            .and_then(|builder| Ok(builder.timeout(std::time::Duration::from_secs(10)).build()?))
            .expect("an HTTP client");
        let options = app.options.clone();
        let processes = Mutex::default();
        let proxy = Self(Arc::new(Inner { address, targets, settings, options, http, processes }));
        let router = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        proxy
    }

    /// A new process, which dies when it is told to.
    #[must_use]
    pub fn process(&self, kill: Option<Kill>) -> Arc<Process> {
        let mut processes = lock(&self.0.processes);
        let process = Arc::new(Process {
            base: format!("{}/{}", self.0.address, processes.len()),
            kill,
            calls: Mutex::default(),
            dead: watch::Sender::new(Dead::Nothing),
            flying: watch::Sender::new(0),
            cosigner: Mutex::default(),
        });
        processes.push(Arc::downgrade(&process));
        process
    }

    fn find(&self, path: &str) -> Option<(Arc<Process>, String, String)> {
        let mut parts = path.trim_start_matches('/').splitn(3, '/');
        let id: usize = parts.next()?.parse().ok()?;
        let service = parts.next()?.to_owned();
        let process = lock(&self.0.processes).get(id)?.upgrade()?;
        Some((process, service, parts.next().unwrap_or_default().to_owned()))
    }

    /// The cosigner that this process invokes, with clients of its own.
    fn cosigner(&self, process: &Process) -> Router {
        let mut kept = lock(&process.cosigner);
        let make = || {
            let mut settings = self.0.settings.clone();
            settings.dynamodb = format!("{}/cosigner-dynamodb", process.base);
            settings.kms = format!("{}/cosigner-kms", process.base);
            let options = &self.0.options;
            cosigner_router(&settings, options.clock.clone(), options.random.clone())
        };
        kept.get_or_insert_with(make).clone()
    }

    async fn forward(&self, process: &Process, service: &str, call: Call) -> Response {
        let Call { head, path, body } = call;
        if service == "lambda" {
            let mut request =
                http::Request::post(format!("/{path}")).body(Body::from(body)).expect("a request");
            *request.headers_mut() = head.headers;
            let invoked = self.cosigner(process).oneshot(request);
            return tokio::select! {
                answer = invoked => answer.unwrap_or_else(|never| match never {}),
                () = process.dead_to(Dead::All) => broken(),
            };
        }
        let target = self.0.targets.get(service.trim_start_matches("cosigner-"));
        let Some(target) = target else { return StatusCode::NOT_FOUND.into_response() };
        let query = head.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let sent = self
            .0
            .http
            .request(head.method, format!("{target}/{path}{query}"))
            .headers(end_to_end(head.headers))
            .body(body)
            .send()
            .await;
        let Ok(answer) = sent else { return broken() };
        let (status, headers) = (answer.status(), end_to_end(answer.headers().clone()));
        let Ok(body) = answer.bytes().await else { return broken() };
        (status, headers, body).into_response()
    }
}

impl Process {
    /// The endpoints of this process's clients.
    #[must_use]
    pub fn endpoints(&self) -> Endpoints {
        let url = |service| format!("{}/{service}", self.base);
        Endpoints {
            dynamodb: url("dynamodb"),
            kms: url("kms"),
            lambda: url("lambda"),
            hyperliquid: url("hyperliquid").parse().expect("a URL"),
            aster: url("aster").parse().expect("a URL"),
        }
    }

    /// The calls that it made, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        lock(&self.calls).clone()
    }

    /// Returns when it has to die.
    pub async fn died(&self) {
        self.dead_to(Dead::Caller).await;
    }

    /// Returns when all that it sent has taken effect.
    pub async fn settled(&self) {
        let _ = self.flying.subscribe().wait_for(|flying| *flying == 0).await;
    }

    async fn dead_to(&self, dead: Dead) {
        let _ = self.dead.subscribe().wait_for(|known| *known >= dead).await;
    }

    fn die(&self, service: &str) {
        let dead = if service.starts_with("cosigner-") { Dead::All } else { Dead::Caller };
        self.dead.send_modify(|known| *known = dead.max(*known));
    }

    /// Counts a call. `None`: it never gets anywhere. Else whether it is the last.
    fn count(&self, service: &str, name: String) -> Option<bool> {
        let mut calls = lock(&self.calls);
        let dead = *self.dead.borrow();
        if dead == Dead::All || (dead == Dead::Caller && !service.starts_with("cosigner-")) {
            return None;
        }
        calls.push(name);
        self.flying.send_modify(|flying| *flying += 1);
        let same = || calls.iter().filter(|call| Some(*call) == calls.last()).count();
        let side = match &self.kill {
            Some(Kill::Nth(nth, side)) if calls.len() == *nth => *side,
            Some(Kill::Named(name, nth, side)) if calls.last() == Some(name) && same() == *nth => {
                *side
            }
            _ => return Some(false),
        };
        match side {
            Side::After => Some(true),
            Side::Before => {
                self.flying.send_modify(|flying| *flying -= 1);
                self.die(service);
                None
            }
        }
    }
}

struct Call {
    head: Parts,
    path: String,
    body: Bytes,
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Some((process, service, path)) = proxy.find(head.uri.path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else { return broken() };
    let call = Call { head, path, body };
    let Some(last) = process.count(&service, name(&service, &call)) else {
        return std::future::pending().await;
    };
    // A task of its own: what was sent goes on when the one who sent it is dead.
    let sent = tokio::spawn(async move {
        let answer = proxy.forward(&process, &service, call).await;
        if last {
            process.die(&service);
        }
        process.flying.send_modify(|flying| *flying -= 1);
        answer
    });
    let answer = sent.await.unwrap_or_else(|_| broken());
    if last { std::future::pending().await } else { answer }
}

/// `DynamoDB.GetItem`, `Lambda.Invoke`, `Hyperliquid.approveAgent`, `Aster.GET agent`.
fn name(service: &str, call: &Call) -> String {
    let target = call.head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
    let kind = || {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let kind = body.pointer("/action/type").or_else(|| body.get("type"));
        kind.and_then(Value::as_str).unwrap_or("?").to_owned()
    };
    match service {
        "dynamodb" => format!("DynamoDB.{operation}"),
        "kms" => format!("KMS.{operation}"),
        "cosigner-dynamodb" => format!("Cosigner.DynamoDB.{operation}"),
        "cosigner-kms" => format!("Cosigner.KMS.{operation}"),
        "lambda" => "Lambda.Invoke".to_owned(),
        "hyperliquid" => format!("Hyperliquid.{}", kind()),
        _ => {
            let last = call.path.rsplit('/').next().unwrap_or_default();
            format!("Aster.{} {last}", call.head.method)
        }
    }
}

fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in
        [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING]
    {
        headers.remove(name);
    }
    headers
}

/// The connection breaks: a body over its own limit fails at its first byte.
fn broken() -> Response {
    Response::new(Body::new(Limited::new(Full::from("lost"), 1)))
}
