//! Rejects requests of web pages that are not served by this stack.
//!
//! The stack listens on loopback, where a page of any site can send requests. A browser names the
//! sending page in `Origin` and `Sec-Fetch-Site`; other clients send neither header.
//! `hyperdex-listen` checks before, for every client, that `Host` names this stack. Pages of the
//! allowed origins may also call the API.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use domain::clock::Clock;
use domain::random::Random;
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Method};
use shared::api::cors::Origins;
use shared::api::error::ApiError;
use shared::api::middleware::refusal;

/// State of the check: the origins that may call the API, and the responder for refusals.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) origins: Origins,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
}

fn allows(request: &Request) -> bool {
    let headers = request.headers();
    let site = text(headers, "sec-fetch-site");
    // A page that links to the console cannot read the page that opens.
    let follows_link =
        request.uri().path() == "/" && text(headers, "sec-fetch-mode") == Some("navigate");
    let is_own_page = text(headers, ORIGIN.as_str()).is_none_or(|origin| {
        // In HTTP/2 the request's target contains the host.
        let target = request.uri().authority().map(Authority::as_str);
        let host = text(headers, HOST.as_str()).or(target);
        origin.strip_prefix("http://").is_some_and(|page| Some(page) == host)
    });
    is_own_page && (follows_link || matches!(site, None | Some("same-origin" | "none")))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    // A header that is not text cannot name a page of this stack.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

pub(crate) async fn pass(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let origin = request.headers().get(ORIGIN);
    // A preflight request changes nothing, and the API rejects it as it does in AWS.
    let is_page = path == "/" || path.starts_with("/console/");
    let is_preflight = request.method() == Method::OPTIONS && !is_page;
    let is_allowed =
        path.starts_with("/api/") && origin.is_some_and(|origin| guard.origins.contains(origin));
    if is_preflight || is_allowed || allows(&request) {
        return next.run(request).await;
    }
    let error = ApiError::new(403, "ORIGIN_NOT_ALLOWED", "Origin is not allowed").advise(
        "Call the API from a server, or open the console by the stack's own address. To let a page \
         of another origin call the API, start the stack with --allowed-origins and that origin.",
    );
    refusal(&error, &guard.clock, &guard.random)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn allows(path: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        super::allows(&request.body(Body::empty()).unwrap())
    }

    const OWN_HOST: (&str, &str) = ("host", "127.0.0.1:3000");

    #[test]
    fn requests_from_other_sites_are_rejected() {
        for path in ["/console/data/about", "/api/wallets", "/api/health"] {
            assert!(allows(path, &[OWN_HOST, ("sec-fetch-site", "same-origin")]));
            assert!(allows(path, &[OWN_HOST, ("origin", "http://127.0.0.1:3000")]));
            // A page on another port is "same-site".
            for site in ["cross-site", "same-site", "?"] {
                assert!(!allows(path, &[OWN_HOST, ("sec-fetch-site", site)]), "{site}");
                let follows = [OWN_HOST, ("sec-fetch-site", site), ("sec-fetch-mode", "navigate")];
                assert!(!allows(path, &follows), "{site}");
            }
            for origin in
                ["null", "http://127.0.0.1:3001", "https://127.0.0.1:3000", "http://evil.example"]
            {
                assert!(!allows(path, &[OWN_HOST, ("origin", origin)]), "{origin}");
            }
        }
    }

    #[test]
    fn link_from_other_site_opens_page() {
        let from_elsewhere = ("sec-fetch-site", "cross-site");
        assert!(allows("/", &[OWN_HOST, from_elsewhere, ("sec-fetch-mode", "navigate")]));
        assert!(!allows("/", &[OWN_HOST, from_elsewhere, ("sec-fetch-mode", "no-cors")]));
    }

    #[test]
    fn request_without_browser_headers_is_allowed() {
        assert!(allows("/api/wallets", &[OWN_HOST]) && allows("/", &[OWN_HOST]));
    }
}
