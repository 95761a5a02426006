//! Requests that no honest client sends, over a bare socket: each is answered with a clear 4xx, or
//! the connection is closed; nothing is written, and the next request is served.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use e2e::TestApp;
use e2e::wire::{Heard, Wire, say, tables};
use hyperdex_local::ClientBounds;
use serde_json::json;

type Tables = BTreeMap<(String, String), HashMap<String, AttributeValue>>;

/// Routes that take a body, with a body of theirs that is good but for what is put into it.
const ROUTES: [(&str, &str); 4] = [
    ("/api/wallets", "userId"),
    ("/api/wallets/user_1/sign", "message"),
    ("/api/trading/aster/apikey", "walletIdOrAddress"),
    ("/api/trading/hyperliquid/apikey/rotate", "walletIdOrAddress"),
];

/// A stack with one wallet in it, and all that it stores.
async fn scene() -> (TestApp, Tables) {
    scene_with(ClientBounds::default()).await
}

async fn scene_with(bounds: ClientBounds) -> (TestApp, Tables) {
    let app = TestApp::start_with(|options| options.clients = bounds).await;
    app.wallet("user_1").await;
    let before = tables(&app).await;
    (app, before)
}

/// Nothing was written, and the stack goes on.
async fn unharmed(app: &TestApp, before: &Tables) {
    assert!(tables(app).await == *before, "something was written");
    assert_eq!(app.get("/api/wallets/user_1").await.status, 200);
}

fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn json_post(path: &str, body: &[u8]) -> Vec<u8> {
    post(path, "Content-Type: application/json\r\n", body)
}

/// A refusal in the contract's form.
fn refused(heard: &Heard, status: u16, what: &str) {
    assert_eq!(heard.status(), Some(status), "{what}: {}", heard.text());
    let body = heard.body();
    assert_eq!(body["success"], json!(false), "{what}: {}", heard.text());
    assert!(body["code"].is_string() && body["error"].is_string(), "{what}: {}", heard.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_too_large_are_refused_however_they_come() {
    let (app, before) = scene().await;
    let declared = |length: &str| {
        format!(
            "POST /api/wallets HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
        )
    };
    let chunked = declared("Transfer-Encoding: chunked");
    let chunk = format!("1000\r\n{}\r\n", "a".repeat(0x1000));
    for (what, bytes) in [
        ("with its length", json_post("/api/wallets", &[b'a'; 64 * 1024 + 1])),
        ("declared, and never sent", declared("Content-Length: 10737418240").into_bytes()),
        ("declared, and waited for", {
            declared("Expect: 100-continue\r\nContent-Length: 65537").into_bytes()
        }),
        ("in chunks", format!("{chunked}{}0\r\n\r\n", chunk.repeat(17)).into_bytes()),
        ("in one chunk", format!("{chunked}7fffffff\r\n{}", "a".repeat(70_000)).into_bytes()),
    ] {
        refused(&say(&app, &bytes).await, 413, what);
    }
    let keyed = post("/api/wallets", "Idempotency-Key: k\r\n", &[b'a'; 64 * 1024 + 1]);
    refused(&say(&app, &keyed).await, 413, "with a key for its answer");

    // Without an end: it is read until it is too large, and not for ever.
    let mut wire = Wire::open(&app).await;
    assert!(wire.say(chunked.as_bytes()).await);
    while wire.say(chunk.as_bytes()).await {}
    assert!(matches!(wire.hear().await.status(), Some(413) | None));

    // What just fits is read.
    let fits = format!("{{\"a\":\"{}\"}}", "a".repeat(64 * 1024 - 8));
    refused(&say(&app, &json_post("/api/wallets", fits.as_bytes())).await, 400, "what fits");
    unharmed(&app, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_that_lie_are_refused() {
    let (app, before) = scene().await;
    for lengths in [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: -1",
        "Content-Length: +5",
        "Content-Length: 5,6",
        "Content-Length: 99999999999999999999999",
        "Content-Length: 0x5",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}garbage",
    ] {
        let request = format!(
            "POST /api/wallets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lengths}\r\n\r\n{{\"userId\":\"smuggled\"}}"
        );
        let heard = say(&app, request.as_bytes()).await;
        assert!(matches!(heard.status(), Some(400..=499) | None), "{lengths}: {}", heard.text());
    }
    unharmed(&app, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_that_is_deep_double_or_odd_is_refused() {
    let (app, before) = scene().await;
    for (path, field) in ROUTES {
        let good = format!("\"{field}\":\"good\"");
        let with = |more: &str| format!("{{{good},{more}}}").into_bytes();
        let text = |bytes: &[u8]| [b"{\"", field.as_bytes(), b"\":\"go", bytes, b"od\"}"].concat();
        let arrays = format!("\"a\":{}1{}", "[".repeat(30_000), "]".repeat(30_000));
        let objects = format!("\"a\":{}1{}", "{\"b\":".repeat(9_000), "}".repeat(9_000));
        let unclosed = "[".repeat(60_000);
        let utf_16: Vec<u8> =
            format!("{{{good}}}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (what, body) in [
            ("deep arrays", with(&arrays)),
            ("deep objects", with(&objects)),
            ("deep and unclosed", unclosed.into_bytes()),
            ("a field twice", with(&good)),
            (
                "a field twice, once escaped",
                with(
                    &good
                        .replacen('e', "\\u0065", 1)
                        .replacen('d', "\\u0064", 1)
                        .replacen('o', "\\u006f", 1),
                ),
            ),
            ("a nested field twice", with("\"x\":{\"a\":1,\"a\":2}")),
            ("a field twice in a list", with("\"x\":[0,[{\"a\":{\"b\":1,\"b\":1}}]]")),
            ("half a pair", text(b"\\ud800")),
            ("the other half", text(b"\\udc00")),
            ("a pair the wrong way round", text(b"\\udc00\\ud800")),
            ("no UTF-8", text(b"\xff")),
            ("half a letter", text(b"\xc3")),
            ("an overlong slash", text(b"\xc0\xaf")),
            ("an overlong NUL", text(b"\xe0\x80\x80")),
            ("a surrogate in UTF-8", text(b"\xed\xa0\x80")),
            ("beyond Unicode", text(b"\xf4\x90\x80\x80")),
            ("a bare NUL", text(b"\x00")),
            ("a bare line end", text(b"\n")),
            ("a byte order mark", [b"\xef\xbb\xbf{", good.as_bytes(), b"}"].concat()),
            ("UTF-16", utf_16),
            ("no number", with("\"n\":NaN")),
            ("a number beyond all", with("\"n\":1e999999")),
            ("two bodies", format!("{{{good}}}{{{good}}}").into_bytes()),
            ("a comment", with("/* */\"n\":1")),
            ("a trailing comma", format!("{{{good},}}").into_bytes()),
            ("single quotes", b"{'a':1}".to_vec()),
            ("a list", format!("[{{{good}}}]").into_bytes()),
        ] {
            refused(&say(&app, &json_post(path, &body)).await, 400, &format!("{path}: {what}"));
        }
    }
    unharmed(&app, &before).await;
}

/// A name is ASCII, so that no two forms of a letter can make one user of two, or two of one.
#[tokio::test(flavor = "multi_thread")]
async fn names_in_odd_letters_are_nobodys() {
    let (app, before) = scene().await;
    for name in [
        "caf\u{e9}",      // as one letter
        "cafe\u{301}",    // as two
        "\u{ff55}ser_1",  // fullwidth
        "user_\u{0661}",  // another digit 1
        "\u{212a}elvin",  // folds to k
        "u\u{200d}ser_1", // joined by nothing
        "user_1\u{202e}", // from right to left
        "\u{feff}user_1",
        "user_1\u{0}",
        "user_1 ",
        "user_1\u{a0}",
        "\u{1f600}",
        "\u{fdfa}",
    ] {
        for (path, field) in ROUTES.into_iter().filter(|(_, field)| *field != "message") {
            let reply = app.post(path, json!({ field: name })).await;
            assert_eq!((reply.status, reply.text("/code")), (400, "BAD_REQUEST"), "{name:?}");
        }
        let mut url = reqwest::Url::parse(&app.stack.api).expect("a URL");
        url.path_segments_mut().expect("a path").extend(["api", "wallets", name]);
        let reply = app.send(app.request_from(url.as_str())).await;
        assert_eq!((reply.status, reply.text("/code")), (400, "BAD_REQUEST"), "{name:?}");
    }
    unharmed(&app, &before).await;
    // Letter case is kept: two users, two wallets.
    let (one, other) = (app.wallet("user_1").await, app.wallet("User_1").await);
    assert_ne!(one.text("/walletId"), other.text("/walletId"));
    // What is signed is signed as it was sent, to the byte.
    let mut signatures = Vec::new();
    for message in ["caf\u{e9}", "cafe\u{301}", "caf\u{e9}\u{202e}", "caf\u{e9}\u{0}"] {
        let reply = app.post("/api/wallets/user_1/sign", json!({ "message": message })).await;
        assert_eq!((reply.status, reply.text("/message")), (200, message), "{reply:?}");
        let signature = hex::decode(&reply.text("/signature")[2..]).expect("hex");
        let signature = alloy_primitives::Signature::from_raw(&signature).expect("a signature");
        let signer = signature.recover_address_from_msg(message).expect("a signer");
        assert_eq!(signer.to_string(), one.text("/address"), "{message:?}");
        signatures.push(signature);
    }
    signatures.dedup();
    assert_eq!(signatures.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_another_kind_are_refused() {
    let (app, before) = scene().await;
    for kind in [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=json",
        "application/jsonp",
        "application/",
        "json",
        "\u{80}\u{ff}",
        "text/plain; x=application/json",
    ] {
        for (path, field) in ROUTES {
            let body = json!({ field: "user_2" }).to_string();
            let request = post(path, &format!("Content-Type: {kind}\r\n"), body.as_bytes());
            refused(&say(&app, &request).await, 415, kind);
        }
    }
    unharmed(&app, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_headers_are_cut_off() {
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
        let heard = say(&app, request.as_bytes()).await;
        let status = heard.status();
        assert!(status.is_none_or(|it| allowed.contains(&it)), "{what}: {}", heard.text());
    }
    // Headers without an end.
    let mut wire = Wire::open(&app).await;
    assert!(wire.say(b"GET /api/health HTTP/1.1\r\n").await);
    while wire.say(&b"abcdefgh: 0123456789\r\n".repeat(100)).await {}
    assert!(matches!(wire.hear().await.status(), Some(431) | None));

    for key in ["", "a b", "\u{e9}", &"k".repeat(256), "one\r\nIdempotency-Key: two"] {
        let headers = format!("Content-Type: application/json\r\nIdempotency-Key: {key}\r\n");
        let request = post("/api/wallets", &headers, br#"{"userId":"user_2"}"#);
        refused(&say(&app, &request).await, 400, key);
    }
    unharmed(&app, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_let_go() {
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
        let heard = say(&app, bytes.as_bytes()).await;
        assert_eq!(heard.status(), status, "{what}: {}", heard.text());
        if let Some(status) = status {
            refused(&heard, status, what);
        }
    }
    // A byte now and then does not help.
    let mut wire = Wire::open(&app).await;
    let mut sent = wire.say(head.as_bytes()).await;
    while sent {
        sent = wire.say(b"a").await;
        tokio::task::yield_now().await;
    }
    assert!(matches!(wire.hear().await.status(), Some(431) | None));

    // As many as there may be at once, all silent: the next one is served when they are let go.
    let silent: Vec<Wire> =
        futures_util::future::join_all((0..bounds.connections).map(|_| Wire::open(&app))).await;
    let get = b"GET /api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(say(&app, get).await.status(), Some(200));
    for wire in silent {
        assert_eq!(wire.hear().await.status(), None);
    }
    // One that asks and asks, and reads no answer.
    let mut wire = Wire::open(&app).await;
    let asked = b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000);
    while wire.say(&asked).await {}
    unharmed(&app, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_of_ours_is_closed() {
    let (app, before) = scene().await;
    let health = "GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n";
    let garbage = say(&app, format!("{health}\0\u{ff}\r\n\r\n").as_bytes()).await;
    assert_eq!(garbage.statuses(), [200, 400], "{}", garbage.text());
    let late = format!("{health}POST /api/wallets HTTP/9.9\r\n\r\n{{\"userId\":\"user_2\"}}");
    assert_eq!(say(&app, late.as_bytes()).await.statuses()[0], 200);
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
        let heard = say(&app, &bytes).await;
        assert!(matches!(heard.status(), Some(400..=499 | 505) | None), "{what}: {}", heard.text());
    }
    // These are HTTP.
    let old = say(&app, b"GET /api/health HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.status(), Some(200), "{}", old.text());
    let absolute = format!(
        "{}Connection: close\r\n\r\n",
        health.replace(" /api", " http://example.com/api").trim_end_matches("\r\n\r\n").to_owned()
            + "\r\n"
    );
    assert_eq!(say(&app, absolute.as_bytes()).await.status(), Some(200), "{absolute}");
    unharmed(&app, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_are_refused_and_echo_nothing() {
    let (app, before) = scene().await;
    let ask = async |method: &str, path: &str| {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-KEY: not-to-be-shown\r\n\r\n"
        );
        let heard = say(&app, request.as_bytes()).await;
        assert!(!heard.text().contains("not-to-be-shown"), "{method}: {}", heard.text());
        heard
    };
    for method in ["OPTIONS", "TRACE", "PATCH", "PUT", "LINK", "get", "X"] {
        for path in ["/api/wallets", "/api/wallets/user_1", "/api/trading/aster/apikey"] {
            refused(&ask(method, path).await, 405, method);
        }
    }
    for path in ["/api/wallets", "/api/wallets/user_1", "/api/health"] {
        let heard = ask("HEAD", path).await;
        assert_eq!(heard.status(), Some(200), "{}", heard.text());
        assert!(heard.text().ends_with("\r\n\r\n"), "an answer without a body: {}", heard.text());
    }
    assert_eq!(ask("HEAD", "/api/wallets/user_1/sign").await.status(), Some(405));
    unharmed(&app, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_in_disguise_lead_nowhere() {
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
        let heard = say(&app, request.as_bytes()).await;
        let status = heard.status();
        assert!(matches!(status, Some(400 | 404 | 405)), "{path}: {}", heard.text());
        refused(&heard, status.unwrap_or_default(), path);
    }
    // A letter may be written so.
    assert_eq!(app.get("/api/wallets/%75ser%5F1").await.status, 200);
    unharmed(&app, &before).await;
}
