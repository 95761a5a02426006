//! The network proxy of killable processes. Every remote call passes through it and is counted, and
//! it can fail or kill its process.
//!
//! A process is a set of endpoints with its own clients, as a new process would have. It also has
//! its own cosigner, whose calls pass through the proxy too. After a process is killed, its clients
//! get no response, but requests that were sent before take effect, as on a real network.

#![expect(clippy::expect_used, clippy::panic, reason = "a failing test panics")]

mod fate;
mod faults;
mod parts;
mod rendezvous;
mod watched;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use cosigner::Setting;
use exchange_sim::{aster, hyperliquid, lighter};
use http::StatusCode;
use http::request::Parts;
use hyperdex_cloud::cosigner::{CosignerSettings, router as cosigner_router};
use hyperdex_local::Endpoints;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::{TestApp, TestClock};
pub use fate::{Arrival, Fate, Plan, Rejection, Side};
use faults::Late;
use parts::{broken, end_to_end, name, reject};
pub use rendezvous::Rendezvous;
use watched::Watched;

/// Larger than every payload of the tests.
const MAX_BODY_BYTES: usize = 16 << 20;

/// Which parts of a process are dead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Dead {
    Nothing,
    /// The function is dead, and a cosigner that it invoked continues.
    Caller,
    /// The cosigner and the function are dead.
    All,
}

/// The proxy for the calls of all processes. Clones share it.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

/// Omits the data keys.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.0.address)
    }
}

struct Inner {
    address: String,
    /// The URL of each service.
    targets: HashMap<&'static str, String>,
    settings: CosignerSettings,
    options: hyperdex_local::Options,
    http: reqwest::Client,
    processes: Mutex<Vec<Weak<Process>>>,
    /// The plaintext data keys that KMS returned, in base64.
    data_keys: Mutex<BTreeSet<String>>,
    clock: TestClock,
    hyperliquid: hyperliquid::Exchange,
    aster: aster::Exchange,
    lighter: lighter::Exchange,
    /// Calls whose connections broke, and which arrive later.
    late: Mutex<Vec<Late>>,
    watched: Mutex<Watched>,
}

/// A process with its calls and its state.
pub struct Process {
    base: String,
    plan: Plan,
    calls: Mutex<Vec<String>>,
    dead: watch::Sender<Dead>,
    /// The number of calls without a response.
    in_flight: watch::Sender<usize>,
    cosigner: Mutex<Option<Router>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Starts a proxy in front of the stack's services.
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
            ("lighter", trimmed(&stack.lighter)),
            ("chains", trimmed(&stack.chains)),
            ("api", stack.api.clone()),
            ("apigateway", stack.api_gateway.clone()),
        ]);
        let settings = CosignerSettings {
            dynamodb: String::new(),
            kms: String::new(),
            policy: app.options.policy_document(),
            setting: Setting {
                hyperliquid_chain: app.options.hyperliquid.chain,
                aster_chain: app.options.aster.chain,
                aster_signature_chain_id: app.options.aster.signature_chain_id,
                aster_login: app.options.aster.v1,
            },
            ip: app.options.ip,
            recovery: app.options.recovery.cosigner.clone(),
            port: 0,
            engine: None,
        };
        // A hanging simulator is abandoned after ten seconds, when its caller has given up.
        let http = shared::http_client::client_builder()
            .and_then(|builder| Ok(builder.timeout(std::time::Duration::from_secs(10)).build()?))
            .expect("an HTTP client");
        let proxy = Self(Arc::new(Inner {
            address,
            targets,
            settings,
            options: app.options.clone(),
            http,
            processes: Mutex::default(),
            data_keys: Mutex::default(),
            clock: app.clock.clone(),
            hyperliquid: stack.hyperliquid_sim.clone(),
            aster: stack.aster_sim.clone(),
            lighter: stack.lighter_sim.clone(),
            late: Mutex::default(),
            watched: Mutex::default(),
        }));
        let router = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        proxy
    }

    /// Returns every plaintext data key that passed, in base64.
    #[must_use]
    pub fn data_keys(&self) -> BTreeSet<String> {
        lock(&self.0.data_keys).clone()
    }

    /// Starts a process without failures.
    #[must_use]
    pub fn process(&self) -> Arc<Process> {
        self.process_with(Box::new(|_| Fate::Pass))
    }

    /// Starts a process with this plan.
    #[must_use]
    pub fn process_with(&self, plan: Plan) -> Arc<Process> {
        let mut processes = lock(&self.0.processes);
        let process = Arc::new(Process {
            base: format!("{}/{}", self.0.address, processes.len()),
            plan,
            calls: Mutex::default(),
            dead: watch::Sender::new(Dead::Nothing),
            in_flight: watch::Sender::new(0),
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

    /// Returns the cosigner of this process, with its own clients.
    fn cosigner(&self, process: &Process) -> Router {
        let mut cached = lock(&process.cosigner);
        let make = || {
            let mut settings = self.0.settings.clone();
            settings.dynamodb = format!("{}/cosigner-dynamodb", process.base);
            settings.kms = format!("{}/cosigner-kms", process.base);
            let options = &self.0.options;
            cosigner_router(&settings, options.clock.clone(), options.random.clone())
                .expect("a valid policy")
        };
        cached.get_or_insert_with(make).clone()
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
        if service.ends_with("kms") {
            let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
            let key = answer["Plaintext"].as_str().map(str::to_owned);
            lock(&self.0.data_keys).extend(key);
        }
        (status, headers, body).into_response()
    }
}

impl Process {
    /// Returns the endpoints of this process's clients.
    #[must_use]
    pub fn endpoints(&self) -> Endpoints {
        let url = |service| self.url(service);
        Endpoints {
            dynamodb: url("dynamodb"),
            kms: url("kms"),
            lambda: url("lambda"),
            deliveries: url("sqs"),
            api_gateway: url("apigateway"),
            hyperliquid: url("hyperliquid").parse().expect("a URL"),
            aster: url("aster").parse().expect("a URL"),
            lighter: url("lighter").parse().expect("a URL"),
            chains: url("chains").parse().expect("a URL"),
        }
    }

    /// Returns the URL of one service, for a program that runs as this process.
    #[must_use]
    pub fn url(&self, service: &str) -> String {
        format!("{}/{service}", self.base)
    }

    /// Returns the URL of the API, for a process that is a client of it.
    #[must_use]
    pub fn api(&self) -> String {
        format!("{}/api", self.base)
    }

    /// Returns the calls of the process in order.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        lock(&self.calls).clone()
    }

    /// Waits until the process is killed.
    pub async fn died(&self) {
        self.dead_to(Dead::Caller).await;
    }

    /// Returns true if the process is dead.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        *self.dead.borrow() >= Dead::Caller
    }

    /// Waits until every sent call has taken effect.
    pub async fn settled(&self) {
        let _ = self.in_flight.subscribe().wait_for(|in_flight| *in_flight == 0).await;
    }

    async fn dead_to(&self, dead: Dead) {
        let _ = self.dead.subscribe().wait_for(|known| *known >= dead).await;
    }

    fn die(&self, service: &str) {
        let dead = if service.starts_with("cosigner-") { Dead::All } else { Dead::Caller };
        self.dead.send_modify(|known| *known = dead.max(*known));
    }

    /// Counts a call and decides what happens to it. Returns `None` if the call is never sent.
    fn count(&self, service: &str, call: &Call) -> Option<Fate> {
        let name = name(service, call);
        let mut calls = lock(&self.calls);
        let dead = *self.dead.borrow();
        if dead == Dead::All || (dead == Dead::Caller && !service.starts_with("cosigner-")) {
            return None;
        }
        let nth_of_name = calls.iter().filter(|call| **call == name).count() + 1;
        let (nth, body) = (calls.len() + 1, call.body.as_ref());
        let query = call.head.uri.query().unwrap_or_default();
        let fate = (self.plan)(Arrival { name: &name, nth_of_name, nth, query, body });
        calls.push(name);
        if fate == Fate::Die(Side::Before) {
            self.die(service);
            return None;
        }
        self.in_flight.send_modify(|in_flight| *in_flight += 1);
        Some(fate)
    }
}

/// Omits the plan, which cannot be printed.
impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({}, {:?})", self.base, self.calls())
    }
}

#[derive(Clone)]
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
    proxy.deliver_late().await;
    let call = Call { head, path, body };
    let Some(fate) = process.count(&service, &call) else {
        return std::future::pending().await;
    };
    lock(&proxy.0.watched).note(&name(&service, &call), &call.body);
    // The task is separate, so a sent call takes effect even if its sender is killed.
    let sent = tokio::spawn(async move {
        let answer = match fate {
            Fate::Pass => Some(proxy.forward(&process, &service, call).await),
            Fate::Die(_) => {
                proxy.forward(&process, &service, call).await;
                process.die(&service);
                None
            }
            Fate::Hold(rendezvous) => {
                rendezvous.wait().await;
                Some(proxy.forward(&process, &service, call).await)
            }
            Fate::Lose => {
                proxy.forward(&process, &service, call).await;
                Some(broken())
            }
            Fate::Reject(rejection) => Some(reject(rejection, &call)),
            Fate::Fail(fault) => proxy.disturb(&process, &service, call, fault).await,
        };
        process.in_flight.send_modify(|in_flight| *in_flight -= 1);
        answer
    });
    match sent.await {
        Ok(Some(answer)) => answer,
        Ok(None) => std::future::pending().await,
        Err(_) => broken(),
    }
}
