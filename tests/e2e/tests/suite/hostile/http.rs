//! Sends requests that no honest client sends, over a raw socket. Each gets a clear 4xx or a closed
//! connection, nothing is written, and the next request succeeds. Bodies are in `bodies`.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use e2e::TestApp;
use e2e::wire::{RawReply, Wire, send_raw, tables};
use hyperdex_local::ClientBounds;
use serde_json::json;

pub(crate) type Tables = BTreeMap<(String, String), HashMap<String, AttributeValue>>;

/// Routes that take a body, each with one of its fields.
pub(crate) const ROUTES: [(&str, &str); 4] = [
    ("/api/wallets", "userId"),
    ("/api/wallets/user_1/sign", "message"),
    ("/api/trading/aster/apikey", "walletIdOrAddress"),
    ("/api/trading/hyperliquid/apikey/rotate", "walletIdOrAddress"),
];

/// Starts a stack with one wallet and returns everything that it stores.
pub(crate) async fn scene() -> (TestApp, Tables) {
    scene_with(ClientBounds::default()).await
}

async fn scene_with(bounds: ClientBounds) -> (TestApp, Tables) {
    let app = TestApp::start_with(|options| {
        options.clients = bounds;
        // The hostname in the requests of these tests, which passes the check of `Host`.
        options.allowed_hosts = vec!["x".parse().unwrap()];
    })
    .await;
    app.wallet("user_1").await;
    let before = tables(&app).await;
    (app, before)
}

/// Checks that nothing was written and that the stack still responds.
pub(crate) async fn unharmed(app: &TestApp, before: &Tables) {
    assert!(tables(app).await == *before, "the tables changed");
    assert_eq!(app.get("/api/wallets/user_1").await.status, 200);
}

pub(crate) fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Checks that the response is a refusal in the contract's form.
pub(crate) fn refused(reply: &RawReply, status: u16, what: &str) {
    assert_eq!(reply.status(), Some(status), "{what}: {}", reply.text());
    let body = reply.body();
    assert_eq!(body["success"], json!(false), "{what}: {}", reply.text());
    assert!(body["code"].is_string() && body["error"].is_string(), "{what}: {}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn header_floods_return_431() {
    let (app, before) = scene().await;
    let get = |headers: &str| {
        format!("GET /api/wallets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n")
    };
    for (what, request, allowed) in [
        ("many", get(&"a: b\r\n".repeat(200)), vec![431]),
        ("a long value", get(&format!("a: {}\r\n", "b".repeat(100_000))), vec![431]),
        ("a long name", get(&format!("{}: b\r\n", "a".repeat(100_000))), vec![400, 431]),
        ("a long path", format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000)), vec![414, 431]),
        ("a space in a name", get("a b: c\r\n"), vec![400]),
        ("a space before the colon", get("Content-Length : 5\r\n"), vec![400]),
        ("a folded line", get("a: b\r\n c\r\n"), vec![400]),
        ("no colon", get("abc\r\n"), vec![400]),
        ("a NUL", get("a: b\0c\r\n"), vec![400]),
        ("a bare return", get("a: b\rc: d\r\n"), vec![400]),
    ] {
        let reply = send_raw(&app, request.as_bytes()).await;
        let status = reply.status();
        assert!(status.is_none_or(|it| allowed.contains(&it)), "{what}: {}", reply.text());
    }
    // Headers without an end.
    let mut wire = Wire::open(&app).await;
    assert!(wire.send(b"GET /api/health HTTP/1.1\r\n").await);
    while wire.send(&b"abcdefgh: 0123456789\r\n".repeat(100)).await {}
    assert!(matches!(wire.receive().await.status(), Some(431) | None));

    for key in ["", "a b", "\u{e9}", &"k".repeat(256), "one\r\nIdempotency-Key: two"] {
        let headers = format!("Content-Type: application/json\r\nIdempotency-Key: {key}\r\n");
        let request = post("/api/wallets", &headers, br#"{"userId":"user_2"}"#);
        refused(&send_raw(&app, &request).await, 400, key);
    }
    unharmed(&app, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_disconnected() {
    let short = Duration::from_secs(1);
    let bounds = ClientBounds { head: short, body: short, unread: short, connections: 4 };
    let (app, before) = scene_with(bounds).await;
    let head = "POST /api/wallets HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    for (what, bytes, status) in [
        ("nothing", String::new(), None),
        ("half a line", "GET /api/hea".to_owned(), None),
        ("half a head", head.to_owned(), None),
        ("half a body", format!("{head}Content-Length: 100\r\n\r\n{{\"userId\":"), Some(408)),
        ("half a chunk", format!("{head}Transfer-Encoding: chunked\r\n\r\n64\r\n{{"), Some(408)),
        (
            "no last chunk",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n"),
            Some(408),
        ),
    ] {
        let reply = send_raw(&app, bytes.as_bytes()).await;
        assert_eq!(reply.status(), status, "{what}: {}", reply.text());
        if let Some(status) = status {
            refused(&reply, status, what);
        }
    }
    // A client that sends a byte from time to time is disconnected too.
    let mut wire = Wire::open(&app).await;
    let mut sent = wire.send(head.as_bytes()).await;
    while sent {
        sent = wire.send(b"a").await;
        tokio::task::yield_now().await;
    }
    assert!(matches!(wire.receive().await.status(), Some(431) | None));

    // The maximum number of idle connections. The next request is served after they are closed.
    let silent: Vec<Wire> =
        futures_util::future::join_all((0..bounds.connections).map(|_| Wire::open(&app))).await;
    let get = b"GET /api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(send_raw(&app, get).await.status(), Some(200));
    for wire in silent {
        assert_eq!(wire.receive().await.status(), None);
    }
    // A client that sends requests and reads no response.
    let mut wire = Wire::open(&app).await;
    let requests = b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000);
    while wire.send(&requests).await {}
    unharmed(&app, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_not_http_1_are_refused() {
    let (app, before) = scene().await;
    let health = "GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n";
    let garbage = send_raw(&app, format!("{health}\0\u{ff}\r\n\r\n").as_bytes()).await;
    assert_eq!(garbage.statuses(), [200, 400], "{}", garbage.text());
    let late = format!("{health}POST /api/wallets HTTP/9.9\r\n\r\n{{\"userId\":\"user_2\"}}");
    assert_eq!(send_raw(&app, late.as_bytes()).await.statuses()[0], 200);
    for (what, bytes) in [
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec()),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("HTTP/0.9", b"GET /\r\n\r\n".to_vec()),
        ("HTTP/3.0", b"GET / HTTP/3.0\r\n\r\n".to_vec()),
        ("SSH", b"SSH-2.0-OpenSSH_9.0\r\n\r\n".to_vec()),
        ("a proxy's header", b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n\r\n".to_vec()),
        ("zeros", vec![0; 200_000]),
        ("a method of bytes", b"\xc3\x28 / HTTP/1.1\r\n\r\n".to_vec()),
        (
            "a tunnel",
            b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(),
        ),
        ("all of it", b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec()),
    ] {
        let reply = send_raw(&app, &bytes).await;
        assert!(matches!(reply.status(), Some(400..=499 | 505) | None), "{what}: {}", reply.text());
    }
    // These requests are valid HTTP.
    let old = send_raw(&app, b"GET /api/health HTTP/1.0\r\nHost: x\r\n\r\n").await;
    assert_eq!(old.status(), Some(200), "{}", old.text());
    let absolute = format!(
        "{}Connection: close\r\n\r\n",
        health.replace(" /api", " http://x/api").trim_end_matches("\r\n\r\n").to_owned() + "\r\n"
    );
    assert_eq!(send_raw(&app, absolute.as_bytes()).await.status(), Some(200), "{absolute}");
    unharmed(&app, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unsupported_methods_return_405() {
    let (app, before) = scene().await;
    let ask = async |method: &str, path: &str| {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-KEY: not-to-be-shown\r\n\r\n"
        );
        let reply = send_raw(&app, request.as_bytes()).await;
        assert!(!reply.text().contains("not-to-be-shown"), "{method}: {}", reply.text());
        reply
    };
    for method in ["OPTIONS", "TRACE", "PATCH", "PUT", "LINK", "get", "X"] {
        for path in ["/api/wallets", "/api/wallets/user_1", "/api/trading/aster/apikey"] {
            refused(&ask(method, path).await, 405, method);
        }
    }
    for (path, status) in [
        ("/api/health", 200),
        ("/api/wallets", 405),
        ("/api/wallets/user_1", 405),
        ("/api/wallets/user_1/sign", 405),
    ] {
        let reply = ask("HEAD", path).await;
        assert_eq!(reply.status(), Some(status), "{}", reply.text());
        assert!(
            reply.text().ends_with("\r\n\r\n"),
            "expected a response without a body: {}",
            reply.text()
        );
    }
    unharmed(&app, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn obfuscated_paths_return_4xx() {
    let (app, before) = scene().await;
    for path in [
        "/api/wallets/%2e%2e",
        "/api/wallets/%2e%2e/wallets/user_1",
        "/api/wallets/..%2fuser_1",
        "/api/wallets/..%5cuser_1",
        "/api/wallets/user_1%2fsign",
        "/api/wallets/user%252f1",
        "/api/wallets/user%255f1",
        "/api/wallets/%c0%ae%c0%ae",
        "/api/wallets/%ff",
        "/api/wallets/user_1%00",
        "/api/wallets/user_1%0d%0aSet-Cookie:a",
        "/api/wallets/%",
        "/api/wallets/%zz",
        "/api/wallets/%u0041",
        "/api/wallets/user_1;a=b",
        "/api/wallets/user_1/",
        "/api/wallets//user_1",
        "//api/wallets/user_1",
        "/api/./wallets/user_1",
        "/api/../api/wallets/user_1",
        "/API/WALLETS/user_1",
        "/api/wallets%2fuser_1",
        "/api/trading/%61ster%2fapikey",
        "/api/trading/..%2f..%2fwallets/apikey",
        "/api/trading/aster/apikey?walletIdOrAddress=user_1&walletIdOrAddress=user_1",
        "/api/trading/aster/apikey?walletIdOrAddress=%ff",
        "/api/trading/aster/apikey?walletIdOrAddress=user_1%00",
        "/api/trading/aster/apikey?walletIdOrAddress[]=user_1",
        "/api/wallets?limit=%30%78%31",
        "/api/wallets?limit=1&limit=1",
        "/api/wallets?cursor=%00",
        "/api/wallets?cursor=AAAA%2e%2e%2f",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let reply = send_raw(&app, request.as_bytes()).await;
        let status = reply.status();
        assert!(matches!(status, Some(400 | 404 | 405)), "{path}: {}", reply.text());
        refused(&reply, status.unwrap_or_default(), path);
    }
    // A percent-encoded letter is accepted.
    assert_eq!(app.get("/api/wallets/%75ser%5F1").await.status, 200);
    unharmed(&app, &before).await;
}
