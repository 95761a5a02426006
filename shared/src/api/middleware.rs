//! The middleware around every endpoint's routes: body limit, request id, error bodies, and one
//! log line.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::clock::Clock;
use domain::random::Random;
use futures_util::FutureExt;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use platform::metrics::{self, About, Metric};
use platform::telemetry;
use tower::Layer;
use tracing::Instrument;
use tracing::field::Empty;

use super::error::ApiError;
use super::idempotency::Replayed;
use super::layer::{Layered, layered};

/// Maximum size of a request body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Paths without authentication.
pub const OPEN_PATHS: [&str; 2] = ["/api/health", "/api/openapi.json"];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id from API Gateway. Without one, the middleware draws an id.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Wraps an endpoint's routes in the common middleware. Unknown routes and methods, oversized
/// bodies, panics and every [`ApiError`] become error bodies of the contract.
pub fn with_middleware(routes: Router, clock: Clock, random: Random) -> Router {
    routes
        .fallback(|| async { ApiError::no_route() })
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(RequestScope { clock, random })
}

/// The layer that assigns each request's id, writes error bodies, catches panics and logs one
/// line. It accepts `HEAD` only for open paths: API Gateway sends `HEAD` to the function of a
/// path's `POST`, which cannot respond for its `GET`.
#[derive(Clone, Debug)]
struct RequestScope {
    clock: Clock,
    random: Random,
}

impl<S> Layer<S> for RequestScope {
    type Service = Layered<Self, S>;

    fn layer(&self, routes: S) -> Self::Service {
        layered(self, |scope, request, next| Box::pin(run(scope, request, next)), routes)
    }
}

async fn run(State(scope): State<RequestScope>, request: Request, next: Next) -> Response {
    let started_us = scope.clock.now_us();
    let request_id = match request.extensions().get::<RequestId>() {
        Some(RequestId(id)) => id.clone(),
        None => scope.random.uuid().map(|id| id.to_string()).unwrap_or_default(),
    };
    let span = tracing::info_span!(
        "request",
        requestId = %request_id,
        method = %request.method(),
        tenant = Empty,
        keyId = Empty,
        scope = Empty,
        walletId = Empty,
        exchange = Empty,
    );
    let work = async {
        if request.method() == Method::HEAD && !OPEN_PATHS.contains(&request.uri().path()) {
            return ApiError::method_not_allowed().into_response();
        }
        let handled = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        handled.unwrap_or_else(|_| {
            ApiError::internal("Internal error", &"the handler panicked").into_response()
        })
    };
    let (mut response, calls) =
        telemetry::in_scope(request_id.clone(), work.instrument(span.clone())).await;

    let error = response.extensions_mut().remove::<ApiError>();
    let error = error.or_else(|| {
        is_rejection(&response).then(|| ApiError::bad_request("Request path could not be read"))
    });
    if let Some(error) = &error {
        write_error(&mut response, error, scope.clock.now_ms());
    }
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let ended_well =
        if response.extensions().get::<Replayed>().is_some() { "REPLAYED" } else { "OK" };
    span.in_scope(|| {
        tracing::info!(
            status = response.status().as_u16(),
            outcome = error.as_ref().map_or(ended_well, |error| error.code),
            durationMs = scope.clock.now_us().saturating_sub(started_us) / 1_000,
            remoteCalls = calls.total(),
            calls = %calls,
            "request"
        );
    });
    let sent = [(Metric::RemoteCalls, u64::from(calls.total()))];
    metrics::emit(&scope.clock, About::SERVICE, &sent);
    response.extensions_mut().insert(calls);
    response
}

/// Returns whether axum itself refused a request in plain text, because the path is not UTF-8.
fn is_rejection(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    response.status() == StatusCode::BAD_REQUEST
        && kind.is_some_and(|kind| kind.starts_with(b"text/plain"))
}

/// Returns and logs a refusal from code outside the middleware, in the contract's form.
pub fn refusal(error: &ApiError, clock: &Clock, random: &Random) -> Response {
    let request_id = random.uuid().map(|id| id.to_string()).unwrap_or_default();
    let mut response = error.clone().into_response();
    response.extensions_mut().remove::<ApiError>();
    write_error(&mut response, error, clock.now_ms());
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    tracing::info!(requestId = %request_id, status = error.status, outcome = error.code, "refused");
    response
}

fn write_error(response: &mut Response, error: &ApiError, now_ms: u64) {
    *response.body_mut() = error.body(now_ms).into();
    let headers = response.headers_mut();
    headers.remove(http::header::CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = error.retry_after_s {
        headers.insert(RETRY_AFTER, seconds.into());
    }
}
