//! Deliveries: a receiver that hangs or fails delays no other tenant.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use e2e::TestApp;
use http::{Method, StatusCode};
use serde_json::json;
use tokio::sync::Notify;

use super::Client;

/// A receiver that counts what it is sent, and responds with a failure, a success, or never.
#[derive(Clone, Default)]
struct Receiver {
    count: Arc<AtomicUsize>,
    fails: Arc<AtomicBool>,
    hangs: Arc<AtomicBool>,
    arrived: Arc<Notify>,
}

impl Receiver {
    async fn start(&self) -> String {
        async fn receive(State(it): State<Receiver>) -> StatusCode {
            it.count.fetch_add(1, Ordering::SeqCst);
            it.arrived.notify_one();
            if it.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            match it.fails.load(Ordering::SeqCst) {
                true => StatusCode::INTERNAL_SERVER_ERROR,
                false => StatusCode::NO_CONTENT,
            }
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

async fn hook(client: &Client<'_>, receiver: &Receiver) -> String {
    let body = json!({ "url": receiver.start().await });
    let made = client.send(Method::POST, "/api/webhooks", Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.body["error"]);
    made.text("/webhook/webhookId").to_owned()
}

async fn publish(app: &TestApp) {
    while app.stack.pump.publish_once().await.unwrap() > 0 {}
}

async fn deliver(app: &TestApp) {
    while app.stack.pump.deliver_once().await.unwrap() > 0 {}
}

async fn replay(client: &Client<'_>, id: &str) -> e2e::Reply {
    let path = format!("/api/webhooks/{id}/replay");
    client.send(Method::POST, &path, Some(json!({}))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_receiver_does_not_delay_another_tenant() {
    let app = TestApp::start().await;
    let (busy, quiet) = (Client::new(&app, "busy"), Client::new(&app, "quiet"));
    let (hanging, other) = (Receiver::default(), Receiver::default());
    let id = hook(&busy, &hanging).await;
    hook(&quiet, &other).await;
    for client in [&busy, &quiet] {
        assert_eq!(client.create("user_1").await.status, 201);
    }
    publish(&app).await;
    deliver(&app).await;
    assert_eq!((hanging.count(), other.count()), (1, 1));
    other.arrived.notified().await;
    hanging.hangs.store(true, Ordering::SeqCst);
    // Forty events wait for the receiver that hangs. The other tenant's event is the last one.
    for _ in 0..40 {
        assert_eq!(replay(&busy, &id).await.status, 202);
    }
    app.clock.advance_ms(1_000);
    assert_eq!(quiet.create("user_2").await.status, 201);
    publish(&app).await;
    let arrived = other.arrived.notified();
    let first = tokio::spawn({
        let pump = app.stack.pump.clone();
        async move { pump.deliver_once().await }
    });
    arrived.await;
    // It was in the first batch of ten, next to nine that hang.
    assert_eq!(other.count(), 2);
    assert!(hanging.count() <= 10, "{}", hanging.count());
    first.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_receiver_rests_and_is_tried_by_one_delivery() {
    let app = TestApp::start().await;
    let client = Client::new(&app, "tenant");
    let receiver = Receiver::default();
    let id = hook(&client, &receiver).await;
    assert_eq!(client.create("user_1").await.status, 201);
    publish(&app).await;
    deliver(&app).await;
    receiver.fails.store(true, Ordering::SeqCst);
    // It has failed for more than a minute.
    assert_eq!(replay(&client, &id).await.status, 202);
    deliver(&app).await;
    for wait_ms in [5_000, 300_000] {
        app.clock.advance_ms(wait_ms);
        deliver(&app).await;
    }
    assert_eq!(receiver.count(), 1 + 3);
    // While it rests, nothing is sent; after that one delivery tries it.
    for _ in 0..9 {
        assert_eq!(replay(&client, &id).await.status, 202);
    }
    deliver(&app).await;
    assert_eq!(receiver.count(), 4);
    app.clock.advance_ms(300_000);
    receiver.fails.store(false, Ordering::SeqCst);
    deliver(&app).await;
    assert!((4 + 1..4 + 9).contains(&receiver.count()), "{} of nine", receiver.count() - 4);
    // It responds again, so the others follow.
    while let (Some(next_ms), _) = app.stack.pump.queued().unwrap() {
        app.clock.advance_ms(next_ms.saturating_sub(app.clock.now_ms()));
        deliver(&app).await;
    }
    assert_eq!(receiver.count(), 4 + 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn outstanding_replays_are_bounded() {
    let app = TestApp::start().await;
    let client = Client::new(&app, "tenant");
    let receiver = Receiver::default();
    let id = hook(&client, &receiver).await;
    assert_eq!(client.create("user_1").await.status, 201);
    publish(&app).await;
    deliver(&app).await;
    for _ in 0..500 {
        assert_eq!(replay(&client, &id).await.status, 202);
    }
    let refused = replay(&client, &id).await;
    assert_eq!((refused.status, refused.text("/code")), (429, "REPLAYS_OUTSTANDING"));
    assert_eq!(refused.retry_after_s(), Some(60));
    // What was attempted is not outstanding any more.
    assert_eq!(app.stack.pump.deliver_once().await.unwrap(), 10);
    for _ in 0..10 {
        assert_eq!(replay(&client, &id).await.status, 202);
    }
    assert_eq!(replay(&client, &id).await.status, 429);
    // A count that lost deliveries keep up is begun again after an hour.
    app.clock.advance_ms(60 * 60 * 1_000);
    assert_eq!(replay(&client, &id).await.status, 202);
}
