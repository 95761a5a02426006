//! Orders of the run: each operation, a refused order, and an order whose response is lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::ids::Exchange;
use e2e::kill::Call;
use e2e::lighter::{ACCOUNT, KEY, SLOT, open_account};
use e2e::proxy::{Arrival, Fate};
use exchange_sim::faults::Fault;
use http::Method;
use serde_json::{Value, json};

use super::search::Secret;
use super::{Run, USER};

/// The signatures of calls to the exchanges, by name. A signed order that was not executed yet can be
/// executed by anyone who has its bytes.
#[derive(Clone, Default)]
pub(crate) struct Signatures(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Signatures {
    /// Records the signature of a call.
    pub(crate) fn record(&self, arrival: &Arrival<'_>) {
        let mut known = self.0.lock().unwrap();
        for part in signature(arrival) {
            let name = format!("signature {} of {}", known.len(), arrival.name);
            known.insert(name, part);
        }
    }

    /// Returns the signatures.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let known = self.0.lock().unwrap();
        let signed = OF_ONE_ORDER.into_iter().filter(|call| *call != "Hyperliquid.orderStatus");
        for call in signed {
            assert!(known.keys().any(|name| name.ends_with(call)), "no signature of {call}");
        }
        assert!(known.keys().any(|name| name.ends_with(LIGHTER_SEND)), "no signature of Lighter");
        known.iter().map(|(name, bytes)| Secret::new(name.clone(), bytes.clone())).collect()
    }
}

/// Returns the parts of a call's signature: `r` and `s` on Hyperliquid, all 65 bytes on Aster, all
/// 80 bytes on Lighter.
fn signature(arrival: &Arrival<'_>) -> Vec<Vec<u8>> {
    let decoded = |text: &str| hex::decode(text.strip_prefix("0x").unwrap()).unwrap();
    if arrival.name.starts_with("Hyperliquid.") {
        let body: Value = serde_json::from_slice(arrival.body).unwrap_or_default();
        let part = |name: &str| body["signature"][name].as_str().map(decoded);
        return ["r", "s"].into_iter().filter_map(part).collect();
    }
    if arrival.name == LIGHTER_SEND {
        let fields = url::form_urlencoded::parse(arrival.body);
        let sent = fields.filter(|(name, _)| name == "tx_info");
        let signed = sent.map(|(_, text)| serde_json::from_str::<Value>(&text).unwrap());
        return signed.map(|sent| BASE64.decode(sent["Sig"].as_str().unwrap()).unwrap()).collect();
    }
    if !arrival.name.starts_with("Aster.") {
        return Vec::new();
    }
    let text = format!("{}&{}", arrival.query, String::from_utf8_lossy(arrival.body));
    let values = text.split('&').filter_map(|pair| pair.strip_prefix("signature="));
    values.map(decoded).collect()
}

/// The call that sends a transaction to Lighter.
const LIGHTER_SEND: &str = "Lighter.POST sendTx";

/// The calls that decide about an order. A fault at each of them leaves its outcome unknown.
const OF_ONE_ORDER: [&str; 6] = [
    "Hyperliquid.order",
    "Hyperliquid.orderStatus",
    "Hyperliquid.noop",
    "Aster.POST order",
    "Aster.GET order",
    "Aster.POST noop",
];

fn is_of_one_order(arrival: &Arrival<'_>) -> bool {
    OF_ONE_ORDER.contains(&arrival.name)
}

impl Run {
    /// Makes a call that must have this status.
    async fn trade(&mut self, call: &Call, status: u16) {
        let reply = self.call_with(call, |_| Fate::Pass).await;
        assert_eq!(reply.status, status, "{call:?}: {}", reply.body);
    }

    /// Makes each operation on orders of one exchange.
    pub(crate) async fn trade_on(&mut self, exchange: Exchange) {
        let symbol = match exchange {
            Exchange::Aster => "BTCUSDT",
            Exchange::Hyperliquid => "BTC",
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        let order = |id: &str| {
            json!({
                "clientOrderId": id, "symbol": symbol, "side": "BUY", "type": "LIMIT",
                "quantity": "0.01", "price": "59000",
            })
        };
        let place = |order: &Value| Call::place(exchange, USER, order);
        self.trade(&place(&order("a-1")), 200).await;
        self.trade(&place(&order("a-1")), 200).await;
        self.trade(&place(&json!({ "orders": [order("b-1"), order("b-2")] })), 200).await;
        self.trade(&Call::order_status(exchange, USER, "a-1", symbol), 200).await;
        self.trade(&Call::open_orders(exchange, USER, symbol), 200).await;
        let change = ("58900", "0.02");
        self.trade(&Call::modify(exchange, USER, ("a-1", symbol), change), 200).await;
        self.trade(&Call::cancel(exchange, USER, "a-1", symbol), 200).await;
        self.trade(&Call::cancel_all(exchange, USER, symbol), 200).await;
        let mut market = order("c-1");
        market["type"] = "MARKET".into();
        market.as_object_mut().unwrap().remove("price");
        self.trade(&place(&market), 200).await;
        // More than the account's margin covers.
        let mut refused = order("d-1");
        refused["quantity"] = "15".into();
        self.trade(&place(&refused), 422).await;
        for (id, fault) in [
            ("e-1", Fault::AppliedButLost),
            ("e-2", Fault::Reset),
            ("e-3", Fault::AppliedThenHang),
            ("e-4", Fault::Garbage),
        ] {
            let lost = place(&order(id));
            let disturbed = move |arrival: &Arrival<'_>| {
                if is_of_one_order(arrival) { Fate::Fail(fault.clone()) } else { Fate::Pass }
            };
            let reply = self.call_with(&lost, disturbed).await;
            assert_eq!(reply.status, 504, "{id}: {}", reply.body);
            self.trade(&Call::resolution(exchange, USER), 200).await;
        }
        // The lookups find nothing, and a noop takes the nonce.
        let lost = |arrival: &Arrival<'_>| match arrival.name {
            "Hyperliquid.order" | "Aster.POST order" => Fate::Fail(Fault::Reset),
            _ => Fate::Pass,
        };
        let reply = self.call_with(&place(&order("f-1")), lost).await;
        // Aster's acknowledgement of the noop proves less, so the lookups follow ten seconds later.
        let expected = if exchange == Exchange::Aster { 504 } else { 502 };
        assert_eq!(reply.status, expected, "{}", reply.body);
        self.h.app.clock.advance_ms(11_000);
        self.trade(&Call::resolution(exchange, USER), 200).await;
        self.trade(&Call::cancel_all(exchange, USER, symbol), 200).await;
    }

    /// Makes each operation on Lighter, with its key in each of the forms that the routes accept.
    pub(crate) async fn trade_on_lighter(&mut self) {
        open_account(&self.h.app);
        self.secrets.insert("Lighter's key".to_owned(), hex::decode(KEY).unwrap());
        self.give_lighter_key().await;
        let order = |id: &str| {
            json!({
                "clientOrderId": id, "symbol": "ETH", "side": "BUY", "type": "LIMIT",
                "quantity": "0.1", "price": "2900",
            })
        };
        let call = |method, rest: &str, body| Call::lighter(method, ACCOUNT, rest, body);
        let place = |id: &str| call(Method::POST, "orders", Some(order(id)));
        self.trade(&place("a-1"), 200).await;
        let change = json!({ "price": "2800", "quantity": "0.2" });
        self.trade(&call(Method::PUT, "orders/a-1", Some(change)), 200).await;
        let positions = format!("positions/{ACCOUNT}");
        for rest in ["orders", "orders/a-1/status", &positions, "balances", "credentials"] {
            self.trade(&call(Method::GET, rest, None), 200).await;
        }
        let leverage = json!({ "symbol": "ETH", "leverage": 5 });
        self.trade(&call(Method::POST, "leverage", Some(leverage)), 200).await;
        self.trade(&call(Method::DELETE, "orders/a-1", None), 200).await;
        for (id, fault) in [
            ("e-1", Fault::AppliedButLost),
            ("e-2", Fault::Reset),
            ("e-3", Fault::AppliedThenHang),
            ("e-4", Fault::Garbage),
        ] {
            let disturbed = move |arrival: &Arrival<'_>| {
                let is_hit = [LIGHTER_SEND, "Lighter.GET tx"].contains(&arrival.name);
                if is_hit { Fate::Fail(fault.clone()) } else { Fate::Pass }
            };
            let reply = self.call_with(&place(id), disturbed).await;
            assert_eq!(reply.status, 504, "{id}: {}", reply.body);
            self.trade(&Call::resolution(Exchange::Lighter, USER), 200).await;
        }
        self.trade(&call(Method::DELETE, "orders?symbol=ETH", None), 200).await;
        self.trade(&call(Method::DELETE, "credentials", None), 200).await;
    }

    /// Gives the key in a wrong and in a right way: in the query, in headers and in a body.
    async fn give_lighter_key(&mut self) {
        let (orders, stored) = ("/api/trading/lighter/orders", "/api/trading/lighter/credentials");
        let names = json!({
            "apiKeyPrivateKey": KEY, "apiKeyIndex": SLOT, "accountIndex": ACCOUNT,
        });
        let query = format!("apiKeyPrivateKey={KEY}&apiKeyIndex={SLOT}&accountIndex={ACCOUNT}");
        let app = &self.h.app;
        let in_headers = |method, path: &str| {
            app.request(method, path)
                .header("x-lighter-api-key-private-key", KEY)
                .header("x-lighter-api-key-index", SLOT.to_string())
                .header("x-lighter-account-index", ACCOUNT.to_string())
        };
        let order = |id: &str| {
            json!({
                "clientOrderId": id, "symbol": "ETH", "side": "BUY", "type": "LIMIT",
                "quantity": "0.1", "price": "2900", "credentials": { "lighter": names },
            })
        };
        let mut plain = order("q-1");
        plain.as_object_mut().unwrap().remove("credentials");
        let mut wrong = names.clone();
        wrong["apiKeyIndex"] = 6.into();
        let requests = [
            (app.request(Method::POST, &format!("{orders}?{query}")).json(&plain), 200),
            (app.request(Method::GET, &format!("{orders}?{query}")), 200),
            (app.request(Method::GET, &format!("{orders}/none/status?{query}")), 404),
            (app.request(Method::GET, &format!("{orders}?{query}&apiKeyIndex=7")), 400),
            // Another account.
            (app.request(Method::GET, &format!("{orders}?{query}00")), 404),
            (in_headers(Method::GET, "/api/trading/lighter/balances"), 200),
            (in_headers(Method::GET, &format!("{orders}?{query}")), 400),
            (app.request(Method::POST, orders).json(&order("b-1")), 200),
            (app.request(Method::POST, &format!("{orders}?{query}")).json(&order("b-2")), 400),
            (app.request(Method::PUT, stored).json(&wrong), 422),
            (app.request(Method::PUT, stored).json(&names), 200),
        ];
        for (number, (request, status)) in requests.into_iter().enumerate() {
            let reply = app.send(request).await;
            assert_eq!(reply.status, status, "request {number}: {}", reply.body);
            self.responses.extend_from_slice(reply.body.to_string().as_bytes());
            self.responses.extend_from_slice(format!("{:?}\n", reply.headers).as_bytes());
        }
    }

    /// Changes and reads the trading policy.
    pub(crate) async fn change_policy(&mut self) {
        let app = &self.h.app;
        let path = "/api/trading/policy";
        let limits = json!({ "maxOrderNotional": "900000" });
        for request in [
            app.request(Method::PUT, path).json(&limits),
            app.request(Method::GET, &format!("{path}?walletIdOrAddress={USER}")),
        ] {
            let reply = app.send(request).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            self.responses.extend_from_slice(reply.body.to_string().as_bytes());
        }
    }
}
