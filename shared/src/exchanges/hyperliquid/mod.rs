//! Hyperliquid: `approveAgent` on `POST /exchange`, `userRole` on `POST /info`.
//! Source: the exchange endpoint and info endpoint documents, and the official Python SDK.

mod answer;

use serde_json::{Value, json};

use super::http::{Http, HttpSetupError};
use super::{Approval, LookupError, Outcome};
use crate::config::HyperliquidConfig;
use crate::eth::{Address, Signature};
use crate::intent::{HYPERLIQUID_SIGNATURE_CHAIN_ID, HyperliquidApproveAgent, HyperliquidChain};

const JSON: &str = "application/json";

/// A client of Hyperliquid.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    chain: HyperliquidChain,
    validity_ms: u64,
}

impl Client {
    /// A client of the exchange that is configured.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(config: &HyperliquidConfig) -> Result<Self, HttpSetupError> {
        Ok(Self {
            http: Http::new(&config.url, "Hyperliquid", config.call_timeout_ms)?,
            chain: config.chain,
            validity_ms: config.validity_ms,
        })
    }

    pub(super) const fn validity_ms(&self) -> u64 {
        self.validity_ms
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

    pub(super) async fn submit(&self, approval: &Approval, signature: &Signature) -> Outcome {
        let body = approve_body(&self.approve_agent(approval), signature);
        match self.http.post("/exchange", JSON, body.to_string()).await {
            Ok(answer) => answer::outcome(&answer, approval.wallet),
            Err(error) => error.into(),
        }
    }

    /// `userRole` of the agent: the check that works for every agent.
    pub(super) async fn knows_agent(
        &self,
        wallet: Address,
        agent: Address,
    ) -> Result<bool, LookupError> {
        let body = json!({ "type": "userRole", "user": agent.to_lower_hex() }).to_string();
        let answer = self
            .http
            .post("/info", JSON, body)
            .await
            .map_err(|error| LookupError(error.to_string()))?;
        answer::is_agent_of(&answer, wallet)
    }
}

/// The body of `approveAgent`: addresses in lower case, `r` and `s` padded to 32 bytes.
#[must_use]
pub fn approve_body(approve: &HyperliquidApproveAgent, signature: &Signature) -> Value {
    json!({
        "action": {
            "type": "approveAgent",
            "hyperliquidChain": approve.chain.as_str(),
            "signatureChainId": format!("{HYPERLIQUID_SIGNATURE_CHAIN_ID:#x}"),
            "agentAddress": approve.agent.to_lower_hex(),
            "agentName": approve.full_name(),
            "nonce": approve.nonce_ms,
        },
        "nonce": approve.nonce_ms,
        "signature": {
            "r": format!("0x{}", hex::encode(signature.r)),
            "s": format!("0x{}", hex::encode(signature.s)),
            "v": signature.v,
        },
    })
}
