//! Counts the remote calls of each operation at the clients that send them.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::collections::BTreeMap;

use axum::body::Body;
use e2e::TestApp;
use platform::telemetry::RemoteCalls;
use serde_json::{Value, json};
use tower::ServiceExt;

/// Calls the API without a socket, and returns the status and what the call sent.
async fn counted(app: &TestApp, path: &str, body: Option<Value>) -> (u16, BTreeMap<String, u32>) {
    let request = match body {
        Some(body) => http::Request::post(path)
            .header("content-type", "application/json")
            .body(Body::from(body.to_string())),
        None => http::Request::get(path).body(Body::empty()),
    };
    let response = app.stack.router.clone().oneshot(request.unwrap()).await.unwrap();
    let calls = response.extensions().get::<RemoteCalls>().unwrap().counts();
    (response.status().as_u16(), calls)
}

fn calls(list: &[(&str, u32)]) -> BTreeMap<String, u32> {
    list.iter().map(|(call, count)| ((*call).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn wallet_creation_costs_seven_calls_and_lookup_two() {
    let app = TestApp::start().await;
    let body = json!({ "userId": "user_1" });
    let made = counted(&app, "/api/wallets", Some(body.clone())).await;
    let expected = calls(&[
        ("DynamoDB.GetItem", 1),
        // How many wallets the tenant has.
        ("DynamoDB.Query", 1),
        ("DynamoDB.TransactWriteItems", 1),
        ("KMS.GenerateDataKey", 1),
        ("Lambda.Invoke", 3),
    ]);
    assert_eq!(made, (201, expected));
    let found = calls(&[("DynamoDB.GetItem", 1), ("DynamoDB.Query", 1)]);
    assert_eq!(counted(&app, "/api/wallets", Some(body)).await, (200, found.clone()));
    assert_eq!(counted(&app, "/api/wallets/user_1", None).await, (200, found));
    let id = app.create_wallet("user_1").await.text("/walletId").to_owned();
    let by_id = counted(&app, &format!("/api/wallets/{id}"), None).await;
    assert_eq!(by_id, (200, calls(&[("DynamoDB.Query", 1)])));
    // A small tenant costs one query for each shard. A page of a large tenant costs one query: see
    // `list`.
    let listed = counted(&app, "/api/wallets", None).await;
    assert_eq!(listed, (200, calls(&[("DynamoDB.Query", 16)])));
    let missing = counted(&app, "/api/wallets/nobody", None).await;
    assert_eq!(missing, (404, calls(&[("DynamoDB.GetItem", 1)])));
}

#[tokio::test(flavor = "multi_thread")]
async fn signature_costs_seven_calls() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let body = json!({ "message": "hello" });
    let signed = counted(&app, "/api/wallets/user_1/sign", Some(body)).await;
    let expected = calls(&[
        ("DynamoDB.GetItem", 1),
        ("DynamoDB.Query", 1),
        // Reserves a session slot, then releases it.
        ("DynamoDB.UpdateItem", 2),
        ("KMS.Decrypt", 1),
        ("Lambda.Invoke", 2),
    ]);
    assert_eq!(signed, (200, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_costs_twelve_calls_and_one_exchange() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let body = json!({ "walletIdOrAddress": "user_1" });
    for (exchange, send) in [
        ("hyperliquid", "Hyperliquid./exchange"),
        ("aster", "Aster./fapi/v3/registerAndApproveAgent"),
    ] {
        let path = format!("/api/trading/{exchange}/apikey");
        let registered = counted(&app, &path, Some(body.clone())).await;
        let expected = calls(&[
            ("DynamoDB.GetItem", 2),
            ("DynamoDB.PutItem", 1),
            ("DynamoDB.Query", 1),
            ("DynamoDB.TransactWriteItems", 1),
            // The budget of the exchange and the session slot.
            ("DynamoDB.UpdateItem", 3),
            ("KMS.Decrypt", 1),
            ("KMS.GenerateDataKey", 1),
            ("Lambda.Invoke", 2),
            (send, 1),
        ]);
        assert_eq!(registered, (200, expected));
        let again = counted(&app, &path, Some(body.clone())).await;
        let found = calls(&[("DynamoDB.GetItem", 1), ("DynamoDB.Query", 1)]);
        assert_eq!(again, (409, found));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn get_rotate_and_delete_have_fixed_call_counts() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let body = json!({ "walletIdOrAddress": "user_1" });
    for (exchange, sent, removed) in [
        ("hyperliquid", "Hyperliquid./exchange", "Hyperliquid./exchange"),
        ("aster", "Aster./fapi/v3/registerAndApproveAgent", "Aster./fapi/v3/agent"),
    ] {
        let path = format!("/api/trading/{exchange}/apikey");
        assert_eq!(counted(&app, &path, Some(body.clone())).await.0, 200);
        let seen = counted(&app, &format!("{path}?walletIdOrAddress=user_1"), None).await;
        assert_eq!(seen, (200, calls(&[("DynamoDB.GetItem", 1), ("DynamoDB.Query", 1)])));

        let rotated = counted(&app, &format!("{path}/rotate"), Some(body.clone())).await;
        let mut expected = calls(&[
            // The ledger. Without one, no order has an unknown outcome.
            ("DynamoDB.BatchGetItem", 1),
            ("DynamoDB.GetItem", 3),
            // Stores the new credential as current, then as settled.
            ("DynamoDB.PutItem", 2),
            ("DynamoDB.Query", 1),
            ("DynamoDB.TransactWriteItems", 1),
            ("DynamoDB.UpdateItem", 5),
            ("KMS.Decrypt", 1),
            ("KMS.GenerateDataKey", 1),
            ("Lambda.Invoke", 4),
        ]);
        for call in [sent, removed] {
            *expected.entry(call.to_owned()).or_default() += 1;
        }
        assert_eq!(rotated, (200, expected));

        app.clock.advance_ms(10_000);
        let request = http::Request::delete(format!("{path}?walletIdOrAddress=user_1"));
        let request = request.body(Body::empty()).unwrap();
        let response = app.stack.router.clone().oneshot(request).await.unwrap();
        let gone = response.extensions().get::<RemoteCalls>().unwrap().counts();
        let expected = calls(&[
            ("DynamoDB.BatchGetItem", 1),
            ("DynamoDB.DeleteItem", 1),
            ("DynamoDB.GetItem", 3),
            ("DynamoDB.Query", 1),
            ("DynamoDB.TransactWriteItems", 1),
            ("DynamoDB.UpdateItem", 3),
            ("KMS.Decrypt", 1),
            ("Lambda.Invoke", 2),
            (removed, 1),
        ]);
        assert_eq!((response.status().as_u16(), gone), (200, expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guidance_health_and_bad_input_make_no_calls() {
    let app = TestApp::start().await;
    for (path, body, status) in [
        ("/api/health", None, 200),
        ("/api/openapi.json", None, 200),
        ("/api/trading/lighter/apikey", Some(json!({})), 400),
        ("/api/trading/aster/apikey", Some(json!({})), 400),
        ("/api/wallets", Some(json!({ "userId": "a b" })), 400),
        ("/api/wallets/a%20b", None, 400),
        ("/api/wallets?limit=0", None, 400),
        ("/api/wallets?cursor=x", None, 400),
        ("/api/nothing", None, 404),
    ] {
        assert_eq!(counted(&app, path, body).await, (status, BTreeMap::new()), "{path}");
    }
}
