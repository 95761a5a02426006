//! Calls that an agent signs. The signed text is the query exactly as sent.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::accounts::{Accounts, NONCE_LIFE_MS};
use super::{Exchange, Parameters, refusal::Refusal, signing, trade};
use crate::{lock, signature};

/// `GET /fapi/v3/agent`: the agents of the account. Works without a deposit.
pub(super) fn agents(exchange: &Exchange, parameters: &Parameters) -> Result<Value, Refusal> {
    let user = authenticate(exchange, parameters, NONCE_LIFE_MS)?;
    let agents = lock(&exchange.0.accounts).agents_of(user);
    let shown = agents.into_iter().map(|agent| {
        json!({
            "agentAddress": agent.address.to_string(),
            "agentName": agent.name,
            "ipWhitelist": agent.ip_whitelist,
            "expired": agent.expired,
            "source": "",
            "canRead": true,
            "canSpotTrade": agent.can_spot_trade,
            "canPerpTrade": agent.can_perp_trade,
            "canWithdraw": agent.can_withdraw,
        })
    });
    Ok(shown.collect())
}

/// `GET /fapi/v3/balance`: proves that an agent can authenticate.
pub(super) fn balance(exchange: &Exchange, parameters: &Parameters) -> Result<Value, Refusal> {
    let user = authenticate(exchange, parameters, NONCE_LIFE_MS)?;
    if exchange.rules().require_deposit && !lock(&exchange.0.accounts).has_deposited(user) {
        return Err(Refusal::NoDeposit);
    }
    Ok(trade::account::balance(&lock(&exchange.0.engine), user))
}

/// Returns the response of the API V1 to `balance`.
pub(super) fn empty_balance() -> Value {
    json!([{
        "accountAlias": "SgsR",
        "asset": "USDT",
        "balance": "0.00000000",
        "crossWalletBalance": "0.00000000",
        "crossUnPnl": "0.00000000",
        "availableBalance": "0.00000000",
        "maxWithdrawAmount": "0.00000000",
        "marginAvailable": true,
        "updateTime": 0,
    }])
}

/// `GET /fapi/v3/time`: public.
pub(super) fn time(_: &Exchange, parameters: &Parameters) -> Result<Value, Refusal> {
    Ok(json!({"serverTime": parameters.now()}))
}

/// Returns the account for which a live agent signed the request, and uses the agent's nonce, which
/// is valid for `life_ms`.
pub(super) fn authenticate(
    exchange: &Exchange,
    parameters: &Parameters,
    life_ms: u64,
) -> Result<Address, Refusal> {
    authenticate_with(exchange, parameters, |accounts, agent, nonce| {
        accounts.use_nonce(agent, nonce, (parameters.now(), life_ms))
    })
}

/// Returns the account for which a live agent signed the request, after a check of the agent's nonce.
pub(super) fn authenticate_with(
    exchange: &Exchange,
    parameters: &Parameters,
    check_nonce: impl FnOnce(&mut Accounts, Address, u64) -> Result<(), Refusal>,
) -> Result<Address, Refusal> {
    // Seen live: a missing signature gets this error, not that of a missing parameter.
    let signature = parameters.get("signature").ok_or(Refusal::Signature)?;
    let user = parameters.address("user")?;
    let agent = parameters.address("signer")?;
    let nonce = parameters.number("nonce")?;
    let chain_id = signing::call_chain_id(exchange.0.network);
    let digest = parameters.text_as_sent().and_then(|text| signing::message_digest(chain_id, text));
    let signer = digest
        .zip(signature::from_hex(signature))
        .and_then(|(digest, signature)| signature::recover(&digest, &signature));
    if signer != Some(agent) {
        return Err(Refusal::Signature);
    }
    let now = parameters.now();
    let mut accounts = lock(&exchange.0.accounts);
    if !accounts.is_live(user, agent, now) {
        return Err(Refusal::NoAgent);
    }
    check_nonce(&mut accounts, agent, nonce)?;
    Ok(user)
}
