//! Which browsers are answered: those on a page of this stack.
//!
//! The stack is on loopback, where a page of any site can send requests to. One that has its own
//! name point here ("DNS rebinding") would even read the answers. A browser tells where it is: the
//! name that it went to in `Host`, the page that it is on in `Origin` and `Sec-Fetch-Site`. Other
//! clients send neither of the last two, and to the API any `Host`, as before.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, StatusCode};

#[derive(Clone, Copy, Debug)]
pub(super) struct Guard {
    bound: IpAddr,
}

impl Guard {
    pub(super) const fn new(bound: IpAddr) -> Self {
        Self { bound }
    }

    /// Whether a name is one of this stack's own. An address is no name that points elsewhere
    /// tomorrow.
    fn is_ours(self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback() || ip == self.bound || self.bound.is_unspecified(),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        }
    }

    fn allows(self, request: &Request) -> bool {
        let headers = request.headers();
        let path = request.uri().path();
        let is_page = path == "/";
        let is_console = is_page || path.starts_with("/console/");
        let site = text(headers, "sec-fetch-site");
        let origin = text(headers, ORIGIN.as_str());
        let is_browser = site.is_some() || origin.is_some();
        if !is_console && !is_browser {
            return true;
        }
        let Some(host) = authority(text(headers, HOST.as_str()).or_else(|| {
            // HTTP/2 has it in the request's target.
            request.uri().authority().map(Authority::as_str)
        })) else {
            return false;
        };
        // Who follows a link to the page reads nothing of it on the page with the link.
        let follows_link = is_page && text(headers, "sec-fetch-mode") == Some("navigate");
        self.is_ours(host.host())
            && (follows_link || matches!(site, None | Some("same-origin" | "none")))
            && origin.is_none_or(|origin| origin.strip_prefix("http://") == Some(host.as_str()))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    // What is no text is no name of ours.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn authority(text: Option<&str>) -> Option<Authority> {
    text?.parse().ok()
}

pub(super) async fn pass(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if guard.allows(&request) {
        return next.run(request).await;
    }
    let why = "This stack answers browsers on its own page alone: open it by its address.\n";
    (StatusCode::FORBIDDEN, why).into_response()
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
        let request = request.body(Body::empty()).unwrap();
        Guard::new([127, 0, 0, 1].into()).allows(&request)
    }

    const OURS: (&str, &str) = ("host", "127.0.0.1:3000");

    #[test]
    fn the_page_is_there_under_our_own_names_alone() {
        for host in ["127.0.0.1:3000", "localhost:3000", "LOCALHOST", "[::1]:3000", "127.1.2.3"] {
            for path in ["/", "/console/data/about", "/console/main.js"] {
                assert!(allows(path, &[("host", host)]), "{host}");
            }
        }
        for host in ["evil.example:3000", "localhost.evil.example", "10.0.0.1", "", "a b", "[::2]"]
        {
            for path in ["/", "/console/data/about", "/console/main.js"] {
                assert!(!allows(path, &[("host", host)]), "{host}");
            }
        }
        assert!(!allows("/", &[]));
    }

    #[test]
    fn another_site_reads_and_sends_nothing() {
        for path in ["/console/data/about", "/api/wallets", "/api/health"] {
            assert!(allows(path, &[OURS, ("sec-fetch-site", "same-origin")]));
            assert!(allows(path, &[OURS, ("origin", "http://127.0.0.1:3000")]));
            // Another port is "same-site".
            for site in ["cross-site", "same-site", "?"] {
                assert!(!allows(path, &[OURS, ("sec-fetch-site", site)]), "{site}");
                let follows = [OURS, ("sec-fetch-site", site), ("sec-fetch-mode", "navigate")];
                assert!(!allows(path, &follows), "{site}");
            }
            for origin in
                ["null", "http://127.0.0.1:3001", "https://127.0.0.1:3000", "http://evil.example"]
            {
                assert!(!allows(path, &[OURS, ("origin", origin)]), "{origin}");
            }
            // A name of its own that points here.
            let rebound = ("host", "evil.example:3000");
            assert!(!allows(path, &[rebound, ("sec-fetch-site", "same-origin")]));
            assert!(!allows(path, &[rebound, ("origin", "http://evil.example:3000")]));
        }
    }

    #[test]
    fn a_link_leads_to_the_page() {
        let from_elsewhere = ("sec-fetch-site", "cross-site");
        assert!(allows("/", &[OURS, from_elsewhere, ("sec-fetch-mode", "navigate")]));
        assert!(!allows("/", &[OURS, from_elsewhere, ("sec-fetch-mode", "no-cors")]));
    }

    #[test]
    fn a_program_calls_the_api_by_any_name() {
        for host in ["local", "host.docker.internal:3000", "127.0.0.1"] {
            assert!(allows("/api/wallets", &[("host", host)]), "{host}");
        }
        assert!(allows("/api/wallets", &[]));
    }

    #[test]
    fn where_all_addresses_are_bound_any_address_is_ours() {
        let guard = Guard::new([0, 0, 0, 0].into());
        assert!(guard.is_ours("10.0.0.7") && !guard.is_ours("evil.example"));
        assert!(Guard::new([10, 0, 0, 7].into()).is_ours("10.0.0.7"));
    }
}
