use exchange_sim::hyperliquid::Chain;
use serde_json::{Value, json};

use crate::support::{
    START, Wallet,
    hyperliquid::{Hyperliquid, l1},
};

fn owner() -> Wallet {
    Wallet::number(1)
}

fn key() -> Wallet {
    Wallet::number(9)
}

fn unknown(wallet: &Wallet) -> String {
    format!("User or API Wallet {:#x} does not exist.", wallet.address())
}

fn order() -> Value {
    json!({"a": 1, "b": true, "p": "2000", "s": "1", "r": false, "t": {"limit": {"tif": "Gtc"}}})
}

fn orders(orders: &[Value]) -> Value {
    json!({"type": "order", "orders": orders, "grouping": "na"})
}

async fn with_agent() -> Hyperliquid {
    let hyperliquid = Hyperliquid::new();
    assert_eq!(hyperliquid.approve(&owner(), "bot", key().address()).await, "ok");
    hyperliquid
}

#[tokio::test]
async fn action_of_unknown_signer_is_refused() {
    let hyperliquid = Hyperliquid::new();
    assert_eq!(hyperliquid.noop(&key()).await, unknown(&key()));
    assert_eq!(hyperliquid.noop(&owner()).await, unknown(&owner()));
    hyperliquid.approve(&owner(), "", key().address()).await;
    assert_eq!(hyperliquid.noop(&key()).await, "ok");
    assert_eq!(hyperliquid.noop(&owner()).await, "ok");
    let depositor = Wallet::number(2);
    hyperliquid.exchange.deposit(depositor.address());
    assert_eq!(hyperliquid.noop(&depositor).await, "ok");
}

#[tokio::test]
async fn each_order_of_batch_gets_its_own_id() {
    let hyperliquid = with_agent().await;
    for first in [300_000_000_001_u64, 300_000_000_003] {
        let action = orders(&[order(), order()]);
        let body = l1(Chain::Mainnet, &key(), &action, hyperliquid.nonce(), None, None);
        let statuses = json!([{"resting": {"oid": first}}, {"resting": {"oid": first + 1}}]);
        let response = json!({"type": "order", "data": {"statuses": statuses}});
        let answer = hyperliquid.post("/exchange", &body).await.json();
        assert_eq!(answer, json!({"status": "ok", "response": response}));
    }
}

#[tokio::test]
async fn msgpack_key_order_is_signed() {
    let hyperliquid = with_agent().await;
    let action = orders(&[order()]);
    let mut body = l1(Chain::Mainnet, &key(), &action, START, None, None);
    let other = json!({"grouping": "na", "type": "order", "orders": [order()]});
    assert_eq!(action, other);
    body["action"] = other;
    let said = hyperliquid.exchange(&body).await;
    assert!(said.starts_with("User or API Wallet 0x"), "{said}");
    assert_ne!(said, unknown(&key()));
}

#[tokio::test]
async fn nonce_vault_and_expiry_are_signed() {
    let noop = json!({"type": "noop"});
    let changes = [
        ("nonce", json!(START + 1)),
        ("vaultAddress", json!(owner().address())),
        ("expiresAfter", json!(START + 9)),
    ];
    for (field, value) in changes {
        let hyperliquid = with_agent().await;
        let mut body = l1(Chain::Mainnet, &key(), &noop, START, None, None);
        body[field] = value;
        let said = hyperliquid.exchange(&body).await;
        assert!(said.starts_with("User or API Wallet 0x"), "{said}");
    }
    let hyperliquid = with_agent().await;
    let body = l1(Chain::Testnet, &key(), &noop, START, None, None);
    let said = hyperliquid.exchange(&body).await;
    assert!(said.starts_with("User or API Wallet 0x"), "{said}");
}

#[tokio::test]
async fn action_after_expires_after_is_refused() {
    let hyperliquid = with_agent().await;
    let noop = json!({"type": "noop"});
    let send = |nonce, expiry| l1(Chain::Mainnet, &key(), &noop, nonce, None, Some(expiry));
    assert_eq!(hyperliquid.exchange(&send(START, START)).await, "ok");
    let said = hyperliquid.exchange(&send(START + 1, START - 1)).await;
    assert_eq!(said, "Action already expired");
}

#[tokio::test]
async fn action_for_vault_is_refused() {
    let hyperliquid = with_agent().await;
    let vault = Wallet::number(3).address();
    let noop = json!({"type": "noop"});
    let body = l1(Chain::Mainnet, &key(), &noop, START, Some(vault), None);
    assert_eq!(hyperliquid.exchange(&body).await, format!("Vault not registered: {vault:#x}"));
}

#[tokio::test]
async fn agent_nonces_are_separate_from_accounts() {
    let hyperliquid = with_agent().await;
    let noop = json!({"type": "noop"});
    let body = l1(Chain::Mainnet, &key(), &noop, START, None, None);
    assert_eq!(hyperliquid.exchange(&body).await, "ok");
    let duplicate = format!("Invalid nonce: duplicate nonce {START}");
    assert_eq!(hyperliquid.exchange(&body).await, duplicate);
}
