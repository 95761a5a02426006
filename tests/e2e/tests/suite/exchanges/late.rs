//! Calls of an exchange that arrive late or twice, and reads of an earlier state.

use e2e::TestApp;
use e2e::proxy::{Fate, Process, Proxy};
use exchange_sim::faults::Fault;
use serde_json::{Value, json};

/// Asks the simulated Hyperliquid through the proxy. Returns `None` when the connection breaks.
async fn mid(app: &TestApp, process: &Process) -> Option<Value> {
    let url = format!("{}/info", process.url("hyperliquid"));
    let sent = app.request_to(&url).json(&json!({ "type": "allMids" })).send().await.ok()?;
    let mids: Value = sent.json().await.ok()?;
    Some(mids["BTC"].clone())
}

fn arrived(app: &TestApp) -> usize {
    app.stack.hyperliquid_sim.requests().len()
}

#[tokio::test]
async fn late_call_arrives_when_the_clock_has_advanced() {
    let app = TestApp::start().await;
    let proxy = Proxy::start(&app).await;
    let late = proxy.process_with(Box::new(|_| Fate::Fail(Fault::Late { ms: 5_000 })));
    assert_eq!(mid(&app, &late).await, None);
    late.settled().await;
    app.clock.advance_ms(4_999);
    proxy.deliver_late().await;
    assert_eq!((arrived(&app), proxy.late_calls()), (0, 1));
    app.clock.advance_ms(1);
    drop(late);
    proxy.deliver_late().await;
    assert_eq!((arrived(&app), proxy.late_calls()), (1, 0));
}

#[tokio::test]
async fn late_call_arrives_before_the_next_call() {
    let app = TestApp::start().await;
    let proxy = Proxy::start(&app).await;
    let late = proxy.process_with(Box::new(|_| Fate::Fail(Fault::Late { ms: 5_000 })));
    assert_eq!(mid(&app, &late).await, None);
    app.clock.advance_ms(5_000);
    assert!(mid(&app, &proxy.process()).await.is_some());
    assert_eq!((arrived(&app), proxy.late_calls()), (2, 0));
}

#[tokio::test]
async fn duplicated_call_arrives_twice() {
    let app = TestApp::start().await;
    let proxy = Proxy::start(&app).await;
    let twice = proxy.process_with(Box::new(|_| Fate::Fail(Fault::Twice)));
    assert!(mid(&app, &twice).await.is_some());
    assert_eq!((arrived(&app), twice.calls().len()), (2, 1));
}

#[tokio::test]
async fn lagging_read_shows_an_earlier_state() {
    let app = TestApp::start().await;
    let proxy = Proxy::start(&app).await;
    let lagging = proxy.process_with(Box::new(|_| Fate::Fail(Fault::ReadsLag { ms: 2_000 })));
    let before = mid(&app, &proxy.process()).await;
    app.clock.advance_ms(1_000);
    assert!(app.stack.hyperliquid_sim.set_price("BTC", "61000"));
    app.clock.advance_ms(1_000);
    assert_eq!(mid(&app, &lagging).await, before);
    assert_eq!(mid(&app, &proxy.process()).await, Some(json!("61000")));
}
