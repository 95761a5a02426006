//! Runs the operations on orders: placed, changed, cancelled, read, and resolved after a lost
//! response; and the trading policy.

use exchange_sim::faults::Fault;
use http::Method;
use serde_json::{Value, json};

use super::Exchange;
use crate::cloud::Cloud;

/// A price below the market that no order matches.
const LOW: &str = "59000";

/// The functions of an exchange, and a wallet by its names.
struct Trading<'a> {
    cloud: &'a Cloud,
    exchange: &'a Exchange,
    user: &'a str,
    wallet_id: String,
    address: String,
}

impl<'a> Trading<'a> {
    async fn new(cloud: &'a Cloud, exchange: &'a Exchange, user: &'a str) -> Self {
        let path = format!("/api/wallets/{user}");
        let (_, wallet) = cloud.send("get-wallet", (Method::GET, &path), None).await;
        let text = |field: &str| wallet[field].as_str().unwrap().to_owned();
        let (wallet_id, address) = (text("walletId"), text("address"));
        Self { cloud, exchange, user, wallet_id, address }
    }

    fn name(&self) -> &str {
        self.exchange.function.strip_prefix("register-").unwrap()
    }

    async fn call(
        &self,
        operation: &str,
        (method, rest): (Method, &str),
        body: Option<Value>,
    ) -> (u16, Value) {
        let function = format!("{operation}-{}", self.name());
        let path = format!("/api/trading/{}/orders{rest}", self.name());
        self.cloud.send(&function, (method, &path), body).await
    }

    async fn place(&self, wallet: &str, id: &str, quantity: &str) -> (u16, Value) {
        let body = json!({
            "walletIdOrAddress": wallet, "clientOrderId": id, "symbol": "BTC", "side": "BUY",
            "type": "LIMIT", "quantity": quantity, "price": LOW,
        });
        self.call("place-order", (Method::POST, ""), Some(body)).await
    }

    async fn modify(&self, wallet: &str, id: &str) -> (u16, Value) {
        let body = json!({ "walletIdOrAddress": wallet, "price": "58000", "quantity": "0.002" });
        self.call("modify-order", (Method::PUT, &format!("/{id}")), Some(body)).await
    }

    async fn cancel(&self, wallet: &str, id: &str) -> (u16, Value) {
        let rest = format!("/{id}?walletIdOrAddress={wallet}");
        self.call("cancel-orders", (Method::DELETE, &rest), None).await
    }

    async fn status(&self, wallet: &str, id: &str) -> (u16, Value) {
        let rest = format!("/{id}/status?walletIdOrAddress={wallet}");
        self.call("get-orders", (Method::GET, &rest), None).await
    }

    async fn open(&self, wallet: &str) -> usize {
        let rest = format!("?walletIdOrAddress={wallet}&symbol=BTC");
        let (status, listed) = self.call("get-orders", (Method::GET, &rest), None).await;
        assert_eq!(status, 200, "{listed}");
        listed["data"]["orders"].as_array().unwrap().len()
    }

    /// Lets the next order fail, and every attempt to send it again or to use up its nonce, and, if
    /// `hides_order`, every lookup.
    fn fail_next_order(&self, first: Fault, hides_order: bool) {
        let order = if self.name() == "aster" { "placeOrder" } else { "order" };
        (self.exchange.fail)(&self.cloud.app, order, first);
        let lookup = hides_order.then_some("orderStatus");
        for target in [order, "noop"].into_iter().chain(lookup) {
            for _ in 0..20 {
                let fault = Fault::Status(500, String::new());
                (self.exchange.fail)(&self.cloud.app, target, fault);
            }
        }
    }

    fn clear_faults(&self) {
        let _ = match self.name() {
            "aster" => self.cloud.app.stack.aster_sim.clear_faults(),
            _ => self.cloud.app.stack.hyperliquid_sim.clear_faults(),
        };
        // The circuit closes, and the bytes of an order have not expired.
        self.cloud.app.clock.advance_ms(6_000);
    }
}

/// Runs all operations on orders with a registered wallet.
pub(super) async fn traded(cloud: &Cloud, exchange: &Exchange) {
    cloud.app.clock.advance_ms(60_000);
    let trading = Trading::new(cloud, exchange, "user_2").await;
    let (user, address) = (trading.user, trading.address.clone());
    for (name, id) in [(user, "by-user"), (&address, "by-address"), (&trading.wallet_id, "by-id")] {
        let placed = trading.place(name, id, "0.001").await;
        assert_eq!((placed.0, &placed.1["data"]["status"]), (200, &json!("OPEN")), "{placed:?}");
        let again = trading.place(name, id, "0.001").await;
        assert_eq!(again.1["data"]["orderId"], placed.1["data"]["orderId"], "{again:?}");
    }
    assert_eq!(trading.open(user).await, 3);
    assert_eq!(trading.open(&address).await, 3);
    for (name, id) in [(user, "by-user"), (&address, "by-address")] {
        let changed = trading.modify(name, id).await;
        assert_eq!(changed.0, 200, "{changed:?}");
        let status = trading.status(name, id).await;
        assert_eq!((status.0, &status.1["data"]["quantity"]), (200, &json!("0.002")), "{status:?}");
        let gone = trading.cancel(name, id).await;
        assert_eq!((gone.0, &gone.1["data"]["status"]), (200, &json!("CANCELED")), "{gone:?}");
        assert_eq!(trading.cancel(name, id).await.0, 409);
    }
    let rest = format!("?walletIdOrAddress={user}&symbol=BTC");
    let all = trading.call("cancel-orders", (Method::DELETE, &rest), None).await;
    assert_eq!((all.0, &all.1["data"]["count"]), (200, &json!(1)), "{all:?}");
    refused(&trading).await;
    for name in ["nobody", "0x00000000000000000000000000000000000000aa"] {
        assert_eq!(trading.place(name, "no-wallet", "0.001").await.0, 404);
        assert_eq!(trading.status(name, "no-wallet").await.0, 404);
    }
    lost(&trading).await;
}

/// Orders that the policy and the exchange refuse.
async fn refused(trading: &Trading<'_>) {
    let policy = trading.place(trading.user, "too-large", "100").await;
    assert_eq!((policy.0, &policy.1["code"]), (422, &json!("POLICY_REFUSED")), "{policy:?}");
    let margin = trading.place(trading.user, "no-margin", "16").await;
    assert_eq!((margin.0, &margin.1["code"]), (422, &json!("INSUFFICIENT_FUNDS")), "{margin:?}");
}

/// An order that was executed and one that was not, each with a lost response, are resolved by the
/// job.
async fn lost(trading: &Trading<'_>) {
    let job = format!("resolve-orders-{}", trading.name());
    let run = async || trading.cloud.run(&job).await;
    assert_eq!(run().await["unknown"], json!(0));
    let not_executed = Fault::Status(500, String::new());
    for (id, fault, hides_order) in
        [("executed", Fault::AppliedButLost, true), ("not-executed", not_executed, false)]
    {
        trading.cloud.app.clock.advance_ms(61_000);
        trading.fail_next_order(fault, hides_order);
        let unknown = trading.place(trading.user, id, "0.001").await;
        assert_eq!((unknown.0, &unknown.1["code"]), (504, &json!("ORDER_UNKNOWN")), "{unknown:?}");
        trading.clear_faults();
        let done = run().await;
        assert_eq!((&done["resolved"], &done["unknown"]), (&json!(1), &json!(0)), "{done}");
    }
    let status = trading.status(trading.user, "executed").await;
    assert_eq!((status.0, &status.1["data"]["status"]), (200, &json!("OPEN")), "{status:?}");
    let placed = trading.place(trading.user, "not-executed", "0.001").await;
    assert_eq!((placed.0, &placed.1["data"]["status"]), (200, &json!("OPEN")), "{placed:?}");
    assert_eq!(trading.open(trading.user).await, 2);
    removed(trading).await;
}

/// Executed orders with a lost response are resolved when their trading key is rotated or deleted.
async fn removed(trading: &Trading<'_>) {
    let Trading { cloud, exchange, user, .. } = trading;
    for (id, is_rotation) in [("before-rotation", true), ("before-deletion", false)] {
        cloud.app.clock.advance_ms(61_000);
        trading.fail_next_order(Fault::AppliedButLost, true);
        let unknown = trading.place(user, id, "0.001").await;
        assert_eq!((unknown.0, &unknown.1["code"]), (504, &json!("ORDER_UNKNOWN")), "{unknown:?}");
        trading.clear_faults();
        let done = if is_rotation {
            exchange.rotate(cloud, user).await
        } else {
            let deleted = exchange.delete(cloud, user).await;
            assert_eq!(exchange.register(cloud, user).await.0, 200);
            deleted
        };
        assert_eq!(done.0, 200, "{done:?}");
        let run = cloud.run(&format!("resolve-orders-{}", trading.name())).await;
        assert_eq!((&run["resolved"], &run["unknown"]), (&json!(0), &json!(0)), "{run}");
        assert_eq!(trading.cancel(user, id).await.0, 200);
    }
}

/// Reads and changes the policy of the tenant and of a wallet by each of its names.
pub(super) async fn limited(cloud: &Cloud) {
    let path = "/api/trading/policy";
    let (status, none) = cloud.send("get-trading-policy", (Method::GET, path), None).await;
    assert_eq!((status, &none["data"]["effective"]["ordersPerMinute"]), (200, &json!(300)));
    let (_, wallet) = cloud.send("get-wallet", (Method::GET, "/api/wallets/user_2"), None).await;
    let address = wallet["address"].as_str().unwrap();
    for (name, limit) in [(None, 290), (Some("user_2"), 280), (Some(address), 270)] {
        let mut body = json!({ "ordersPerMinute": limit });
        if let Some(name) = name {
            body["walletIdOrAddress"] = json!(name);
        }
        let at = (Method::PUT, path);
        let (status, set) = cloud.send("set-trading-policy", at, Some(body)).await;
        assert_eq!((status, &set["data"]["effective"]["ordersPerMinute"]), (200, &json!(limit)));
        let query = name.map_or_else(String::new, |name| format!("?walletIdOrAddress={name}"));
        let at = format!("{path}{query}");
        let (status, read) = cloud.send("get-trading-policy", (Method::GET, &at), None).await;
        assert_eq!((status, &read["data"]["effective"]["ordersPerMinute"]), (200, &json!(limit)));
    }
    let at = format!("{path}?walletIdOrAddress=nobody");
    assert_eq!(cloud.send("get-trading-policy", (Method::GET, &at), None).await.0, 404);
}
