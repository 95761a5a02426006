//! Kills an operation at each of its remote calls, before and after the call, and lets an honest
//! client finish it.
//!
//! The kill points are the calls of an undisturbed run, so every new remote call is covered. A kill
//! drops the operation's future, so nothing of it continues. The retry is a new process: a new
//! router with new clients.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests report their progress, and a failing test panics"
)]

mod call;
mod row;

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, to_bytes};
use domain::ids::{Exchange, Tenant};
use http::header::RETRY_AFTER;
use hyperdex_local::Options;
use serde_json::{Value, json};
use shared::credentials::{ContainCursor, ContainLimits, RenewLimits, Renewed};
use shared::exchanges::budget::Spender;
use shared::orders::ResolveLimits;
use shared::wallets::RefreshError;
use tower::ServiceExt;
use uuid::Uuid;

pub use call::{Call, ended};
pub use row::Row;

use crate::proxy::{Fate, Process, Proxy, Side};
use crate::{RENEW_LIMITS, Reply, TestApp};
use call::What;

/// Without `EVERY_CASE`, one of this many cases is tested.
pub const ONE_IN: usize = 10;

/// More retries than an honest client should ever need.
const MAX_RETRIES: usize = 10;

/// The stack under test, with killable processes in front of it.
#[derive(Debug)]
pub struct Harness {
    /// The stack.
    pub app: TestApp,
    /// The network proxy of the processes.
    pub proxy: Proxy,
    /// Without `EVERY_CASE`, one of this many kill points is tested: see [`drawn`].
    pub one_in: usize,
}

impl Harness {
    /// Starts a stack and its proxy.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts a stack with changed options, and its proxy.
    pub async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        let app = TestApp::start_with(change).await;
        let proxy = Proxy::start(&app).await;
        Self { app, proxy, one_in: ONE_IN }
    }

    /// Runs a call in this process until the call ends or the process is killed.
    pub async fn call(&self, process: &Process, call: &Call) -> Option<Reply> {
        // On the heap, because a test may run many calls at once.
        let work = Box::pin(async {
            match &call.what {
                What::Request(..) => send(self.router(process), call).await,
                What::Renewal(handed_out) => self.renew(process, *handed_out).await,
                What::Refresh(wallet_id) => self.refresh(process, *wallet_id).await,
                What::Containment => self.contain(process).await,
                What::Resolution(exchange) => self.resolve(process, *exchange).await,
                What::Payments => self.resolve_payments(process).await,
            }
        });
        tokio::select! {
            biased;
            () = process.died() => None,
            // A call may end because of the death that broke its connections. A dead process
            // returns nothing.
            reply = work => (!process.is_dead()).then_some(reply),
        }
    }

    /// Returns the API of a process, with clients and caches of its own.
    pub fn router(&self, process: &Process) -> Router {
        hyperdex_local::routes(&self.app.options, &process.endpoints()).expect("routers")
    }

    async fn renew(&self, process: &Process, handed_out: bool) -> Reply {
        let registrars = process.endpoints().registrars(&self.app.options, Spender::Job);
        let limits = RenewLimits { limit: 100, keys_are_handed_out: handed_out, ..RENEW_LIMITS };
        let done = registrars.renew(&limits).await;
        let (status, body) = match done {
            Ok(done) => {
                let worked = |it: &Renewed| it.renewed + it.finished + it.failed;
                let worked: u64 = done.iter().map(|(_, it)| worked(it)).sum();
                (200, json!({ "worked": worked, "done": format!("{done:?}") }))
            }
            Err(error) => (500, json!({ "error": error.to_string() })),
        };
        // The next run follows at once.
        let headers = http::HeaderMap::from_iter([(RETRY_AFTER, 0.into())]);
        Reply { status, body, headers }
    }

    /// A run that removes the tenant's agents. The next one follows after the time that it names.
    async fn contain(&self, process: &Process) -> Reply {
        let registrars = process.endpoints().registrars(&self.app.options, Spender::Job);
        let limits = ContainLimits { run_time: RENEW_LIMITS.run_time, limit: 100 };
        let run = registrars.contain(&Tenant::local(), ContainCursor::default(), limits).await;
        let (status, body, wait_s) = match run {
            Ok(run) => (200, json!(run), run.retry_after_seconds.unwrap_or_default()),
            Err(error) => (500, json!({ "error": error.to_string() }), 0),
        };
        let headers = http::HeaderMap::from_iter([(RETRY_AFTER, wait_s.into())]);
        Reply { status, body, headers }
    }

    /// A run of the job that resolves orders.
    async fn resolve(&self, process: &Process, exchange: Exchange) -> Reply {
        let traders = process.endpoints().traders(&self.app.options, Spender::Job);
        let limits = ResolveLimits { limit: 100, run_time: RENEW_LIMITS.run_time };
        let (status, body) = match traders.of(exchange).resolve_due(&limits).await {
            Ok(run) => {
                let worked = run.resolved + run.unknown + run.failed;
                let body = json!({ "worked": worked, "resolved": run.resolved });
                (if run.failed == 0 { 200 } else { 500 }, body)
            }
            Err(error) => (500, json!({ "error": error.to_string() })),
        };
        let headers = http::HeaderMap::from_iter([(RETRY_AFTER, 0.into())]);
        Reply { status, body, headers }
    }

    /// A run of the job that resolves payments. One that stays open waits longer for each look.
    async fn resolve_payments(&self, process: &Process) -> Reply {
        let traders = process.endpoints().traders(&self.app.options, Spender::Job);
        let (status, body) = match traders.payments.resolve(RENEW_LIMITS.run_time).await {
            Ok(run) => {
                let worked = run.settled + run.open + run.failed;
                (if run.failed == 0 { 200 } else { 500 }, json!({ "worked": worked }))
            }
            Err(error) => (500, json!({ "error": error.to_string() })),
        };
        let headers = http::HeaderMap::from_iter([(RETRY_AFTER, 0.into())]);
        Reply { status, body, headers }
    }

    /// Refreshes the shares and returns the outcome as an API response.
    async fn refresh(&self, process: &Process, wallet_id: Uuid) -> Reply {
        let custody = process.endpoints().custody_of(&self.app.options, "refresh-shares");
        let mut headers = http::HeaderMap::new();
        let (status, body) = match custody.refresh(&Tenant::local(), wallet_id, None).await {
            Ok(done) => (200, json!({ "done": format!("{done:?}") })),
            Err(RefreshError::InProgress { retry_after_s }) => {
                headers.insert(RETRY_AFTER, retry_after_s.into());
                (409, json!({}))
            }
            Err(error) => (500, json!({ "error": error.to_string() })),
        };
        Reply { status, body, headers }
    }

    /// Makes the call and retries it as an honest client until the operation has ended.
    pub async fn finish(&self, call: &Call, ended: fn(&Reply) -> bool) -> Vec<Reply> {
        let mut replies = Vec::new();
        while replies.len() < MAX_RETRIES {
            let process = self.proxy.process();
            let reply = self.call(&process, call).await.expect("a process without a kill point");
            self.app.clock.advance_ms(call.retry_delay_ms());
            let (status, wait) = (reply.status, reply.retry_after_s());
            let over = ended(&reply);
            replies.push(reply);
            match (status, wait) {
                _ if over => return replies,
                (_, Some(seconds)) => self.app.clock.advance_ms(seconds * 1_000),
                (500.., None) => {}
                _ => break,
            }
        }
        panic!("{call:?} did not end: {replies:#?}");
    }

    /// Runs a call in a process that is killed at the nth call of this name.
    pub async fn kill(&self, call: &Call, name: &str, nth: usize, side: Side) {
        let reply = self.try_to_kill(call, name, nth, side).await;
        assert!(reply.is_none(), "not killed at {name} #{nth}: {call:?}: {reply:?}");
    }

    async fn try_to_kill(&self, call: &Call, name: &str, nth: usize, side: Side) -> Option<Reply> {
        let last = name.to_owned();
        let process = self.proxy.process_with(Box::new(move |arrival| {
            let here = arrival.name == last && arrival.nth_of_name == nth;
            if here { Fate::Die(side) } else { Fate::Pass }
        }));
        let reply = self.call(&process, call).await;
        process.settled().await;
        reply
    }

    /// Like [`Harness::kill`], but accepts that a write of the exchange's budget is not reached:
    /// concurrent calls of a process contend for the budget, so the number of its writes varies.
    async fn kill_at(&self, call: &Call, name: &str, nth: usize, side: Side) {
        if let Some(reply) = self.try_to_kill(call, name, nth, side).await {
            let is_budget = name == "DynamoDB.UpdateItem" && nth > 1;
            assert!(is_budget, "not killed at {name} #{nth}: {call:?}: {reply:?}");
        }
    }

    /// Like [`Harness::drive`], but kills the retry of each killed call too, at each of its calls,
    /// after the call took effect.
    pub async fn drive_pairs(
        &self,
        operation: &'static str,
        prepare: impl AsyncFn() -> Call,
        ended: fn(&Reply) -> bool,
        check: impl AsyncFn(&Call),
    ) -> Row {
        let call = prepare().await;
        let calls = self.calls_of(&call).await;
        check(&call).await;
        let mut row = Row::new(operation);
        for (name, nth) in drawn_part(killable(calls), 2 * self.one_in) {
            *row.points.entry(name.clone()).or_default() += 1;
            let killed_once = async || {
                let call = prepare().await;
                self.kill_at(&call, &name, nth, Side::After).await;
                self.app.clock.advance_ms(30_001 + call.retry_delay_ms());
                call
            };
            let call = killed_once().await;
            let retry_calls = self.calls_of(&call).await;
            self.finish(&call, ended).await;
            check(&call).await;
            for (second, nth) in drawn(killable(retry_calls), 2 * self.one_in) {
                let call = killed_once().await;
                println!("{operation}, {name}, then {second} #{nth}");
                self.kill_at(&call, &second, nth, Side::After).await;
                self.app.clock.advance_ms(call.retry_delay_ms());
                let replies = self.finish(&call, ended).await;
                row.add(&replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
                check(&call).await;
            }
        }
        row
    }

    /// Returns the calls of an undisturbed operation, each with its number.
    async fn calls_of(&self, call: &Call) -> Vec<(String, usize)> {
        let process = self.proxy.process();
        self.call(&process, call).await.expect("a process without a kill point");
        let mut made = BTreeMap::<String, usize>::new();
        let number = |name: String| {
            let nth = made.entry(name.clone()).or_default();
            *nth += 1;
            (name, *nth)
        };
        process.calls().into_iter().map(number).collect()
    }

    /// Kills the prepared operation at each of its calls, before and after the call, lets an honest
    /// client finish it, and runs the check. Without `EVERY_CASE`, it kills at [`drawn`] calls
    /// only.
    pub async fn drive(
        &self,
        operation: &'static str,
        prepare: impl AsyncFn() -> Call,
        ended: fn(&Reply) -> bool,
        check: impl AsyncFn(&Call),
    ) -> Row {
        self.drive_watched(operation, prepare, async |_| {}, ended, check).await
    }

    /// Like [`Harness::drive`], and runs `watch` after each death, before the operation is
    /// finished.
    pub async fn drive_watched(
        &self,
        operation: &'static str,
        prepare: impl AsyncFn() -> Call,
        watch: impl AsyncFn(&Call),
        ended: fn(&Reply) -> bool,
        check: impl AsyncFn(&Call),
    ) -> Row {
        let call = prepare().await;
        let process = self.proxy.process();
        let reply = self.call(&process, &call).await.expect("a process without a kill point");
        assert_eq!(reply.status / 100, 2, "{operation}: {reply:?}");
        println!("{operation}: {reply:?}");
        check(&call).await;

        let mut row = Row::new(operation);
        let mut points = Vec::new();
        for name in process.calls() {
            let nth = row.points.entry(name.clone()).or_default();
            *nth += 1;
            points.extend(sides(&name, *nth).iter().map(|&side| (name.clone(), *nth, side)));
        }
        for (name, nth, side) in drawn_part(points, self.one_in) {
            let call = prepare().await;
            self.kill_at(&call, &name, nth, side).await;
            self.app.clock.advance_ms(call.retry_delay_ms());
            watch(&call).await;
            let replies = self.finish(&call, ended).await;
            let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
            println!("{operation}, {side:?} {name} #{nth}: {statuses:?}");
            row.add(&statuses);
            check(&call).await;
        }
        row
    }
}

/// Sends a request to the API of a process, and returns the response.
///
/// # Panics
/// If the call is not a request.
pub async fn send(router: Router, call: &Call) -> Reply {
    let What::Request(method, path, body) = &call.what else { panic!("{call:?} is a job") };
    let mut request = http::Request::builder().method(method).uri(path);
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    if let Some(key) = &call.key {
        request = request.header("idempotency-key", key);
    }
    if let Some(key) = &call.tenant_key {
        request = request.header("x-api-key", key);
    }
    let body = body.as_ref().map(Value::to_string).unwrap_or_default();
    let request = request.body(Body::from(body)).expect("a request");
    let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a complete body");
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Reply { status: head.status.as_u16(), body, headers: head.headers }
}

/// Returns the calls at which an operation can be killed, each with its number.
fn killable(calls: Vec<(String, usize)>) -> Vec<(String, usize)> {
    calls.into_iter().filter(|(name, nth)| !sides(name, *nth).is_empty()).collect()
}

/// Returns the sides to test. Reads of the cosigner change nothing, and a death before a write
/// equals a death before the invocation or after the last write. The queries of an index, shard by
/// shard, are alike.
fn sides(call: &str, nth: usize) -> &'static [Side] {
    let writes = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"];
    if call == "DynamoDB.Query" && nth > 3 {
        &[]
    } else if !call.starts_with("Cosigner.") {
        &[Side::Before, Side::After]
    } else if writes.iter().any(|write| call.ends_with(write)) {
        &[Side::After]
    } else {
        &[]
    }
}

/// Returns every nth case, from a random first one. Returns all cases if `EVERY_CASE` is set, as in
/// the nightly run. Returns at least one case.
#[must_use]
pub fn drawn<T>(cases: Vec<T>, one_in: usize) -> Vec<T> {
    if std::env::var_os("EVERY_CASE").is_some() {
        return cases;
    }
    let [byte]: [u8; 1] = domain::random::Random::system().bytes().expect("randomness");
    let first = usize::from(byte) % one_in.min(cases.len()).max(1);
    cases.into_iter().skip(first).step_by(one_in).collect()
}

/// Like [`drawn`], for the first death of a case. `EVERY_CASE=2/4` returns the second of four parts
/// of all cases, so that a full set can run in parts.
fn drawn_part<T>(cases: Vec<T>, one_in: usize) -> Vec<T> {
    let value = std::env::var("EVERY_CASE").unwrap_or_default();
    let Some((part, parts)) = value.split_once('/') else { return drawn(cases, one_in) };
    let number =
        |text: &str| text.parse::<usize>().expect("EVERY_CASE is 1, or a part such as 2/4");
    let (part, parts) = (number(part), number(parts));
    assert!((1..=parts).contains(&part), "EVERY_CASE names part {part} of {parts}");
    cases.into_iter().skip(part - 1).step_by(parts).collect()
}
