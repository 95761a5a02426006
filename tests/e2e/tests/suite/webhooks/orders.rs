//! Events of orders, from the request to the receiver.

use domain::ids::Exchange;
use e2e::{Reply, TestApp};
use exchange_sim::faults::Fault;
use http::Method;
use serde_json::{Value, json};
use shared::exchanges::budget::Spender;
use shared::orders::ResolveLimits;

use super::receiver::{Arrived, Receiver, kinds, verify};
use super::{Hook, hook, register, settle};

const EXCHANGES: [&str; 2] = ["aster", "hyperliquid"];

/// A stack with a webhook and a wallet that trades at both exchanges.
async fn start() -> (TestApp, Receiver, Hook, String) {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    let wallet = app.wallet("user_1").await.text("/walletId").to_owned();
    for exchange in EXCHANGES {
        register(&app, exchange, "user_1", true).await;
    }
    settle(&app).await;
    receiver.take();
    (app, receiver, hook, wallet)
}

fn order(id: &str, quantity: &str) -> Value {
    json!({
        "symbol": "BTC", "side": "BUY", "type": "LIMIT", "quantity": quantity, "price": "59000",
        "clientOrderId": id, "walletIdOrAddress": "user_1",
    })
}

async fn place(app: &TestApp, exchange: &str, order: &Value) -> Reply {
    app.post(&format!("/api/trading/{exchange}/orders"), order.clone()).await
}

/// Returns what arrived, sorted by type: deliveries of several events are not in order.
fn by_type(receiver: &Receiver) -> Vec<Arrived> {
    let mut arrived = receiver.take();
    arrived.sort_by_key(|delivery| delivery.json()["type"].to_string());
    arrived
}

/// Makes every lookup of orders fail.
fn hide_orders(app: &TestApp) {
    for _ in 0..40 {
        app.stack.hyperliquid_sim.fail_next("orderStatus", Fault::Status(500, String::new()));
        app.stack.aster_sim.fail_next("orderStatus", Fault::Status(500, String::new()));
    }
}

/// Ends what [`hide_orders`] began.
fn show_orders(app: &TestApp) {
    let left = app.stack.hyperliquid_sim.clear_faults() + app.stack.aster_sim.clear_faults();
    assert!(left > 0, "the lookups were used up");
}

#[tokio::test(flavor = "multi_thread")]
async fn placed_and_refused_orders_are_events() {
    let (app, receiver, hook, wallet) = start().await;
    for exchange in EXCHANGES {
        assert_eq!(place(&app, exchange, &order("bot-1", "0.01")).await.status, 200);
        // More than the margin allows.
        let refused = place(&app, exchange, &order("bot-2", "15")).await;
        assert_eq!((refused.status, refused.text("/code")), (422, "INSUFFICIENT_FUNDS"));
        settle(&app).await;
        let arrived = by_type(&receiver);
        assert_eq!(kinds(&arrived), ["order.placed", "order.rejected"], "{exchange}");
        let [placed, rejected] = [&arrived[0], &arrived[1]].map(|it| it.json()["data"].clone());
        for data in [&placed, &rejected] {
            assert_eq!((&data["userId"], &data["walletId"]), (&json!("user_1"), &json!(wallet)));
            assert_eq!((&data["exchange"], &data["symbol"]), (&json!(exchange), &json!("BTC")));
        }
        assert_eq!(
            (&placed["clientOrderId"], &placed["quantity"]),
            (&json!("bot-1"), &json!("0.01"))
        );
        assert!(placed["orderId"].is_string() && placed.get("code").is_none(), "{placed}");
        assert_eq!(rejected["code"], "INSUFFICIENT_FUNDS");
        assert!(rejected["exchangeMessage"].is_string() && rejected.get("orderId").is_none());
        for delivered in &arrived {
            verify(&hook.secret, delivered);
            assert!(!delivered.body.contains("signature") && !delivered.body.contains("nonce"));
        }
        // A repeat is a replay of the outcome, and no event.
        assert_eq!(place(&app, exchange, &order("bot-1", "0.01")).await.status, 200);
        // Neither is a refusal by the service itself.
        assert_eq!(place(&app, exchange, &order("bot-3", "0.0000001")).await.status, 422);
        settle(&app).await;
        assert!(receiver.take().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_has_one_event_for_each_order() {
    let (app, receiver, _hook, _wallet) = start().await;
    for exchange in EXCHANGES {
        let of = |id: &str| {
            let mut order = order(id, "0.01");
            order.as_object_mut().unwrap().remove("walletIdOrAddress");
            order
        };
        let batch = json!({ "walletIdOrAddress": "user_1", "orders": [of("a"), of("b")] });
        assert_eq!(place(&app, exchange, &batch).await.status, 200);
        settle(&app).await;
        assert_eq!(kinds(&receiver.take()), ["order.placed", "order.placed"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_order_is_resolved_by_an_event() {
    let (app, receiver, _hook, _wallet) = start().await;
    for exchange in EXCHANGES {
        hide_orders(&app);
        app.stack.hyperliquid_sim.fail_next("order", Fault::AppliedButLost);
        app.stack.aster_sim.fail_next("placeOrder", Fault::AppliedButLost);
        let lost = place(&app, exchange, &order("lost", "0.01")).await;
        assert_eq!((lost.status, lost.text("/code")), (504, "ORDER_UNKNOWN"), "{exchange}");
        settle(&app).await;
        assert!(receiver.take().is_empty(), "nothing is known yet");
        show_orders(&app);
        app.clock.advance_ms(120_000);
        resolve(&app, exchange).await;
        settle(&app).await;
        let arrived = by_type(&receiver);
        assert_eq!(kinds(&arrived), ["order.placed", "order.unknown_resolved"], "{exchange}");
        let data = arrived[1].json()["data"].clone();
        assert_eq!((&data["outcome"], &data["operation"]), (&json!("ACCEPTED"), &json!("PLACE")));
        assert_eq!(data["clientOrderId"], "lost");
    }
}

/// The process died after it had sent the order: the caller has no response at all.
#[tokio::test(flavor = "multi_thread")]
async fn order_of_a_dead_process_is_resolved_by_an_event() {
    let (app, receiver, _hook, _wallet) = start().await;
    for exchange in EXCHANGES {
        app.stack.hyperliquid_sim.fail_next("order", Fault::AppliedThenHang);
        app.stack.aster_sim.fail_next("placeOrder", Fault::AppliedThenHang);
        let mut dying = Box::pin(without_socket(&app, exchange, order("dead", "0.01")));
        let sent = || {
            let (kind, requests) = match exchange {
                "aster" => ("placeOrder", app.stack.aster_sim.requests()),
                _ => ("order", app.stack.hyperliquid_sim.requests()),
            };
            requests.iter().any(|request| request.kind == kind)
        };
        while !sent() {
            tokio::select! {
                () = &mut dying => {}
                () = tokio::task::yield_now() => {}
            }
        }
        drop(dying);
        app.clock.advance_ms(120_000);
        resolve(&app, exchange).await;
        settle(&app).await;
        assert_eq!(kinds(&by_type(&receiver)), ["order.placed", "order.unknown_resolved"]);
    }
}

async fn without_socket(app: &TestApp, exchange: &str, order: Value) {
    use tower::ServiceExt;
    let request = http::Request::post(format!("/api/trading/{exchange}/orders"))
        .header("content-type", "application/json")
        .body(axum::body::Body::from(order.to_string()))
        .unwrap();
    let _ = app.stack.router.clone().oneshot(request).await;
}

/// Runs the job that resolves orders.
async fn resolve(app: &TestApp, exchange: &str) {
    let exchange = if exchange == "aster" { Exchange::Aster } else { Exchange::Hyperliquid };
    let traders = app.endpoints().traders(&app.options, Spender::Job);
    let run_time = std::time::Duration::from_secs(50);
    for _ in 0..2 {
        let limits = ResolveLimits { limit: 100, run_time };
        traders.of(exchange).resolve_due(&limits).await.unwrap();
        app.clock.advance_ms(60_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_without_order_types_receives_no_orders() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let body = json!({ "url": receiver.url, "events": ["order.rejected"] });
    let made = app.post("/api/webhooks", body).await;
    assert_eq!(made.status, 201);
    app.wallet("user_1").await;
    register(&app, "hyperliquid", "user_1", true).await;
    assert_eq!(place(&app, "hyperliquid", &order("bot-1", "0.01")).await.status, 200);
    settle(&app).await;
    assert!(receiver.take().is_empty());
    let path = "/api/webhooks";
    let refused = json!({ "url": receiver.url, "events": ["webhook.test"] });
    let refused = app.send(app.request(Method::POST, path).json(&refused)).await;
    assert_eq!(refused.status, 400, "a test cannot be subscribed to");
}
