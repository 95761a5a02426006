//! `POST /fapi/v3/registerAndApproveAgent`: creates an account and its agent with one signature of
//! the account's own key over a text.

use alloy_primitives::Address;
use serde_json::Value;

use super::{
    Agent, Exchange, Parameters, accounts::NONCE_LIFE_MS, refusal::Refusal, signing, success,
};
use crate::{lock, signature};

/// The documented text, in its order.
const TEMPLATE: [&str; 10] = [
    "user",
    "nonce",
    "agentName",
    "agentAddress",
    "expired",
    "signatureChainId",
    "canSpotTrade",
    "canPerpTrade",
    "canWithdraw",
    "ipWhitelist",
];

pub(super) fn register_and_approve(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let user = parameters.address("user")?;
    let nonce = parameters.number("nonce")?;
    let chain_id = signature_chain_id(exchange, parameters)?;
    let agent = agent(parameters)?;
    if !signers(parameters, chain_id)?.contains(&Some(user)) {
        return Err(Refusal::Signature);
    }
    let now = parameters.now();
    let max_agents = exchange.rules().max_agents;
    let mut accounts = lock(&exchange.0.accounts);
    accounts.use_nonce(user, nonce, (now, NONCE_LIFE_MS))?;
    accounts.add(user, agent, max_agents, now)?;
    Ok(success())
}

/// Returns the agent that a request describes.
pub(super) fn agent(parameters: &Parameters) -> Result<Agent, Refusal> {
    let agent = Agent {
        name: parameters.text("agentName")?.to_owned(),
        address: parameters.address("agentAddress")?,
        expired: parameters.number("expired")?,
        can_spot_trade: parameters.boolean("canSpotTrade")?,
        can_perp_trade: parameters.boolean("canPerpTrade")?,
        can_withdraw: parameters.boolean("canWithdraw")?,
        ip_whitelist: parameters.get("ipWhitelist").unwrap_or_default().to_owned(),
    };
    if agent.can_withdraw && agent.ip_whitelist.is_empty() {
        return Err(Refusal::Missing("ipWhitelist"));
    }
    Ok(agent)
}

/// Returns the chain id of the signature's domain, as the request names it.
pub(super) fn signature_chain_id(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<u64, Refusal> {
    let chain_id = parameters.number("signatureChainId")?;
    let known = exchange.rules().signature_chain_ids.contains(&chain_id);
    known.then_some(chain_id).ok_or(Refusal::Invalid("signatureChainId"))
}

/// Returns the signers under both readings of the documents: of the text as sent, and of the
/// template with the decoded values (with `ipWhitelist` if it was sent, even if it is empty).
fn signers(parameters: &Parameters, chain_id: u64) -> Result<[Option<Address>; 2], Refusal> {
    let signature = signature::from_hex(parameters.text("signature")?);
    let signer = |text: &str| {
        signature::recover(&signing::message_digest(chain_id, text)?, signature.as_ref()?)
    };
    let fields = TEMPLATE
        .iter()
        .filter_map(|name| parameters.get(name).map(|value| format!("{name}={value}")));
    let rebuilt = fields.collect::<Vec<_>>().join("&");
    Ok([parameters.text_as_sent().and_then(signer), signer(&rebuilt)])
}
