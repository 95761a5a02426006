//! A client of the simulated Hyperliquid.

use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::{Address, U256};
use exchange_sim::hyperliquid::{
    Chain, Exchange,
    signing::{ApproveAgent, action_hash, approve_agent_digest, l1_digest, money_digest},
};
use serde_json::{Value, json};

use super::{Answer, Clock, START, Wallet, send};

pub(crate) const OK: &str = r#"{"status":"ok","response":{"type":"default"}}"#;

/// An exchange, its clock, and a counter for nonces.
pub(crate) struct Hyperliquid {
    pub(crate) exchange: Exchange,
    pub(crate) clock: Clock,
    chain: Chain,
    nonces: AtomicU64,
}

impl Hyperliquid {
    pub(crate) fn new() -> Self {
        Self::of(Chain::Mainnet, START)
    }

    pub(crate) fn of(chain: Chain, now: u64) -> Self {
        let clock = Clock::at(now);
        let exchange = Exchange::new(chain, clock.reader());
        Self { exchange, clock, chain, nonces: AtomicU64::new(0) }
    }

    /// Returns an unused nonce of the clock's time.
    pub(crate) fn nonce(&self) -> u64 {
        self.clock.now() + self.nonces.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let content = Some(("application/json", body.to_string()));
        send(self.exchange.router(), "POST", path, content).await
    }

    /// Returns the result of `/exchange`: `ok`, or the error text.
    pub(crate) async fn exchange(&self, body: &Value) -> String {
        let answer = self.post("/exchange", body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let json = answer.json();
        match json["status"].as_str() {
            Some("ok") => "ok".to_owned(),
            _ => json["response"].as_str().unwrap().to_owned(),
        }
    }

    /// Approves an agent, with a new nonce.
    pub(crate) async fn approve(&self, wallet: &Wallet, name: &str, agent: Address) -> String {
        self.exchange(&approval(self.chain, wallet, name, agent, self.nonce())).await
    }

    /// Approves an agent that expires.
    pub(crate) async fn approve_until(
        &self,
        wallet: &Wallet,
        name: &str,
        agent: Address,
        valid_until: u64,
    ) -> String {
        self.approve(wallet, &format!("{name} valid_until {valid_until}"), agent).await
    }

    /// Sends an action that agents sign, with a new nonce.
    pub(crate) async fn act(&self, wallet: &Wallet, action: &Value) -> String {
        self.exchange(&l1(self.chain, wallet, action, self.nonce(), None, None)).await
    }

    /// Sends an action that moves money, with a new nonce. `action` has neither nonce nor chain.
    pub(crate) async fn move_money(&self, wallet: &Wallet, action: Value) -> String {
        let body = self.signed_money(wallet, action);
        self.exchange(&body).await
    }

    /// Signs an action that moves money, with a new nonce.
    pub(crate) fn signed_money(&self, wallet: &Wallet, mut action: Value) -> Value {
        let nonce = self.nonce();
        let timed = ["withdraw3", "usdSend", "spotSend"].map(|kind| json!(kind));
        let name = if timed.contains(&action["type"]) { "time" } else { "nonce" };
        action[name] = json!(nonce);
        action["hyperliquidChain"] = json!(format!("{:?}", self.chain));
        action["signatureChainId"] = json!("0x66eee");
        let signature = wallet.sign(money_digest(self.chain, &action).unwrap());
        json!({ "action": action, "nonce": nonce, "signature": parts(signature) })
    }

    pub(crate) async fn noop(&self, wallet: &Wallet) -> String {
        self.act(wallet, &json!({"type": "noop"})).await
    }

    pub(crate) async fn info(&self, kind: &str, user: Address) -> Value {
        self.post("/info", &json!({"type": kind, "user": user})).await.json()
    }
}

/// Returns a signed `approveAgent`.
pub(crate) fn approval(
    chain: Chain,
    wallet: &Wallet,
    name: &str,
    agent: Address,
    nonce: u64,
) -> Value {
    let approval = ApproveAgent {
        signature_chain_id: U256::from(0xa4b1),
        agent_address: agent,
        agent_name: name.to_owned(),
        nonce,
    };
    let signature = wallet.sign(approve_agent_digest(chain, &approval).unwrap());
    json!({
        "action": {
            "type": "approveAgent",
            "hyperliquidChain": format!("{chain:?}"),
            "signatureChainId": "0xa4b1",
            "agentAddress": format!("{agent:#x}"),
            "agentName": name,
            "nonce": nonce,
        },
        "nonce": nonce,
        "signature": parts(signature),
    })
}

/// Returns a signed action of an agent.
pub(crate) fn l1(
    chain: Chain,
    wallet: &Wallet,
    action: &Value,
    nonce: u64,
    vault: Option<Address>,
    expires_after: Option<u64>,
) -> Value {
    let hash = action_hash(action, nonce, vault, expires_after).unwrap();
    let signature = wallet.sign(l1_digest(chain, hash).unwrap());
    json!({
        "action": action,
        "nonce": nonce,
        "signature": parts(signature),
        "vaultAddress": vault,
        "expiresAfter": expires_after,
    })
}

fn parts(signature: [u8; 65]) -> Value {
    json!({
        "r": format!("0x{}", hex::encode(&signature[..32])),
        "s": format!("0x{}", hex::encode(&signature[32..64])),
        "v": signature[64],
    })
}
