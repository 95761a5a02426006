//! A client of the simulated Lighter, which signs with the product's library.

use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::Address;
use axum::body::{Body, to_bytes};
use domain::random::Random;
use exchange_sim::faults::Fault;
use exchange_sim::lighter::{Exchange, Network};
use http::Request;
use lighter_signer::{
    Action, Attributes, MAINNET, Order, OrderType, SecretKey, TimeInForce, Transaction,
};
use serde_json::Value;
use tower::ServiceExt;

use super::{Answer, Clock, START, send};

pub(crate) const ACCOUNT: u64 = 281_190;
pub(crate) const SLOT: u8 = 5;
pub(crate) const BTC: u16 = 7;

pub(crate) fn owner() -> Address {
    Address::repeat_byte(7)
}

pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 40]).unwrap()
}

/// An exchange with one account and its key, the clock, and a counter for nonces.
pub(crate) struct Lighter {
    pub(crate) exchange: Exchange,
    pub(crate) clock: Clock,
    random: Random,
    nonces: AtomicU64,
}

impl Lighter {
    pub(crate) fn new() -> Self {
        let clock = Clock::at(START);
        let exchange = Exchange::new(Network::Mainnet, clock.reader());
        assert!(exchange.add_account(ACCOUNT, owner()));
        assert!(exchange.set_key(ACCOUNT, SLOT, &key(1).public_key().to_string()));
        Self { exchange, clock, random: Random::system(), nonces: AtomicU64::new(0) }
    }

    /// Returns a transaction with the next nonce.
    pub(crate) fn transaction(&self, action: Action) -> Transaction {
        Transaction {
            account_index: ACCOUNT,
            api_key_index: SLOT,
            nonce: self.nonces.fetch_add(1, Ordering::SeqCst),
            expired_at_ms: self.clock.now() + 60_000,
            action,
            attributes: Attributes::default(),
        }
    }

    /// Signs without the library's checks of the time, and returns `tx_type`, `tx_info` and hash.
    pub(crate) fn sign(&self, transaction: &Transaction, by: &SecretKey) -> (u8, String, String) {
        let hash = transaction.hash(MAINNET);
        let signature = by.sign(&hash, &self.random).unwrap();
        (transaction.action.tx_type(), transaction.tx_info(&signature), hash.to_string())
    }

    pub(crate) async fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let content = Some(("application/x-www-form-urlencoded", body));
        send(self.exchange.router(), "POST", path, content).await
    }

    pub(crate) async fn send(&self, tx_type: u8, tx_info: &str) -> Answer {
        let pairs = [("tx_type", tx_type.to_string()), ("tx_info", tx_info.to_owned())];
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.form("/api/v1/sendTx", &pairs).await
    }

    /// Sends a transaction that is lost at first and arrives later.
    pub(crate) async fn send_late(&self, tx_type: u8, tx_info: &str, ms: u64) {
        self.exchange.fail_next("/api/v1/sendTx", Fault::Late { ms });
        let kind = "application/x-www-form-urlencoded";
        let request = Request::post("/api/v1/sendTx").header("content-type", kind);
        let pairs = [("tx_type", tx_type.to_string()), ("tx_info", tx_info.to_owned())];
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let request = request.body(Body::from(form.extend_pairs(pairs).finish())).unwrap();
        let response = self.exchange.router().oneshot(request).await.unwrap();
        assert!(to_bytes(response.into_body(), usize::MAX).await.is_err(), "the response breaks");
    }

    /// Sends a transaction by the account's key, and returns its code and its hash.
    pub(crate) async fn act(&self, action: Action) -> (u64, String) {
        let (tx_type, info, hash) = self.sign(&self.transaction(action), &key(1));
        (code(&self.send(tx_type, &info).await), hash)
    }

    /// Sends a transaction that the sequencer must execute.
    pub(crate) async fn execute(&self, action: Action) {
        let (code, hash) = self.act(action).await;
        let tx = self.tx(&hash).await;
        assert_eq!((code, tx["status"].as_u64()), (200, Some(2)), "{tx}");
    }

    /// Returns the code of the sequencer's refusal of an accepted transaction.
    pub(crate) async fn failure(&self, action: Action) -> u64 {
        let (code, hash) = self.act(action).await;
        let tx = self.tx(&hash).await;
        assert_eq!((code, tx["status"].as_u64()), (200, Some(0)), "{tx}");
        let event: Value = serde_json::from_str(tx["event_info"].as_str().unwrap()).unwrap();
        let cause: Value = serde_json::from_str(event["ae"].as_str().unwrap()).unwrap();
        cause["code"].as_u64().unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.exchange.router(), "GET", &format!("/api/v1/{path}"), None).await
    }

    /// Reads with a token of the account's key.
    pub(crate) async fn get_signed(&self, path: &str) -> Value {
        let now_s = self.clock.now() / 1_000;
        let sender = (ACCOUNT, SLOT);
        let token = key(1).auth_token(sender, now_s + 60, now_s, &self.random).unwrap();
        self.get_with(path, token.as_str()).await.json()
    }

    pub(crate) async fn get_with(&self, path: &str, token: &str) -> Answer {
        let request = Request::get(format!("/api/v1/{path}")).header("authorization", token);
        let request = request.body(Body::empty()).unwrap();
        let response = self.exchange.router().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8(body.into()).unwrap();
        Answer { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn tx(&self, hash: &str) -> Value {
        self.get(&format!("tx?by=hash&value={hash}")).await.json()
    }

    pub(crate) async fn next_nonce(&self) -> u64 {
        let path = format!("nextNonce?account_index={ACCOUNT}&api_key_index={SLOT}");
        self.get(&path).await.json()["nonce"].as_u64().unwrap()
    }

    /// Returns the state of the order with a client order index.
    pub(crate) async fn status(&self, client: u64) -> String {
        let path = format!("accountOrders?account_index={ACCOUNT}&client_order_indexes={client}");
        let orders = self.get_signed(&path).await;
        orders["orders"][0]["status"].as_str().unwrap_or_default().to_owned()
    }
}

pub(crate) fn code(answer: &Answer) -> u64 {
    let code = answer.json()["code"].as_u64().unwrap();
    let expected = match code {
        200 => 200,
        23_000 => 429,
        _ => 400,
    };
    assert_eq!(answer.status, expected, "{}", answer.body);
    code
}

/// Returns a limit order of BTC, in units of 0.0001 BTC and 0.01 dollars.
pub(crate) fn limit(client: u64, is_ask: bool, base_amount: u64, price: u32) -> Order {
    Order {
        market_index: BTC,
        client_order_index: client,
        base_amount,
        price,
        is_ask,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::GoodTillTime,
        reduce_only: false,
        trigger_price: 0,
        expiry_ms: START + 28 * 86_400_000,
    }
}

/// Returns a market order.
pub(crate) fn market(client: u64, is_ask: bool, base_amount: u64, worst: u32) -> Order {
    Order {
        order_type: OrderType::Market,
        time_in_force: TimeInForce::ImmediateOrCancel,
        expiry_ms: 0,
        ..limit(client, is_ask, base_amount, worst)
    }
}
