//! The edge of an exchange: latency, rate limit, injected faults, and a record of requests.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use http_body_util::{Full, Limited};
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::{
    Now,
    faults::{Fault, Faults},
    lock,
    requests::{Limit, Log, Request},
};

/// Maximum size of a body. No request of either exchange comes near it.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;

/// A request as the edge sees it.
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) kind: &'static str,
    pub(crate) weight: u32,
    pub(crate) limit: Limit,
}

/// Result of a request.
pub(crate) struct Reply {
    pub(crate) accepted: bool,
    pub(crate) response: Response,
}

impl Reply {
    pub(crate) fn json(accepted: bool, status: StatusCode, body: &Value) -> Self {
        Self { accepted, response: respond(status, "application/json", body.to_string()) }
    }

    /// Returns JSON as it is sent, for numbers that `serde_json` writes otherwise.
    pub(crate) fn raw_json(accepted: bool, status: StatusCode, body: String) -> Self {
        Self { accepted, response: respond(status, "application/json", body) }
    }

    pub(crate) fn text(status: StatusCode, body: &str) -> Self {
        let response = respond(status, "text/plain; charset=utf-8", body.to_owned());
        Self { accepted: false, response }
    }
}

/// The time of a request's execution.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    /// The time in milliseconds: that of its arrival for a late request.
    pub(crate) now: u64,
    /// The time of the state that a read sees. Earlier than `now` if reads lag.
    pub(crate) seen: u64,
}

impl Moment {
    const fn at(now: u64) -> Self {
        Self { now, seen: now }
    }

    /// Returns a moment whose reads lag by this at least, in milliseconds.
    pub(crate) fn lagging(self, ms: u64) -> Self {
        Self { seen: self.seen.min(self.now.saturating_sub(ms)), ..self }
    }

    /// Returns whether a read sees an earlier state.
    pub(crate) const fn lags(self) -> bool {
        self.seen < self.now
    }
}

/// Executes a request.
type Apply = Arc<dyn Fn(Moment) -> Reply + Send + Sync>;

/// The edge of one exchange.
pub(crate) struct Edge {
    now: Now,
    /// The exchange's own response above its limit, without `Retry-After`.
    too_many_requests: fn() -> Reply,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    faults: Faults,
    latency: Duration,
    log: Log,
    /// Requests that are still on their way, with the time of their arrival.
    late: Vec<(u64, Apply)>,
}

impl Edge {
    pub(crate) fn new(now: Now, too_many_requests: fn() -> Reply) -> Self {
        Self { now, too_many_requests, state: Mutex::default() }
    }

    pub(crate) fn clear_faults(&self) -> usize {
        lock(&self.state).faults.clear()
    }

    pub(crate) fn fail_next(&self, target: &str, fault: Fault) {
        lock(&self.state).faults.push(target, fault);
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        lock(&self.state).latency = latency;
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        lock(&self.state).log.requests()
    }

    /// Returns the weight used of a limit in the last minute.
    pub(crate) fn used_weight(&self, limit: &'static str) -> u32 {
        lock(&self.state).log.used(limit, (self.now)())
    }

    /// Passes a request to `apply`, unless its limit or a fault prevents that.
    pub(crate) async fn pass(
        &self,
        call: Call,
        apply: impl Fn(Moment) -> Reply + Send + Sync + 'static,
    ) -> Response {
        let mut response = self.pass_undated(call, Arc::new(apply)).await;
        if let Some(date) = date((self.now)()) {
            response.headers_mut().entry(header::DATE).or_insert(date);
        }
        response
    }

    /// Executes the late requests that have arrived by now, as of the time of their arrival. Callers
    /// must not hold a lock.
    pub(crate) fn run_late(&self) {
        while let Some((at, apply)) = self.take_late() {
            apply(Moment::at(at));
        }
    }

    /// Takes the late request that has arrived first, if one has arrived by now.
    fn take_late(&self) -> Option<(u64, Apply)> {
        let now = (self.now)();
        let mut state = lock(&self.state);
        let arrived = state.late.iter().enumerate().filter(|(_, (at, _))| *at <= now);
        let (first, _) = arrived.min_by_key(|(_, (at, _))| *at)?;
        Some(state.late.remove(first))
    }

    async fn pass_undated(&self, call: Call, apply: Apply) -> Response {
        let latency = lock(&self.state).latency;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        self.run_late();
        if let Err(retry_after_s) = self.weigh(&call) {
            self.record(call, false);
            return self.too_many(retry_after_s);
        }
        let fault = lock(&self.state).faults.take(&call.path, call.kind);
        let now = Moment::at((self.now)());
        match fault {
            None | Some(Fault::Pass) => self.answer(call, apply(now)),
            Some(Fault::ReadsLag { ms }) => {
                self.answer(call, apply(Moment { seen: now.now.saturating_sub(ms), ..now }))
            }
            Some(Fault::Twice) => {
                apply(now);
                self.answer(call, apply(now))
            }
            Some(fault) => {
                let accepted = fault.applies() && apply(now).accepted;
                if let Fault::Late { ms } = fault {
                    lock(&self.state).late.push((now.now + ms, apply));
                }
                self.record(call, accepted);
                self.fail(fault).await
            }
        }
    }

    fn answer(&self, call: Call, reply: Reply) -> Response {
        self.record(call, reply.accepted);
        reply.response
    }

    fn weigh(&self, call: &Call) -> Result<(), u64> {
        lock(&self.state).log.weigh((self.now)(), call.weight, call.limit)
    }

    fn record(&self, call: Call, accepted: bool) {
        let Call { path, kind, weight, .. } = call;
        let at = (self.now)();
        lock(&self.state).log.record(Request { at, path, kind, weight, accepted });
    }

    async fn fail(&self, fault: Fault) -> Response {
        match fault {
            Fault::Status(code, body) | Fault::AppliedAs(code, body) => {
                let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                status(code, body)
            }
            Fault::RateLimited { retry_after_s } => self.too_many(retry_after_s),
            Fault::Pass | Fault::Twice | Fault::ReadsLag { .. } | Fault::Garbage => {
                status(StatusCode::OK, "<html>it works!</html>".to_owned())
            }
            Fault::Hostile(hostile) => hostile.response(),
            Fault::AppliedButLost => status(StatusCode::BAD_GATEWAY, "Bad Gateway".to_owned()),
            Fault::Hang | Fault::AppliedThenHang => std::future::pending().await,
            // A body over its own limit fails at its first byte. That breaks the connection before
            // anything is sent.
            Fault::Reset | Fault::Late { .. } => {
                Response::new(Body::new(Limited::new(Full::from("lost"), 1)))
            }
        }
    }

    fn too_many(&self, retry_after_s: u64) -> Response {
        let mut response = (self.too_many_requests)().response;
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
        response
    }
}

/// Returns the `Date` header of a time, so that it shows the exchange's clock and not the
/// machine's.
fn date(now_ms: u64) -> Option<HeaderValue> {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let seconds = i64::try_from(now_ms / 1_000).ok()?;
    let text = OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(format).ok()?;
    HeaderValue::try_from(text).ok()
}

fn status(code: StatusCode, body: String) -> Response {
    let kind = if body.starts_with(['{', '[']) { "application/json" } else { "text/html" };
    respond(code, kind, body)
}

fn respond(code: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
