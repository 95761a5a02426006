//! The client against an exchange that plays a script. The simulator checks signatures; these tests
//! check the bytes on the wire and the calls that follow a response.

use std::sync::mpsc::Receiver;

use domain::intent::HyperliquidChain;

use super::params::{Order, OrderId};
use super::*;
use crate::exchanges::account::MarginMode;
use crate::exchanges::http::scripted::{Received, Reply, serve};
use crate::trading::ids::{ExchangeOrderId, Leg, OrderKey};
use crate::trading::ledger::{ASTER_NONCE_STEP, next_nonce};
use crate::trading::order::{ChangeFields, OrderFields, OrderRequest};

/// A nonce in the past of every clock.
const NONCE: u64 = 1_691_000_000_000_000;

fn client(script: Vec<Reply>) -> (Client, Receiver<Received>) {
    let (url, told) = serve(script);
    let config = AsterConfig {
        spot_url: url.clone(),
        public_url: url.clone(),
        url,
        signature_chain_id: 56,
        chain: HyperliquidChain::Mainnet,
        ip_whitelist: None,
        validity_ms: 1,
        call_timeout_ms: 10_000,
        v1_url: None,
        builder: None,
    };
    (Client::new(&config, 6_000, &Clock::system(), &Random::system()), told)
}

fn key() -> AgentKey {
    AgentKey::from_bytes(&[7; 32]).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

fn order() -> OrderRequest {
    let fields = OrderFields {
        symbol: Some("BTC"),
        side: Some("BUY"),
        order_type: Some("LIMIT"),
        quantity: Some("0.001"),
        price: Some("60000.5"),
        ..OrderFields::default()
    };
    fields.check(domain::ids::Exchange::Aster).unwrap()
}

fn reported(client_id: &str, status: &str) -> Reply {
    let order = serde_json::json!({
        "orderId": 1, "symbol": "BTCUSDT", "status": status, "clientOrderId": client_id,
        "price": "60000.5", "origQty": "0.001", "executedQty": "0", "side": "BUY", "type": "LIMIT",
    });
    Reply::Response(200, order.to_string())
}

fn refused(code: i64) -> Reply {
    Reply::Response(400, serde_json::json!({"code": code, "msg": "words"}).to_string())
}

/// Returns the parameters of a signed text.
fn parameters(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn nonce_of(received: &Received) -> u64 {
    let (_, query) = received.head[0].split_once('?').unwrap();
    parameters(query.split(' ').next().unwrap())[0].1.parse().unwrap()
}

#[test]
fn calls_are_the_closed_list() {
    let listed: Vec<_> = Call::ALL.map(|it| (it.method(), it.path(), it.weight())).into();
    assert_eq!(
        listed,
        [
            (Method::Post, "/fapi/v3/order", 1),
            (Method::Post, "/fapi/v3/batchOrders", 5),
            (Method::Put, "/fapi/v3/order", 1),
            (Method::Delete, "/fapi/v3/order", 1),
            (Method::Delete, "/fapi/v3/batchOrders", 1),
            (Method::Delete, "/fapi/v3/allOpenOrders", 1),
            (Method::Post, "/fapi/v3/noop", 1),
            (Method::Get, "/fapi/v3/order", 1),
            (Method::Get, "/fapi/v3/openOrders", 1),
            (Method::Get, "/fapi/v3/openOrders", 40),
            (Method::Get, "/fapi/v3/positionRisk", 5),
            (Method::Get, "/fapi/v3/balance", 5),
            (Method::Get, "/fapi/v3/accountWithJoinMargin", 5),
            (Method::Get, "/api/v3/account", 5),
            (Method::Get, "/fapi/v3/userTrades", 5),
            (Method::Post, "/fapi/v3/leverage", 1),
            (Method::Post, "/fapi/v3/marginType", 1),
        ]
    );
    for path in [
        "/fapi/v3/asset/wallet/transfer",
        "/fapi/v3/subAccountTransfer",
        "/fapi/v3/asset/migrateUser",
        "/fapi/v3/aster/user-withdraw",
        "/fapi/v3/agent",
        "/fapi/v3/approveBuilder",
        "/fapi/v3/positionMargin",
        "/fapi/v3/positionSide/dual",
        "/fapi/v3/multiAssetsMargin",
    ] {
        for method in [Method::Get, Method::Post, Method::Put, Method::Delete] {
            assert_eq!(Call::of(method, path), None, "{path}");
        }
    }
    assert_eq!(Call::of(Method::Put, "/fapi/v3/order"), Some(Call::Modify));
}

#[test]
fn order_is_sent_as_a_form_with_the_signed_bytes() {
    let (client, told) = client(vec![reported("hd-1", "NEW")]);
    let (key, order) = (key(), order());
    let agent = Reader { user: Address::ZERO, key: &key };
    let sent = Order { symbol: "BTCUSDT", client_id: "hd-1", request: &order, builder: None };
    let params = Params::placing(sent);
    let signed = client.sign(Call::Order, &params, NONCE, agent).unwrap();
    let expected = Expected { symbol: "BTCUSDT", client_id: "hd-1" };
    let sent = run(client.place(&signed, expected));
    assert!(matches!(sent, Sent::Accepted(_)), "{sent:?}");
    let received = told.recv().unwrap();
    assert_eq!(received.head[0], "POST /fapi/v3/order HTTP/1.1");
    assert_eq!(received.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(received.body, signed.text());
    let names: Vec<_> = parameters(&received.body).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[..4], ["nonce", "user", "signer", "symbol"]);
    assert_eq!(names.last().unwrap(), "signature");
    // Bytes that were stored are sent unchanged.
    let stored = Signed::stored(Call::Order, NONCE, signed.text().to_owned());
    assert_eq!(stored, signed);
}

#[test]
fn change_and_cancellation_are_forms() {
    let change = ChangeFields { price: Some("60001"), quantity: Some("0.002") }.check().unwrap();
    let id = OrderId::Exchange(1);
    for (call, params, line) in [
        (Call::Modify, Params::modifying("BTCUSDT", id, &change), "PUT /fapi/v3/order HTTP/1.1"),
        (Call::Cancel, Params::of_order("BTCUSDT", id), "DELETE /fapi/v3/order HTTP/1.1"),
    ] {
        let (client, told) = client(vec![reported("x", "NEW")]);
        let key = key();
        let agent = Reader { user: Address::ZERO, key: &key };
        let signed = client.sign(call, &params, NONCE, agent).unwrap();
        let sent = run(client.change(&signed, "BTCUSDT"));
        assert!(matches!(sent, Sent::Accepted(_)), "{sent:?}");
        let received = told.recv().unwrap();
        assert_eq!((received.head[0].as_str(), received.body.as_str()), (line, signed.text()));
    }
}

#[test]
fn read_has_a_query_and_no_content_type() {
    let (client, told) = client(vec![reported("hd-1", "FILLED")]);
    let key = key();
    let agent = Reader { user: Address::ZERO, key: &key };
    let found = run(client.look_up(agent, "BTCUSDT", OrderId::Client("hd-1")));
    assert!(matches!(found, Ok(Found::Order(_))), "{found:?}");
    let received = told.recv().unwrap();
    assert!(received.head[0].starts_with("GET /fapi/v3/order?nonce="), "{}", received.head[0]);
    assert_eq!((received.header("content-type"), received.body.as_str()), (None, ""));
    assert_ne!(nonce_of(&received) % ASTER_NONCE_STEP, 0);
}

#[test]
fn read_with_a_taken_nonce_is_asked_twice_more() {
    let (client, told) = client(vec![refused(-4225), refused(-4226), refused(-2013)]);
    let key = key();
    let agent = Reader { user: Address::ZERO, key: &key };
    let found = run(client.look_up(agent, "BTCUSDT", OrderId::Client("hd-1")));
    assert!(matches!(found, Ok(Found::Nothing)), "{found:?}");
    let nonces: std::collections::BTreeSet<_> = told.try_iter().map(|it| nonce_of(&it)).collect();
    assert_eq!(nonces.len(), 3);

    let script = std::iter::repeat_with(|| refused(-4225)).take(4).collect();
    let (client, told) = self::client(script);
    let found = run(client.open_orders(agent, None));
    assert!(matches!(found, Err(AskError::Failed(LookupError::NonceRejected))), "{found:?}");
    assert_eq!(told.try_iter().count(), 3);
}

#[test]
fn fence_sends_noop_with_the_orders_nonce() {
    let taken = || Reply::Response(200, r#"{"code":200,"msg":"success"}"#.to_owned());
    let key = key();
    let agent = Reader { user: Address::ZERO, key: &key };
    for (reply, fence) in [
        (taken(), Some(Fence::Spent)),
        (refused(-4225), Some(Fence::Spent)),
        (refused(-4226), Some(Fence::Spent)),
        (refused(-1006), None),
        (Reply::Close, None),
    ] {
        let (client, told) = client(vec![reply]);
        assert_eq!(run(client.fence(NONCE, agent)).ok(), fence);
        let received = told.recv().unwrap();
        assert_eq!(received.head[0], "POST /fapi/v3/noop HTTP/1.1");
        assert_eq!(parameters(&received.body)[0], ("nonce".to_owned(), NONCE.to_string()));
    }
}

#[test]
fn request_that_never_arrives_is_not_sent() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap()).parse().unwrap();
    drop(closed);
    let (client, _told) = client(Vec::new());
    let http = Http::new(&url, "Aster", 10_000, Clock::system());
    let client = Client { reads: http.clone(), sends: http, ..client };
    let key = key();
    let agent = Reader { user: Address::ZERO, key: &key };
    let signed = client.sign(Call::CancelAll, &Params::of_symbol("BTCUSDT"), NONCE, agent).unwrap();
    assert!(matches!(run(client.cancel_all(&signed)), Sent::NotSent(_)));
    assert!(run(client.fence(NONCE, agent)).is_err());
}

#[test]
fn lost_response_is_unknown() {
    let (client, told) = client(vec![Reply::Close]);
    let key = key();
    let agent = Reader { user: Address::ZERO, key: &key };
    let signed = client.sign(Call::CancelAll, &Params::of_symbol("BTCUSDT"), NONCE, agent).unwrap();
    let sent = run(client.cancel_all(&signed));
    assert!(matches!(sent, Sent::Unknown(Unresolved { fenced: false, .. })), "{sent:?}");
    assert_eq!(told.try_iter().count(), 1);
}

#[test]
fn nonce_of_a_read_cannot_sign_an_order() {
    let (client, _told) = client(Vec::new());
    let key = key();
    let agent = Reader { user: Address::ZERO, key: &key };
    for call in Call::ALL {
        for (nonce, is_read) in [(NONCE, false), (NONCE + 1, true)] {
            let signed = client.sign(call, &Params::none(), nonce, agent);
            assert_eq!(signed.is_ok(), call.is_read() == is_read, "{call:?} {nonce}");
        }
    }
    let next = next_nonce(domain::ids::Exchange::Aster, NONCE, NONCE);
    assert!(client.sign(Call::Order, &Params::none(), next, agent).is_ok());
}

#[test]
fn signed_call_hides_its_bytes() {
    let (client, _told) = client(Vec::new());
    let key = key();
    let agent = Reader { user: Address::ZERO, key: &key };
    let signed = client.sign(Call::Noop, &Params::none(), NONCE, agent).unwrap();
    let shown = format!("{signed:?}");
    assert!(!shown.contains("signature") && !shown.contains("0x"), "{shown}");
}

/// The longest id of the service is valid at the exchange and needs no encoding.
#[test]
fn exchange_id_needs_no_encoding() {
    let tenant = "t".parse().unwrap();
    let wallet = uuid::Uuid::nil();
    let exchange = domain::ids::Exchange::Aster;
    let key = OrderKey::new(&tenant, wallet, exchange, &"bot-17".parse().unwrap());
    let id = ExchangeOrderId::new(key, 255, Leg::StopLoss, u64::MAX).text(exchange);
    assert_eq!((params::encode(&id), id.len() <= 36), (id.clone(), true));
}

#[test]
fn leverage_and_margin_mode_are_forms() {
    let done = || Reply::Response(200, r#"{"code":200,"msg":"success"}"#.to_owned());
    let body = r#"{"leverage":21,"maxNotionalValue":"1000000","symbol":"BTCUSDT"}"#;
    let leverage = Params::leverage("BTCUSDT", 21);
    let mode = Params::margin_type("BTCUSDT", MarginMode::Cross);
    for (call, params, reply, path, more) in [
        (
            Call::Leverage,
            leverage,
            Reply::Response(200, body.to_owned()),
            "/fapi/v3/leverage",
            "&symbol=BTCUSDT&leverage=21&signature=",
        ),
        (
            Call::MarginType,
            mode,
            done(),
            "/fapi/v3/marginType",
            "&symbol=BTCUSDT&marginType=CROSSED&signature=",
        ),
    ] {
        let (client, told) = client(vec![reply]);
        let key = key();
        let signed =
            client.sign(call, &params, NONCE, Reader { user: Address::ZERO, key: &key }).unwrap();
        let sent = run(client.set_leverage(&signed));
        assert!(matches!(sent, Sent::Accepted(LeverageSet::Changed)), "{sent:?}");
        let received = told.recv().unwrap();
        assert_eq!(received.head[0], format!("POST {path} HTTP/1.1"));
        assert!(received.body.contains(more), "{}", received.body);
        assert_eq!(received.body, signed.text());
    }
}

#[test]
fn trades_are_asked_for_in_a_window() {
    let (client, told) = client(vec![Reply::Response(200, "[]".to_owned())]);
    let key = key();
    let agent = Reader { user: Address::ZERO, key: &key };
    let window = history::Window { from_ms: 5, to_ms: 9 };
    assert_eq!(run(client.trades(agent, "BTCUSDT", window)).unwrap(), []);
    let received = told.recv().unwrap();
    let asked = "&symbol=BTCUSDT&startTime=5&endTime=9&limit=1000&signature=";
    assert!(received.head[0].starts_with("GET /fapi/v3/userTrades?nonce="));
    assert!(received.head[0].contains(asked), "{}", received.head[0]);
}
