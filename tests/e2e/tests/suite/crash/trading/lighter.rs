//! Kills each operation on Lighter at each of its remote calls. The key comes with the request, and
//! the exchange executes a transaction after it has taken it.

use domain::ids::PerExchange;
use e2e::kill::{Call, Harness, ended};
use e2e::lighter::{ACCOUNT, accepted, open_account, record, store_key};
use exchange_sim::lighter::Rules;
use http::Method;
use serde_json::{Value, json};
use shared::store::OrderState;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::report;

fn limit(id: &str) -> Value {
    json!({
        "clientOrderId": id, "symbol": "ETH", "side": "BUY", "type": "LIMIT", "quantity": "0.1",
        "price": "2900",
    })
}

fn call(method: Method, rest: &str, body: Option<Value>) -> Call {
    Call::lighter(method, ACCOUNT, rest, body)
}

/// Checks that each of these orders was executed once at most, and that its record knows it.
async fn check(h: &Harness, id: &str) {
    let executed = accepted(&h.app, id);
    let record = record(&h.app, id).await;
    assert!(executed <= 1, "{id} was executed {executed} times");
    match record.map(|record| record.state) {
        Some(OrderState::Placed) => assert_eq!(executed, 1, "{id}"),
        Some(OrderState::Refused | OrderState::Dead) | None => assert_eq!(executed, 0, "{id}"),
        Some(state) => panic!("{id} is {state:?}"),
    }
}

#[tokio::test]
async fn operations_on_lighter_survive_a_death_at_every_call() {
    let mut h = Harness::start_with(|options| {
        options.budget.per_minute = PerExchange::from_fn(|_| 1_000_000);
    })
    .await;
    h.one_in = 8;
    open_account(&h.app);
    // The clock of the test moves less than the calls.
    let rules = Rules { weight_per_minute: u32::MAX, ..Rules::default() };
    h.app.stack.lighter_sim.set_rules(rules);
    assert_eq!(store_key(&h.app).await.status, 200);
    let drawn = AtomicUsize::new(0);
    let new_id = || format!("order-{}", drawn.fetch_add(1, Ordering::SeqCst));
    let last = || format!("order-{}", drawn.load(Ordering::SeqCst) - 1);
    let placed = async || {
        let id = new_id();
        let cancel = call(Method::DELETE, "orders?symbol=ETH", None);
        h.finish(&cancel, ended::done).await;
        h.finish(&call(Method::POST, "orders", Some(limit(&id))), ended::done).await;
        id
    };
    let checked = async |_: &Call| check(&h, &last()).await;
    let mut rows = Vec::new();
    let place = async || call(Method::POST, "orders", Some(limit(&new_id())));
    rows.push(h.drive("Lighter: place", place, ended::done, checked).await);
    let change = async || {
        let body = json!({ "price": "2800", "quantity": "0.2" });
        call(Method::PUT, &format!("orders/{}", placed().await), Some(body))
    };
    rows.push(h.drive("Lighter: modify", change, ended::done, checked).await);
    let cancel = async || call(Method::DELETE, &format!("orders/{}", placed().await), None);
    let canceled =
        |reply: &e2e::Reply| reply.status == 200 || reply.text("/code") == "ORDER_NOT_OPEN";
    rows.push(h.drive("Lighter: cancel", cancel, canceled, checked).await);
    report("kill-points-lighter.md", &rows);
}
