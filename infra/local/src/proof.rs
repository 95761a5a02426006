//! Requests that an exchange accepts only from an agent whose key is registered.

use domain::eth::{Address, AgentKey};
use domain::intent::HyperliquidChain;
use exchange_sim::hyperliquid::{Chain, signing};
use serde_json::json;
use shared::exchanges::aster::sign_query;

/// The request cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("cannot build the request: {0}")]
pub struct ProofError(String);

fn failed(cause: &impl ToString) -> ProofError {
    ProofError(cause.to_string())
}

/// Returns the body of an L1 action without effect, signed by the agent. `nonce` in Unix
/// milliseconds.
///
/// # Errors
/// Returns an error when the action cannot be signed.
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

/// Returns the path of a balance request, signed by the agent. `nonce` in Unix microseconds.
///
/// # Errors
/// Returns an error when the request cannot be signed.
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
