//! Deliveries that end without a further attempt. Their state must not promise one.

use e2e::{DAY_MS, Reply, TestApp};
use http::Method;
use serde_json::{Value, json};
use shared::store::{DeliveryFailure, DeliveryRecord, DeliveryState};
use shared::webhooks::{EventId, EventType, MAX_ATTEMPTS};

use super::receiver::Receiver;
use super::{Hook, hook, settle};

async fn put(app: &TestApp, hook: &Hook, body: Value) -> Reply {
    app.send(app.request(Method::PUT, &format!("/api/webhooks/{}", hook.id)).json(&body)).await
}

/// Returns the deliveries, the newest event's first.
async fn deliveries(app: &TestApp, hook: &Hook) -> Vec<Value> {
    let listed = app.get(&format!("/api/webhooks/{}/deliveries", hook.id)).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    listed.body["deliveries"].as_array().unwrap().clone()
}

/// Sets the clock to the time of the next message, less some milliseconds.
fn wait_until_next(app: &TestApp, less_ms: u64) {
    let next_ms = app.stack.pump.queued().unwrap().0.unwrap();
    app.clock.advance_ms(next_ms.saturating_sub(less_ms).saturating_sub(app.clock.now_ms()));
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_webhook_ends_its_retries() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    receiver.respond_with(&[(500, None)]);
    app.wallet("user_1").await;
    settle(&app).await;
    let failed = deliveries(&app, &hook).await[0].clone();
    assert_eq!(failed["state"], "RETRYING");
    assert_eq!(put(&app, &hook, json!({ "enabled": false })).await.status, 200);
    wait_until_next(&app, 0);
    settle(&app).await;
    let ended = deliveries(&app, &hook).await[0].clone();
    assert_eq!(ended["state"], "DISABLED");
    // The last attempt stays.
    for field in ["attempts", "httpStatus", "lastAttemptAt"] {
        assert_eq!(ended[field], failed[field], "{field}");
    }
    assert_eq!(app.stack.pump.queued().unwrap(), (None, 0));
    assert_eq!(put(&app, &hook, json!({ "enabled": true })).await.status, 200);
    let path = format!("/api/webhooks/{}/replay", hook.id);
    assert_eq!(app.post(&path, json!({ "eventId": ended["eventId"] })).await.status, 202);
    settle(&app).await;
    assert_eq!(deliveries(&app, &hook).await[0]["state"], "DELIVERED");
}

/// The receiver's 410 for one event ends the retries of another one.
#[tokio::test(flavor = "multi_thread")]
async fn gone_receiver_ends_the_retries_of_other_events() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    receiver.respond_with(&[(500, None), (410, None)]);
    app.wallet("user_1").await;
    settle(&app).await;
    app.clock.advance_ms(1_000);
    app.wallet("user_2").await;
    settle(&app).await;
    wait_until_next(&app, 0);
    settle(&app).await;
    let rows = deliveries(&app, &hook).await;
    let states = rows.iter().map(|row| (&row["state"], &row["httpStatus"]));
    let disabled = json!("DISABLED");
    assert_eq!(
        states.collect::<Vec<_>>(),
        [(&disabled, &json!(410)), (&disabled, &json!(500))],
        "{rows:?}"
    );
}

/// The receiver fails so long that the tenth turn of an event falls into a rest.
#[tokio::test(flavor = "multi_thread")]
async fn rest_at_the_last_attempt_is_given_up() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    receiver.respond_with(&[(500, None); 40]);
    app.wallet("user_1").await;
    settle(&app).await;
    for _ in 2..MAX_ATTEMPTS {
        wait_until_next(&app, 0);
        settle(&app).await;
    }
    let row = deliveries(&app, &hook).await[0].clone();
    assert_eq!((&row["state"], &row["attempts"]), (&json!("RETRYING"), &json!(9)), "{row}");
    wait_until_next(&app, 1_000);
    // Another event fails just before.
    let tested = app.post(&format!("/api/webhooks/{}/test", hook.id), json!({})).await;
    assert_eq!(tested.status, 202, "{tested:?}");
    settle(&app).await;
    let sent = receiver.take().len();
    app.clock.advance_ms(1_000);
    settle(&app).await;
    assert!(receiver.take().is_empty() && sent == 10, "{sent}");
    let rows = deliveries(&app, &hook).await;
    assert_eq!((&rows[0]["type"], &rows[0]["state"]), (&json!("webhook.test"), &json!("RETRYING")));
    assert_eq!((&rows[1]["state"], &rows[1]["attempts"]), (&json!("GIVEN_UP"), &json!(9)));
}

/// The function died in the last attempt, and the queue has dropped the message.
#[tokio::test(flavor = "multi_thread")]
async fn retry_of_a_dropped_message_is_given_up() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    receiver.respond_with(&[(500, None)]);
    app.wallet("user_1").await;
    settle(&app).await;
    app.clock.advance_ms(13 * DAY_MS);
    assert_eq!(deliveries(&app, &hook).await[0]["state"], "RETRYING");
    app.clock.advance_ms(2 * DAY_MS);
    assert_eq!(deliveries(&app, &hook).await[0]["state"], "GIVEN_UP");
}

#[tokio::test(flavor = "multi_thread")]
async fn end_of_a_delivery_changes_only_a_failed_one() {
    let app = TestApp::start().await;
    let hook = hook(&app, "https://hooks.example.com/in").await;
    let (store, tenant) = (&app.stack.custody.store, "local".parse().unwrap());
    let (id, now_ms) = (hook.id.parse().unwrap(), app.clock.now_ms());
    let event = |number: u8| -> EventId {
        format!("evt_{now_ms:012x}{}", format!("{number:02x}").repeat(12)).parse().unwrap()
    };
    let failure = DeliveryFailure { at_ms: now_ms, status: Some(500), reason: None };
    let record = |number, state, attempts| {
        let of = (event(number), EventType::WalletCreated.into());
        DeliveryRecord::new(of, state, attempts, now_ms, Some(failure.clone()))
    };
    let (retrying, given_up) = (DeliveryState::Retrying, DeliveryState::GivenUp);
    for (number, state) in [(1, retrying), (2, DeliveryState::Delivered)] {
        store.keep_attempt(&tenant, id, &record(number, state, 3)).await.unwrap();
    }
    for number in [1, 2, 3] {
        let last = record(number, given_up, 10);
        store.give_up_delivery(&tenant, id, &last).await.unwrap();
    }
    let (found, _) = store.deliveries(&tenant, id, None, 10).await.unwrap();
    let found = found.into_iter().map(|it| (it.event_id, it.state, it.attempts));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            (event(3), given_up, 10),
            (event(2), DeliveryState::Delivered, 3),
            (event(1), given_up, 3)
        ]
    );
    let ended = store.end_delivery(&tenant, id, &event(4), DeliveryState::Disabled).await.unwrap();
    assert!(!ended && store.deliveries(&tenant, id, None, 10).await.unwrap().0.len() == 3);
}
