//! Aster's API V3: `registerAndApproveAgent`, and an agent's own list of agents.
//! Source: Aster's futures API V3 document and the endpoints of its agent documents.

mod answer;

use std::net::Ipv4Addr;

use super::http::{Http, HttpSetupError};
use super::{Approval, LookupError, Outcome};
use crate::clock::Clock;
use crate::config::AsterConfig;
use crate::eth::{Address, AgentKey, AgentKeyError, Signature};
use crate::intent::{AsterRegisterAgent, aster_message_digest};

/// The chain of calls that agents sign on the test network.
const TESTNET_AGENT_CHAIN: u64 = 714;

const FORM: &str = "application/x-www-form-urlencoded";

/// A client of Aster.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    signature_chain_id: u64,
    agent_chain_id: u64,
    ip_whitelist: Option<Ipv4Addr>,
    validity_ms: u64,
}

impl Client {
    /// A client of the exchange that is configured.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(config: &AsterConfig) -> Result<Self, HttpSetupError> {
        Ok(Self {
            http: Http::new(&config.url, "Aster", config.call_timeout_ms)?,
            signature_chain_id: config.signature_chain_id,
            agent_chain_id: config.agent_chain_id,
            ip_whitelist: config.ip_whitelist,
            validity_ms: config.validity_ms,
        })
    }

    pub(super) const fn validity_ms(&self) -> u64 {
        self.validity_ms
    }

    pub(super) fn register_agent(&self, approval: &Approval) -> AsterRegisterAgent {
        AsterRegisterAgent {
            user: approval.wallet,
            nonce_us: approval.nonce,
            name: approval.agent_name.clone(),
            agent: approval.agent,
            expires_ms: approval.expires_at_ms,
            signature_chain_id: self.signature_chain_id,
            can_spot_trade: true,
            can_perp_trade: true,
            ip_whitelist: self.ip_whitelist,
        }
    }

    pub(super) async fn submit(&self, approval: &Approval, signature: &Signature) -> Outcome {
        let body = register_body(&self.register_agent(approval), signature);
        match self.http.post("/fapi/v3/registerAndApproveAgent", FORM, body).await {
            Ok(answer) => answer::outcome(&answer),
            Err(error) => error.into(),
        }
    }

    /// The agent's own list of the wallet's agents; one that is not registered cannot list.
    pub(super) async fn knows_agent(
        &self,
        wallet: Address,
        agent: &AgentKey,
        clock: &Clock,
    ) -> Result<bool, LookupError> {
        let chain = if self.agent_chain_id == TESTNET_AGENT_CHAIN { "Testnet" } else { "Mainnet" };
        let parameters = format!(
            "asterChain={chain}&user={wallet}&signer={}&nonce={}",
            agent.address(),
            clock.now_us()
        );
        let query = sign_query(self.agent_chain_id, agent, &parameters)
            .map_err(|error| LookupError(error.to_string()))?;
        let answer = self
            .http
            .get("/fapi/v3/agent", &query)
            .await
            .map_err(|error| LookupError(error.to_string()))?;
        answer::lists_agent(&answer, agent.address())
    }
}

/// The form body of a registration: the text that was signed, then the signature.
#[must_use]
pub fn register_body(agent: &AsterRegisterAgent, signature: &Signature) -> String {
    format!("{}&signature={}", agent.text(), signature.to_hex())
}

/// The query of a call that an agent signs: the parameters as they are sent, then the signature.
///
/// # Errors
/// When the key cannot sign.
pub fn sign_query(
    agent_chain_id: u64,
    agent: &AgentKey,
    parameters: &str,
) -> Result<String, AgentKeyError> {
    let signature = agent.sign(&aster_message_digest(agent_chain_id, parameters))?;
    Ok(format!("{parameters}&signature={}", signature.to_hex()))
}
