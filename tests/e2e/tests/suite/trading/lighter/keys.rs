//! The key of an account in each of its forms, and its storage.

use e2e::lighter::{ACCOUNT, KEY, SLOT, accepted, store_key};
use e2e::wire::tables;
use e2e::{Reply, TestApp};
use http::Method;
use serde_json::{Value, json};

use super::{limit, place, start, start_stored, with};

const ORDERS: &str = "/api/trading/lighter/orders";

const KEYS: &str = "/api/trading/lighter/credentials";

/// Returns the published form of the key.
fn in_query() -> String {
    format!("{ORDERS}?apiKeyPrivateKey={KEY}&apiKeyIndex={SLOT}&accountIndex={ACCOUNT}")
}

/// Starts a request with the key in headers.
fn in_headers(app: &TestApp, method: Method, path: &str) -> reqwest::RequestBuilder {
    app.request(method, path)
        .header("X-LIGHTER-API-KEY-PRIVATE-KEY", KEY)
        .header("X-LIGHTER-API-KEY-INDEX", SLOT.to_string())
        .header("X-LIGHTER-ACCOUNT-INDEX", ACCOUNT)
}

/// Adds the key to the body of an order. `slot` is null for a body without it.
fn in_body(order: Value, slot: Option<u8>) -> Value {
    let key = json!({ "apiKeyPrivateKey": KEY, "apiKeyIndex": slot, "accountIndex": ACCOUNT });
    with(order, &json!({ "credentials": { "lighter": key } }))
}

#[tokio::test]
async fn order_is_placed_with_the_key_in_each_form() {
    let app = start_stored().await;
    let in_query = app.request(Method::POST, &in_query()).json(&limit("in-query"));
    let in_headers = in_headers(&app, Method::POST, ORDERS).json(&limit("in-headers"));
    let body = in_body(limit("in-body"), Some(SLOT));
    let given = app.request(Method::POST, ORDERS).json(&body);
    // The service finds the slot that has this key.
    let slotless = app.request(Method::POST, ORDERS).json(&in_body(limit("slotless"), None));
    let stored = app
        .request(Method::POST, ORDERS)
        .header("X-LIGHTER-ACCOUNT-INDEX", ACCOUNT)
        .json(&limit("stored"));
    let named = format!("{ORDERS}?accountIndex={ACCOUNT}");
    let named = app.request(Method::POST, &named).json(&limit("named"));
    for (id, request) in [
        ("in-query", in_query),
        ("in-headers", in_headers),
        ("in-body", given),
        ("slotless", slotless),
        ("stored", stored),
        ("named", named),
    ] {
        let reply = app.send(request).await;
        assert_eq!(reply.status, 200, "{id}: {reply:?}");
        assert_eq!(reply.text("/data/status"), "OPEN");
        assert_eq!(reply.text("/data/clientOrderId"), id);
        assert_eq!(reply.text("/data/exchange"), "lighter");
        assert_eq!(reply.headers["cache-control"], "no-store");
        assert_eq!(reply.headers.contains_key("deprecation"), id == "in-query", "{id}");
        assert!(!reply.body.to_string().contains(KEY));
        assert_eq!(accepted(&app, id), 1);
    }
}

#[tokio::test]
async fn two_forms_or_an_incomplete_key_are_refused() {
    let app = start_stored().await;
    let query = format!("{ORDERS}?apiKeyPrivateKey={KEY}&apiKeyIndex={SLOT}");
    let whole = format!("{query}&accountIndex={ACCOUNT}");
    for (request, status, words) in [
        (app.request(Method::POST, &query), 400, "Missing required parameter: accountIndex"),
        (
            app.request(Method::POST, &whole).header("X-LIGHTER-ACCOUNT-INDEX", ACCOUNT),
            400,
            "in two ways",
        ),
        (app.request(Method::POST, ORDERS), 404, "Missing or invalid credentials for Lighter"),
        (
            app.request(Method::POST, &format!("{ORDERS}?accountIndex=7")),
            404,
            "Missing or invalid credentials for Lighter",
        ),
    ] {
        let reply = app.send_unchecked(request.json(&limit("refused"))).await;
        assert_eq!(reply.status, status, "{reply:?}");
        assert!(reply.text("/error").contains(words), "{reply:?}");
        assert!(!reply.body.to_string().contains(&KEY[..20]));
    }
    assert_eq!(accepted(&app, "refused"), 0);
}

#[tokio::test]
async fn stored_key_is_checked_described_and_deleted() {
    let app = start().await;
    let other = format!("{}1", &KEY[..79]);
    let wrong = json!({ "apiKeyPrivateKey": other, "apiKeyIndex": SLOT, "accountIndex": ACCOUNT });
    let refused = app.send(app.request(Method::PUT, KEYS).json(&wrong)).await;
    assert_eq!((refused.status, refused.text("/code")), (422, "API_KEY_NOT_LISTED"));
    let named = format!("{KEYS}?accountIndex={ACCOUNT}");
    assert_eq!(app.get(&named).await.status, 404);
    let stored = store_key(&app).await;
    assert_eq!(stored.status, 200, "{stored:?}");
    let described = app.get(&named).await;
    let public = e2e::lighter::credential().public_key().to_string();
    assert_eq!(described.text("/data/publicKey"), public);
    assert_eq!(described.body["data"]["apiKeyIndex"], SLOT);
    assert!(!described.body.to_string().contains(&KEY[..20]));
    let deleted = app.send(app.request(Method::DELETE, &named)).await;
    assert_eq!((deleted.status, &deleted.body["data"]["deleted"]), (200, &json!(true)));
    assert_eq!(app.get(&named).await.status, 404);
    assert_eq!(place(&app, limit("without")).await.status, 404);
}

#[tokio::test]
async fn body_with_a_key_of_no_slot_is_refused() {
    let app = start().await;
    assert!(app.stack.lighter_sim.remove_key(ACCOUNT, SLOT));
    let body = in_body(limit("slotless"), None);
    let reply = app.send(app.request(Method::POST, ORDERS).json(&body)).await;
    assert_eq!((reply.status, reply.text("/code")), (422, "API_KEY_NOT_LISTED"), "{reply:?}");
    assert_eq!(accepted(&app, "slotless"), 0);
}

#[tokio::test]
async fn repeat_with_the_key_in_another_form_returns_the_first_order() {
    let app = start_stored().await;
    let order = with(limit("x"), &json!({ "clientOrderId": null }));
    let stored = format!("{ORDERS}?accountIndex={ACCOUNT}");
    let requests = [
        app.request(Method::POST, &in_query()).json(&order),
        in_headers(&app, Method::POST, ORDERS).json(&order),
        app.request(Method::POST, ORDERS).json(&in_body(order.clone(), Some(SLOT))),
        app.request(Method::POST, &stored).json(&order),
    ];
    let mut ids = Vec::new();
    for (number, request) in requests.into_iter().enumerate() {
        let reply: Reply = app.send(request.header("Idempotency-Key", "one-key")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.headers.contains_key("idempotent-replay"), number > 0, "{reply:?}");
        ids.push(reply.text("/data/orderId").to_owned());
    }
    ids.dedup();
    assert_eq!((ids.len(), app.stack.lighter_sim.open_orders_of(ACCOUNT).len()), (1, 1));
    // No record of the request or of the order has the key.
    let items = tables(&app).await;
    assert!(items.values().all(|item| !format!("{item:?}").contains(&KEY[..20])));
}

#[tokio::test]
async fn key_in_the_query_is_refused_when_it_is_switched_off() {
    let app = TestApp::start_with(|options| options.lighter.keys_in_query = false).await;
    e2e::lighter::open_account(&app);
    let reply = app.send(app.request(Method::POST, &in_query()).json(&limit("off"))).await;
    assert_eq!((reply.status, reply.text("/code")), (400, "BAD_REQUEST"), "{reply:?}");
    assert!(reply.text("/message").contains("X-LIGHTER-API-KEY-PRIVATE-KEY"), "{reply:?}");
    let headers = in_headers(&app, Method::POST, ORDERS).json(&limit("on"));
    assert_eq!(app.send(headers).await.status, 200);
    assert_eq!((accepted(&app, "off"), accepted(&app, "on")), (0, 1));
    // The account alone names a stored key.
    assert_eq!(store_key(&app).await.status, 200);
    let stored = app.get(&format!("{ORDERS}?accountIndex={ACCOUNT}")).await;
    assert_eq!((stored.status, &stored.body["count"]), (200, &json!(1)), "{stored:?}");
}

#[tokio::test]
async fn key_in_the_query_of_a_read_is_deprecated_or_refused() {
    let key = format!("apiKeyPrivateKey={KEY}&apiKeyIndex={SLOT}&accountIndex={ACCOUNT}");
    let reads = [
        format!("{KEYS}?{key}"),
        format!("/api/trading/lighter/balances?{key}"),
        format!("/api/trading/lighter/positions/{ACCOUNT}?{key}"),
    ];
    let app = start_stored().await;
    for read in &reads {
        let reply = app.get(read).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.headers.contains_key("deprecation") && reply.headers.contains_key("warning"));
        assert_eq!(reply.headers["cache-control"], "no-store");
    }
    let app = TestApp::start_with(|options| options.lighter.keys_in_query = false).await;
    for read in &reads {
        let reply = app.get(read).await;
        assert_eq!((reply.status, reply.text("/code")), (400, "BAD_REQUEST"), "{reply:?}");
    }
}

#[tokio::test]
async fn stored_key_serves_its_tenant_alone() {
    let app = start().await;
    let (owner, other) = (app.key("owner"), app.key("other"));
    let key = json!({ "apiKeyPrivateKey": KEY, "apiKeyIndex": SLOT, "accountIndex": ACCOUNT });
    assert_eq!(app.send_as(&owner, (Method::PUT, KEYS), Some(&key)).await.status, 200);
    let named = format!("{KEYS}?accountIndex={ACCOUNT}");
    let orders = format!("{ORDERS}?accountIndex={ACCOUNT}");
    let refused = app.send_as(&other, (Method::POST, &orders), Some(&limit("theft"))).await;
    assert_eq!((refused.status, refused.text("/code")), (404, "API_KEY_NOT_FOUND"), "{refused:?}");
    assert_eq!(app.send_as(&other, (Method::GET, &named), None).await.status, 404);
    let deleted = app.send_as(&other, (Method::DELETE, &named), None).await;
    assert_eq!((deleted.status, &deleted.body["data"]["deleted"]), (200, &json!(false)));
    let placed = app.send_as(&owner, (Method::POST, &orders), Some(&limit("own"))).await;
    assert_eq!(placed.status, 200, "{placed:?}");
    assert!(app.stack.lighter_sim.open_orders_of(ACCOUNT).len() == 1);
}
