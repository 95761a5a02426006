//! Runs the operations on webhooks: creation, list, change, test, deletion, delivery and replay.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use http::{Method, StatusCode};
use serde_json::json;

use super::erase_response;
use crate::cloud::Cloud;

/// Starts a receiver that refuses the first delivery. Returns its URL and the number of deliveries.
async fn receiver() -> (String, Arc<AtomicUsize>) {
    async fn receive(State(count): State<Arc<AtomicUsize>>) -> StatusCode {
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::NO_CONTENT,
        }
    }
    let count = Arc::new(AtomicUsize::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(receive).with_state(count.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, count)
}

/// Creates a webhook with a request that is retried before and after its response was stored, and
/// another one that is deleted.
pub(super) async fn made_and_deleted(cloud: &Cloud) -> Arc<AtomicUsize> {
    let (url, count) = receiver().await;
    let body = json!({ "url": url });
    let at = (Method::POST, "/api/webhooks");
    let made = cloud.send_twice("create-webhook", at.clone(), body.clone()).await;
    assert_eq!(made.0, 201, "{}", made.1["error"]);
    erase_response(cloud, "POST:/api/webhooks").await;
    let again = cloud.send_twice("create-webhook", at.clone(), body.clone()).await;
    assert!(again == made, "a replay created another webhook");
    let other = cloud.send("create-webhook", at, Some(body)).await;
    let path = format!("/api/webhooks/{}", other.1["webhook"]["webhookId"].as_str().unwrap());
    let gone = cloud.send_twice("delete-webhook", (Method::DELETE, &path), json!({})).await;
    assert_eq!(gone.0, 200, "{gone:?}");
    erase_response(cloud, &format!("DELETE:{path}")).await;
    let gone = cloud.send_twice("delete-webhook", (Method::DELETE, &path), json!({})).await;
    assert_eq!(gone.0, 200, "{gone:?}");
    let (status, listed) = cloud.send("list-webhooks", (Method::GET, "/api/webhooks"), None).await;
    assert_eq!((status, listed["webhooks"].as_array().unwrap().len()), (200, 1), "{listed}");
    count
}

/// Checks that all events arrive, and arrive again in a replay.
pub(super) async fn delivered(cloud: &Cloud, count: &AtomicUsize) {
    cloud.settle().await;
    cloud.app.clock.advance_ms(5_000);
    cloud.settle().await;
    assert!(count.load(Ordering::SeqCst) > 20, "{count:?}");
    let (_, listed) = cloud.send("list-webhooks", (Method::GET, "/api/webhooks"), None).await;
    let id = listed["webhooks"][0]["webhookId"].as_str().unwrap();
    let path = format!("/api/webhooks/{id}/replay");
    let body = json!({ "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z" });
    let (status, replayed) = cloud.send_twice("replay-webhook", (Method::POST, &path), body).await;
    assert!(status == 202 && replayed["queued"].as_u64() > Some(20), "{replayed}");
    erase_response(cloud, &format!("POST:{path}")).await;
    cloud.settle().await;
    changed_tested_and_listed(cloud, id).await;
    // Replays one event by its id.
    let tables = e2e::wire::tables(&cloud.app).await;
    let event = tables.keys().find(|(place, _)| place.contains("#E#")).unwrap();
    let body = json!({ "eventId": event.1 });
    let one = cloud.send("replay-webhook", (Method::POST, &path), Some(body)).await;
    assert_eq!((one.0, &one.1["queued"]), (202, &json!(1)), "{one:?}");
}

/// Changes the webhook, tests it, and lists its deliveries.
async fn changed_tested_and_listed(cloud: &Cloud, id: &str) {
    let path = format!("/api/webhooks/{id}");
    let body = json!({ "description": "changed", "enabled": true });
    let changed = cloud.send("update-webhook", (Method::PUT, &path), Some(body)).await;
    assert_eq!((changed.0, &changed.1["webhook"]["description"]), (200, &json!("changed")));
    let test = format!("{path}/test");
    let tested = cloud.send_twice("test-webhook", (Method::POST, &test), json!({})).await;
    assert_eq!(tested.0, 202, "{tested:?}");
    erase_response(cloud, &format!("POST:{test}")).await;
    cloud.settle().await;
    let list = format!("{path}/deliveries");
    let (status, listed) = cloud.send("list-deliveries", (Method::GET, &list), None).await;
    let rows = listed["deliveries"].as_array().unwrap();
    assert!(status == 200 && rows.iter().any(|row| row["type"] == "webhook.test"), "{listed}");
}
