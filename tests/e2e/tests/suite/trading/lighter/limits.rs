//! What the budget counts of the requests to Lighter.

use e2e::TestApp;
use e2e::lighter::{open_account, send};
use e2e::wire::tables;
use exchange_sim::lighter::Rules;
use http::Method;

use super::{ACCOUNT, limit, place, start_stored, store_key};

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

/// Returns the weight that the exchange has counted for a premium account.
fn weighed(app: &TestApp) -> u64 {
    app.stack.lighter_sim.requests().iter().map(|request| u64::from(request.weight)).sum()
}

#[tokio::test]
async fn budget_counts_the_weight_of_each_request() {
    let app = start_stored().await;
    // The first question of a process reads the markets, too.
    assert_eq!(send(&app, Method::GET, "orders", None).await.status, 200);
    assert!(counted(&app).await >= weighed(&app), "{:?}", app.stack.lighter_sim.requests());
    let placed = place(&app, limit("a")).await;
    assert_eq!(send(&app, Method::DELETE, "orders/a", None).await.status, 200);
    // A lookup by the exchange's id asks for the open orders, and then for the ended ones.
    let status = format!("orders/{}/status", placed.text("/data/orderId"));
    let status = send(&app, Method::GET, &status, None).await;
    assert_eq!((status.status, status.text("/data/status")), (200, "CANCELED"), "{status:?}");
    assert!(counted(&app).await >= weighed(&app), "{:?}", app.stack.lighter_sim.requests());
}

#[tokio::test]
async fn region_block_is_remembered_and_stated_each_time() {
    let app = start_stored().await;
    let simulator = &app.stack.lighter_sim;
    simulator.set_rules(Rules { restricted: true, ..Rules::default() });
    let before = received(&app);
    let path = format!("/api/trading/lighter/balances?accountIndex={ACCOUNT}");
    let mut messages = Vec::new();
    for number in 0..10 {
        let read = app.get(&path).await;
        let order = place(&app, limit(&format!("blocked-{number}"))).await;
        for reply in [read, order] {
            assert_eq!((reply.status, reply.text("/code")), (403, "EXCHANGE_REGION_BLOCKED"));
            messages.push((reply.text("/error").to_owned(), reply.text("/message").to_owned()));
        }
    }
    messages.dedup();
    assert_eq!(messages.len(), 1, "{messages:?}");
    // The exchange is not asked each time.
    assert!(received(&app) - before < 10, "{}", received(&app) - before);
    simulator.set_rules(Rules::default());
    app.clock.advance_ms(61_000);
    assert_eq!(app.get(&path).await.status, 200);
    assert_eq!(place(&app, limit("blocked-0")).await.status, 200);
}

#[tokio::test]
async fn budget_of_a_premium_account_stays_below_the_limit() {
    // The default of the local stack, and the simulator's limit of 24,000.
    let app = TestApp::start_with(|options| {
        options.budget.per_minute = domain::ids::PerExchange::from_fn(|_| 21_600);
    })
    .await;
    open_account(&app);
    assert_eq!(store_key(&app).await.status, 200);
    let path = format!("/api/trading/lighter/balances?accountIndex={ACCOUNT}");
    let mut served = 0;
    let limited = loop {
        let reply = app.get(&path).await;
        if reply.status != 200 {
            break reply;
        }
        served += 1;
    };
    // The weight of the question is 300, and a tenant that is alone has 75 percent of 80 percent.
    assert!((40..=43).contains(&served), "{served}");
    assert_eq!((limited.status, limited.text("/code")), (429, "EXCHANGE_RATE_LIMIT"));
    assert!(limited.text("/message").contains("Your part"), "{limited:?}");
    assert!(received(&app) < 80);
}
