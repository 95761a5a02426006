//! The remote calls of an order in a process that has placed one before.

use domain::ids::Exchange;
use e2e::kill::{Call, Harness, send};
use e2e::trading::Desk;
use serde_json::json;

const USER: &str = "user_1";

/// Returns the calls that a warm process makes for one order, up to and without the exchange's.
async fn before_the_exchange(exchange: Exchange, is_by_user: bool) -> Vec<String> {
    let h = Harness::start().await;
    h.app.wallet(USER).await;
    assert_eq!(h.app.register(exchange.as_str(), USER).await.status, 200);
    let wallet_id = Desk::of(&h.app, USER, exchange).await.account.wallet_id.to_string();
    let name = if is_by_user { USER } else { wallet_id.as_str() };
    let place = |id: &str| {
        let order = json!({
            "clientOrderId": id, "symbol": "ETH", "side": "BUY", "type": "LIMIT",
            "quantity": "0.01", "price": "2900",
        });
        Call::place(exchange, name, &order)
    };
    let process = h.proxy.process();
    let router = h.router(&process);
    let placed = async |id: &str| {
        let reply = send(router.clone(), &place(id)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    };
    placed("warm").await;
    let made = process.calls().len();
    placed("measured").await;
    let calls = process.calls().split_off(made);
    let sends = ["Aster.POST order", "Hyperliquid.order"];
    calls.into_iter().take_while(|call| !sends.contains(&call.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn warm_order_makes_three_calls_before_the_exchange() {
    for exchange in Exchange::ALL {
        let calls = before_the_exchange(exchange, false).await;
        assert!((1..=3).contains(&calls.len()), "{exchange}: {calls:?}");
        // A userId is resolved first.
        let calls = before_the_exchange(exchange, true).await;
        assert!((1..=4).contains(&calls.len()), "{exchange}: {calls:?}");
    }
}
