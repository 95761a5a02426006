//! Digests that senders of actions sign, rebuilt from the request.

use alloy_primitives::{Address, B256, U256, keccak256};
use serde_json::Value;

use super::{Chain, builders::ApproveBuilder};
use crate::eip712::{Field, digest, domain};

/// The signed part of an agent's approval. The chain is the exchange's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApproveAgent {
    /// Chain id of the domain. The sender may choose any.
    pub signature_chain_id: U256,
    /// Address of the agent. Zero removes the agent with that name.
    pub agent_address: Address,
    /// With its ` valid_until` suffix; empty for the unnamed agent.
    pub agent_name: String,
    /// Milliseconds
    pub nonce: u64,
}

/// Returns the digest that the account's own key signs for `approveAgent`.
///
/// The exchange puts its own chain into the digest, whatever the request names. So a signature for
/// the other network recovers to an unknown address.
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

/// Returns the digest that the account's own key signs for `approveBuilderFee`. The chain is the
/// exchange's own, as in [`approve_agent_digest`].
#[must_use]
pub fn approve_builder_digest(chain: Chain, approval: &ApproveBuilder) -> Option<B256> {
    let chain = match chain {
        Chain::Mainnet => "Mainnet",
        Chain::Testnet => "Testnet",
    };
    let fields = vec![
        Field::new("hyperliquidChain", "string", chain),
        Field::new("maxFeeRate", "string", approval.max_fee_rate.as_str()),
        Field::new("builder", "address", approval.builder.to_string()),
        Field::new("nonce", "uint64", approval.nonce),
    ];
    let domain = domain("HyperliquidSignTransaction", approval.signature_chain_id);
    digest(domain, "HyperliquidTransaction:ApproveBuilderFee", fields)
}

/// Names and types of an action's signed fields, after the chain.
type Signed = [(&'static str, &'static str)];

/// Actions that move money: `type`, primary type, and signed fields in their order.
const MONEY: [(&str, &str, &Signed); 6] = [
    (
        "withdraw3",
        "HyperliquidTransaction:Withdraw",
        &[("destination", "string"), ("amount", "string"), ("time", "uint64")],
    ),
    (
        "usdSend",
        "HyperliquidTransaction:UsdSend",
        &[("destination", "string"), ("amount", "string"), ("time", "uint64")],
    ),
    (
        "spotSend",
        "HyperliquidTransaction:SpotSend",
        &[("destination", "string"), ("token", "string"), ("amount", "string"), ("time", "uint64")],
    ),
    (
        "sendAsset",
        "HyperliquidTransaction:SendAsset",
        &[
            ("destination", "string"),
            ("sourceDex", "string"),
            ("destinationDex", "string"),
            ("token", "string"),
            ("amount", "string"),
            ("fromSubAccount", "string"),
            ("nonce", "uint64"),
        ],
    ),
    (
        "sendToEvmWithData",
        "HyperliquidTransaction:SendToEvmWithData",
        &[
            ("token", "string"),
            ("amount", "string"),
            ("sourceDex", "string"),
            ("destinationRecipient", "string"),
            ("addressEncoding", "string"),
            ("destinationChainId", "uint32"),
            ("gasLimit", "uint64"),
            ("data", "bytes"),
            ("nonce", "uint64"),
        ],
    ),
    (
        "usdClassTransfer",
        "HyperliquidTransaction:UsdClassTransfer",
        &[("amount", "string"), ("toPerp", "bool"), ("nonce", "uint64")],
    ),
];

/// Returns whether the account's own key signs an action of this `type` to move money.
pub(super) fn moves_money(kind: &str) -> bool {
    MONEY.iter().any(|(known, ..)| *known == kind)
}

/// Returns the digest that the account's own key signs for an action that moves money. The texts
/// are those of the action, and the chain is the exchange's own, as in [`approve_agent_digest`].
#[must_use]
pub fn money_digest(chain: Chain, action: &Value) -> Option<B256> {
    let kind = action["type"].as_str()?;
    let (_, primary_type, signed) = MONEY.iter().find(|(known, ..)| *known == kind)?;
    let chain_id = crate::parse_hex_number(action["signatureChainId"].as_str()?)?;
    let chain = match chain {
        Chain::Mainnet => "Mainnet",
        Chain::Testnet => "Testnet",
    };
    let mut fields = vec![Field::new("hyperliquidChain", "string", chain)];
    for &(name, kind) in *signed {
        fields.push(Field::new(name, kind, action.get(name)?.clone()));
    }
    digest(domain("HyperliquidSignTransaction", chain_id), primary_type, fields)
}

/// Returns the hash of an action that agents sign: msgpack with the keys in the order sent, nonce,
/// vault and expiry.
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

/// Returns the digest that an agent signs: a "phantom agent" that represents the action.
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
