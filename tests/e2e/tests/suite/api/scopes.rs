//! Each endpoint with keys of each scope, and of a suspended tenant. The OpenAPI document states the
//! scope of each operation, and the walk over the routes in the sources compares it.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::collections::BTreeMap;

use e2e::wire::tables;
use e2e::{Reply, TestApp};
use http::Method;
use serde_json::{Value, json};
use shared::api::middleware::OPEN_PATHS;
use shared::tenancy::{Scope, Scopes, TenantState};
use template::routes::{Route, in_code};

/// The name of an operation, whatever its parameters are called: `GET /api/wallets/{}`.
fn operation(method: &str, path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    format!("{} {}", method.to_uppercase(), parts.collect::<Vec<_>>().join("/"))
}

/// What the document states of an operation.
#[derive(Clone, Copy, Debug)]
struct Stated {
    scope: Option<Scope>,
    while_suspended: bool,
}

fn stated() -> BTreeMap<String, Stated> {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let mut stated = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, about) in item.as_object().unwrap() {
            let scope = about["x-scope"].as_str().map(|word| word.parse().unwrap());
            let while_suspended = about["x-while-suspended"] == true;
            stated.insert(operation(method, path), Stated { scope, while_suspended });
        }
    }
    stated
}

/// A request that is admitted before it fails: it names a wallet that does not exist.
async fn send(app: &TestApp, key: &str, route: &Route) -> Reply {
    let path = route
        .path
        .replace("{wallet}", "nobody")
        .replace("{webhook}", "0b7e1c52-9a3f-4c1d-8e65-2f4a9d0c7b18")
        .replace("{exchange}", "binance")
        .replace("{agentName}", "hdx1abc")
        .replace("{orderId}", "bot-17")
        .replace("{walletId}", "nobody")
        .replace("{walletAddress}", "nobody")
        .replace("{sequence}", "7")
        .replace("{symbol}", "BTC");
    let (method, body) = (route.method.parse::<Method>().unwrap(), json!({}));
    let body = (method == Method::POST || method == Method::PUT).then_some(&body);
    app.send_as(key, (method, &path), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_admits_keys_with_its_scope_alone() {
    let app = TestApp::start().await;
    let (mut only, mut without) = (BTreeMap::new(), BTreeMap::new());
    for scope in Scope::ALL {
        let set = Scopes::none().with(scope);
        only.insert(scope, app.key_with("acme", |key| key.scopes = set).await.1);
        let set = Scopes::all().without(scope);
        without.insert(scope, app.key_with("acme", |key| key.scopes = set).await.1);
    }
    // The first read of a payment policy makes the id of the deployment's policy chains.
    let first = app.send_as(&only[&Scope::Read], (Method::GET, "/api/policy"), None).await;
    assert_eq!(first.status, 200, "{first:?}");
    let (stated, routes, before) = (stated(), in_code(), tables(&app).await);
    let mut refused = 0;
    for route in &routes {
        let about = stated[&operation(&route.method, &route.path)];
        let Some(required) = about.scope else {
            assert!(OPEN_PATHS.contains(&route.path.as_str()), "{} has no scope", route.line());
            continue;
        };
        for scope in Scope::ALL {
            for (key, has) in
                [(&only[&scope], scope == required), (&without[&scope], scope != required)]
            {
                let reply = send(&app, key, route).await;
                let line = format!("{} with {scope}: {reply:?}", route.line());
                if has {
                    assert!(!matches!(reply.status, 401 | 403 | 500), "{line}");
                } else {
                    assert_eq!(
                        (reply.status, reply.text("/code")),
                        (403, "SCOPE_MISSING"),
                        "{line}"
                    );
                    assert!(reply.text("/error").ends_with(required.as_str()), "{line}");
                    refused += 1;
                }
            }
        }
    }
    // Seven keys with one other scope each, and one key without this one.
    assert_eq!(refused, 8 * (routes.len() - OPEN_PATHS.len()));
    // What changed are the uses of the keys, and nothing else.
    let after = tables(&app).await;
    let changed = after.iter().filter(|(place, item)| before.get(place) != Some(item));
    for ((place, sort), _) in changed {
        assert!(place.contains(" #used#") && sort == "used", "{place} {sort}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_tenant_reads_and_removes_and_nothing_else() {
    let app = TestApp::start().await;
    let (_, key) = app.key_with("acme", |key| key.scopes = Scopes::all()).await;
    let (_, other) = app.key_with("other", |key| key.scopes = Scopes::all()).await;
    let tenant = "acme".parse().unwrap();
    let (store, change) = (app.store(), app.change("a key has leaked"));
    let random = domain::random::Random::system();
    store.set_tenant_state(&tenant, TenantState::Suspended, &change, &random).await.unwrap();
    let stated = stated();
    let mut refused = 0;
    for route in in_code() {
        let about = stated[&operation(&route.method, &route.path)];
        if about.scope.is_none() {
            continue;
        }
        let reply = send(&app, &key, &route).await;
        let line = format!("{}: {reply:?}", route.line());
        let expected = if about.while_suspended { "" } else { "TENANT_SUSPENDED" };
        let code = if matches!(reply.status, 401 | 403) { reply.text("/code") } else { "" };
        assert_eq!(code, expected, "{line}");
        // All that does not read or remove is refused.
        assert_eq!(
            about.while_suspended,
            !matches!(route.method.as_str(), "POST" | "PUT")
                || route.package == "exchange-guidance",
            "{line}"
        );
        refused += usize::from(!about.while_suspended);
        let reply = send(&app, &other, &route).await;
        assert!(!matches!(reply.status, 401 | 403), "{}: {reply:?}", route.line());
    }
    assert!(refused >= 9, "{refused}");
    let resumed = app.change("");
    store.set_tenant_state(&tenant, TenantState::Active, &resumed, &random).await.unwrap();
    app.clock.advance_ms(shared::access::MAX_AGE_MS);
    let body = json!({ "userId": "user_1" });
    let made = app.send_as(&key, (Method::POST, "/api/wallets"), Some(&body)).await;
    assert_eq!(made.status, 201, "{made:?}");
}

/// A key without the scope does not see the response that another key of the tenant has received.
#[tokio::test(flavor = "multi_thread")]
async fn idempotent_replay_requires_the_scope() {
    let app = TestApp::start().await;
    let (_, signs) = app.key_with("acme", |_| {}).await;
    let reads_only = Scopes::none().with(Scope::Read);
    let (_, reads) = app.key_with("acme", |key| key.scopes = reads_only).await;
    let body = json!({ "userId": "user_1" });
    let made = app.send_as(&signs, (Method::POST, "/api/wallets"), Some(&body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let sign = async |key: &str| {
        let path = format!("{}/api/wallets/user_1/sign", app.stack.api);
        let request = app.request_to(&path).header("X-API-KEY", key);
        let request = request.header("Idempotency-Key", "one").json(&json!({ "message": "hello" }));
        app.send(request).await
    };
    let first = sign(&signs).await;
    assert_eq!(first.status, 200, "{first:?}");
    let refused = sign(&reads).await;
    assert_eq!((refused.status, refused.text("/code")), (403, "SCOPE_MISSING"), "{refused:?}");
    assert_eq!(refused.body["signature"], Value::Null);
    // Both keys are of one tenant: a key that has the scope resumes what another one began.
    let (_, replacement) = app.key_with("acme", |_| {}).await;
    let again = sign(&replacement).await;
    assert_eq!((again.status, &again.body["signature"]), (200, &first.body["signature"]));
    assert!(again.headers.contains_key("idempotent-replay"));
}
