//! `approveAgent`, `updateAgent` and `DELETE agent`: the account's own key signs the parameters as
//! typed data.

use alloy_primitives::Address;
use serde_json::Value;

use super::{
    Exchange, Network, Parameters, accounts::NONCE_LIFE_MS, refusal::Refusal, register, signing,
    success,
};
use crate::{lock, signature};

/// Parameters that are added after signing.
const UNSIGNED: [&str; 2] = ["signature", "signatureChainId"];

/// Permitted fields of the typed data. The parameters' names become field names, so all others are
/// refused.
const SIGNED: [&str; 13] = [
    "agentName",
    "agentAddress",
    "ipWhitelist",
    "expired",
    "canSpotTrade",
    "canPerpTrade",
    "canWithdraw",
    "builder",
    "maxFeeRate",
    "builderName",
    "asterChain",
    "user",
    "nonce",
];

/// Adds an agent to an existing account.
pub(super) fn approve(exchange: &Exchange, parameters: &Parameters) -> Result<Value, Refusal> {
    let agent = register::agent(parameters)?;
    let user = authenticate(exchange, parameters, "ApproveAgent")?;
    if let Some(builder) = parameters.get("builder") {
        // The combined approval is not simulated.
        return Err(Refusal::UnknownBuilder(builder.to_owned()));
    }
    let now = parameters.now();
    let max_agents = exchange.rules().max_agents;
    lock(&exchange.0.accounts).add(user, agent, max_agents, now)?;
    Ok(success())
}

/// Changes an agent's permissions and addresses.
pub(super) fn update(exchange: &Exchange, parameters: &Parameters) -> Result<Value, Refusal> {
    let address = parameters.address("agentAddress")?;
    let can_spot_trade = parameters.boolean("canSpotTrade")?;
    let can_perp_trade = parameters.boolean("canPerpTrade")?;
    let can_withdraw = parameters.boolean("canWithdraw")?;
    let ip_whitelist = parameters.get("ipWhitelist").unwrap_or_default();
    if can_withdraw && ip_whitelist.is_empty() {
        return Err(Refusal::Missing("ipWhitelist"));
    }
    let user = authenticate(exchange, parameters, "UpdateAgent")?;
    let mut accounts = lock(&exchange.0.accounts);
    let agent = accounts.agent_mut(user, address)?;
    agent.can_spot_trade = can_spot_trade;
    agent.can_perp_trade = can_perp_trade;
    agent.can_withdraw = can_withdraw;
    ip_whitelist.clone_into(&mut agent.ip_whitelist);
    Ok(success())
}

/// Removes an agent.
pub(super) fn delete(exchange: &Exchange, parameters: &Parameters) -> Result<Value, Refusal> {
    let address = parameters.address("agentAddress")?;
    let user = authenticate(exchange, parameters, "DelAgent")?;
    lock(&exchange.0.accounts).remove(user, address)?;
    Ok(success())
}

/// Returns the account whose own key signed the request, and uses the nonce.
pub(super) fn authenticate(
    exchange: &Exchange,
    parameters: &Parameters,
    primary_type: &str,
) -> Result<Address, Refusal> {
    let user = parameters.address("user")?;
    let nonce = parameters.number("nonce")?;
    let chain_id = register::signature_chain_id(exchange, parameters)?;
    let signature = signature::from_hex(parameters.text("signature")?);
    let signed = || parameters.pairs().filter(|(name, _)| !UNSIGNED.contains(name));
    if let Some((unknown, _)) = signed().find(|(name, _)| !SIGNED.contains(name)) {
        return Err(Refusal::TooMany(unknown.to_owned()));
    }
    // Not in the parameter tables; seen live: without it the signature fails.
    let chain = match exchange.0.network {
        Network::Mainnet => "Mainnet",
        Network::Testnet => "Testnet",
    };
    if parameters.get("asterChain") != Some(chain) {
        return Err(Refusal::Signature);
    }
    let signer = signing::management_digest(chain_id, primary_type, signed())
        .zip(signature)
        .and_then(|(digest, signature)| signature::recover(&digest, &signature));
    if signer != Some(user) {
        return Err(Refusal::Signature);
    }
    let mut accounts = lock(&exchange.0.accounts);
    if !accounts.exists(user) {
        return Err(Refusal::NoUser);
    }
    accounts.use_nonce(user, nonce, (parameters.now(), NONCE_LIFE_MS))?;
    Ok(user)
}
