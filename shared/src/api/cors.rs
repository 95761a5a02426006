//! CORS: the origins that may call the API from a browser, and the preflight response.
//!
//! `X-API-KEY` is a tenant's secret, so no page in a browser should hold it, and by default no
//! origin is allowed. A deployment may allow origins, such as that of an internal tool.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::clock::Clock;
use domain::random::Random;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use http::{HeaderValue, Method, StatusCode};
use tower::Layer;

use super::error::ApiError;
use super::layer::{Layered, layered};
use super::middleware::refusal;

/// The origins that may call the API from a browser.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Origins(Vec<HeaderValue>);

impl Origins {
    /// Parses origins separated by commas, such as `https://tool.example.com`. Returns `None` when
    /// one is invalid.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let origin = |text: &str| {
            let url = url::Url::parse(text).ok()?;
            let is_origin = matches!(url.scheme(), "http" | "https")
                && url.origin().ascii_serialization() == text;
            is_origin.then(|| text.parse().ok()).flatten()
        };
        let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
        texts.map(origin).collect::<Option<_>>().map(Self)
    }
}

impl Origins {
    /// Returns whether a page of this origin may call the API.
    #[must_use]
    pub fn contains(&self, origin: &HeaderValue) -> bool {
        self.0.contains(origin)
    }
}

/// The layer that responds to every `OPTIONS` without a key, and lets pages of these origins read
/// responses.
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Origins,
    clock: Clock,
    random: Random,
}

impl Cors {
    /// Makes the layer for these origins.
    #[must_use]
    pub const fn new(origins: Origins, clock: Clock, random: Random) -> Self {
        Self { origins, clock, random }
    }
}

impl<S> Layer<S> for Cors {
    type Service = Layered<Self, S>;

    fn layer(&self, routes: S) -> Self::Service {
        layered(self, |cors, request, next| Box::pin(run(cors, request, next)), routes)
    }
}

async fn run(State(cors): State<Cors>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(ORIGIN);
    let origin = origin.filter(|origin| cors.origins.contains(origin)).cloned();
    let is_options = request.method() == Method::OPTIONS;
    let mut response = match &origin {
        Some(_) if is_options && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD) => {
            preflight()
        }
        _ if is_options => refusal(&ApiError::method_not_allowed(), &cors.clock, &cors.random),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    if !cors.origins.0.is_empty() {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let shown = "Client-Order-Id, Idempotent-Replay, Retry-After, x-request-id";
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(shown));
    }
    response
}

fn preflight() -> Response {
    let sent = "Content-Type, Idempotency-Key, X-API-KEY, x-wallet-id, \
                X-LIGHTER-API-KEY-PRIVATE-KEY, X-LIGHTER-API-KEY-INDEX, X-LIGHTER-ACCOUNT-INDEX";
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE"),
        (ACCESS_CONTROL_ALLOW_HEADERS, sent),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_parsed_from_list() {
        let read = |text| Origins::parse(text).map(|origins| origins.0.len());
        assert_eq!(read(""), Some(0));
        assert_eq!(read("https://a.example.com, http://localhost:5173"), Some(2));
        for text in ["*", "a.example.com", "https://a.example.com/", "ftp://a.example.com", "null"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
