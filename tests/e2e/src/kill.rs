//! Kills an operation at every remote call that it makes, before and after each, and lets an
//! honest client finish it.
//!
//! The kill points are the calls of a run that nobody kills, so a new remote call is covered as
//! soon as it is made. A kill is the end of the operation's future: nothing of it runs on. The
//! repeat is a new process: a new router with new clients.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it does, and that it cannot go on"
)]

use std::collections::BTreeMap;
use std::fmt;

use axum::body::{Body, to_bytes};
use http::Method;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::proxy::{Kill, Process, Proxy, Side};
use crate::{Reply, TestApp};

/// More repeats than an honest client should ever need.
const MOST_REPEATS: usize = 10;

/// The stack under test, and processes in front of it that may be killed.
#[derive(Debug)]
pub struct Harness {
    /// The stack.
    pub app: TestApp,
    /// The processes' network edge.
    pub proxy: Proxy,
}

/// A call of the API.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    body: Option<Value>,
    /// Whose wallet it is about.
    pub user: String,
}

impl Call {
    fn new(method: Method, path: String, body: Option<Value>, user: &str) -> Self {
        Self { method, path, body, user: user.to_owned() }
    }

    /// Creates the user's wallet.
    #[must_use]
    pub fn create(user: &str) -> Self {
        let body = json!({ "userId": user });
        Self::new(Method::POST, "/api/wallets".to_owned(), Some(body), user)
    }

    /// Signs a message.
    #[must_use]
    pub fn sign(user: &str) -> Self {
        let body = json!({ "message": "hello" });
        Self::new(Method::POST, format!("/api/wallets/{user}/sign"), Some(body), user)
    }

    /// Registers the user's wallet with an exchange.
    #[must_use]
    pub fn register(exchange: &str, user: &str) -> Self {
        let body = json!({ "walletIdOrAddress": user });
        Self::new(Method::POST, format!("/api/trading/{exchange}/apikey"), Some(body), user)
    }
}

impl Harness {
    /// A stack with the proxies in front.
    pub async fn start() -> Self {
        let app = TestApp::start().await;
        let proxy = Proxy::start(&app).await;
        Self { app, proxy }
    }

    /// Runs a call in this process, to its end or the process's death.
    pub async fn call(&self, process: &Process, call: &Call) -> Option<Reply> {
        let router = hyperdex_local::routes(&self.app.options, &process.endpoints())
            .expect("the routers are made");
        let mut request = http::Request::builder().method(&call.method).uri(&call.path);
        if call.body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = call.body.as_ref().map(Value::to_string).unwrap_or_default();
        let request = request.body(Body::from(body)).expect("a request");
        let work = async {
            let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
            let (head, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("a whole body");
            let body = serde_json::from_slice(&body).unwrap_or_default();
            Reply { status: head.status.as_u16(), body, headers: head.headers }
        };
        tokio::select! {
            biased;
            () = process.died() => None,
            reply = work => Some(reply),
        }
    }

    /// Calls, and again as an honest client, until the operation has ended.
    pub async fn finish(&self, call: &Call, ended: fn(&Reply) -> bool) -> Vec<Reply> {
        let mut replies = Vec::new();
        while replies.len() < MOST_REPEATS {
            let process = self.proxy.process(None);
            let reply = self.call(&process, call).await.expect("nobody kills it");
            self.app.clock.advance_ms(1);
            let (status, wait) = (reply.status, retry_after_s(&reply));
            let over = ended(&reply);
            replies.push(reply);
            match (status, wait) {
                _ if over => return replies,
                (_, Some(seconds)) => self.app.clock.advance_ms(seconds * 1_000),
                (500.., None) => {}
                _ => break,
            }
        }
        panic!("{call:?} does not end: {replies:#?}");
    }

    /// Kills the operation that `prepare` prepares at each of its calls, on both sides, has an
    /// honest client finish it, and then checks.
    pub async fn drive(
        &self,
        operation: &'static str,
        prepare: impl AsyncFn() -> Call,
        ended: fn(&Reply) -> bool,
        check: impl AsyncFn(&Call),
    ) -> Row {
        let call = prepare().await;
        let process = self.proxy.process(None);
        let reply = self.call(&process, &call).await.expect("nobody kills it");
        assert!(ended(&reply), "{operation}: {reply:?}");
        check(&call).await;

        let mut row = Row::new(operation);
        for name in process.calls() {
            let nth = row.points.entry(name.clone()).or_default();
            *nth += 1;
            let nth = *nth;
            for &side in sides(&name) {
                let call = prepare().await;
                let process = self.proxy.process(Some(Kill::Named(name.clone(), nth, side)));
                let point = format!("{operation}, {side:?} {name} #{nth}");
                let reply = self.call(&process, &call).await;
                assert!(reply.is_none(), "{point}: not killed: {reply:?}");
                process.settled().await;
                self.app.clock.advance_ms(1);
                let replies = self.finish(&call, ended).await;
                let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
                println!("{point}: {statuses:?}");
                row.add(&statuses);
                check(&call).await;
            }
        }
        row
    }
}

/// Both sides. What the cosigner reads changes nothing, and a death before it is like one after the
/// call before.
fn sides(call: &str) -> &'static [Side] {
    let reads = ["GetItem", "Query", "Decrypt", "GenerateDataKey"];
    if call.starts_with("Cosigner.") && reads.iter().any(|read| call.ends_with(read)) {
        &[Side::After]
    } else {
        &[Side::Before, Side::After]
    }
}

/// The seconds that a caller is told to wait.
#[must_use]
pub fn retry_after_s(reply: &Reply) -> Option<u64> {
    reply.headers.get("retry-after")?.to_str().ok()?.parse().ok()
}

/// What came of killing one operation.
#[derive(Debug)]
pub struct Row {
    operation: &'static str,
    /// Each call, and how often it is made.
    points: BTreeMap<String, usize>,
    /// The statuses of the repeats, and after how many kills they were these.
    outcomes: BTreeMap<String, usize>,
    most_repeats: usize,
}

impl Row {
    fn new(operation: &'static str) -> Self {
        let (points, outcomes) = Default::default();
        Self { operation, points, outcomes, most_repeats: 0 }
    }

    fn add(&mut self, statuses: &[u16]) {
        let words: Vec<String> = statuses.iter().map(u16::to_string).collect();
        *self.outcomes.entry(words.join(" ")).or_default() += 1;
        self.most_repeats = self.most_repeats.max(statuses.len());
    }

    /// The head of a table of these.
    pub const HEAD: &str = "\
        | operation | remote calls | kills | the repeats' statuses (kills) | most repeats | at the end |\n\
        | --- | --- | --- | --- | --- | --- |";
}

/// A line of the table.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: usize = self.points.values().sum();
        let outcomes: Vec<String> =
            self.outcomes.iter().map(|(statuses, kills)| format!("{statuses} ({kills})")).collect();
        let (operation, outcomes, most) = (self.operation, outcomes.join(", "), self.most_repeats);
        let kills: usize = self.outcomes.values().sum();
        write!(f, "| {operation} | {calls} | {kills} | {outcomes} | {most} | as it must be |")
    }
}
