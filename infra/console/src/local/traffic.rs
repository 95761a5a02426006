//! `GET /console/data/metrics` of a local stack: counts and durations of a tenant's requests, in
//! memory since the stack started. A deployment has the same series in CloudWatch.

mod history;
mod route;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use axum::{Extension, Json};
use domain::clock::Clock;
use domain::ids::Tenant;
use http::{HeaderMap, HeaderValue, Method};
use hyperdex_listen::Peer;
use serde::Deserialize;
use shared::access::Access;
use shared::api::middleware::OPEN_PATHS;

use super::{Console, READS, TenantKeys};
use crate::series::{Metrics, Refusal};
use history::{Finished, History, PERIOD_MS};
use route::Route;

/// Maximum size of a response that is examined, in bytes. Others only count.
const MAX_EXAMINED: u64 = 64 << 10;

/// Maximum length of a path that is kept, in characters.
const MAX_PATH: usize = 200;

/// Maximum number of tenants. The one whose last request is oldest gives way.
const MAX_TENANTS: usize = 100;

/// Recorder of the API's requests.
#[derive(Clone)]
pub(super) struct Traffic {
    inner: Arc<Inner>,
}

struct Inner {
    keys: Arc<dyn TenantKeys>,
    access: Access,
    clock: Clock,
    started_ms: u64,
    tenants: Mutex<HashMap<Tenant, History>>,
}

/// The fields of a response that are counted.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    data: Option<Batch>,
}

/// The counts of a batch of orders.
#[derive(Default, Deserialize)]
struct Batch {
    #[serde(default)]
    placed: Option<u64>,
    #[serde(default)]
    refused: Option<u64>,
}

impl Traffic {
    pub(super) fn new(keys: Arc<dyn TenantKeys>, access: Access, clock: Clock) -> Self {
        let started_ms = clock.now_ms();
        let tenants = Mutex::default();
        Self { inner: Arc::new(Inner { keys, access, clock, started_ms, tenants }) }
    }

    /// Returns the tenant of a key, as the API knows it; `None` if the API does not admit the key.
    /// A key without the scope to read belongs to its tenant as well.
    async fn tenant(&self, key: Option<&[u8]>, address: Option<IpAddr>) -> Option<Tenant> {
        let presented = self.inner.keys.presented(key, address).ok()?;
        let admitted = self.inner.access.admit(&presented, READS).await;
        admitted.ok().map(|admitted| admitted.tenant)
    }

    fn note(&self, tenant: Tenant, finished: Finished) {
        let mut tenants = self.inner.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= MAX_TENANTS && !tenants.contains_key(&tenant) {
            let oldest = tenants.iter().min_by_key(|(_, history)| history.last_ms());
            if let Some(oldest) = oldest.map(|(tenant, _)| tenant.clone()) {
                tenants.remove(&oldest);
            }
        }
        tenants.entry(tenant).or_default().add(finished);
    }

    fn read(&self, tenant: &Tenant) -> Metrics {
        let now = self.inner.clock.now_ms();
        let tenants = self.inner.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let none = History::default();
        let history = tenants.get(tenant).unwrap_or(&none);
        history.metrics(now, self.inner.started_ms / PERIOD_MS * PERIOD_MS)
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// Passes a request to the API, and records it when the API admits its key.
pub(super) async fn record(
    State(traffic): State<Traffic>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let is_counted = path.starts_with("/api/")
        && !OPEN_PATHS.contains(&path)
        && *request.method() != Method::OPTIONS;
    if !is_counted {
        return next.run(request).await;
    }
    let (method, path) = (request.method().clone(), path.to_owned());
    let key = request.headers().get("x-api-key").map(HeaderValue::as_bytes).map(<[u8]>::to_vec);
    let address = request.extensions().get::<Peer>().map(|peer| peer.0);
    let started_us = traffic.inner.clock.now_us();
    let response = next.run(request).await;
    let now_us = traffic.inner.clock.now_us();
    let Some(tenant) = traffic.tenant(key.as_deref(), address).await else { return response };
    let route = Route::of(&method, &path);
    let status = response.status().as_u16();
    let is_replay = text(response.headers(), "idempotent-replay").is_some();
    let request_id = text(response.headers(), "x-request-id");
    let (response, said) =
        if status >= 400 || route.is_order() { examine(response).await } else { (response, None) };
    let Said { code, data } = said.unwrap_or_default();
    let Batch { placed, refused } = data.unwrap_or_default();
    let at = now_us / 1_000;
    let refusal = (status >= 400).then(|| Refusal {
        at,
        method: method.to_string(),
        path: path.chars().take(MAX_PATH).collect(),
        status,
        code: code.clone(),
        request_id,
    });
    traffic.note(
        tenant,
        Finished {
            at_ms: at,
            took_ms: now_us.saturating_sub(started_us) / 1_000,
            status,
            code,
            route,
            is_replay,
            placed,
            refused,
            refusal,
        },
    );
    response
}

/// Reads a short response, and returns it unchanged. The API's responses have a known length.
async fn examine(response: Response) -> (Response, Option<Said>) {
    let (parts, body) = response.into_parts();
    if body.size_hint().exact().is_none_or(|size| size > MAX_EXAMINED) {
        return (Response::from_parts(parts, body), None);
    }
    // A body of this length is in memory already, so the read cannot fail.
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return (Response::from_parts(parts, Body::empty()), None);
    };
    let said = serde_json::from_slice(&bytes).ok();
    (Response::from_parts(parts, Body::from(bytes)), said)
}

pub(super) async fn metrics(
    State(console): State<Console>,
    Extension(tenant): Extension<Tenant>,
) -> Json<Metrics> {
    Json(console.traffic.read(&tenant))
}
