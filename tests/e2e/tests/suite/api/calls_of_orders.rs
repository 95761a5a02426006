//! Counts the remote calls of each operation on orders, for a wallet named by its id in a process
//! with filled caches. At most three of them precede the call of the exchange.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::collections::BTreeMap;

use axum::body::Body;
use e2e::TestApp;
use http::Method;
use platform::telemetry::RemoteCalls;
use serde_json::{Value, json};
use tower::ServiceExt;

/// The calls of an exchange.
struct Exchange {
    name: &'static str,
    place: &'static str,
    modify: &'static str,
    cancel: &'static str,
    open: &'static str,
    status: &'static str,
}

const EXCHANGES: [Exchange; 2] = [
    Exchange {
        name: "hyperliquid",
        place: "Hyperliquid./exchange",
        modify: "Hyperliquid./exchange",
        cancel: "Hyperliquid./exchange",
        open: "Hyperliquid./info",
        status: "Hyperliquid./info",
    },
    Exchange {
        name: "aster",
        place: "Aster./fapi/v3/order",
        modify: "Aster./fapi/v3/order",
        cancel: "Aster./fapi/v3/order",
        open: "Aster./fapi/v3/openOrders",
        status: "Aster./fapi/v3/order",
    },
];

/// A wallet that trades.
struct Trader {
    app: TestApp,
    exchange: &'static Exchange,
    wallet_id: String,
}

impl Trader {
    async fn new(exchange: &'static Exchange) -> Self {
        let app = TestApp::start().await;
        let wallet_id = app.wallet("user_1").await.text("/walletId").to_owned();
        assert_eq!(app.register(exchange.name, "user_1").await.status, 200);
        Self { app, exchange, wallet_id }
    }

    /// Calls the API without a socket, and returns the calls of the request.
    async fn calls(
        &self,
        method: Method,
        rest: &str,
        body: Option<Value>,
    ) -> BTreeMap<String, u32> {
        let path = format!("/api/trading/{}/orders{rest}", self.exchange.name);
        self.calls_of(method, &path, body).await
    }

    async fn calls_of(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> BTreeMap<String, u32> {
        let request = http::Request::builder().method(method).uri(path);
        let request = request.header("x-wallet-id", &self.wallet_id);
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        let response = self.app.stack.router.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.extensions().get::<RemoteCalls>().unwrap().counts()
    }

    async fn place(&self, id: &str) -> BTreeMap<String, u32> {
        let body = json!({
            "clientOrderId": id, "symbol": "BTC", "side": "BUY", "type": "LIMIT",
            "quantity": "0.001", "price": "59000",
        });
        self.calls(Method::POST, "", Some(body)).await
    }
}

fn calls(list: &[(&str, u32)]) -> BTreeMap<String, u32> {
    list.iter().map(|(call, count)| ((*call).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn order_costs_four_calls_of_aws_and_one_of_the_exchange() {
    for exchange in &EXCHANGES {
        let trader = Trader::new(exchange).await;
        let cold = trader.place("first").await;
        assert_eq!(cold.get("KMS.Decrypt"), Some(&1), "{cold:?}");
        let placed = calls(&[
            // The wallet, the credential, the ledger and the policies.
            ("DynamoDB.BatchGetItem", 1),
            // The order with its bytes, and the ledger with its nonce.
            ("DynamoDB.TransactWriteItems", 1),
            // The exchange's budget, and the outcome after its response.
            ("DynamoDB.UpdateItem", 2),
            (exchange.place, 1),
        ]);
        assert_eq!(trader.place("second").await, placed, "{}", exchange.name);
        // A replay asks nothing else.
        assert_eq!(trader.place("second").await, calls(&[("DynamoDB.BatchGetItem", 1)]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn change_cancellation_and_reads_of_orders_have_fixed_call_counts() {
    for exchange in &EXCHANGES {
        let trader = Trader::new(exchange).await;
        trader.place("first").await;
        let body = json!({ "price": "58000", "quantity": "0.001" });
        let changed = trader.calls(Method::PUT, "/first", Some(body)).await;
        // The present order, and on Hyperliquid the book and the fills of the replaced order.
        let reads = if exchange.name == "aster" { 1 } else { 3 };
        let mut expected = calls(&[
            ("DynamoDB.BatchGetItem", 1),
            ("DynamoDB.TransactWriteItems", 1),
            // Each call of the exchange takes its weight; then the outcome.
            ("DynamoDB.UpdateItem", reads + 2),
            (exchange.modify, 1),
        ]);
        *expected.entry(exchange.status.to_owned()).or_default() += reads;
        assert_eq!(changed, expected, "{}", exchange.name);
        let read = |call: &str| {
            calls(&[("DynamoDB.BatchGetItem", 1), ("DynamoDB.UpdateItem", 1), (call, 1)])
        };
        let status = trader.calls(Method::GET, "/first/status", None).await;
        assert_eq!(status, read(exchange.status), "{}", exchange.name);
        let open = trader.calls(Method::GET, "?symbol=BTC", None).await;
        let mut expected = read(exchange.open);
        // The records of the listed orders.
        expected.insert("DynamoDB.BatchGetItem".to_owned(), 2);
        assert_eq!(open, expected, "{}", exchange.name);
        // At the time of an earlier nonce, another attempt would take the next one.
        trader.app.clock.advance_ms(1_000);
        let cancelled = trader.calls(Method::DELETE, "/first", None).await;
        // Hyperliquid does not return the cancelled order, so it is asked for it.
        let after = if exchange.name == "aster" { 0 } else { 1 };
        let mut expected = calls(&[
            ("DynamoDB.BatchGetItem", 1),
            // The budget and the nonce.
            ("DynamoDB.UpdateItem", 2 + after),
            (exchange.cancel, 1),
        ]);
        if after > 0 {
            expected.insert(exchange.status.to_owned(), after);
        }
        assert_eq!(cancelled, expected, "{}", exchange.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn removal_of_a_key_reads_the_index_only_after_an_order() {
    for exchange in &EXCHANGES {
        let trader = Trader::new(exchange).await;
        let path = format!("/api/trading/{}/apikey", exchange.name);
        let rotate = format!("{path}/rotate");
        let body = json!({ "walletIdOrAddress": trader.wallet_id });
        let (read, query) = ("DynamoDB.BatchGetItem", "DynamoDB.Query");
        // The ledger, and one item of the account's keys.
        let unused = trader.calls_of(Method::POST, &rotate, Some(body.clone())).await;
        assert_eq!((unused.get(read), unused.get(query)), (Some(&1), Some(&1)), "{unused:?}");
        trader.place("first").await;
        trader.app.clock.advance_ms(10_000);
        // The index of orders with an unknown outcome has 16 shards.
        let traded = trader.calls_of(Method::POST, &rotate, Some(body)).await;
        assert_eq!((traded.get(read), traded.get(query)), (Some(&1), Some(&17)), "{traded:?}");
        trader.app.clock.advance_ms(10_000);
        let path = format!("{path}?walletIdOrAddress={}", trader.wallet_id);
        let gone = trader.calls_of(Method::DELETE, &path, None).await;
        assert_eq!((gone.get(read), gone.get(query)), (Some(&1), Some(&17)), "{gone:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_costs_two_reads_and_one_write() {
    let trader = Trader::new(&EXCHANGES[0]).await;
    let path = "/api/trading/policy";
    // The policies, and a count instead of the wallet's record.
    let reads = [("DynamoDB.BatchGetItem", 1), ("DynamoDB.Query", 1)];
    assert_eq!(trader.calls_of(Method::GET, path, None).await, calls(&reads));
    let body = json!({ "ordersPerMinute": 10 });
    let changed = trader.calls_of(Method::PUT, path, Some(body)).await;
    assert_eq!(changed, calls(&[reads[0], reads[1], ("DynamoDB.PutItem", 1)]));
}
