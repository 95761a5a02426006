//! The overview and the counts of requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use domain::clock::Clock;
use domain::random::Random;
use exchange_sim::faults::Fault;
use hyperdex_local::WALLETS_TABLE;
use hyperdex_local::jobs::JobName;
use hyperdex_local::keys::KeyFile;
use serde_json::{Value, json};

use super::app::App;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A clock that the test moves.
#[derive(Clone)]
struct Time(Arc<AtomicU64>);

impl Time {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000_000_000)))
    }

    fn clock(&self) -> Clock {
        let time = self.clone();
        // Each look at the clock takes a microsecond, because nonces come from it.
        Clock::from_micros(move || time.0.fetch_add(1, Ordering::Relaxed))
    }

    fn pass_ms(&self, ms: u64) {
        self.0.fetch_add(ms * 1_000, Ordering::Relaxed);
    }
}

async fn overview(app: &App, key: &str) -> Value {
    let (status, body) = app.read(key, "/console/data/overview").await;
    assert_eq!(status, 200, "{body}");
    body
}

const ORDER: &str = "/api/trading/hyperliquid/orders";

fn limit(id: &str) -> Value {
    json!({
        "walletIdOrAddress": "alice", "clientOrderId": id, "symbol": "BTC", "side": "BUY",
        "type": "LIMIT", "quantity": "0.01", "price": "20000",
    })
}

async fn wallet_with_keys(app: &App, key: &str, user: &str) {
    let (status, body) = app.post(key, "/api/wallets", json!({ "userId": user })).await;
    assert_eq!(status, 201, "{body}");
    for exchange in ["aster", "hyperliquid"] {
        let path = format!("/api/trading/{exchange}/apikey");
        let name = json!({ "walletIdOrAddress": user });
        assert_eq!(app.post(key, &path, name).await.0, 200, "{exchange}");
    }
}

#[tokio::test]
async fn overview_counts_states_and_lists_expiring_keys() {
    let time = Time::new();
    let app = App::start(|options| options.clock = time.clock()).await;
    let empty = overview(&app, "any").await;
    assert_eq!(empty["wallets"]["counted"], 0);
    wallet_with_keys(&app, "any", "alice").await;
    assert_eq!(app.post("any", "/api/wallets", json!({"userId": "bob"})).await.0, 201);
    assert_eq!(overview(&app, "any").await, empty, "counts are cached for seconds");
    time.pass_ms(60_000);
    let counted = overview(&app, "any").await;
    assert_eq!(counted["credentials"]["active"], 2, "{counted}");
    assert_eq!(
        (&counted["wallets"]["counted"], &counted["wallets"]["withoutKey"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(counted["expiring"]["total"], 0);

    // The renewal job did not run, so both keys are about to expire.
    time.pass_ms(174 * DAY_MS);
    let soon = overview(&app, "any").await;
    assert_eq!(
        (&soon["expiring"]["total"], &soon["credentials"]["active"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(soon["expiring"]["first"][0]["userId"], "alice");
    assert_eq!(soon["expiring"]["first"][0]["job"]["does"], "renew");
    time.pass_ms(7 * DAY_MS);
    let gone = overview(&app, "any").await;
    assert_eq!(
        (&gone["expiring"]["total"], &gone["credentials"]["expired"]),
        (&json!(2), &json!(2))
    );
}

#[tokio::test]
async fn overview_lists_orders_of_unknown_outcome_of_own_tenant() {
    let time = Time::new();
    let app = App::start(|options| options.clock = time.clock()).await;
    let keys = KeyFile::new(app.data.path());
    let [one, two] = ["one", "two"]
        .map(|name| keys.add(&name.parse().unwrap(), &Clock::system(), &Random::system()).unwrap());
    wallet_with_keys(&app, &one, "alice").await;
    for target in ["order", "orderStatus", "noop"] {
        for _ in 0..20 {
            app.stack.hyperliquid_sim.fail_next(target, Fault::Reset);
        }
    }
    let (status, body) = app.post(&one, ORDER, limit("lost")).await;
    assert_eq!((status, &body["code"]), (504, &json!("ORDER_UNKNOWN")), "{body}");
    // A lease protects the order while a call may be at work.
    time.pass_ms(5 * 60_000);
    let seen = overview(&app, &one).await["unknownOrders"].clone();
    assert_eq!(seen["total"], 1, "{seen}");
    let order = &seen["first"][0];
    assert_eq!((&order["clientOrderId"], &order["symbol"]), (&json!("lost"), &json!("BTC")));
    assert_eq!((&order["userId"], &order["exchange"]), (&json!("alice"), &json!("hyperliquid")));
    assert_eq!(overview(&app, &two).await["unknownOrders"]["total"], 0, "another tenant's");

    let _ = app.stack.hyperliquid_sim.clear_faults();
    app.stack.scheduled.run(JobName::Resolve).await.unwrap();
    time.pass_ms(60_000);
    assert_eq!(overview(&app, &one).await["unknownOrders"]["total"], 0, "the job resolved it");
}

/// Writes entries of the index of unknown orders of another tenant, in one shard.
async fn write_due(app: &App, count: u32) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let client = app.stack.aws().dynamodb();
    for first in (0..count).step_by(25) {
        let puts = (first..count.min(first + 25)).map(|number| {
            let put = PutRequest::builder()
                .item("pk", text("other#O#29dd4dc0-1ff9-4df6-a19f-936f997cbc5a#hyperliquid"))
                .item("sk", text(&format!("order#{number:024x}")))
                .item("schema", AttributeValue::N("1".to_owned()))
                .item("shard", text("oh0"))
                .item("dueAtMs", AttributeValue::N("1".to_owned()));
            WriteRequest::builder().put_request(put.build().unwrap()).build()
        });
        let batch = client.batch_write_item().request_items(WALLETS_TABLE, puts.collect());
        batch.send().await.unwrap();
    }
}

/// The entries of other tenants can hide a tenant's own ones.
#[tokio::test]
async fn overview_states_that_not_all_unknown_orders_were_read() {
    let time = Time::new();
    let app = App::start(|options| options.clock = time.clock()).await;
    for (count, more) in [(450, false), (600, true)] {
        write_due(&app, count).await;
        time.pass_ms(60_000);
        let seen = overview(&app, "any").await["unknownOrders"].clone();
        assert_eq!((&seen["total"], &seen["more"]), (&json!(0), &json!(more)), "{count}: {seen}");
    }
}

/// Returns the sum of a series of counts.
fn sum(metrics: &Value, metric: &str, exchange: Option<&str>) -> f64 {
    let mut series = metrics["series"].as_array().unwrap().iter();
    let found = series.find(|one| one["metric"] == metric && one["exchange"] == json!(exchange));
    let points = found.unwrap()["points"].as_array().unwrap();
    points.iter().map(|point| point[1].as_f64().unwrap()).sum()
}

#[tokio::test]
async fn requests_are_counted_for_their_tenant_only() {
    let app = App::start(|_| {}).await;
    let keys = KeyFile::new(app.data.path());
    let [one, two] = ["one", "two"]
        .map(|name| keys.add(&name.parse().unwrap(), &Clock::system(), &Random::system()).unwrap());
    wallet_with_keys(&app, &one, "alice").await;
    let (status, body) = app.post(&one, ORDER, limit("a")).await;
    assert_eq!(status, 200, "{body}");
    let (_, replayed) = app.post(&one, ORDER, limit("a")).await;
    assert_eq!(replayed["data"]["orderId"], body["data"]["orderId"], "the body passes unchanged");
    let orders = json!({"walletIdOrAddress": "alice", "orders": [
        {"symbol": "BTC", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "20000"},
        {"symbol": "BTC", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "19000"},
    ]});
    assert_eq!(app.post(&one, ORDER, orders).await.0, 200);
    let (status, refused) = app.post(&one, ORDER, json!({"walletIdOrAddress": "alice"})).await;
    assert_eq!(status, 400, "{refused}");
    // Requests that the API does not admit belong to no tenant.
    assert_eq!(app.post("wrong", ORDER, limit("b")).await.0, 403);

    let (status, metrics) = app.read(&one, "/console/data/metrics").await;
    assert_eq!(status, 200);
    let hyperliquid = Some("hyperliquid");
    assert!((sum(&metrics, "Registrations", hyperliquid) - 1.0).abs() < f64::EPSILON);
    assert!((sum(&metrics, "OrdersPlaced", hyperliquid) - 3.0).abs() < f64::EPSILON, "{metrics}");
    assert!((sum(&metrics, "OrdersRefused", hyperliquid) - 1.0).abs() < f64::EPSILON);
    assert!(sum(&metrics, "OrdersPlaced", Some("aster")).abs() < f64::EPSILON);
    assert!((sum(&metrics, "4XXError", None) - 1.0).abs() < f64::EPSILON);
    let refusals = metrics["refusals"].as_array().unwrap();
    assert_eq!(refusals.len(), 1, "{metrics}");
    assert_eq!((&refusals[0]["path"], &refusals[0]["code"]), (&json!(ORDER), &refused["code"]));
    assert!(refusals[0]["requestId"].is_string());

    let (_, other) = app.read(&two, "/console/data/metrics").await;
    assert!(sum(&other, "Count", None).abs() < f64::EPSILON, "{other}");
    assert_eq!(other["refusals"], json!([]));
}
