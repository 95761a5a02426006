//! Digests that a sender signs, rebuilt from the request.

use alloy_primitives::{Address, B256, U256};

use super::Network;
use crate::eip712::{self, Field};

const DOMAIN: &str = "AsterSignTransaction";

/// Returns the chain id of the domain in which agents sign their calls.
#[must_use]
pub fn call_chain_id(network: Network) -> u64 {
    match network {
        Network::Mainnet => 1_666,
        Network::Testnet => 714,
    }
}

/// Returns the digest over a text. `signatureChainId` is the chain of a registration, and
/// [`call_chain_id`] that of an agent's call.
#[must_use]
pub fn message_digest(chain_id: u64, text: &str) -> Option<B256> {
    let fields = vec![Field::new("msg", "string", text)];
    eip712::digest(eip712::domain(DOMAIN, U256::from(chain_id)), "Message", fields)
}

/// The part of a withdrawal that the account's own key signs. The chain of the network is the
/// exchange's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdraw<'a> {
    /// Chain id of the signed domain.
    pub domain: u64,
    /// The chain on which the money arrives.
    pub chain_id: u64,
    /// Its receiver.
    pub destination: Address,
    /// Such as `USDT`.
    pub token: &'a str,
    /// As sent.
    pub amount: &'a str,
    /// As sent.
    pub fee: &'a str,
    /// Microseconds.
    pub nonce: u64,
}

/// Returns the digest of a withdrawal, or `None` for a chain without a name.
#[must_use]
pub fn withdraw_digest(network: Network, withdraw: &Withdraw<'_>) -> Option<B256> {
    let chain = match withdraw.chain_id {
        1 => "ETH",
        56 => "BSC",
        42_161 => "Arbitrum",
        _ => return None,
    };
    let network = match network {
        Network::Mainnet => "Mainnet",
        Network::Testnet => "Testnet",
    };
    let fields = vec![
        Field::new("type", "string", "Withdraw"),
        Field::new("destination", "address", withdraw.destination.to_string()),
        Field::new("destination Chain", "string", chain),
        Field::new("token", "string", withdraw.token),
        Field::new("amount", "string", withdraw.amount),
        Field::new("fee", "string", withdraw.fee),
        Field::new("nonce", "uint256", withdraw.nonce),
        Field::new("aster chain", "string", network),
    ];
    eip712::digest(eip712::domain("Aster", U256::from(withdraw.domain)), "Action", fields)
}

/// Returns the digest of a request that manages an agent. The fields are the request's parameters:
/// decoded, in the order sent, without `signature` and `signatureChainId`, and with a capital first
/// letter.
///
/// Returns `None` when a value does not fit its type.
#[must_use]
pub fn management_digest<'a>(
    chain_id: u64,
    primary_type: &str,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Option<B256> {
    let fields = parameters.into_iter().map(field).collect();
    eip712::digest(eip712::domain(DOMAIN, U256::from(chain_id)), primary_type, fields)
}

/// Aster derives a field's type from the value's type in the sender's language. Only these fields
/// are not strings. Addresses are strings, so that their letter case is signed.
fn field<'a>((name, value): (&'a str, &'a str)) -> Field<'a> {
    let kind = match name {
        "expired" | "nonce" => "uint256",
        "canSpotTrade" | "canPerpTrade" | "canWithdraw" => "bool",
        _ => "string",
    };
    Field::new(capitalised(name), kind, value)
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_uppercase(), letters.as_str())
    })
}
