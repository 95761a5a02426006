use exchange_sim::hyperliquid::Chain;
use serde_json::{Value, json};

use crate::support::{
    START, Wallet,
    hyperliquid::{Hyperliquid, approval},
    send,
};

fn body() -> Value {
    approval(Chain::Mainnet, &Wallet::number(1), "bot", Wallet::number(9).address(), START)
}

/// Returns the body with one replaced value.
fn with(pointer: &str, value: Value) -> Value {
    let mut body = body();
    *body.pointer_mut(pointer).unwrap() = value;
    body
}

#[tokio::test]
async fn malformed_action_returns_422_without_json() {
    let mut inner_nonce = body();
    inner_nonce["action"]["nonce"] = json!(START + 1);
    let mut expiring = body();
    expiring["expiresAfter"] = json!(START + 1_000);
    let mut unsigned = body();
    unsigned.as_object_mut().unwrap().remove("signature");
    let bodies = [
        json!({}),
        json!([1]),
        unsigned,
        inner_nonce,
        expiring,
        with("/nonce", json!("1790000000000")),
        with("/nonce", json!(1.5)),
        with("/nonce", json!(-1)),
        with("/action", Value::Null),
        with("/action/type", json!("withdraw3")),
        with("/action/hyperliquidChain", json!("mainnet")),
        with("/action/signatureChainId", json!(42_161)),
        with("/action/signatureChainId", json!("a4b1")),
        with("/action/signatureChainId", json!("0x")),
        with("/action/agentAddress", json!("0x1234")),
        with("/action/agentAddress", Value::Null),
        with("/action/agentName", json!(7)),
        with("/signature/r", json!(7)),
        with("/signature/v", json!("27")),
    ];
    for body in bodies {
        let hyperliquid = Hyperliquid::new();
        let answer = hyperliquid.post("/exchange", &body).await;
        assert_eq!(answer.status, 422, "{body}");
        assert_eq!(answer.body, "Failed to deserialize the JSON body into the target type");
        assert_eq!(hyperliquid.exchange.requests()[0].kind, "malformed");
    }
}

#[tokio::test]
async fn malformed_order_returns_422() {
    let order = json!({
        "a": 1, "b": true, "p": "100", "s": "1", "r": false, "t": {"limit": {"tif": "Gtc"}},
    });
    let mut numeric = order.clone();
    numeric["p"] = json!(100);
    let actions = [
        json!({"type": "order", "orders": [numeric], "grouping": "na"}),
        json!({"type": "order", "orders": [], "grouping": "na"}),
        json!({"type": "order", "orders": [order]}),
        json!({"type": "order"}),
    ];
    for action in actions {
        let answer = Hyperliquid::new().post("/exchange", &with("/action", action)).await;
        assert_eq!(answer.status, 422);
    }
}

#[tokio::test]
async fn invalid_signature_has_no_signer() {
    let zero = json!(format!("0x{}", "0".repeat(64)));
    let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let signatures = [
        ("v", json!(0)),
        ("v", json!(1)),
        ("v", json!(26)),
        ("v", json!(29)),
        ("v", json!(283)),
        ("r", zero.clone()),
        ("s", zero),
        ("s", json!(format!("0x{order}"))),
        ("r", json!("0x")),
        ("r", json!("")),
        ("r", json!("0xzz")),
        ("r", json!("0x1_2")),
        ("r", json!("ab".repeat(32))),
        ("r", json!(format!("0x{}", "f".repeat(65)))),
    ];
    for (part, value) in signatures {
        let hyperliquid = Hyperliquid::new();
        let body = with(&format!("/signature/{part}"), value);
        assert_eq!(hyperliquid.exchange(&body).await, "Unable to recover signer.", "{body}");
    }
}

/// `s`, and the group order minus `s` with the other `v`, are the same signature.
#[tokio::test]
async fn high_s_signature_is_accepted() {
    let hyperliquid = Hyperliquid::new();
    let mut body = body();
    let order = alloy_primitives::U256::from_str_radix(
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
        16,
    )
    .unwrap();
    let low: alloy_primitives::U256 = body["signature"]["s"].as_str().unwrap().parse().unwrap();
    body["signature"]["s"] = json!(format!("{:#x}", order - low));
    body["signature"]["v"] = json!(27 + 28 - body["signature"]["v"].as_u64().unwrap());
    assert_eq!(hyperliquid.exchange(&body).await, "ok");
    assert_eq!(hyperliquid.exchange.agents_of(Wallet::number(1).address()).len(), 1);
}

#[tokio::test]
async fn body_without_json_content_type_is_refused() {
    let router = Hyperliquid::new().exchange.router();
    let content = Some(("text/plain", body().to_string()));
    assert_eq!(send(router.clone(), "POST", "/exchange", content).await.status, 415);
    assert_eq!(send(router.clone(), "POST", "/info", None).await.status, 415);
    let content = Some(("application/json; charset=utf-8", "{".to_owned()));
    assert_eq!(send(router.clone(), "POST", "/exchange", content).await.status, 422);
    assert_eq!(send(router, "GET", "/exchange", None).await.status, 405);
}
