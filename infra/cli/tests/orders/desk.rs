//! A wallet's orders at one exchange: what a caller asks, and what the exchange has executed.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use domain::ids::{Exchange, Tenant};
use serde_json::{Value, json};
use shared::trading::ids::{ClientOrderId, ExchangeOrderId, OrderKey};

use crate::running::{Running, attempt};

const USER: &str = "trader";
const SYMBOL: &str = "ETH";
const QUANTITY: &str = "0.01";

/// The price of the orders that rest below the market, and their price after the change.
const PRICES: [&str; 2] = ["2900", "2890"];

/// The longest time until the outcome of every order is known.
const RESOLVED: Duration = Duration::from_secs(120);

/// An order as its caller knows it.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: String,
    body: Value,
    /// The exchange's id, if there was a response.
    pub(super) order_id: Option<String>,
}

impl Order {
    /// A limit order that rests below the market.
    pub(super) fn limit(id: &str) -> Self {
        Self::new(id, json!({ "type": "LIMIT", "price": PRICES[0] }))
    }

    /// A market order, which fills at once.
    pub(super) fn market(id: &str) -> Self {
        Self::new(id, json!({ "type": "MARKET" }))
    }

    fn new(id: &str, mut body: Value) -> Self {
        body["walletIdOrAddress"] = USER.into();
        body["clientOrderId"] = id.into();
        body["symbol"] = SYMBOL.into();
        body["side"] = "BUY".into();
        body["quantity"] = QUANTITY.into();
        Self { id: id.to_owned(), body, order_id: None }
    }

    fn is_market(&self) -> bool {
        self.body["type"] == "MARKET"
    }
}

/// Returns whether a response states no outcome.
const fn is_open(status: u16) -> bool {
    matches!(status, 409 | 429 | 503 | 504)
}

/// What the exchange executed under the ids of one order.
#[derive(Default)]
struct Executed {
    /// The number of accepted requests with each id.
    accepted: Vec<u64>,
    filled: Vec<String>,
}

/// A wallet with a trading key. It survives the stack.
pub(super) struct Desk {
    pub(super) exchange: Exchange,
    api: String,
    simulator: String,
    wallet_id: String,
    address: String,
}

impl Desk {
    /// Creates the wallet if it does not exist, and registers it.
    pub(super) fn open(stack: &Running, exchange: Exchange) -> Self {
        let user = json!({ "userId": USER }).to_string();
        let (_, wallet) = stack.call("POST", "/api/wallets", &user);
        let text = |name: &str| wallet[name].as_str().unwrap().to_owned();
        let part = match exchange {
            Exchange::Aster => "Aster",
            Exchange::Hyperliquid => "Hyperliquid",
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        let simulator = stack.url(part).replace("http://", "");
        let desk = Self {
            exchange,
            api: stack.address.clone(),
            simulator: simulator.trim_end_matches('/').to_owned(),
            wallet_id: text("walletId"),
            address: text("address"),
        };
        let deposited = json!({ "account": desk.address, "amount": "100000" }).to_string();
        attempt(&desk.simulator, "", "POST", "/_sim/deposit", &deposited).unwrap();
        let body = json!({ "walletIdOrAddress": USER }).to_string();
        let registered = stack.call("POST", &format!("/api/trading/{exchange}/apikey"), &body);
        assert_eq!(registered.0, 200, "{}", registered.1);
        desk
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let path = format!("/api/trading/{}/orders{path}", self.exchange);
        attempt(&self.api, "X-API-KEY: any\r\n", method, &path, body)
    }

    fn steer(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, reply) = attempt(&self.simulator, "", method, path, &body).unwrap();
        assert_eq!(status, 200, "{path}: {reply}");
        reply
    }

    /// Places an order. Without an outcome, the order has no number.
    pub(super) fn place(&self, mut order: Order) -> Order {
        match self.call("POST", "", &order.body.to_string()) {
            Some((200, reply)) => {
                order.order_id = Some(reply["data"]["orderId"].as_str().unwrap().to_owned());
            }
            Some((status, reply)) => assert!(is_open(status), "{}: {reply}", order.id),
            None => {}
        }
        order
    }

    /// Places a resting order.
    pub(super) fn rest(&self, id: &str) -> Order {
        let order = self.place(Order::limit(id));
        assert!(order.order_id.is_some(), "{id}");
        order
    }

    pub(super) fn change(&self, id: &str) -> Option<(u16, Value)> {
        let body = json!({
            "walletIdOrAddress": USER, "symbol": SYMBOL, "price": PRICES[1], "quantity": QUANTITY,
        });
        self.call("PUT", &format!("/{id}"), &body.to_string())
    }

    pub(super) fn cancel(&self, id: &str) -> Option<(u16, Value)> {
        self.call("DELETE", &format!("/{id}?walletIdOrAddress={USER}&symbol={SYMBOL}"), "")
    }

    pub(super) fn cancel_all(&self) {
        let query = format!("?walletIdOrAddress={USER}&symbol={SYMBOL}");
        let (status, reply) = self.finish(|| self.call("DELETE", &query, ""));
        assert_eq!(status, 200, "{reply}");
    }

    fn status(&self, id: &str) -> Option<(u16, Value)> {
        let query = format!("walletIdOrAddress={USER}&symbol={SYMBOL}");
        self.call("GET", &format!("/{id}/status?{query}"), "")
    }

    /// Makes the exchange execute the next orders, change and cancellation without a response. The
    /// last one of the orders may also be lost on its way.
    pub(super) fn never_respond(&self, orders: usize, loses_one: bool) {
        let (place, others): (_, &[&str]) = match self.exchange {
            Exchange::Aster => ("placeOrder", &["modifyOrder", "cancelOrder"]),
            Exchange::Hyperliquid => ("order", &["batchModify", "cancel", "cancelByCloid"]),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        let placed = vec![place; orders - usize::from(loses_one)];
        for target in others.iter().copied().chain(placed) {
            let fault = json!({ "target": target, "fault": "appliedThenHang" });
            self.steer("POST", "/_sim/fault", &fault);
        }
        if loses_one {
            let fault = json!({ "target": place, "fault": "hang" });
            self.steer("POST", "/_sim/fault", &fault);
        }
    }

    /// Waits for a condition, which reads the stack each time.
    pub(super) fn wait_until(&self, what: &str, is_met: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_met() {
            assert!(begun.elapsed() < RESOLVED, "{}: not in time: {what}", self.exchange);
            thread::yield_now();
        }
    }

    pub(super) fn is_changed(&self, id: &str) -> bool {
        self.status(id).unwrap().1["data"]["price"] == PRICES[1]
    }

    pub(super) fn is_cancelled(&self, id: &str) -> bool {
        self.status(id).unwrap().1["data"]["status"] == "CANCELED"
    }

    /// Returns the number of these orders that the exchange has accepted.
    pub(super) fn accepted(&self, ids: &[String]) -> usize {
        let executed = self.executed();
        ids.iter().filter(|id| executed.contains_key(&self.key(id))).count()
    }

    fn key(&self, id: &str) -> OrderKey {
        let id: ClientOrderId = id.parse().unwrap();
        OrderKey::new(&Tenant::local(), self.wallet_id.parse().unwrap(), self.exchange, &id)
    }

    /// Returns what the exchange has executed, by the key of the order's record.
    fn executed(&self) -> BTreeMap<OrderKey, Executed> {
        let path = format!("/_sim/executions?account={}", self.address);
        let mut executed = BTreeMap::<OrderKey, Executed>::new();
        for (text, execution) in self.steer("GET", &path, &Value::Null).as_object().unwrap() {
            let id = ExchangeOrderId::parse(self.exchange, text).unwrap();
            let of_order = executed.entry(id.key).or_default();
            of_order.accepted.push(execution["accepted"].as_u64().unwrap());
            of_order.filled.push(execution["filled"].as_str().unwrap().to_owned());
        }
        executed
    }

    /// Makes a call until the service states an outcome, as an honest client does: it waits as long
    /// as the service asks it to.
    fn finish(&self, call: impl Fn() -> Option<(u16, Value)>) -> (u16, Value) {
        let begun = Instant::now();
        loop {
            let (status, reply) = call().unwrap();
            if !is_open(status) || reply["code"] == "ORDER_NOT_OPEN" {
                return (status, reply);
            }
            assert!(begun.elapsed() < RESOLVED, "{}: no outcome: {reply}", self.exchange);
            let wait_s = reply["retryAfterSeconds"].as_u64().unwrap_or(1);
            thread::sleep(Duration::from_secs(wait_s));
        }
    }

    /// Checks that the service states an order of before the kill as the exchange has it.
    pub(super) fn check_state(&self, order: &Order, is_changed: bool) {
        let (status, reply) = self.finish(|| self.status(&order.id));
        let executed = self.executed().remove(&self.key(&order.id)).unwrap_or_default();
        let id = &order.id;
        assert!(executed.accepted.iter().all(|accepted| *accepted == 1), "{id}: executed twice");
        // Hyperliquid's changed order is a new one, in the place of the old one.
        let most = if is_changed && self.exchange == Exchange::Hyperliquid { 2 } else { 1 };
        assert!(executed.accepted.len() <= most, "{id}: executed under two ids");
        if executed.accepted.is_empty() {
            assert_eq!(order.order_id, None, "{id}: the exchange has lost it");
            assert_eq!((status, &reply["code"]), (404, &json!("ORDER_NOT_FOUND")), "{id}: {reply}");
            return;
        }
        assert_eq!(status, 200, "{id}: {reply}");
        let state = reply["data"]["status"].as_str().unwrap();
        let filled = reply["data"]["filledQuantity"].as_str().unwrap();
        if order.is_market() {
            assert_eq!((state, filled), ("FILLED", QUANTITY), "{id}: {reply}");
            assert_eq!(executed.filled, [QUANTITY], "{id}");
        } else {
            assert!(matches!(state, "OPEN" | "CANCELED"), "{id}: {reply}");
            assert_eq!(filled, "0", "{id}: {reply}");
            assert!(executed.filled.iter().all(|filled| filled == "0"), "{id}");
        }
        if !is_changed && let Some(order_id) = &order.order_id {
            assert_eq!(&reply["data"]["orderId"], order_id, "{id}: {reply}");
        }
    }

    /// Checks that the exchange has changed an order, and repeats the change.
    pub(super) fn check_change(&self, order: &Order) {
        let (_, reply) = self.finish(|| self.status(&order.id));
        assert_eq!(reply["data"]["price"], PRICES[1], "{reply}");
        let (status, reply) = self.finish(|| self.change(&order.id));
        assert_eq!(status, 200, "{reply}");
        let (_, reply) = self.finish(|| self.status(&order.id));
        let data = &reply["data"];
        let shown = (&data["price"], &data["quantity"], &data["status"]);
        assert_eq!(shown, (&json!(PRICES[1]), &json!(QUANTITY), &json!("OPEN")), "{reply}");
    }

    /// Checks that an order is cancelled, and repeats the cancellation.
    pub(super) fn check_cancellation(&self, order: &Order) {
        let (_, reply) = self.finish(|| self.status(&order.id));
        assert_eq!(reply["data"]["status"], "CANCELED", "{reply}");
        let (status, reply) = self.finish(|| self.cancel(&order.id));
        assert!(status == 200 || reply["code"] == "ORDER_NOT_OPEN", "{reply}");
        assert_eq!(reply["data"]["status"], "CANCELED", "{reply}");
    }

    /// Places an order again: the first outcome, or a first attempt if the exchange has none.
    pub(super) fn repeat(&self, order: &Order) {
        let body = order.body.to_string();
        let (status, reply) = self.finish(|| self.call("POST", "", &body));
        assert_eq!(status, 200, "{}: {reply}", order.id);
        // Hyperliquid's changed order has another number.
        let is_same = !order.id.starts_with("changed") || self.exchange == Exchange::Aster;
        if is_same && let Some(order_id) = &order.order_id {
            assert_eq!(&reply["data"]["orderId"], order_id, "{reply}");
        }
    }

    /// Checks that the exchange executed each of these orders once and no other one.
    pub(super) fn check_executions(&self, ids: &[String]) {
        let mut executed = self.executed();
        for id in ids {
            let of_order = executed.remove(&self.key(id)).unwrap_or_default();
            assert!(of_order.accepted.iter().all(|accepted| *accepted == 1), "{id}: twice");
            let most = match self.exchange {
                // Each change of this test makes a new order.
                Exchange::Hyperliquid if id.starts_with("changed") => 3,
                _ => 1,
            };
            assert!((1..=most).contains(&of_order.accepted.len()), "{id}: {:?}", of_order.accepted);
        }
        assert!(executed.is_empty(), "orders without a caller: {:?}", executed.keys());
    }
}
