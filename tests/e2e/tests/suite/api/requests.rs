//! Tests the accepted forms of a request: wallet identifiers, fields, headers and methods.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use e2e::{Reply, TestApp};
use http::Method;
use serde_json::{Value, json};
use shared::api::cors::Origins;

async fn delete(app: &TestApp, query: &str, body: Option<Value>) -> Reply {
    let path = format!("/api/trading/hyperliquid/apikey{query}");
    let mut request = app.request(Method::DELETE, &path);
    if let Some(body) = body {
        request = request.json(&body);
    }
    app.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn identifiers_of_different_wallets_return_400() {
    let app = TestApp::start().await;
    let wallets = [app.wallet("a").await, app.wallet("b").await];
    for user in ["a", "b"] {
        assert_eq!(app.register("hyperliquid", user).await.status, 200);
    }
    let other = wallets[1].text("/address").to_owned();
    for reply in [
        delete(&app, "?walletIdOrAddress=a", Some(json!({ "walletIdOrAddress": "b" }))).await,
        delete(&app, "?walletIdOrAddress=a", Some(json!({ "userId": "b" }))).await,
        delete(&app, "?walletIdOrAddress=a", Some(json!({ "address": other }))).await,
        delete(&app, "?walletIdOrAddress=a", Some(json!({ "userId": "nobody" }))).await,
        delete(&app, "?walletIdOrAddress=a&walletIdOrAddress=a", None).await,
    ] {
        assert_eq!((reply.status, reply.text("/code")), (400, "BAD_REQUEST"), "{reply:?}");
    }
    let body = json!({ "walletIdOrAddress": "a", "walletId": wallets[1].text("/walletId") });
    for path in ["aster/apikey", "hyperliquid/apikey/rotate"] {
        let reply = app.post(&format!("/api/trading/{path}"), body.clone()).await;
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    for user in ["a", "b"] {
        let path = format!("/api/trading/hyperliquid/apikey?walletIdOrAddress={user}");
        assert_eq!(app.get(&path).await.status, 200, "{user}");
    }

    let same = json!({
        "walletIdOrAddress": wallets[0].text("/walletId"),
        "userId": "a",
        "address": wallets[0].text("/address"),
    });
    assert_eq!(delete(&app, "?walletIdOrAddress=a", Some(same)).await.status, 200);
    let body = json!({ "walletIdOrAddress": "nobody", "userId": "nobody2" });
    let reply = app.post("/api/trading/aster/apikey", body).await;
    assert_eq!(reply.status, 404, "{reply:?}");
}

async fn send(app: &TestApp, method: &Method, path: &str, body: Option<&Value>) -> Reply {
    let request = app.request(method.clone(), path);
    app.send(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

/// Compares wallet identifiers in the path, the query and the body, wherever the first one is.
#[tokio::test(flavor = "multi_thread")]
async fn additional_identifiers_are_checked_on_every_route() {
    let app = TestApp::start().await;
    let wallets = [app.wallet("alice").await, app.wallet("bob").await];
    assert_eq!(app.register("hyperliquid", "alice").await.status, 200);
    let (key, get) = ("/api/trading/hyperliquid/apikey", Method::GET);
    let agents = "/api/trading/hyperliquid/agents";
    // Each request has the status that it returns when all identifiers name the same wallet.
    let in_query = [
        (get.clone(), "/api/wallets/alice?x=1".to_owned(), None, 200),
        (get.clone(), format!("{key}?walletIdOrAddress=alice"), None, 200),
        (get, format!("{agents}?walletIdOrAddress=alice"), None, 200),
        (Method::DELETE, format!("{agents}/hdxnobody?walletIdOrAddress=alice"), None, 404),
        (
            Method::POST,
            "/api/wallets/alice/sign?x=1".to_owned(),
            Some(json!({ "message": "hi" })),
            200,
        ),
        (Method::POST, format!("{key}?x=1"), Some(json!({ "walletIdOrAddress": "alice" })), 409),
        (Method::DELETE, format!("{key}?walletIdOrAddress=alice"), None, 200),
    ];
    for (method, path, body, status) in in_query {
        for (name, pointer) in [("walletId", "/walletId"), ("address", "/address")] {
            let other = format!("{path}&{name}={}", wallets[1].text(pointer));
            let reply = send(&app, &method, &other, body.as_ref()).await;
            assert_eq!((reply.status, reply.text("/code")), (400, "BAD_REQUEST"), "{reply:?}");
        }
        let twice = format!("{path}&userId=alice&userId=alice");
        assert_eq!(send(&app, &method, &twice, body.as_ref()).await.status, 400, "{path}");
        let same = format!("{path}&userId=alice&address={}", wallets[0].text("/address"));
        let reply = send(&app, &method, &same, body.as_ref()).await;
        assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
    }
    // Only `walletIdOrAddress` selects a wallet by itself.
    let bare = app.get(&format!("{key}?userId=alice")).await;
    assert_eq!(bare.text("/error"), "Missing required parameter: walletIdOrAddress");

    let remove = format!("{agents}/hdxnobody?walletIdOrAddress=alice");
    for (method, path, status) in
        [(Method::POST, "/api/wallets/alice/sign", 200), (Method::DELETE, remove.as_str(), 404)]
    {
        for name in ["walletIdOrAddress", "userId"] {
            let mut body = json!({ "message": "hi" });
            if method == Method::DELETE {
                body = json!({});
            }
            body[name] = "bob".into();
            let reply = send(&app, &method, path, Some(&body)).await;
            assert_eq!(reply.text("/error"), "The request names different wallets", "{path}");
            body[name] = "alice".into();
            let reply = send(&app, &method, path, Some(&body)).await;
            assert_eq!(reply.status, status, "{path}: {reply:?}");
        }
    }
}

/// Every route with a body refuses an unknown field and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_field_returns_400_on_every_route() {
    let app = TestApp::start().await;
    app.wallet("a").await;
    for (method, path) in [
        (Method::POST, "/api/wallets"),
        (Method::POST, "/api/wallets/a/sign"),
        (Method::POST, "/api/trading/aster/apikey"),
        (Method::POST, "/api/trading/hyperliquid/apikey"),
        (Method::DELETE, "/api/trading/hyperliquid/apikey"),
        (Method::POST, "/api/trading/hyperliquid/apikey/rotate"),
        (Method::POST, "/api/webhooks"),
        (Method::POST, "/api/webhooks/0b7e1c52-9a3f-4c1d-8e65-2f4a9d0c7b10/replay"),
        (Method::DELETE, "/api/webhooks/0b7e1c52-9a3f-4c1d-8e65-2f4a9d0c7b10"),
        (Method::DELETE, "/api/trading/aster/agents/hdx1?walletIdOrAddress=a"),
    ] {
        let body = json!({
            "userId": "b", "message": "m", "walletIdOrAddress": "a", "url": "https://a.example",
        });
        let mut fields = body.as_object().unwrap().clone();
        if path.contains("webhooks") || path.contains("sign") || path == "/api/wallets" {
            fields.retain(|name, _| {
                matches!(
                    (path, name.as_str()),
                    ("/api/wallets", "userId") | ("/api/wallets/a/sign", "message")
                ) || path == "/api/webhooks" && name == "url"
            });
        } else {
            fields.retain(|name, _| name == "walletIdOrAddress");
        }
        fields.insert("autorenew".to_owned(), false.into());
        let reply = app.send(app.request(method, path).json(&fields)).await;
        assert_eq!(reply.status, 400, "{path}: {reply:?}");
        assert_eq!(reply.text("/error"), "Unknown field: autorenew", "{path}");
    }
    assert_eq!(app.get("/api/wallets/b").await.status, 404);
    let published = json!({ "walletIdOrAddress": "a", "credentials": {}, "broker": 1000 });
    assert_eq!(app.post("/api/trading/aster/apikey", published).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_body_returns_415() {
    let app = TestApp::start().await;
    let post = || app.request(Method::POST, "/api/wallets");
    for (method, path) in [
        (Method::POST, "/api/wallets"),
        (Method::DELETE, "/api/trading/aster/apikey?walletIdOrAddress=a"),
        (Method::DELETE, "/api/trading/aster/agents/hdx1?walletIdOrAddress=a"),
        (Method::DELETE, "/api/webhooks/0b7e1c52-9a3f-4c1d-8e65-2f4a9d0c7b10"),
    ] {
        for coding in ["gzip", "br", "deflate, identity"] {
            let request = app.request(method.clone(), path).header("content-encoding", coding);
            let reply = app.send(request.body("not JSON at all")).await;
            assert_eq!(reply.status, 415, "{path}: {reply:?}");
            assert_eq!(reply.text("/error"), "Content-Encoding must be identity");
        }
    }
    let plain = post().header("content-encoding", "identity").json(&json!({ "userId": "i" }));
    assert_eq!(app.send(plain).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_user_id_returns_400_with_advice() {
    let app = TestApp::start().await;
    for user in [
        ".",
        "..",
        "50291846-1111-4222-8333-123456789abc",
        "0x8a4732fcA4aEbfa343D041829fD737dB4d119ABB",
    ] {
        let reply = app.post("/api/wallets", json!({ "userId": user })).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(reply.text("/message").contains("prefix"), "{reply:?}");
        let prefixed = app.post("/api/wallets", json!({ "userId": format!("user:{user}") })).await;
        assert_eq!(prefixed.status, 201, "{prefixed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_allowed_on_public_paths_only() {
    let app = TestApp::start().await;
    app.wallet("a").await;
    for (path, status) in [
        ("/api/health", 200),
        ("/api/openapi.json", 200),
        ("/api/wallets", 405),
        ("/api/wallets/a", 405),
        ("/api/trading/aster/apikey?walletIdOrAddress=a", 405),
        ("/api/webhooks", 405),
    ] {
        let reply = app.send(app.request(Method::HEAD, path)).await;
        assert_eq!(reply.status, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_path_returns_404_to_every_method() {
    let app = TestApp::start().await;
    for path in ["/nope", "/api/nope", "/api/wallets/a/b", "/api/trading/aster"] {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::OPTIONS] {
            let reply = app.send(app.request(method.clone(), path)).await;
            assert_eq!(reply.status, 404, "{method} {path}: {reply:?}");
        }
        let request = app.request(Method::OPTIONS, path).header("origin", TOOL);
        let reply = app.send_unchecked(request).await;
        assert_eq!((reply.status, reply.text("/code")), (404, "NOT_FOUND"), "{path}: {reply:?}");
    }
    for path in ["/api/wallets", "/api/wallets/a", "/api/trading/lighter/apikey"] {
        let reply = app.send(app.request(Method::OPTIONS, path)).await;
        assert_eq!(reply.status, 405, "{path}: {reply:?}");
    }
}

const TOOL: &str = "https://tool.example.com";

async fn preflight(app: &TestApp, origin: &str) -> Reply {
    let url = format!("{}/api/wallets", app.stack.api);
    // A browser sends no tenant key with a preflight request.
    let client = shared::http_client::client_builder().unwrap().build().unwrap();
    let request = client.request(Method::OPTIONS, url).header("origin", origin);
    app.send_unchecked(request.header("access-control-request-method", "POST")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn preflight_without_allowed_origins_returns_405() {
    let app = TestApp::start().await;
    app.key("one");
    let reply = preflight(&app, TOOL).await;
    assert_eq!((reply.status, reply.text("/code")), (405, "METHOD_NOT_ALLOWED"), "{reply:?}");
    assert!(!reply.headers.contains_key("access-control-allow-origin"), "{reply:?}");
    let health = app.request(Method::GET, "/api/health").header("origin", TOOL);
    let health = app.send_unchecked(health).await;
    assert_eq!((health.status, health.text("/code")), (403, "ORIGIN_NOT_ALLOWED"), "{health:?}");
    assert!(health.text("/message").contains("--allowed-origins"), "{health:?}");
    assert_eq!(health.headers["content-type"], "application/json");
    assert!(!health.headers.contains_key("access-control-allow-origin"), "{health:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn preflight_with_allowed_origin_returns_204() {
    let app = TestApp::start_with(|options| {
        options.allowed_origins = Origins::parse(TOOL).unwrap();
    })
    .await;
    let key = app.key("one");
    let reply = preflight(&app, TOOL).await;
    assert_eq!(
        (reply.status, &reply.headers["access-control-allow-origin"]),
        (204, &TOOL.parse().unwrap())
    );
    let sent = reply.headers["access-control-allow-headers"].to_str().unwrap();
    assert!(sent.contains("X-API-KEY") && sent.contains("Idempotency-Key"), "{sent}");
    let other = preflight(&app, "https://tool.example.com.evil.example").await;
    assert!(other.status == 405 && !other.headers.contains_key("access-control-allow-origin"));

    let get = |key: &str| {
        let request = app.request_from(&format!("{}/api/wallets", app.stack.api));
        app.send(request.header("X-API-KEY", key).header("origin", TOOL))
    };
    for (key, status) in [(key.as_str(), 200), ("wrong", 403)] {
        let reply = get(key).await;
        assert_eq!(
            (reply.status, &reply.headers["access-control-allow-origin"]),
            (status, &TOOL.parse().unwrap())
        );
        assert_eq!(reply.headers["vary"], "Origin");
    }
}
