//! The page's files, which are compiled into the program, and their security headers.

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::HeaderValue;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! file {
    ($name:literal, $kind:expr) => {
        (concat!("/console/", $name), $kind, include_str!(concat!("../assets/", $name)))
    };
}

/// Path, content type and content of each file.
const FILES: [(&str, &str, &str); 27] = [
    ("/", HTML, include_str!("../assets/index.html")),
    file!("style.css", CSS),
    file!("icon.svg", SVG),
    file!("main.js", SCRIPT),
    file!("api.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("time.js", SCRIPT),
    file!("parts.js", SCRIPT),
    file!("operation.js", SCRIPT),
    file!("csv.js", SCRIPT),
    file!("charts.js", SCRIPT),
    file!("audit.js", SCRIPT),
    file!("overview.js", SCRIPT),
    file!("orders.js", SCRIPT),
    file!("trading.js", SCRIPT),
    file!("policy.js", SCRIPT),
    file!("payments.js", SCRIPT),
    file!("paid.js", SCRIPT),
    file!("approver.js", SCRIPT),
    file!("webhooks.js", SCRIPT),
    file!("wallets.js", SCRIPT),
    file!("wallet.js", SCRIPT),
    file!("decisions.js", SCRIPT),
    file!("renewals.js", SCRIPT),
    file!("exchanges.js", SCRIPT),
    file!("metrics.js", SCRIPT),
    file!("reference.js", SCRIPT),
];

/// The browser runs only the page's own files, and sends nothing to other hosts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'";

pub(crate) fn router() -> Router {
    let (_, kind, text) = file!("icon.svg", SVG);
    // A browser requests this path until it has read which icon the page names.
    let icon = [("/favicon.ico", kind, text)];
    FILES.into_iter().chain(icon).fold(Router::new(), |router, (path, kind, text)| {
        router.route(path, get(move || async move { ([(CONTENT_TYPE, kind)], text) }))
    })
}

/// Adds the security headers to every response of the console.
pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await.into_response();
    let bound = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
        // Another version of the program has other files, and data changes with each read.
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in bound {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn page_references_existing_files_without_markup() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");
        let there = std::fs::read_dir(folder).unwrap().count();
        assert_eq!(there, FILES.len(), "each file of the folder is served");
        for (path, _, text) in FILES {
            for quoted in text.split('"').filter(|quoted| quoted.starts_with("./")) {
                let named = quoted.replacen('.', "/console", 1);
                assert!(FILES.iter().any(|(path, ..)| *path == named), "{path} names {quoted}");
            }
            for unwanted in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("]
            {
                assert!(!text.contains(unwanted), "{path} has {unwanted}");
            }
            // The page loads nothing from other hosts. Names of XML namespaces are not addresses.
            let text = text.replace("http://www.w3.org/", "");
            assert!(!text.contains("https://") && !text.contains("//cdn"), "{path}");
            assert!(!text.contains(" style=") && !text.contains(" onclick="), "{path}");
        }
    }
}
