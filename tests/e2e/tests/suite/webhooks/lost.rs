//! Webhooks when something dies on the way, and when a URL is meant to do harm.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

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

/// A receiver that says whom it was sent, and never answers the first one.
async fn receiver() -> (String, mpsc::UnboundedReceiver<String>) {
    type Told = (mpsc::UnboundedSender<String>, std::sync::Arc<std::sync::atomic::AtomicBool>);
    async fn receive(State((told, answers)): State<Told>, headers: HeaderMap) {
        told.send(headers["webhook-id"].to_str().unwrap().to_owned()).unwrap();
        if !answers.swap(true, std::sync::atomic::Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
    let (told, hears) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    let router = Router::new().fallback(receive).with_state((told, std::sync::Arc::default()));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, hears)
}

/// A queue that takes nothing: the event is kept, and then the publisher's life is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_dies_after_it_kept_an_event_comes_to_the_same_event() {
    let app = TestApp::start().await;
    let (url, mut hears) = receiver().await;
    hook(&app, &url).await;
    app.wallet("user_1").await;
    app.wallet("user_2").await;
    let unreachable = Endpoints { deliveries: "http://127.0.0.1:9".to_owned(), ..app.endpoints() };
    let (publish, deliver) = unreachable.webhooks(&app.options).unwrap();
    let dying = app.stack.pump.clone().with(publish, deliver);
    dying.publish_once().await.unwrap_err();
    let kept: Vec<String> = e2e::wire::tables(&app)
        .await
        .into_keys()
        .filter_map(|(place, sort)| place.contains("#E#").then_some(sort))
        .collect();
    assert_eq!(kept.len(), 1, "the first was kept, and the second not yet looked at");
    assert_eq!(app.stack.pump.queued().unwrap(), (None, 0));
    // Its successor begins where it was.
    while app.stack.pump.publish_once().await.unwrap() > 0 {}
    let delivering = tokio::spawn({
        let pump = app.stack.pump.clone();
        async move { pump.deliver_once().await }
    });
    let first = [hears.recv().await.unwrap(), hears.recv().await.unwrap()];
    assert!(first.contains(&kept[0]), "{first:?} {kept:?}");
    delivering.abort();
}

/// The receiver has it, and the function dies before it can say so.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_dies_after_it_sent_is_sent_again_under_the_same_id() {
    let app = TestApp::start().await;
    let (url, mut hears) = receiver().await;
    hook(&app, &url).await;
    app.wallet("user_1").await;
    while app.stack.pump.publish_once().await.unwrap() > 0 {}
    let dying = tokio::spawn({
        let pump = app.stack.pump.clone();
        async move { pump.deliver_once().await }
    });
    let first = hears.recv().await.unwrap();
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    // Nobody else is handed it before its time is over.
    assert_eq!(app.stack.pump.deliver_once().await.unwrap(), 0);
    app.clock.advance_ms(180_000);
    assert_eq!(app.stack.pump.deliver_once().await.unwrap(), 1);
    assert_eq!(hears.recv().await.unwrap(), first);
    assert_eq!(app.stack.pump.queued().unwrap(), (None, 0));
}

/// The stream's position and what is queued outlive the stack, whatever it was about to do.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_published_and_not_delivered_outlives_the_stack() {
    let mut app = TestApp::start().await;
    let (url, mut hears) = receiver().await;
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
    let both = [hears.recv().await.unwrap(), hears.recv().await.unwrap()];
    assert_ne!(both[0], both[1]);
    delivering.abort();
}

/// A name that is public when it is given and ours when it is called, is not called.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_our_own_network_is_not_followed() {
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
