//! Tests the HTTP contract of orders on both exchanges: fields, replays, errors, and the places
//! that name the wallet.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use domain::ids::Exchange;
use e2e::{Reply, TestApp};
use exchange_sim::faults::Fault;
use http::Method;
use serde_json::{Value, json};

/// A wallet with funds and a trading key at one exchange.
struct Desk {
    app: TestApp,
    exchange: Exchange,
    wallet_id: String,
}

impl Desk {
    async fn open(exchange: Exchange) -> Self {
        Self::with_funds(exchange, "100000").await
    }

    async fn with_funds(exchange: Exchange, amount: &str) -> Self {
        let app = TestApp::start().await;
        let wallet = app.wallet("trader").await;
        let address = wallet.text("/address").parse().unwrap();
        match exchange {
            Exchange::Aster => app.stack.aster_sim.deposit_amount(address, amount),
            Exchange::Hyperliquid => app.stack.hyperliquid_sim.deposit_amount(address, "", amount),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        assert_eq!(app.register(exchange.as_str(), "trader").await.status, 200);
        Self { app, exchange, wallet_id: wallet.text("/walletId").to_owned() }
    }

    /// Sends a request whose header names the wallet.
    async fn call(&self, method: Method, rest: &str, body: Option<&Value>) -> Reply {
        self.keyed(method, rest, body, None).await
    }

    async fn keyed(
        &self,
        method: Method,
        rest: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Reply {
        let path = format!("/api/trading/{}/orders{rest}", self.exchange);
        let mut request = self.app.request(method, &path).header("x-wallet-id", &self.wallet_id);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.app.send(request).await
    }

    async fn place(&self, order: &Value) -> Reply {
        self.call(Method::POST, "", Some(order)).await
    }

    /// Lets the exchange execute the next order and lose its response, and fail every call that
    /// looks for its outcome.
    fn lose_next_order(&self) {
        let fail = |target: &str, fault| match self.exchange {
            Exchange::Aster => self.app.stack.aster_sim.fail_next(target, fault),
            Exchange::Hyperliquid => self.app.stack.hyperliquid_sim.fail_next(target, fault),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        let order = if self.exchange == Exchange::Aster { "placeOrder" } else { "order" };
        fail(order, Fault::AppliedButLost);
        for target in [order, "noop", "orderStatus"] {
            for _ in 0..20 {
                fail(target, Fault::Status(500, String::new()));
            }
        }
    }

    /// Ends the faults and the lease of the order.
    fn recover(&self) {
        let _ = match self.exchange {
            Exchange::Aster => self.app.stack.aster_sim.clear_faults(),
            Exchange::Hyperliquid => self.app.stack.hyperliquid_sim.clear_faults(),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        self.app.clock.advance_ms(30_000);
    }
}

/// An order that rests far below the market.
fn resting(change: &Value) -> Value {
    let mut order = json!({
        "symbol": "BTC",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "0.01",
        "price": "59000",
    });
    for (name, value) in change.as_object().unwrap() {
        order[name] = value.clone();
    }
    order
}

fn is_replay(reply: &Reply) -> bool {
    reply.headers.get("idempotent-replay").is_some_and(|value| value == "true")
}

#[tokio::test(flavor = "multi_thread")]
async fn order_is_placed_read_and_cancelled_with_published_fields() {
    for exchange in Exchange::ALL {
        let desk = Desk::open(exchange).await;
        let order = resting(&json!({ "clientOrderId": "bot-17" }));
        let placed = desk.place(&order).await;
        assert_eq!((placed.status, is_replay(&placed)), (200, false), "{placed:?}");
        for (field, value) in [
            ("symbol", "BTC"),
            ("side", "BUY"),
            ("type", "LIMIT"),
            ("status", "OPEN"),
            ("price", "59000"),
            ("quantity", "0.01"),
            ("filledQuantity", "0"),
            ("exchange", exchange.as_str()),
            ("clientOrderId", "bot-17"),
            ("timeInForce", "GTC"),
            ("positionSide", "BOTH"),
        ] {
            assert_eq!(placed.text(&format!("/data/{field}")), value, "{placed:?}");
        }
        assert!(placed.body["data"]["timestamp"].is_u64() && placed.body["timestamp"].is_u64());
        let order_id = placed.text("/data/orderId").to_owned();
        assert!(order_id.parse::<u64>().is_ok(), "{placed:?}");

        let again = desk.place(&order).await;
        assert_eq!((again.status, is_replay(&again)), (200, true));
        assert_eq!(again.body["data"], placed.body["data"]);

        for name in [order_id.as_str(), "bot-17"] {
            let read = desk.call(Method::GET, &format!("/{name}/status?symbol=BTC"), None).await;
            assert_eq!((read.status, read.text("/data/status")), (200, "OPEN"), "{read:?}");
            assert_eq!(read.text("/data/orderId"), order_id);
        }
        let listed = desk.call(Method::GET, "?symbol=BTC", None).await;
        assert_eq!((listed.status, &listed.body["count"]), (200, &json!(1)), "{listed:?}");
        assert_eq!(listed.text("/data/orders/0/clientOrderId"), "bot-17");

        let cancelled = desk.call(Method::DELETE, "/bot-17", None).await;
        assert_eq!((cancelled.status, cancelled.text("/data/status")), (200, "CANCELED"));
        let again = desk.call(Method::DELETE, "/bot-17", None).await;
        assert_eq!((again.status, again.text("/code")), (409, "ORDER_NOT_OPEN"), "{again:?}");
        assert_eq!(again.text("/data/status"), "CANCELED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_key_places_the_order_once() {
    for exchange in Exchange::ALL {
        let desk = Desk::open(exchange).await;
        let order = resting(&json!({}));
        let first = desk.keyed(Method::POST, "", Some(&order), Some("a key")).await;
        assert_eq!((first.status, first.text("/code")), (400, "IDEMPOTENCY_KEY_INVALID"));
        let first = desk.keyed(Method::POST, "", Some(&order), Some("key-1")).await;
        assert_eq!((first.status, is_replay(&first)), (200, false), "{first:?}");
        assert!(first.text("/data/clientOrderId").starts_with("ik-"));
        let again = desk.keyed(Method::POST, "", Some(&order), Some("key-1")).await;
        assert_eq!((again.status, is_replay(&again)), (200, true));
        assert_eq!(again.body["data"], first.body["data"]);
        let other = resting(&json!({ "price": "58000" }));
        let reused = desk.keyed(Method::POST, "", Some(&other), Some("key-1")).await;
        assert_eq!((reused.status, reused.text("/code")), (422, "CLIENT_ORDER_ID_REUSED"));
        // Without a key and an id, each request is an order of its own.
        for _ in 0..2 {
            let drawn = desk.place(&order).await;
            assert_eq!((drawn.status, is_replay(&drawn)), (200, false));
            assert!(drawn.text("/data/clientOrderId").starts_with("hdx-"));
        }
        let listed = desk.call(Method::GET, "?symbol=BTC", None).await;
        assert_eq!(listed.body["count"], 3);
    }
}

/// Returns the ids of a request's orders in the header of its response.
fn ids(reply: &Reply) -> Option<&str> {
    reply.headers.get("client-order-id").map(|value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn order_with_drawn_id_and_lost_response_is_retried_by_its_header() {
    for exchange in Exchange::ALL {
        let desk = Desk::open(exchange).await;
        desk.lose_next_order();
        let unknown = desk.place(&resting(&json!({}))).await;
        assert_eq!((unknown.status, unknown.text("/code")), (504, "ORDER_UNKNOWN"), "{unknown:?}");
        let id = ids(&unknown).unwrap();
        assert!(id.starts_with("hdx-"), "{id}");
        assert_eq!(unknown.text("/clientOrderId"), id);
        desk.recover();
        let found = desk.place(&resting(&json!({ "clientOrderId": id }))).await;
        assert_eq!((found.status, found.text("/data/clientOrderId")), (200, id), "{found:?}");
        let listed = desk.call(Method::GET, "?symbol=BTC", None).await;
        assert_eq!(listed.body["count"], 1, "{listed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_response_states_the_ids_of_its_orders() {
    for exchange in Exchange::ALL {
        let desk = Desk::open(exchange).await;
        let order = resting(&json!({}));
        let keyed = desk.keyed(Method::POST, "", Some(&order), Some("key-1")).await;
        assert_eq!(ids(&keyed), Some(keyed.text("/data/clientOrderId")), "{keyed:?}");
        let orders = [json!({}), json!({ "clientOrderId": "bot-1" }), json!({})];
        let batch = desk.place(&json!({ "orders": orders.map(|order| resting(&order)) })).await;
        let id = |index| batch.text(&format!("/data/orders/{index}/clientOrderId"));
        let listed = format!("{}, bot-1, {}", id(0), id(2));
        assert_eq!(ids(&batch), Some(listed.as_str()), "{batch:?}");
        // Nothing is sent, and the order has an id.
        let refused = desk.place(&resting(&json!({ "quantity": "100" }))).await;
        assert_eq!((refused.status, refused.text("/code")), (422, "POLICY_REFUSED"));
        assert!(ids(&refused).is_some_and(|id| id.starts_with("hdx-")), "{refused:?}");
        let invalid = desk.place(&resting(&json!({ "quantity": "0" }))).await;
        assert_eq!((invalid.status, ids(&invalid)), (400, None));

        let close = |body: Value| {
            let path = format!("/api/trading/{exchange}/positions/close");
            let request = desk.app.request(Method::POST, &path);
            desk.app.send(request.header("x-wallet-id", &desk.wallet_id).json(&body))
        };
        for body in [json!({ "symbol": "BTC" }), json!({ "all": true })] {
            let none = close(body).await;
            assert!(none.status >= 400, "{none:?}");
            assert!(ids(&none).is_some_and(|id| id.starts_with("hdx-")), "{none:?}");
        }
        let market =
            json!({ "symbol": "BTC", "side": "BUY", "type": "MARKET", "quantity": "0.01" });
        assert_eq!(desk.place(&market).await.status, 200);
        let closed = close(json!({ "symbol": "BTC" })).await;
        assert_eq!((closed.status, ids(&closed)), (200, Some(closed.text("/data/clientOrderId"))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn close_all_of_unknown_outcome_is_repeated_with_the_id_of_its_error() {
    for exchange in Exchange::ALL {
        let desk = Desk::open(exchange).await;
        for symbol in ["BTC", "ETH"] {
            let quantity = if symbol == "BTC" { "0.01" } else { "0.1" };
            let market =
                json!({ "symbol": symbol, "side": "BUY", "type": "MARKET", "quantity": quantity });
            assert_eq!(desk.place(&market).await.status, 200);
        }
        let close = |body: Value| {
            let path = format!("/api/trading/{exchange}/positions/close");
            let request = desk.app.request(Method::POST, &path);
            desk.app.send(request.header("x-wallet-id", &desk.wallet_id).json(&body))
        };
        // The order for the first position or the one for the second.
        desk.lose_next_order();
        let unknown = close(json!({ "all": true })).await;
        assert_eq!((unknown.status, unknown.text("/code")), (504, "ORDER_UNKNOWN"), "{unknown:?}");
        let id = unknown.text("/clientOrderId");
        assert_eq!(ids(&unknown), Some(id));
        desk.recover();
        let mut closed = close(json!({ "all": true, "clientOrderId": id })).await;
        // An order that never arrived is placed when its bytes can no longer be executed.
        for _ in 0..6 {
            let Some(seconds) = closed.retry_after_s() else { break };
            desk.app.clock.advance_ms(seconds * 1_000);
            closed = close(json!({ "all": true, "clientOrderId": id })).await;
        }
        assert_eq!((closed.status, &closed.body["data"]["placed"]), (200, &json!(2)), "{closed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_returns_the_result_of_each_order() {
    for exchange in Exchange::ALL {
        let desk = Desk::open(exchange).await;
        let orders = ["a", "b"].map(|id| resting(&json!({ "clientOrderId": id })));
        let placed = desk.place(&json!({ "orders": orders })).await;
        assert_eq!(placed.status, 200, "{placed:?}");
        let data = &placed.body["data"];
        assert_eq!((&data["placed"], &data["refused"]), (&json!(2), &json!(0)));
        assert_eq!(placed.text("/data/orders/1/order/clientOrderId"), "b");
        let one = desk.place(&json!({ "orders": [resting(&json!({}))] })).await;
        assert_eq!((one.status, &one.body["data"]["placed"]), (200, &json!(1)), "{one:?}");

        let cancelled = desk.call(Method::DELETE, "?symbol=BTC", None).await;
        assert_eq!((cancelled.status, &cancelled.body["data"]["count"]), (200, &json!(3)));
        assert_eq!(cancelled.text("/data/symbol"), "BTC");
        let listed = desk.call(Method::GET, "?symbol=BTC", None).await;
        assert_eq!(listed.body["count"], 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_without_a_placed_order_returns_every_error() {
    for exchange in Exchange::ALL {
        let desk = Desk::with_funds(exchange, "1").await;
        let orders = ["a", "b"].map(|id| resting(&json!({ "clientOrderId": id })));
        let refused = desk.place(&json!({ "orders": orders })).await;
        let seen = (refused.status, refused.text("/code"));
        assert_eq!(seen, (422, "INSUFFICIENT_FUNDS"), "{refused:?}");
        assert!(!refused.text("/exchangeMessage").is_empty());
        assert_eq!(refused.body["data"]["refused"], 2, "{refused:?}");
        assert_eq!(refused.text("/data/orders/1/code"), "INSUFFICIENT_FUNDS");
        assert_eq!(refused.text("/data/orders/1/clientOrderId"), "b");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_order_has_the_new_price() {
    for exchange in Exchange::ALL {
        let desk = Desk::open(exchange).await;
        desk.place(&resting(&json!({ "clientOrderId": "bot-1" }))).await;
        let change = json!({ "price": "58000", "quantity": "0.02" });
        let changed = desk.call(Method::PUT, "/bot-1", Some(&change)).await;
        assert_eq!((changed.status, changed.text("/data/price")), (200, "58000"), "{changed:?}");
        assert_eq!(changed.text("/data/quantity"), "0.02");
        let read = desk.call(Method::GET, "/bot-1/status", None).await;
        assert_eq!((read.status, read.text("/data/price")), (200, "58000"), "{read:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_texts_of_the_contract() {
    for (exchange, name) in [(Exchange::Aster, "Aster"), (Exchange::Hyperliquid, "Hyperliquid")] {
        let desk = Desk::open(exchange).await;
        let missing = desk.call(Method::GET, "/12345/status?symbol=BTC", None).await;
        assert_eq!((missing.status, missing.text("/code")), (404, "ORDER_NOT_FOUND"));
        assert_eq!(missing.text("/error"), "Order 12345 not found in any market");
        let market = desk.place(&resting(&json!({ "symbol": "NOSUCH" }))).await;
        assert_eq!((market.status, market.text("/error")), (422, "Unknown market: NOSUCH"));
        let tick = desk.place(&resting(&json!({ "price": "59000.123456" }))).await;
        assert_eq!((tick.status, tick.text("/code")), (422, "TICK_SIZE"), "{tick:?}");
        assert!(!tick.text("/limit").is_empty());
        let body = resting(&json!({ "walletIdOrAddress": "keyless" }));
        desk.app.wallet("keyless").await;
        let path = format!("/api/trading/{exchange}/orders");
        let keyless = desk.app.post(&path, body).await;
        assert_eq!((keyless.status, keyless.text("/code")), (404, "API_KEY_NOT_FOUND"));
        let error = format!("Missing or invalid credentials for {name}");
        assert_eq!(keyless.text("/error"), error);
        // The header and the body name different wallets.
        let both = desk.place(&resting(&json!({ "userId": "keyless" }))).await;
        assert_eq!(both.text("/error"), "The request names different wallets", "{both:?}");
        // They name the same wallet.
        let same = desk.place(&resting(&json!({ "userId": "trader" }))).await;
        assert_eq!(same.status, 200, "{same:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_elsewhere_return_guidance() {
    let app = TestApp::start().await;
    for (method, rest) in [
        (Method::GET, ""),
        (Method::POST, ""),
        (Method::DELETE, ""),
        (Method::PUT, "/1"),
        (Method::DELETE, "/1"),
        (Method::GET, "/1/status"),
    ] {
        let path = format!("/api/trading/binance/orders{rest}");
        let reply = app.send(app.request(method.clone(), &path)).await;
        let seen = (reply.status, reply.text("/code"));
        assert_eq!(seen, (400, "EXCHANGE_NOT_SUPPORTED"), "{method} {path}");
    }
}

#[tokio::test]
async fn refusal_of_an_order_is_replayed_with_its_header() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let crossing = json!({ "price": "60500", "timeInForce": "POST_ONLY", "clientOrderId": "alo" });
    let order = resting(&crossing);
    for expected in [false, true] {
        let refused = desk.place(&order).await;
        assert_eq!((refused.status, refused.text("/code")), (422, "WOULD_CROSS"), "{refused:?}");
        assert_eq!((refused.text("/clientOrderId"), is_replay(&refused)), ("alo", expected));
    }
    let batch =
        json!({ "orders": [resting(&json!({ "price": "60500", "timeInForce": "POST_ONLY" }))] });
    for expected in [false, true] {
        let refused = desk.keyed(Method::POST, "", Some(&batch), Some("a-key")).await;
        assert_eq!((refused.status, refused.text("/code")), (422, "WOULD_CROSS"), "{refused:?}");
        assert_eq!(is_replay(&refused), expected);
    }
}
