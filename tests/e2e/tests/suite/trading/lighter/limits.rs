//! What the budget counts of the requests to Lighter.

use e2e::TestApp;
use e2e::lighter::send;
use e2e::wire::tables;
use exchange_sim::lighter::Rules;
use http::Method;

use super::{ACCOUNT, limit, place, start, start_stored};

/// Returns the weight that the budget has counted.
async fn counted(app: &TestApp) -> u64 {
    let items = tables(app).await;
    let budget = items.iter().find(|((place, _), _)| place.contains(" #budget#lighter#"));
    let used = budget.and_then(|(_, item)| item["used"].as_n().ok());
    used.map_or(0, |used| used.parse().unwrap())
}

/// Returns the number of requests that the exchange has received.
fn received(app: &TestApp) -> u64 {
    app.stack.lighter_sim.requests().len() as u64
}

#[tokio::test]
async fn budget_counts_each_request_to_the_exchange() {
    let app = start_stored().await;
    // The first question of a process reads the markets, too.
    assert_eq!(send(&app, Method::GET, "orders", None).await.status, 200);
    assert!(counted(&app).await >= received(&app), "{:?}", app.stack.lighter_sim.requests());
    let placed = place(&app, limit("a")).await;
    assert_eq!(send(&app, Method::DELETE, "orders/a", None).await.status, 200);
    // A lookup by the exchange's id asks for the open orders, and then for the ended ones.
    let status = format!("orders/{}/status", placed.text("/data/orderId"));
    let status = send(&app, Method::GET, &status, None).await;
    assert_eq!((status.status, status.text("/data/status")), (200, "CANCELED"), "{status:?}");
    assert!(counted(&app).await >= received(&app), "{:?}", app.stack.lighter_sim.requests());
}

#[tokio::test]
async fn region_block_of_a_read_pauses_the_calls() {
    let app = start().await;
    let simulator = &app.stack.lighter_sim;
    simulator.set_rules(Rules { restricted: true, ..Rules::default() });
    let path = format!("/api/trading/lighter/balances?accountIndex={ACCOUNT}");
    for _ in 0..20 {
        app.get(&path).await;
    }
    // The exchange is not asked each time: its block counts as a failure.
    assert!(received(&app) < 20, "{}", received(&app));
    simulator.set_rules(Rules::default());
    app.clock.advance_ms(10 * 60_000);
    assert_eq!(app.get(&path).await.status, 200);
}
