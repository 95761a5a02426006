//! Tests webhooks from the change to the receiver.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

mod ends;
mod engines;
mod events;
mod failures;
mod manage;
mod orders;
mod receiver;
mod versions;

use e2e::{Reply, TestApp};
use serde_json::json;

struct Hook {
    id: String,
    secret: String,
}

async fn hook(app: &TestApp, url: &str) -> Hook {
    let made = app.post("/api/webhooks", json!({ "url": url })).await;
    assert_eq!(made.status, 201, "{}", made.body["error"]);
    Hook { id: made.text("/webhook/webhookId").to_owned(), secret: made.text("/secret").to_owned() }
}

/// Publishes and delivers all pending events.
async fn settle(app: &TestApp) {
    while app.stack.pump.publish_once().await.unwrap() > 0 {}
    while app.stack.pump.deliver_once().await.unwrap() > 0 {}
}

async fn register(app: &TestApp, exchange: &str, user: &str, auto_renew: bool) -> Reply {
    let path = format!("/api/trading/{exchange}/apikey");
    let body = json!({ "walletIdOrAddress": user, "autoRenew": auto_renew });
    let reply = app.post(&path, body).await;
    assert_eq!(reply.status, 200, "{}", reply.body["error"]);
    reply
}
