//! The check of every listener that a request names the listener as its host.
//!
//! Pages in a browser on this machine can send requests to loopback. A page whose name resolves to
//! this machine (DNS rebinding) could also read the responses, because the browser considers them
//! to be of the page's own site. Such a request has the page's name in `Host`. This check refuses
//! unknown names before anything else reads the request.
//!
//! Ports for programs (DynamoDB, KMS, Lambda, SQS, the simulators) also refuse all requests of web
//! pages, and never send CORS headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use domain::clock::Clock;
use domain::random::Random;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::json;
use shared::api::error::ApiError;
use shared::api::middleware::refusal;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// An additional name under which clients reach the API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AllowedHost {
    name: String,
    /// `None` allows any port, because a container's published port differs from the listener's.
    port: Option<u16>,
}

/// The text is not a hostname or address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected a hostname or an IP address, with or without a port")]
pub struct AllowedHostError;

impl FromStr for AllowedHost {
    type Err = AllowedHostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, port) = split(text).ok_or(AllowedHostError)?;
        let is_name = |name: &str| {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        };
        if address(name).is_none() && !is_name(name) {
            return Err(AllowedHostError);
        }
        Ok(Self { name: name.to_owned(), port })
    }
}

/// The names of one listener.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    bound: SocketAddr,
    allowed: Arc<[AllowedHost]>,
}

impl Hosts {
    pub(crate) fn new(bound: SocketAddr) -> Self {
        Self { bound, allowed: Arc::default() }
    }

    pub(crate) fn allow(&mut self, allowed: &[AllowedHost]) {
        self.allowed = allowed.into();
    }

    /// Returns whether the value of a `Host` header names this listener.
    fn has(&self, text: &str) -> bool {
        let Some((name, port)) = split(text) else { return false };
        let is_allowed = |host: &AllowedHost| {
            host.name.eq_ignore_ascii_case(name) && host.port.is_none_or(|own| Some(own) == port)
        };
        // A `Host` without a port means port 80.
        let is_own_port = port.unwrap_or(80) == self.bound.port();
        is_own_port && self.is_own(name) || self.allowed.iter().any(is_allowed)
    }

    /// Returns whether a name means this machine. An address cannot be rebound: a browser that
    /// names it has connected to it. So a listener on all addresses accepts every address.
    fn is_own(&self, name: &str) -> bool {
        let bound = self.bound.ip();
        match address(name) {
            Some(ip) => ip.is_loopback() || ip == bound || bound.is_unspecified(),
            None => name.eq_ignore_ascii_case("localhost"),
        }
    }

    /// Returns whether a request names at least one host, and all of them are this listener. A
    /// request names a host in `Host`, in its target (as for a proxy), or in both.
    fn are_named_by(&self, request: &Request) -> bool {
        let headers = request.headers().get_all(HOST).iter().map(|value| value.to_str().ok());
        let target = request.uri().authority().map(|authority| Some(authority.as_str()));
        let mut named = headers.chain(target).peekable();
        named.peek().is_some() && named.all(|text| text.is_some_and(|text| self.has(text)))
    }
}

/// Returns host and port of an authority without user information.
fn split(text: &str) -> Option<(&str, Option<u16>)> {
    let authority: Authority = text.parse().ok()?;
    let name = authority.host().len();
    let (name, port) = (text.get(..name)?, text.get(name..)?);
    if name.is_empty() || name != authority.host() {
        return None;
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((name, None)),
        None => None,
        Some(port) => Some((name, Some(port.parse().ok()?))),
    }
}

/// Returns the address, if the host is one.
fn address(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => name.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// Intended callers of a listener.
#[derive(Clone, Debug)]
pub(crate) enum Callers {
    /// Programs only.
    Programs,
    /// Clients of the API and the console's page.
    Clients(Clock, Random),
}

impl Callers {
    fn host_refused(&self) -> Response {
        match self {
            Self::Programs => aws_error("the Host header does not name this listener"),
            Self::Clients(clock, random) => {
                let error = ApiError::new(403, "HOST_NOT_ALLOWED", "Host is not allowed").advise(
                    "Use the local stack's address or localhost, with its port, or start the stack \
                     with --allowed-host and the name that you use",
                );
                refusal(&error, clock, random)
            }
        }
    }
}

/// Returns a refusal in the format of AWS's JSON protocols.
fn aws_error(message: &str) -> Response {
    let body = json!({ "__type": "AccessDeniedException", "message": message });
    let kind = [(CONTENT_TYPE, "application/x-amz-json-1.0")];
    (StatusCode::FORBIDDEN, kind, body.to_string()).into_response()
}

/// Returns whether a page sent the request. Opening an address in the address bar sends `none`.
fn is_from_page(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.get(SEC_FETCH_SITE).is_some_and(|site| site != "none")
}

/// Puts the check in front of a router.
pub(crate) fn guarded(router: Router, hosts: Hosts, callers: Callers) -> Router {
    router.layer(from_fn_with_state((hosts, callers), pass))
}

async fn pass(
    State((hosts, callers)): State<(Hosts, Callers)>,
    request: Request,
    next: Next,
) -> Response {
    let refused = if !hosts.are_named_by(&request) {
        callers.host_refused()
    } else if matches!(callers, Callers::Programs) && is_from_page(request.headers()) {
        aws_error("this listener refuses requests of web pages")
    } else {
        return next.run(request).await;
    };
    // The body was not read, so the connection cannot serve another request.
    let mut refused = refused;
    refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    refused
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::any;
    use tower::ServiceExt;

    use super::*;

    fn hosts(bound: &str) -> Hosts {
        Hosts::new(bound.parse().unwrap())
    }

    #[test]
    fn loopback_names_with_own_port_are_accepted() {
        let hosts = hosts("127.0.0.1:3000");
        for host in ["127.0.0.1:3000", "localhost:3000", "LOCALHOST:3000", "[::1]:3000"] {
            assert!(hosts.has(host), "{host}");
        }
        assert!(self::hosts("127.0.0.1:80").has("localhost"), "port 80 is implied");
    }

    #[test]
    fn foreign_names_and_ports_are_refused() {
        let hosts = hosts("127.0.0.1:3000");
        for host in [
            "evil.example:3000",
            "localhost.evil.example:3000",
            "127.0.0.1.evil.example:3000",
            "localhost.:3000",
            "localhost@evil.example:3000",
            "evil.example@localhost:3000",
            "10.0.0.1:3000",
            "0.0.0.0:3000",
            "[::2]:3000",
            "127.0.0.1",
            "127.0.0.1:",
            "localhost:80",
            "localhost:3001",
            "localhost:68536",
            "localhost:3000/",
            "localhost:3000, evil.example",
            ":3000",
            "a b",
            "",
        ] {
            assert!(!hosts.has(host), "{host}");
        }
    }

    #[test]
    fn bound_addresses_are_accepted() {
        assert!(hosts("10.0.0.7:3000").has("10.0.0.7:3000"));
        assert!(!hosts("10.0.0.7:3000").has("10.0.0.8:3000"));
        for any in ["0.0.0.0:3000", "[::]:3000"] {
            assert!(hosts(any).has("10.0.0.8:3000") && !hosts(any).has("evil.example:3000"));
        }
    }

    #[test]
    fn allowed_host_is_accepted_at_its_port() {
        let mut hosts = hosts("0.0.0.0:3000");
        let allowed = ["stack", "dev.example:8080", "[fd00::1]"].map(|text| text.parse().unwrap());
        hosts.allow(&allowed);
        for host in ["stack", "STACK:3000", "stack:8080", "dev.example:8080", "[fd00::1]:9"] {
            assert!(hosts.has(host), "{host}");
        }
        for host in ["dev.example", "dev.example:3000", "stack.example", "example"] {
            assert!(!hosts.has(host), "{host}");
        }
        for text in ["", "*", "a b", "http://stack", "stack/", "stack:port", "a@b", "[stack]"] {
            assert_eq!(text.parse::<AllowedHost>(), Err(AllowedHostError), "{text}");
        }
    }

    /// Returns the status of a request to a listener on 127.0.0.1:3000.
    async fn ask(callers: Callers, target: &str, headers: &[(&str, &str)]) -> u16 {
        let router = Router::new().route("/", any(|| async { "reached" }));
        let guarded = guarded(router, hosts("127.0.0.1:3000"), callers);
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = guarded.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        response.status().as_u16()
    }

    fn clients() -> Callers {
        Callers::Clients(Clock::system(), Random::system())
    }

    #[tokio::test]
    async fn every_host_of_a_request_is_checked() {
        let own = ("host", "127.0.0.1:3000");
        let foreign = ("host", "evil.example:3000");
        for (target, headers, status) in [
            ("/", &[own][..], 200),
            ("/", &[], 403),
            ("/", &[foreign], 403),
            ("/", &[own, foreign], 403),
            ("/nowhere", &[foreign], 403),
            ("http://localhost:3000/", &[], 200),
            ("http://evil.example:3000/", &[own], 403),
        ] {
            for callers in [Callers::Programs, clients()] {
                assert_eq!(ask(callers, target, headers).await, status, "{target} {headers:?}");
            }
        }
    }

    #[tokio::test]
    async fn program_ports_refuse_web_pages() {
        let own = ("host", "127.0.0.1:3000");
        for page in [
            ("origin", "http://127.0.0.1:3000"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-origin"),
        ] {
            assert_eq!(ask(Callers::Programs, "/", &[own, page]).await, 403, "{page:?}");
            // The console's own check handles these.
            assert_eq!(ask(clients(), "/", &[own, page]).await, 200, "{page:?}");
        }
        assert_eq!(ask(Callers::Programs, "/", &[own, ("sec-fetch-site", "none")]).await, 200);
    }
}
