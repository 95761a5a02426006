//! Tests webhooks with killed processes and with hostile URLs.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::net::IpAddr;

use axum::Router;
use axum::extract::State;
use deliver_webhook::DeliverWebhook;
use e2e::TestApp;
use http::HeaderMap;
use hyperdex_local::{Endpoints, Options, Stack};
use serde_json::{Value, json};
use shared::aws::SqsClient;
use shared::webhooks::{Deliverer, Deliveries, Lookup, Targets};
use tokio::sync::mpsc;

use super::hook;

/// Starts a receiver that reports the id of each delivery and never responds to the first one.
async fn receiver() -> (String, mpsc::UnboundedReceiver<String>) {
    type Shared = (mpsc::UnboundedSender<String>, std::sync::Arc<std::sync::atomic::AtomicBool>);
    async fn receive(State((ids, answers)): State<Shared>, headers: HeaderMap) {
        ids.send(headers["webhook-id"].to_str().unwrap().to_owned()).unwrap();
        if !answers.swap(true, std::sync::atomic::Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
    let (ids, received) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    let router = Router::new().fallback(receive).with_state((ids, std::sync::Arc::default()));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, received)
}

/// The queue is unreachable, so the publisher fails after it has stored the event.
#[tokio::test(flavor = "multi_thread")]
async fn publisher_crash_after_storing_keeps_the_event_id() {
    let app = TestApp::start().await;
    let (url, mut received) = receiver().await;
    hook(&app, &url).await;
    app.wallet("user_1").await;
    app.wallet("user_2").await;
    let unreachable = Endpoints { deliveries: "http://127.0.0.1:9".to_owned(), ..app.endpoints() };
    let (publish, deliver) = unreachable.webhooks(&app.options).unwrap();
    let dying = app.stack.pump.clone().with(publish, deliver);
    dying.publish_once().await.unwrap_err();
    let stored: Vec<String> = e2e::wire::tables(&app)
        .await
        .into_keys()
        .filter_map(|(place, sort)| place.contains("#E#").then_some(sort))
        .collect();
    assert_eq!(stored.len(), 1, "expected one stored event");
    assert_eq!(app.stack.pump.queued().unwrap(), (None, 0));
    // The next publisher resumes at the same position.
    while app.stack.pump.publish_once().await.unwrap() > 0 {}
    let delivering = tokio::spawn({
        let pump = app.stack.pump.clone();
        async move { pump.deliver_once().await }
    });
    let first = [received.recv().await.unwrap(), received.recv().await.unwrap()];
    assert!(first.contains(&stored[0]), "{first:?} {stored:?}");
    delivering.abort();
}

/// The receiver gets the delivery, and the function is killed before it acknowledges it.
#[tokio::test(flavor = "multi_thread")]
async fn delivery_crash_after_sending_repeats_the_event_id() {
    let app = TestApp::start().await;
    let (url, mut received) = receiver().await;
    hook(&app, &url).await;
    app.wallet("user_1").await;
    while app.stack.pump.publish_once().await.unwrap() > 0 {}
    let dying = tokio::spawn({
        let pump = app.stack.pump.clone();
        async move { pump.deliver_once().await }
    });
    let first = received.recv().await.unwrap();
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    // The message stays invisible until its timeout ends.
    assert_eq!(app.stack.pump.deliver_once().await.unwrap(), 0);
    app.clock.advance_ms(180_000);
    assert_eq!(app.stack.pump.deliver_once().await.unwrap(), 1);
    assert_eq!(received.recv().await.unwrap(), first);
    assert_eq!(app.stack.pump.queued().unwrap(), (None, 0));
}

/// The stream position and queued messages survive the stack.
#[tokio::test(flavor = "multi_thread")]
async fn pending_events_survive_a_restart() {
    let mut app = TestApp::start().await;
    let (url, mut received) = receiver().await;
    hook(&app, &url).await;
    app.wallet("queued").await;
    while app.stack.pump.publish_once().await.unwrap() > 0 {}
    app.wallet("unpublished").await;
    let options: Options = app.options.clone();
    let spare = TestApp::start().await;
    std::mem::replace(&mut app.stack, spare.stack).stop().await;
    app.stack = Stack::start(options).await.unwrap();
    while app.stack.pump.publish_once().await.unwrap() > 0 {}
    let delivering = tokio::spawn({
        let pump = app.stack.pump.clone();
        async move { pump.deliver_once().await }
    });
    let both = [received.recv().await.unwrap(), received.recv().await.unwrap()];
    assert_ne!(both[0], both[1]);
    delivering.abort();
}

/// A host that resolves to a public address at creation and to an internal one at delivery is not
/// called.
#[tokio::test(flavor = "multi_thread")]
async fn webhook_url_to_internal_address_is_refused() {
    let app = TestApp::start_with(|options| options.webhook_targets = Targets::Public).await;
    for url in [
        "http://hooks.example.com/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:10.0.0.1]/",
        "https://localhost/",
        "https://hooks.example.com:8443/",
        "https://user:word@hooks.example.com/",
    ] {
        let refused = app.post("/api/webhooks", json!({ "url": url })).await;
        assert_eq!((refused.status, refused.text("/code")), (400, "BAD_REQUEST"), "{url}");
        assert!(refused.text("/error").starts_with("url must"), "{refused:?}");
    }
    hook(&app, "https://rebound.example.com/in").await;
    for (number, address) in
        ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "fd00:ec2::254"]
            .into_iter()
            .enumerate()
    {
        let address: IpAddr = address.parse().unwrap();
        let (url, clock) = (format!("{}/queue/deliveries", app.stack.sqs), app.clock.clock());
        let deliverer = Deliverer::new(
            app.stack.custody.store.clone(),
            app.stack.custody.envelope.clone(),
            Deliveries::new(SqsClient::new(&app.stack.aws()), url),
            Targets::Public,
            Lookup::from_fn(move |_| std::future::ready(Ok(vec![address]))),
            clock,
        );
        let (publish, _) = app.endpoints().webhooks(&app.options).unwrap();
        let deliver = DeliverWebhook { deliverer: deliverer.unwrap() };
        let pump = app.stack.pump.clone().with(publish, deliver);
        app.wallet(&format!("user_{number}")).await;
        while app.stack.pump.publish_once().await.unwrap() > 0 {}
        assert!(pump.deliver_once().await.unwrap() > 0);
        let listed = app.get("/api/webhooks").await;
        let failure: &Value = &listed.body["webhooks"][0]["lastFailure"];
        assert_eq!(failure["reason"], "ADDRESS_NOT_ALLOWED", "{address}: {failure}");
    }
}
