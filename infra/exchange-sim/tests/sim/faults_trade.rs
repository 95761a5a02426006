//! Requests that arrive late, twice, or read an earlier state.

use exchange_sim::{faults::Fault, hyperliquid::Chain};
use serde_json::{Value, json};

use crate::support::{
    START, Wallet,
    aster::{Aster, sign_text},
    hyperliquid::{Hyperliquid, l1},
};

fn owner() -> Wallet {
    Wallet::number(1)
}

fn cloid() -> String {
    format!("0x{:032x}", 7)
}

fn order(tif: &str, price: &str) -> Value {
    json!({
        "type": "order",
        "orders": [{
            "a": 3, "b": true, "p": price, "s": "0.01", "r": false, "t": {"limit": {"tif": tif}},
            "c": cloid(),
        }],
        "grouping": "na",
    })
}

fn signed(action: &Value, nonce: u64, expires_after: Option<u64>) -> Value {
    l1(Chain::Mainnet, &owner(), action, nonce, None, expires_after)
}

fn with_account() -> Hyperliquid {
    let hyperliquid = Hyperliquid::new();
    hyperliquid.exchange.deposit(owner().address());
    hyperliquid
}

/// Sends a body that is lost at first and arrives 3 seconds later.
async fn send_late(hyperliquid: &Hyperliquid, body: &Value) {
    hyperliquid.exchange.fail_next("order", Fault::Late { ms: 3_000 });
    let request = http::Request::post("/exchange").header("content-type", "application/json");
    let request = request.body(axum::body::Body::from(body.to_string())).unwrap();
    let response = tower::ServiceExt::oneshot(hyperliquid.exchange.router(), request).await;
    let (_, sent) = response.unwrap().into_parts();
    assert!(axum::body::to_bytes(sent, usize::MAX).await.is_err(), "the response breaks");
}

async fn lookup(hyperliquid: &Hyperliquid) -> Value {
    let user = format!("{:#x}", owner().address());
    let query = json!({"type": "orderStatus", "user": user, "oid": cloid()});
    hyperliquid.post("/info", &query).await.json()["status"].clone()
}

#[tokio::test]
async fn late_order_is_executed_when_it_arrives() {
    let hyperliquid = with_account();
    send_late(&hyperliquid, &signed(&order("Ioc", "61000"), START, Some(START + 10_000))).await;
    assert_eq!(lookup(&hyperliquid).await, "unknownOid");
    assert!(hyperliquid.exchange.executions(owner().address()).is_empty());
    hyperliquid.clock.advance(3_000);
    assert_eq!(lookup(&hyperliquid).await, "order");
    assert_eq!(hyperliquid.exchange.executions(owner().address())[&cloid()].accepted, 1);
}

/// The clock of a test may pass the arrival and the expiry in one step.
#[tokio::test]
async fn late_order_is_executed_as_of_its_arrival() {
    let hyperliquid = with_account();
    send_late(&hyperliquid, &signed(&order("Ioc", "61000"), START, Some(START + 10_000))).await;
    hyperliquid.clock.advance(60_000);
    assert!(hyperliquid.exchange.set_price("BTC", "70000"));
    let user = format!("{:#x}", owner().address());
    let query = json!({"type": "orderStatus", "user": user, "oid": cloid()});
    let found = hyperliquid.post("/info", &query).await.json();
    assert_eq!(found["order"]["status"], "filled", "{found}");
    assert_eq!(found["order"]["order"]["timestamp"], START + 3_000);
}

#[tokio::test]
async fn late_order_after_its_expiry_is_refused() {
    let hyperliquid = with_account();
    send_late(&hyperliquid, &signed(&order("Ioc", "61000"), START, Some(START + 2_000))).await;
    hyperliquid.clock.advance(3_000);
    assert_eq!(lookup(&hyperliquid).await, "unknownOid");
    assert!(hyperliquid.exchange.executions(owner().address()).is_empty());
}

#[tokio::test]
async fn noop_with_the_same_nonce_kills_the_late_order() {
    let hyperliquid = with_account();
    send_late(&hyperliquid, &signed(&order("Ioc", "61000"), START, None)).await;
    let noop = signed(&json!({"type": "noop"}), START, None);
    assert_eq!(hyperliquid.exchange(&noop).await, "ok");
    hyperliquid.clock.advance(3_000);
    assert_eq!(lookup(&hyperliquid).await, "unknownOid");
    assert!(hyperliquid.exchange.executions(owner().address()).is_empty());
}

#[tokio::test]
async fn twice_delivered_order_is_executed_once() {
    let hyperliquid = with_account();
    hyperliquid.exchange.fail_next("/exchange", Fault::Twice);
    let said = hyperliquid.exchange(&signed(&order("Ioc", "61000"), START, None)).await;
    assert_eq!(said, format!("Invalid nonce: duplicate nonce {START}"));
    assert_eq!(hyperliquid.exchange.executions(owner().address())[&cloid()].accepted, 1);
}

#[tokio::test]
async fn lagging_read_sees_the_earlier_state() {
    let hyperliquid = with_account();
    hyperliquid.clock.advance(5_000);
    let body = signed(&order("Gtc", "59000"), START + 5_000, None);
    assert_eq!(hyperliquid.exchange(&body).await, "ok");
    hyperliquid.clock.advance(1_000);
    hyperliquid.exchange.fail_next("orderStatus", Fault::ReadsLag { ms: 2_000 });
    assert_eq!(lookup(&hyperliquid).await, "unknownOid");
    assert_eq!(lookup(&hyperliquid).await, "order");
    hyperliquid.exchange.fail_next("orderStatus", Fault::ReadsLag { ms: 500 });
    assert_eq!(lookup(&hyperliquid).await, "order");
}

#[tokio::test]
async fn aster_read_lags_too() {
    let aster = Aster::new();
    let (user, agent) = (owner().address(), Wallet::number(9));
    assert!(aster.exchange.add_agent(user, "bot", agent.address(), aster.in_a_month()));
    let sign = |rest: &str| {
        let (nonce, signer) = (aster.nonce(), agent.address());
        let text = format!("nonce={nonce}&user={user}&signer={signer}&symbol=BTCUSDT{rest}");
        format!("{text}&signature={}", sign_text(&agent, 1_666, &text))
    };
    aster.clock.advance(5_000);
    let order = sign("&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=59000");
    assert_eq!(aster.form("POST", "/fapi/v3/order", &order).await.status, 200);
    aster.clock.advance(1_000);
    aster.exchange.fail_next("openOrders", Fault::ReadsLag { ms: 2_000 });
    let mut counts = Vec::new();
    for _ in 0..2 {
        let open = aster.get("/fapi/v3/openOrders", &sign("")).await.json();
        counts.push(open.as_array().unwrap().len());
    }
    assert_eq!(counts, [0, 1]);
}
