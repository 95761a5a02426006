//! Hyperliquid: `approveAgent` on `POST /exchange`, `userRole` and `extraAgents` on `POST /info`.
//! Source: the exchange endpoint and info endpoint documents, and the official Python SDK.

pub mod answer;

use domain::clock::Clock;
use domain::eth::{Address, Signature};
use domain::intent::{
    HYPERLIQUID_SIGNATURE_CHAIN_ID, HyperliquidApproveAgent, HyperliquidChain,
    HyperliquidRevokeAgent,
};
use serde_json::{Value, json};

use super::http::{Answer, Http, SendError};
use super::{Approval, ListedAgent, LookupError, Outcome, Removal};
use crate::exchanges::HyperliquidConfig;

const JSON: &str = "application/json";

/// A client of Hyperliquid.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    chain: HyperliquidChain,
    validity_ms: u64,
    call_timeout_ms: u64,
    hands_out_keys: bool,
}

impl Client {
    /// A client of the exchange that is configured.
    #[must_use]
    pub fn new(config: &HyperliquidConfig, clock: &Clock) -> Self {
        Self {
            http: Http::new(&config.url, "Hyperliquid", config.call_timeout_ms, clock.clone()),
            chain: config.chain,
            validity_ms: config.validity_ms,
            call_timeout_ms: config.call_timeout_ms,
            hands_out_keys: config.return_private_key,
        }
    }

    pub(super) const fn validity_ms(&self) -> u64 {
        self.validity_ms
    }

    pub(super) const fn hands_out_keys(&self) -> bool {
        self.hands_out_keys
    }

    pub(super) const fn call_timeout_ms(&self) -> u64 {
        self.call_timeout_ms
    }

    /// How far our clock was ahead of Hyperliquid's at its last answer, in milliseconds.
    pub(super) fn skew_ms(&self) -> i64 {
        self.http.skew_ms()
    }

    pub(super) fn approve_agent(&self, approval: &Approval) -> HyperliquidApproveAgent {
        HyperliquidApproveAgent {
            chain: self.chain,
            agent: approval.agent,
            name: approval.agent_name.clone(),
            valid_until_ms: approval.expires_at_ms,
            nonce_ms: approval.nonce,
        }
    }

    pub(super) fn revoke_agent(&self, removal: &Removal) -> HyperliquidRevokeAgent {
        HyperliquidRevokeAgent {
            chain: self.chain,
            name: removal.agent_name.clone(),
            nonce_ms: removal.nonce,
        }
    }

    pub(super) async fn approve(&self, approval: &Approval, signature: &Signature) -> Outcome {
        let body = approve_body(&self.approve_agent(approval), signature);
        self.act(approval.wallet, body).await
    }

    pub(super) async fn remove(&self, removal: &Removal, signature: &Signature) -> Outcome {
        let body = revoke_body(&self.revoke_agent(removal), signature);
        self.act(removal.wallet, body).await
    }

    async fn act(&self, wallet: Address, body: Value) -> Outcome {
        match self.http.post("/exchange", JSON, body.to_string()).await {
            Ok(answer) => answer::outcome(&answer, wallet),
            Err(error) => error.into(),
        }
    }

    /// `userRole` of the agent: the check that works for every agent.
    pub(super) async fn knows_agent(
        &self,
        wallet: Address,
        agent: Address,
    ) -> Result<bool, LookupError> {
        let answer = self.ask("userRole", agent).await?;
        answer::is_agent_of(&answer, wallet)
    }

    /// `extraAgents` of the wallet: its named agents.
    pub(super) async fn agents(&self, wallet: Address) -> Result<Vec<ListedAgent>, LookupError> {
        let answer = self.ask("extraAgents", wallet).await?;
        answer::agents(&answer)
    }

    async fn ask(&self, what: &str, about: Address) -> Result<Answer, SendError> {
        let body = json!({ "type": what, "user": about.to_lower_hex() }).to_string();
        self.http.post("/info", JSON, body).await
    }
}

/// The body of `approveAgent`: addresses in lower case, `r` and `s` padded to 32 bytes.
#[must_use]
pub fn approve_body(approve: &HyperliquidApproveAgent, signature: &Signature) -> Value {
    agent_body(approve.chain, approve.agent, &approve.full_name(), approve.nonce_ms, signature)
}

/// The body of the `approveAgent` that takes an agent away: the zero address under its name.
#[must_use]
pub fn revoke_body(revoke: &HyperliquidRevokeAgent, signature: &Signature) -> Value {
    agent_body(revoke.chain, Address::ZERO, &revoke.name, revoke.nonce_ms, signature)
}

fn agent_body(
    chain: HyperliquidChain,
    agent: Address,
    full_name: &str,
    nonce_ms: u64,
    signature: &Signature,
) -> Value {
    json!({
        "action": {
            "type": "approveAgent",
            "hyperliquidChain": chain.as_str(),
            "signatureChainId": format!("{HYPERLIQUID_SIGNATURE_CHAIN_ID:#x}"),
            "agentAddress": agent.to_lower_hex(),
            "agentName": full_name,
            "nonce": nonce_ms,
        },
        "nonce": nonce_ms,
        "signature": {
            "r": format!("0x{}", hex::encode(signature.r)),
            "s": format!("0x{}", hex::encode(signature.s)),
            "v": signature.v,
        },
    })
}
