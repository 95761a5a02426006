//! Records every call to AWS: the caller, the action and the resource. DynamoDB and KMS are the
//! local stack's. The functions start with the templates' environment and reach all services
//! through one server, which identifies a caller by the access key of its signature.

mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};

use axum::body::Body;
use axum::{Extension, Router};
use cosigner::Cosigner;
use domain::ids::Tenant;
use domain::random::Random;
use e2e::TestApp;
use http::Method;
use http_body_util::BodyExt;
use hyperdex_local::Pump;
use platform::env::Env;
use platform::telemetry::{RemoteCalls, in_scope};
use protocol::{
    Answer, Call as Message, PROTOCOL, RecoveryAnswer, RecoveryCall, Request, WalletKey,
};
use refresh_shares::RefreshShares;
use serde_json::Value;
use server::serve;
use shared::access::{Presented, PresentedKey};
use shared::api::middleware::with_middleware;
use shared::tenancy::Scopes;
use template::iam::Call;
use template::stacks::{Function, Stacks};
use tower::ServiceExt;

use crate::iam_calls::RESOURCES;
use crate::start::{Job, Started, set_by_lambda, start};

/// The party that cheats in the next signature.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Cheat {
    /// No party cheats.
    #[default]
    Nobody,
    /// Party 1.
    Endpoint,
    /// Party 2.
    Cosigner,
}

/// The number of calls by function and call, named as in `platform::telemetry`.
pub(crate) type Counts = BTreeMap<String, BTreeMap<String, u32>>;

/// The recorded calls.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// Every distinct call.
    pub(crate) calls: BTreeSet<Call>,
    /// The calls counted at the server.
    pub(crate) arrived: Counts,
    /// The calls counted by the product itself.
    pub(crate) counted: Counts,
}

impl Seen {
    /// Merges two recordings.
    pub(crate) fn and(mut self, more: Self) -> Self {
        self.calls.extend(more.calls);
        for (all, counts) in [(&mut self.arrived, more.arrived), (&mut self.counted, more.counted)]
        {
            for (function, counts) in counts {
                let sums = all.entry(function).or_default();
                for (call, count) in counts {
                    *sums.entry(call).or_default() += count;
                }
            }
        }
        self
    }
}

#[derive(Default)]
struct Record {
    seen: Mutex<Seen>,
    cheat: Mutex<Cheat>,
}

impl Record {
    fn arrived(&self, name: &str, calls: Vec<Call>, function: &str) {
        let mut seen = self.seen.lock().unwrap();
        let counts = seen.arrived.entry(function.to_owned()).or_default();
        *counts.entry(name.to_owned()).or_default() += 1;
        seen.calls.extend(calls);
    }

    fn counted(&self, function: &str, calls: &RemoteCalls) {
        let mut seen = self.seen.lock().unwrap();
        for (call, count) in calls.counts() {
            // Calls to the exchanges are not calls to AWS.
            if ["ApiGateway.", "DynamoDB.", "KMS.", "Lambda.", "SQS."]
                .iter()
                .any(|service| call.starts_with(service))
            {
                let counts = seen.counted.entry(function.to_owned()).or_default();
                *counts.entry(call).or_default() += count;
            }
        }
    }
}

/// The functions, and the cloud that they call.
pub(crate) struct Cloud {
    /// The local stack, with the exchange simulators.
    pub(crate) app: Arc<TestApp>,
    record: Arc<Record>,
    endpoints: BTreeMap<String, Router>,
    jobs: BTreeMap<String, Box<Job>>,
    /// The functions that the stream and the queue invoke.
    pump: Pump,
    /// The cosigner, for its operator.
    cosigner: Arc<Cosigner>,
}

#[derive(Clone)]
struct Server {
    app: Arc<TestApp>,
    record: Arc<Record>,
    cosigner: Arc<Cosigner>,
    /// The function that refreshes the shares of a worn wallet.
    refresh: Arc<OnceLock<RefreshShares>>,
}

impl Cloud {
    /// Starts every function of the templates.
    pub(crate) async fn start(stacks: &Stacks) -> Self {
        let app = Arc::new(TestApp::start().await);
        let record = Arc::new(Record::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let functions = stacks.functions();
        let (apart, here): (Vec<_>, Vec<_>) =
            functions.into_iter().partition(|function| function.package == "cosigner");
        let environment = environment(&apart[0], &app, &url);
        let lookup = |name: &str| environment.get(name).cloned();
        let Ok(Started::Cosigner(cosigner)) =
            start(&apart[0].package, &Env(&lookup), app.clock.clock())
        else {
            panic!("the cosigner did not start");
        };
        let refresh = Arc::new(OnceLock::new());
        let cosigner: Arc<Cosigner> = Arc::from(cosigner);
        let server = Server {
            app: app.clone(),
            record: record.clone(),
            cosigner: cosigner.clone(),
            refresh: refresh.clone(),
        };
        let router = Router::new().fallback(serve).with_state(server);
        let router = router.layer(axum::extract::DefaultBodyLimit::max(6 * 1024 * 1024));
        tokio::spawn(async move { axum::serve(listener, router).await });
        // A key whose record is read and whose use is noted.
        let (id, value) = app.key_with("local", |key| key.scopes = Scopes::all()).await;
        let presented = PresentedKey::new(id, Some(value.as_bytes()), None);
        let presented = Presented::Key(presented);
        let (mut endpoints, mut jobs) = (BTreeMap::new(), BTreeMap::new());
        let (mut publisher, mut deliverer) = (None, None);
        for function in here {
            let environment = self::environment(&function, &app, &url);
            let lookup = |name: &str| environment.get(name).cloned();
            match start(&function.package, &Env(&lookup), app.clock.clock()) {
                Ok(Started::Endpoint(router)) => {
                    let router = with_middleware(router, app.clock.clock(), Random::system());
                    endpoints.insert(function.package, router.layer(Extension(presented.clone())));
                }
                Ok(Started::Job(job)) => {
                    if let Job::Refresh(job) = &*job {
                        refresh.set(job.clone()).unwrap();
                    }
                    jobs.insert(function.package, job);
                }
                Ok(Started::Publisher(it)) => publisher = Some(*it),
                Ok(Started::Deliverer(it)) => deliverer = Some(*it),
                Ok(Started::Cosigner(_)) => {
                    panic!("{} is in the cosigner's stack", function.package)
                }
                Err(error) => panic!("{}: {error}", function.package),
            }
        }
        let pump = app.stack.pump.clone().with(publisher.unwrap(), deliverer.unwrap());
        Self { endpoints, jobs, pump, record, app, cosigner }
    }

    /// Sends a request to a function, as API Gateway would.
    pub(crate) async fn send(
        &self,
        function: &str,
        at: (Method, &str),
        body: Option<Value>,
    ) -> (u16, Value) {
        self.request(function, at, body, None).await
    }

    /// Sends a request with an `Idempotency-Key`.
    pub(crate) async fn send_once(
        &self,
        function: &str,
        at: (Method, &str),
        body: Value,
        key: &str,
    ) -> (u16, Value) {
        self.request(function, at, Some(body), Some(key)).await
    }

    /// Sends a request twice with one `Idempotency-Key` and checks that the second response is a
    /// replay.
    pub(crate) async fn send_twice(
        &self,
        function: &str,
        (method, path): (Method, &str),
        body: Value,
    ) -> (u16, Value) {
        let send =
            || self.request(function, (method.clone(), path), Some(body.clone()), Some(path));
        let first = send().await;
        assert!(send().await == first, "{function}: {}", first.0);
        first
    }

    async fn request(
        &self,
        function: &str,
        (method, path): (Method, &str),
        body: Option<Value>,
        key: Option<&str>,
    ) -> (u16, Value) {
        let mut request = http::Request::builder().method(method.clone()).uri(path);
        if let Some(key) = key {
            request = request.header("idempotency-key", format!("{method}:{key}"));
        }
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        let response = self.endpoints[function].clone().oneshot(request.unwrap()).await.unwrap();
        self.record.counted(function, response.extensions().get::<RemoteCalls>().unwrap());
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Runs a job once, as its schedule would.
    pub(crate) async fn run(&self, function: &str) -> Value {
        let (done, calls) = in_scope("run".to_owned(), self.jobs[function].run()).await;
        self.record.counted(function, &calls);
        done.unwrap()
    }

    /// Runs a job once for an event, as who invokes it would.
    pub(crate) async fn run_for(&self, function: &str, event: &Value) -> Value {
        let (done, calls) = in_scope("run".to_owned(), self.jobs[function].run_for(event)).await;
        self.record.counted(function, &calls);
        done.unwrap()
    }

    /// Invokes the cosigner for a recovery, as its operator would.
    pub(crate) async fn operate(&self, call: RecoveryCall) -> RecoveryAnswer {
        let request = Request {
            protocol: PROTOCOL,
            key: WalletKey::of_tenant(Tenant::local()),
            session: [7; 32],
            request_id: "recovery".to_owned(),
            caller: "operator".to_owned(),
            call: Message::Recovery(call),
        };
        let text: String = serde_json::from_slice(&request.to_payload()).unwrap();
        let invoked = "arn:aws:lambda:eu-west-1:222222222222:function:cosigner:operator";
        let (answer, calls) =
            in_scope("operate".to_owned(), self.cosigner.handle(invoked, &text)).await;
        self.record.counted("cosigner", &calls);
        match Answer::from_payload(answer.unwrap().get().as_bytes()) {
            Some(Answer::Recovery(answer)) => answer,
            _ => panic!("expected the answer to a recovery"),
        }
    }

    /// Publishes and delivers all pending events.
    pub(crate) async fn settle(&self) {
        loop {
            let (done, calls) = in_scope("batch".to_owned(), self.pump.publish_once()).await;
            self.record.counted("publish-events", &calls);
            if done.unwrap() == 0 {
                break;
            }
        }
        loop {
            let (done, calls) = in_scope("batch".to_owned(), self.pump.deliver_once()).await;
            self.record.counted("deliver-webhook", &calls);
            if done.unwrap() == 0 {
                break;
            }
        }
    }

    /// Makes this party cheat from now on.
    pub(crate) fn cheat(&self, cheat: Cheat) {
        *self.record.cheat.lock().unwrap() = cheat;
    }

    /// Returns the recorded calls.
    pub(crate) fn seen(&self) -> Seen {
        self.record.seen.lock().unwrap().clone()
    }
}

/// Returns a function's environment, with local names of the resources.
fn environment(function: &Function, app: &TestApp, url: &str) -> BTreeMap<String, String> {
    let mut variables = function.variables();
    for value in variables.values_mut() {
        if let Some((_, _, here)) = RESOURCES.iter().find(|(known, _, _)| known == value) {
            (*here).clone_into(value);
        }
    }
    let queue = format!("{}/queue/deliveries", app.stack.sqs);
    for (name, here) in
        [("DELIVERIES_QUEUE_URL", queue.as_str()), ("WEBHOOK_TARGETS", "public-and-loopback")]
    {
        variables.entry(name.to_owned()).and_modify(|value| here.clone_into(value));
    }
    let (hyperliquid, aster) = (&app.stack.hyperliquid, &app.stack.aster);
    for (name, here) in [
        ("HYPERLIQUID_URL", hyperliquid),
        ("ASTER_URL", aster),
        ("ASTER_V1_URL", aster),
        ("LIGHTER_URL", &app.stack.lighter),
    ] {
        variables.entry(name.to_owned()).and_modify(|value| *value = here.to_string());
    }
    variables.insert("AWS_ENDPOINT_URL".to_owned(), url.to_owned());
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        let value = set_by_lambda(name, &function.package).unwrap();
        variables.insert(name.to_owned(), value.to_owned());
    }
    variables
}
