//! Aster's API V3: `registerAndApproveAgent`, `DELETE agent`, and an agent's own list of agents.
//! Source: Aster's futures API V3 document and the endpoints of its agent documents.

pub mod answer;
mod builder;
pub(super) mod config;
pub mod money;
mod profile;
pub mod trade;
pub mod v1;

pub use builder::builder_body;
pub use profile::PROFILE;

use domain::clock::Clock;
use domain::eth::{Address, AgentKey, AgentKeyError, Signature};
use domain::intent::{
    AsterDeleteAgent, AsterRegisterAgent, HyperliquidChain, Intent, aster_message_digest,
};

use self::config::AsterConfig;
use self::v1::{DEFAULT_RECV_WINDOW_MS, V1Client};
use super::api::{Api, Asker, Call, Settings};
use super::http::{Answer, Http};
use super::profile::Profile;
use super::{Approval, ListedAgent, LookupError, Outcome, Removal};

const AGENT: &str = "/fapi/v3/agent";

const FORM: &str = "application/x-www-form-urlencoded";

/// A client of Aster.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    signature_chain_id: u64,
    chain: HyperliquidChain,
    agent_chain_id: u64,
    settings: Settings,
    v1: Option<V1Client>,
}

impl Client {
    /// Makes a client with these settings.
    #[must_use]
    pub fn new(config: &AsterConfig, clock: &Clock) -> Self {
        let timeout_ms = config.call_timeout_ms;
        let v1 = config
            .v1_url
            .as_ref()
            .map(|url| V1Client::new(url, DEFAULT_RECV_WINDOW_MS, timeout_ms, clock.clone()));
        Self {
            http: Http::new(&config.url, PROFILE.name, timeout_ms, clock.clone()),
            signature_chain_id: config.signature_chain_id,
            chain: config.chain,
            agent_chain_id: config.agent_chain_id(),
            settings: Settings {
                validity_ms: config.validity_ms,
                call_timeout_ms: timeout_ms,
                hands_out_keys: false,
                ip_whitelist: config.ip_whitelist,
                builder: config.builder,
            },
            v1,
        }
    }

    fn register_agent(&self, approval: &Approval) -> AsterRegisterAgent {
        AsterRegisterAgent {
            user: approval.wallet,
            nonce_us: approval.nonce,
            name: approval.agent_name.clone(),
            agent: approval.agent,
            expires_ms: approval.expires_at_ms,
            signature_chain_id: self.signature_chain_id,
            can_spot_trade: true,
            can_perp_trade: true,
            ip_whitelist: self.settings.ip_whitelist,
        }
    }

    fn delete_agent(&self, removal: &Removal) -> AsterDeleteAgent {
        AsterDeleteAgent {
            agent: removal.agent,
            chain: self.chain,
            user: removal.wallet,
            nonce_us: removal.nonce,
            signature_chain_id: self.signature_chain_id,
        }
    }

    /// Reads the agent's list of the wallet's agents. Returns `None` when the agent is not
    /// registered, because then it cannot list.
    async fn list(
        &self,
        wallet: Address,
        agent: Asker<'_>,
    ) -> Result<Option<Vec<ListedAgent>>, LookupError> {
        let answer = self.ask(AGENT, wallet, agent).await?;
        answer::agents(&answer)
    }

    /// Asks a question about a wallet, which one of its agents signs.
    async fn ask(
        &self,
        path: &str,
        wallet: Address,
        agent: Asker<'_>,
    ) -> Result<Answer, LookupError> {
        let chain = self.chain.as_str();
        let (signer, nonce_us) = (agent.address(), agent.nonce());
        let parameters =
            format!("asterChain={chain}&user={wallet}&signer={signer}&nonce={nonce_us}");
        let query = sign_query(self.agent_chain_id, agent.key, &parameters)?;
        Ok(self.http.get(path, &query).await?)
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
        let of_v1 = self.v1.as_ref().map_or(0, V1Client::skew_ms);
        if self.http.skew_ms() == 0 { of_v1 } else { self.http.skew_ms() }
    }

    fn v1(&self) -> Option<&V1Client> {
        self.v1.as_ref()
    }

    fn approval_intent(&self, approval: &Approval) -> Intent {
        Intent::AsterRegisterAgent(self.register_agent(approval))
    }

    fn removal_intent(&self, removal: &Removal) -> Intent {
        Intent::AsterDeleteAgent(self.delete_agent(removal))
    }

    fn approve<'a>(
        &'a self,
        approval: &'a Approval,
        signature: &'a Signature,
    ) -> Call<'a, Outcome> {
        Box::pin(async move {
            let body = register_body(&self.register_agent(approval), signature);
            match self.http.post("/fapi/v3/registerAndApproveAgent", FORM, body).await {
                Ok(answer) => answer::outcome(&answer),
                Err(error) => error.into(),
            }
        })
    }

    fn remove<'a>(&'a self, removal: &'a Removal, signature: &'a Signature) -> Call<'a, Outcome> {
        Box::pin(async move {
            let body = delete_body(&self.delete_agent(removal), signature);
            match self.http.delete(AGENT, FORM, body).await {
                Ok(answer) => answer::outcome(&answer),
                Err(error) => error.into(),
            }
        })
    }

    /// Requests the wallet's list with the agent.
    fn knows_agent<'a>(
        &'a self,
        wallet: Address,
        agent: Asker<'a>,
    ) -> Call<'a, Result<bool, LookupError>> {
        Box::pin(async move {
            let agents = self.list(wallet, agent).await?.unwrap_or_default();
            Ok(agents.iter().any(|listed| listed.address == agent.address()))
        })
    }

    fn agents<'a>(
        &'a self,
        wallet: Address,
        agent: Option<Asker<'a>>,
    ) -> Call<'a, Result<Option<Vec<ListedAgent>>, LookupError>> {
        Box::pin(async move {
            match agent {
                Some(agent) => self.list(wallet, agent).await,
                None => Ok(None),
            }
        })
    }
}

/// Returns the form body of a registration: the signed text, then the signature.
#[must_use]
pub fn register_body(agent: &AsterRegisterAgent, signature: &Signature) -> String {
    format!("{}&signature={}", agent.text(), signature.to_hex())
}

/// Returns the form body that deletes an agent: the signed parameters in their order, then the
/// unsigned ones.
#[must_use]
pub fn delete_body(delete: &AsterDeleteAgent, signature: &Signature) -> String {
    let AsterDeleteAgent { agent, chain, user, nonce_us, signature_chain_id } = delete;
    format!(
        "agentAddress={agent}&asterChain={}&user={user}&nonce={nonce_us}&signature={}&signatureChainId={signature_chain_id}",
        chain.as_str(),
        signature.to_hex()
    )
}

/// Returns the query of a call that an agent signs: the parameters as sent, then the signature.
///
/// # Errors
/// Fails when the key cannot sign.
pub fn sign_query(
    agent_chain_id: u64,
    agent: &AgentKey,
    parameters: &str,
) -> Result<String, AgentKeyError> {
    let signature = agent.sign(&aster_message_digest(agent_chain_id, parameters))?;
    Ok(format!("{parameters}&signature={}", signature.to_hex()))
}
