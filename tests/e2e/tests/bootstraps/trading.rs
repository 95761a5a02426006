//! Tests the functions of orders, positions and accounts as built.

use domain::ids::Exchange;
use e2e::Reply;
use hyperdex_local::Stack;
use serde_json::{Value, json};

use crate::event::{event, post, scheduled};
use crate::lambda::{FUNCTIONS, Function, Invoked, Lambda, cloud};
use crate::{address, create_event, register};

/// A wallet with funds and a trading key at one exchange, and the functions of the exchange.
struct Desk<'a> {
    lambda: &'a Lambda,
    stack: &'a Stack,
    exchange: Exchange,
    wallet_id: String,
    peaks: Vec<String>,
}

impl Desk<'_> {
    fn function(&self, operation: &str) -> Function {
        let name = format!("{operation}-{}", self.exchange);
        let name = FUNCTIONS.into_iter().find(|known| *known == name).unwrap();
        self.lambda.function(name, self.stack)
    }

    /// Sends a request to a function of the exchange, with the wallet in its header.
    async fn call(
        &mut self,
        operation: &str,
        (method, path): (&str, &str),
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Reply {
        let function = self.function(operation);
        let path = format!("/api/trading/{}/{path}", self.exchange);
        self.send(function, (method, &path), query, body).await
    }

    async fn send(
        &mut self,
        mut function: Function,
        (method, path): (&str, &str),
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Reply {
        let body = body.map_or(Value::Null, |body| json!(body.to_string()));
        let mut event = event(method, path, &body);
        event["headers"]["x-wallet-id"] = json!(self.wallet_id);
        event["multiValueHeaders"]["x-wallet-id"] = json!([self.wallet_id]);
        for (name, value) in query {
            event["queryStringParameters"][name] = json!(value);
            event["multiValueQueryStringParameters"][name] = json!([value]);
        }
        let reply = function.call(&event).await;
        self.peaks.push(function.peak());
        reply
    }
}

/// Places, changes and cancels an order, and reads it.
async fn orders(desk: &mut Desk<'_>) {
    let order = json!({
        "clientOrderId": "bot-1", "symbol": "BTC", "side": "BUY", "type": "LIMIT",
        "quantity": "0.01", "price": "59000",
    });
    for replayed in [false, true] {
        let placed = desk.call("place-order", ("POST", "orders"), &[], Some(order.clone())).await;
        assert_eq!((placed.status, placed.text("/data/status")), (200, "OPEN"), "{placed:?}");
        assert_eq!(placed.headers["client-order-id"], "bot-1");
        assert_eq!(placed.headers.contains_key("idempotent-replay"), replayed);
    }
    let change = json!({ "price": "58000", "quantity": "0.02" });
    let changed = desk.call("modify-order", ("PUT", "orders/bot-1"), &[], Some(change)).await;
    assert_eq!((changed.status, changed.text("/data/quantity")), (200, "0.02"), "{changed:?}");
    let listed = desk.call("get-orders", ("GET", "orders"), &[("symbol", "BTC")], None).await;
    assert_eq!((listed.status, &listed.body["count"]), (200, &json!(1)), "{listed:?}");
    let gone = desk.call("cancel-orders", ("DELETE", "orders/bot-1"), &[], None).await;
    assert_eq!((gone.status, gone.text("/data/status")), (200, "CANCELED"), "{gone:?}");
    let read = desk.call("get-orders", ("GET", "orders/bot-1/status"), &[], None).await;
    assert_eq!((read.status, read.text("/data/status")), (200, "CANCELED"), "{read:?}");
}

/// Sets the leverage, opens a position, reads the account, and closes the position.
async fn account(desk: &mut Desk<'_>) {
    let leverage = json!({ "symbol": "BTC", "leverage": 5 });
    let set = desk.call("set-leverage", ("POST", "leverage"), &[], Some(leverage)).await;
    assert_eq!((set.status, &set.body["data"]["leverage"]), (200, &json!(5)), "{set:?}");
    let order = json!({ "symbol": "BTC", "side": "BUY", "type": "MARKET", "quantity": "0.01" });
    let opened = desk.call("place-order", ("POST", "orders"), &[], Some(order)).await;
    assert_eq!((opened.status, opened.text("/data/status")), (200, "FILLED"), "{opened:?}");
    let path = format!("positions/{}", desk.wallet_id);
    let held = desk.call("get-positions", ("GET", &path), &[], None).await;
    assert_eq!((held.status, &held.body["totalPositions"]), (200, &json!(1)), "{held:?}");
    let all = desk.lambda.function("get-positions-all", desk.stack);
    let path = format!("/api/trading/positions/all/{}", desk.wallet_id);
    let all = desk.send(all, ("GET", &path), &[], None).await;
    assert_eq!((all.status, &all.body["totalPositions"]), (200, &json!(1)), "{all:?}");
    let balances = desk.call("get-balances", ("GET", "balances"), &[], None).await;
    assert_eq!(balances.status, 200, "{balances:?}");
    assert!(!balances.body["data"]["balances"].as_array().unwrap().is_empty(), "{balances:?}");
    let fills = desk.call("get-fills", ("GET", "fills"), &[("symbol", "BTC")], None).await;
    assert_eq!((fills.status, &fills.body["count"]), (200, &json!(1)), "{fills:?}");
    let close = Some(json!({ "symbol": "BTC" }));
    let closed = desk.call("close-position", ("POST", "positions/close"), &[], close).await;
    assert_eq!((closed.status, closed.text("/data/status")), (200, "FILLED"), "{closed:?}");
    let mut job = desk.function("resolve-orders");
    let Invoked::Answered(done) = job.invoke(scheduled().to_string()).await else {
        panic!("{:?}", job.log());
    };
    assert_eq!(done["unknown"], 0, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn built_functions_trade_and_read_accounts() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    let _cosigner = lambda.function("cosigner", &stack).started();
    let mut create = lambda.function("create-wallet", &stack);
    for exchange in Exchange::ALL {
        let user = format!("on_{exchange}");
        let created = create.call(&create_event(&user)).await;
        let (wallet_id, wallet) =
            (created.text("/walletId").to_owned(), address(created.text("/address")));
        match exchange {
            Exchange::Aster => stack.aster_sim.deposit_amount(wallet, "100000"),
            Exchange::Hyperliquid => stack.hyperliquid_sim.deposit_amount(wallet, "", "100000"),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        let (lambda, stack) = (&lambda, &stack);
        let mut desk = Desk { lambda, stack, exchange, wallet_id, peaks: Vec::new() };
        let mut registers = desk.function("register");
        let registered = register(&mut registers, exchange.as_str(), &user).await;
        assert_eq!(registered.status, 200, "{registered:?}");
        orders(&mut desk).await;
        account(&mut desk).await;
        desk.peaks.sort_unstable();
        println!("{}", desk.peaks.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn built_functions_read_and_tighten_the_trading_policy() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    let _cosigner = lambda.function("cosigner", &stack).started();
    let created = lambda.function("create-wallet", &stack).call(&create_event("user_1")).await;
    let (path, id) = ("/api/trading/policy", created.text("/walletId"));
    let mut set = lambda.function("set-trading-policy", &stack);
    let fields = json!({ "walletIdOrAddress": id, "ordersPerMinute": 7 });
    let body = json!(fields.to_string());
    let changed = set.call(&event("PUT", path, &body)).await;
    let effective = "/data/effective/ordersPerMinute";
    let seven = json!(7);
    assert_eq!((changed.status, changed.body.pointer(effective)), (200, Some(&seven)));
    let mut asked = event("GET", path, &Value::Null);
    asked["queryStringParameters"] = json!({ "walletIdOrAddress": id });
    asked["multiValueQueryStringParameters"] = json!({ "walletIdOrAddress": [id] });
    let read = lambda.function("get-trading-policy", &stack).call(&asked).await;
    assert_eq!((read.status, read.body.pointer(effective)), (200, Some(&seven)), "{read:?}");
    // A wallet that does not exist has no policy.
    let unknown = json!({ "walletIdOrAddress": "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a" });
    let unknown = set.call(&event("PUT", path, &json!(unknown.to_string()))).await;
    assert_eq!((unknown.status, unknown.text("/code")), (404, "WALLET_NOT_FOUND"));
    let wrong = set.call(&post(path, &json!({}))).await;
    assert_eq!(wrong.status, 405, "{wrong:?}");
}
