//! Sends bodies that no honest client sends, over a raw socket. Each gets a clear 4xx or a closed
//! connection, nothing is written, and the next request succeeds.

use e2e::wire::{Wire, send_raw};
use serde_json::json;

use super::http::{ROUTES, post, refused, scene, unharmed};

fn json_post(path: &str, body: &[u8]) -> Vec<u8> {
    post(path, "Content-Type: application/json\r\n", body)
}

#[tokio::test(flavor = "multi_thread")]
async fn oversized_bodies_return_413() {
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
        ("declared, with Expect: 100-continue", {
            declared("Expect: 100-continue\r\nContent-Length: 65537").into_bytes()
        }),
        ("chunked", format!("{chunked}{}0\r\n\r\n", chunk.repeat(17)).into_bytes()),
        ("in one chunk", format!("{chunked}7fffffff\r\n{}", "a".repeat(70_000)).into_bytes()),
    ] {
        refused(&send_raw(&app, &bytes).await, 413, what);
    }
    let keyed = post("/api/wallets", "Idempotency-Key: k\r\n", &[b'a'; 64 * 1024 + 1]);
    refused(&send_raw(&app, &keyed).await, 413, "with an idempotency key");

    // A body without an end is read only up to the limit.
    let mut wire = Wire::open(&app).await;
    assert!(wire.send(chunked.as_bytes()).await);
    while wire.send(chunk.as_bytes()).await {}
    assert!(matches!(wire.receive().await.status(), Some(413) | None));

    // A body of exactly the limit is read.
    let fits = format!("{{\"a\":\"{}\"}}", "a".repeat(64 * 1024 - 8));
    refused(
        &send_raw(&app, &json_post("/api/wallets", fits.as_bytes())).await,
        400,
        "at the limit",
    );
    unharmed(&app, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_content_lengths_are_refused() {
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
        let reply = send_raw(&app, request.as_bytes()).await;
        assert!(matches!(reply.status(), Some(400..=499) | None), "{lengths}: {}", reply.text());
    }
    unharmed(&app, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_json_returns_400() {
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
            ("a lone high surrogate", text(b"\\ud800")),
            ("a lone low surrogate", text(b"\\udc00")),
            ("a reversed surrogate pair", text(b"\\udc00\\ud800")),
            ("invalid UTF-8", text(b"\xff")),
            ("a truncated character", text(b"\xc3")),
            ("an overlong slash", text(b"\xc0\xaf")),
            ("an overlong NUL", text(b"\xe0\x80\x80")),
            ("a surrogate in UTF-8", text(b"\xed\xa0\x80")),
            ("beyond Unicode", text(b"\xf4\x90\x80\x80")),
            ("a bare NUL", text(b"\x00")),
            ("a bare line end", text(b"\n")),
            ("a byte order mark", [b"\xef\xbb\xbf{", good.as_bytes(), b"}"].concat()),
            ("UTF-16", utf_16),
            ("not a number", with("\"n\":NaN")),
            ("an overflowing number", with("\"n\":1e999999")),
            ("two bodies", format!("{{{good}}}{{{good}}}").into_bytes()),
            ("a comment", with("/* */\"n\":1")),
            ("a trailing comma", format!("{{{good},}}").into_bytes()),
            ("single quotes", b"{'a':1}".to_vec()),
            ("a list", format!("[{{{good}}}]").into_bytes()),
        ] {
            refused(
                &send_raw(&app, &json_post(path, &body)).await,
                400,
                &format!("{path}: {what}"),
            );
        }
    }
    unharmed(&app, &before).await;
}

/// Identifiers are ASCII, so two forms of a letter can neither split nor merge users.
#[tokio::test(flavor = "multi_thread")]
async fn non_ascii_identifiers_return_400() {
    let (app, before) = scene().await;
    for name in [
        "caf\u{e9}",      // one code point
        "cafe\u{301}",    // two code points
        "\u{ff55}ser_1",  // fullwidth
        "user_\u{0661}",  // Arabic-Indic digit 1
        "\u{212a}elvin",  // folds to k
        "u\u{200d}ser_1", // zero-width joiner
        "user_1\u{202e}", // right-to-left override
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
    // Identifiers are case-sensitive.
    let (one, other) = (app.wallet("user_1").await, app.wallet("User_1").await);
    assert_ne!(one.text("/walletId"), other.text("/walletId"));
    // The message is signed exactly as sent.
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
async fn other_content_types_return_415() {
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
            refused(&send_raw(&app, &request).await, 415, kind);
        }
    }
    unharmed(&app, &before).await;
}
