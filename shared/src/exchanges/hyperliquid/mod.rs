//! Hyperliquid: `approveAgent` on `POST /exchange`, `userRole` and `extraAgents` on `POST /info`.
//! Source: the exchange endpoint and info endpoint documents, and the official Python SDK.

pub mod answer;
mod builder;
pub(super) mod config;
pub mod money;
mod profile;
pub mod trade;

pub use builder::builder_body;
pub use profile::PROFILE;

use domain::clock::Clock;
use domain::eth::{Address, Signature};
use domain::intent::{
    HYPERLIQUID_SIGNATURE_CHAIN_ID, HyperliquidApproveAgent, HyperliquidChain,
    HyperliquidRevokeAgent, Intent,
};
use serde_json::{Value, json};

use self::config::HyperliquidConfig;
use super::api::{Api, Asker, Call, Settings};
use super::http::{Answer, Http, SendError};
use super::profile::Profile;
use super::{Approval, ListedAgent, LookupError, Outcome, Removal};

const JSON: &str = "application/json";

/// A client of Hyperliquid.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    chain: HyperliquidChain,
    settings: Settings,
}

impl Client {
    /// Makes a client with these settings.
    #[must_use]
    pub fn new(config: &HyperliquidConfig, clock: &Clock) -> Self {
        Self {
            http: Http::new(&config.url, PROFILE.name, config.call_timeout_ms, clock.clone()),
            chain: config.chain,
            settings: Settings {
                validity_ms: config.validity_ms,
                call_timeout_ms: config.call_timeout_ms,
                hands_out_keys: config.return_private_key,
                ip_whitelist: None,
                builder: config.builder,
            },
        }
    }

    fn approve_agent(&self, approval: &Approval) -> HyperliquidApproveAgent {
        HyperliquidApproveAgent {
            chain: self.chain,
            agent: approval.agent,
            name: approval.agent_name.clone(),
            valid_until_ms: approval.expires_at_ms,
            nonce_ms: approval.nonce,
        }
    }

    fn revoke_agent(&self, removal: &Removal) -> HyperliquidRevokeAgent {
        HyperliquidRevokeAgent {
            chain: self.chain,
            name: removal.agent_name.clone(),
            nonce_ms: removal.nonce,
        }
    }

    async fn act(&self, wallet: Address, body: Value) -> Outcome {
        match self.http.post("/exchange", JSON, body.to_string()).await {
            Ok(answer) => answer::outcome(&answer, wallet),
            Err(error) => error.into(),
        }
    }

    async fn ask(&self, what: &str, about: Address) -> Result<Answer, SendError> {
        let body = json!({ "type": what, "user": about.to_lower_hex() }).to_string();
        self.http.post("/info", JSON, body).await
    }
}

impl Api for Client {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn skew_ms(&self) -> i64 {
        self.http.skew_ms()
    }

    fn approval_intent(&self, approval: &Approval) -> Intent {
        Intent::HyperliquidApproveAgent(self.approve_agent(approval))
    }

    fn removal_intent(&self, removal: &Removal) -> Intent {
        Intent::HyperliquidRevokeAgent(self.revoke_agent(removal))
    }

    fn approve<'a>(
        &'a self,
        approval: &'a Approval,
        signature: &'a Signature,
    ) -> Call<'a, Outcome> {
        Box::pin(async move {
            let body = approve_body(&self.approve_agent(approval), signature);
            self.act(approval.wallet, body).await
        })
    }

    fn remove<'a>(&'a self, removal: &'a Removal, signature: &'a Signature) -> Call<'a, Outcome> {
        Box::pin(async move {
            let body = revoke_body(&self.revoke_agent(removal), signature);
            self.act(removal.wallet, body).await
        })
    }

    /// Asks for the agent's `userRole`, which works for every agent.
    fn knows_agent<'a>(
        &'a self,
        wallet: Address,
        agent: Asker<'a>,
    ) -> Call<'a, Result<bool, LookupError>> {
        Box::pin(async move {
            let answer = self.ask("userRole", agent.address()).await?;
            answer::is_agent_of(&answer, wallet)
        })
    }

    /// Asks for the wallet's `extraAgents`, its named agents.
    fn agents<'a>(
        &'a self,
        wallet: Address,
        _agent: Option<Asker<'a>>,
    ) -> Call<'a, Result<Option<Vec<ListedAgent>>, LookupError>> {
        Box::pin(async move {
            let answer = self.ask("extraAgents", wallet).await?;
            answer::agents(&answer).map(Some)
        })
    }
}

/// Returns the body of `approveAgent`: addresses in lower case, `r` and `s` padded to 32 bytes.
#[must_use]
pub fn approve_body(approve: &HyperliquidApproveAgent, signature: &Signature) -> Value {
    agent_body(approve.chain, approve.agent, &approve.full_name(), approve.nonce_ms, signature)
}

/// Returns the body of the `approveAgent` that removes an agent: the zero address under its name.
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
        "signature": signature_json(signature),
    })
}

fn signature_json(signature: &Signature) -> Value {
    json!({
        "r": format!("0x{}", hex::encode(signature.r)),
        "s": format!("0x{}", hex::encode(signature.s)),
        "v": signature.v,
    })
}
