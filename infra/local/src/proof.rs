//! What an exchange must take from an agent whose key is rightly registered.

use domain::eth::{Address, AgentKey};
use domain::intent::HyperliquidChain;
use exchange_sim::hyperliquid::{Chain, signing};
use serde_json::json;
use shared::exchanges::aster::sign_query;

/// No request could be made of it.
#[derive(Debug, thiserror::Error)]
#[error("no proof can be made: {0}")]
pub struct ProofError(String);

fn failed(cause: &impl ToString) -> ProofError {
    ProofError(cause.to_string())
}

/// Returns the body of an L1 action that does nothing, signed by the agent. `nonce` in Unix milliseconds.
///
/// # Errors
/// When it cannot be signed.
pub fn hyperliquid_noop(
    chain: HyperliquidChain,
    agent: &AgentKey,
    nonce: u64,
) -> Result<String, ProofError> {
    let chain = match chain {
        HyperliquidChain::Mainnet => Chain::Mainnet,
        HyperliquidChain::Testnet => Chain::Testnet,
    };
    let action = json!({ "type": "noop" });
    let digest = signing::action_hash(&action, nonce, None, None)
        .and_then(|hash| signing::l1_digest(chain, hash))
        .ok_or_else(|| failed(&"the action has no digest"))?;
    let signature = agent.sign(&digest.0).map_err(|error| failed(&error))?;
    let body = json!({
        "action": action,
        "nonce": nonce,
        "signature": {
            "r": format!("0x{}", hex::encode(signature.r)),
            "s": format!("0x{}", hex::encode(signature.s)),
            "v": signature.v,
        },
    });
    Ok(body.to_string())
}

/// Returns the path of a read of the balance, signed by the agent. `nonce` in Unix microseconds.
///
/// # Errors
/// When it cannot be signed.
pub fn aster_balance(
    chain_id: u64,
    agent: &AgentKey,
    user: Address,
    nonce: u64,
) -> Result<String, ProofError> {
    let parameters = format!("nonce={nonce}&user={user}&signer={}", agent.address());
    let query = sign_query(chain_id, agent, &parameters).map_err(|error| failed(&error))?;
    Ok(format!("fapi/v3/balance?{query}"))
}
