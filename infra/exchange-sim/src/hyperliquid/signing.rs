//! What the senders of actions sign, rebuilt from the request.

use alloy_primitives::{Address, B256, U256, keccak256};
use serde_json::Value;

use super::Chain;
use crate::eip712::{Field, digest, domain};

/// The approval of an agent, as far as it is signed. The chain is the exchange's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApproveAgent {
    /// The chain of the domain; the sender may choose any
    pub signature_chain_id: U256,
    /// The agent; zero removes the agent of that name
    pub agent_address: Address,
    /// With its ` valid_until` suffix; empty for the unnamed agent
    pub agent_name: String,
    /// Milliseconds
    pub nonce: u64,
}

/// The digest that the account's own key signs for `approveAgent`
///
/// The exchange puts its own chain into the text, whatever the request says: a signature for the
/// other network is a stranger's.
#[must_use]
pub fn approve_agent_digest(chain: Chain, approval: &ApproveAgent) -> Option<B256> {
    let chain = match chain {
        Chain::Mainnet => "Mainnet",
        Chain::Testnet => "Testnet",
    };
    let fields = vec![
        Field::new("hyperliquidChain", "string", chain),
        Field::new("agentAddress", "address", approval.agent_address.to_string()),
        Field::new("agentName", "string", approval.agent_name.as_str()),
        Field::new("nonce", "uint64", approval.nonce),
    ];
    let domain = domain("HyperliquidSignTransaction", approval.signature_chain_id);
    digest(domain, "HyperliquidTransaction:ApproveAgent", fields)
}

/// The hash of an action that agents sign: msgpack with the keys in the order sent, nonce, vault,
/// expiry
#[must_use]
pub fn action_hash(
    action: &Value,
    nonce: u64,
    vault_address: Option<Address>,
    expires_after: Option<u64>,
) -> Option<B256> {
    let mut bytes = rmp_serde::to_vec(action).ok()?;
    bytes.extend(nonce.to_be_bytes());
    match vault_address {
        None => bytes.push(0),
        Some(vault) => {
            bytes.push(1);
            bytes.extend(vault);
        }
    }
    if let Some(expires_after) = expires_after {
        bytes.push(0);
        bytes.extend(expires_after.to_be_bytes());
    }
    Some(keccak256(bytes))
}

/// The digest that an agent signs: a "phantom agent" that stands for the action
#[must_use]
pub fn l1_digest(chain: Chain, action_hash: B256) -> Option<B256> {
    let source = match chain {
        Chain::Mainnet => "a",
        Chain::Testnet => "b",
    };
    let fields = vec![
        Field::new("source", "string", source),
        Field::new("connectionId", "bytes32", action_hash.to_string()),
    ];
    digest(domain("Exchange", U256::from(1_337)), "Agent", fields)
}
