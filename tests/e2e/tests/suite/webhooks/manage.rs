//! Changing and testing a webhook, and the list of its deliveries.

use e2e::{Reply, TestApp};
use http::Method;
use serde_json::{Value, json};

use super::receiver::{Receiver, kinds, verify};
use super::{hook, settle};

async fn put(app: &TestApp, id: &str, body: Value) -> Reply {
    app.send(app.request(Method::PUT, &format!("/api/webhooks/{id}")).json(&body)).await
}

async fn test(app: &TestApp, id: &str) -> Reply {
    app.send(app.request(Method::POST, &format!("/api/webhooks/{id}/test"))).await
}

async fn deliveries(app: &TestApp, id: &str, query: &str) -> Reply {
    app.get(&format!("/api/webhooks/{id}/deliveries{query}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_webhook_sends_to_its_new_url() {
    let (app, old, new) =
        (TestApp::start().await, Receiver::start().await, Receiver::start().await);
    let hook = hook(&app, &old.url).await;
    // An event that waits for a retry follows the URL.
    old.respond_with(&[(500, None)]);
    app.wallet("user_1").await;
    settle(&app).await;
    assert_eq!(old.take().len(), 1);
    let body = json!({ "url": new.url, "events": ["wallet.created"], "description": "moved" });
    let changed = put(&app, &hook.id, body).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let of = &changed.body["webhook"];
    assert_eq!(
        (of["url"].as_str().unwrap(), &of["events"]),
        (new.url.as_str(), &json!(["wallet.created"]))
    );
    assert_eq!((&of["description"], &of["status"]), (&json!("moved"), &json!("enabled")));
    assert!(of.get("failingSince").is_none() && of.get("secret").is_none());
    app.clock.advance_ms(10_000);
    settle(&app).await;
    let arrived = new.take();
    assert_eq!(kinds(&arrived), ["wallet.created"]);
    verify(&hook.secret, &arrived[0]);
    assert!(old.take().is_empty());
    // One field alone; the others stay.
    let changed = put(&app, &hook.id, json!({ "description": "" })).await;
    assert!(changed.body["webhook"].get("description").is_none());
    assert_eq!(changed.body["webhook"]["url"], json!(new.url));
    let listed = app.get("/api/webhooks").await;
    assert_eq!(listed.body["webhooks"][0], changed.body["webhook"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_change_of_a_webhook_is_refused() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    for body in [
        json!({}),
        json!({ "url": "http://10.0.0.1/in" }),
        json!({ "url": "" }),
        json!({ "events": [] }),
        json!({ "events": ["webhook.test"] }),
        json!({ "enabled": "yes" }),
        json!({ "secret": "whsec_" }),
    ] {
        assert_eq!(put(&app, &hook.id, body.clone()).await.status, 400, "{body}");
    }
    let id = "0b7e1c52-9a3f-4c1d-8e65-2f4a9d0c7b18";
    let enabled = json!({ "enabled": true });
    let missing = put(&app, id, enabled.clone()).await;
    assert_eq!((missing.status, missing.text("/code")), (404, "WEBHOOK_NOT_FOUND"));
    let path = format!("/api/webhooks/{}", hook.id);
    assert_eq!(app.send(app.request(Method::DELETE, &path)).await.status, 200);
    assert_eq!(put(&app, &hook.id, enabled).await.status, 404);
    assert_eq!(test(&app, &hook.id).await.status, 404);
    assert_eq!(deliveries(&app, &hook.id, "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_of_another_tenant_cannot_be_managed() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    // The first key turns authentication on: the webhook belongs to the tenant `local`.
    let (one, _) = (app.key("one"), app.key("local"));
    let path = format!("/api/webhooks/{}", hook.id);
    let body = json!({ "url": "https://hooks.example.com" });
    assert_eq!(app.send_as(&one, (Method::PUT, &path), Some(&body)).await.status, 404);
    let (tested, listed) = (format!("{path}/test"), format!("{path}/deliveries"));
    assert_eq!(app.send_as(&one, (Method::POST, &tested), None).await.status, 404);
    assert_eq!(app.send_as(&one, (Method::GET, &listed), None).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn test_event_reaches_only_its_webhook() {
    let (app, tested, other) =
        (TestApp::start().await, Receiver::start().await, Receiver::start().await);
    let hook_1 = hook(&app, &tested.url).await;
    hook(&app, &other.url).await;
    // Whatever its types are.
    put(&app, &hook_1.id, json!({ "events": ["order.placed"] })).await;
    let sent = test(&app, &hook_1.id).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    settle(&app).await;
    let arrived = tested.take();
    assert_eq!(kinds(&arrived), ["webhook.test"]);
    assert_eq!((arrived[0].id.as_str(), other.take().len()), (sent.text("/eventId"), 0));
    assert_eq!(arrived[0].json()["data"], json!({ "webhookId": hook_1.id }));
    verify(&hook_1.secret, &arrived[0]);
    let listed = deliveries(&app, &hook_1.id, "").await;
    let row = &listed.body["deliveries"][0];
    assert_eq!((&row["eventId"], &row["type"]), (&sent.body["eventId"], &json!("webhook.test")));
    assert_eq!((&row["state"], &row["attempts"]), (&json!("DELIVERED"), &json!(1)));
}

/// The receiver's 410 disables the webhook, and a change enables it.
#[tokio::test(flavor = "multi_thread")]
async fn disabled_webhook_is_enabled_by_a_change() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    receiver.respond_with(&[(410, None)]);
    test(&app, &hook.id).await;
    settle(&app).await;
    assert_eq!(receiver.take().len(), 1);
    let refused = test(&app, &hook.id).await;
    assert_eq!((refused.status, refused.text("/code")), (409, "WEBHOOK_DISABLED"));
    let listed = deliveries(&app, &hook.id, "").await;
    let row = &listed.body["deliveries"][0];
    assert_eq!((&row["state"], &row["httpStatus"]), (&json!("DISABLED"), &json!(410)));
    let changed = put(&app, &hook.id, json!({ "enabled": true })).await;
    assert_eq!(changed.body["webhook"]["status"], "enabled");
    assert_eq!(test(&app, &hook.id).await.status, 202);
    settle(&app).await;
    assert_eq!(receiver.take().len(), 1);
    let changed = put(&app, &hook.id, json!({ "enabled": false })).await;
    assert_eq!(changed.body["webhook"]["status"], "disabled");
    app.wallet("user_1").await;
    settle(&app).await;
    assert!(receiver.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_listed_with_their_last_attempt() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    assert_eq!(deliveries(&app, &hook.id, "").await.body["deliveries"], json!([]));
    receiver.respond_with(&[(500, None)]);
    app.wallet("user_1").await;
    settle(&app).await;
    let listed = deliveries(&app, &hook.id, "").await;
    let row = listed.body["deliveries"][0].clone();
    assert_eq!((&row["state"], &row["httpStatus"]), (&json!("RETRYING"), &json!(500)));
    app.clock.advance_ms(10_000);
    settle(&app).await;
    let row = deliveries(&app, &hook.id, "").await.body["deliveries"][0].clone();
    assert_eq!((&row["state"], &row["attempts"]), (&json!("DELIVERED"), &json!(2)));
    assert!(row.get("httpStatus").is_none() && row.get("reason").is_none(), "{row}");
    // Pages, those of the newest events first.
    let mut sent = vec![row["eventId"].as_str().unwrap().to_owned()];
    for _ in 0..4 {
        app.clock.advance_ms(1_000);
        sent.push(test(&app, &hook.id).await.text("/eventId").to_owned());
    }
    settle(&app).await;
    sent.reverse();
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = deliveries(&app, &hook.id, &query).await;
        let rows = page.body["deliveries"].as_array().unwrap();
        assert!((1..=2).contains(&rows.len()));
        seen.extend(rows.iter().map(|row| row["eventId"].as_str().unwrap().to_owned()));
        match page.body["nextCursor"].as_str() {
            Some(cursor) => query = format!("?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, sent);
    for query in ["?limit=0", "?limit=101", "?cursor=x", "?limit=1&limit=1"] {
        assert_eq!(deliveries(&app, &hook.id, query).await.status, 400, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_after_the_last_attempt_is_given_up() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    receiver.respond_with(&[(500, None); 10]);
    app.wallet("user_1").await;
    settle(&app).await;
    for _ in 0..20 {
        let Some(next_ms) = app.stack.pump.queued().unwrap().0 else { break };
        app.clock.advance_ms(next_ms.saturating_sub(app.clock.now_ms()));
        settle(&app).await;
    }
    let row = deliveries(&app, &hook.id, "").await.body["deliveries"][0].clone();
    assert_eq!((&row["state"], &row["attempts"]), (&json!("GIVEN_UP"), &json!(10)), "{row}");
}
