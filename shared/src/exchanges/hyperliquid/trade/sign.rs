//! Signs actions with an agent's key: the hash of the action, the typed data `Agent`, and the body.

use domain::eth::{
    AgentKey, AgentKeyError, Digest, Domain, Field, RecoverError, Signature, keccak256,
    typed_digest,
};
use domain::intent::HyperliquidChain;

use super::action::Action;
use super::msgpack::Node;

const DOMAIN: Domain = Domain { name: "Exchange", chain_id: 1_337 };

const ENCODE_TYPE: &str = "Agent(string source,bytes32 connectionId)";

/// An account that an agent trades for instead of its wallet's. The service signs for none.
type Vault = [u8; 20];

/// Why an action is not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignFault {
    /// The arithmetic failed.
    #[error(transparent)]
    Key(#[from] AgentKeyError),
    /// The signature has no signer.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The signature has another signer.
    #[error("the signature does not belong to the agent")]
    OtherSigner,
}

/// Returns the body of a signed action, for `POST /exchange`. Each action has a nonce of its own,
/// in milliseconds; [`Action::expires_after_ms`] returns the expiry.
///
/// # Errors
/// Fails when the signature does not recover to the agent.
pub fn signed_body(
    action: &Action,
    nonce_ms: u64,
    expires_after_ms: Option<u64>,
    chain: HyperliquidChain,
    agent: &AgentKey,
) -> Result<String, SignFault> {
    let tree = action.tree();
    let hash = action_hash(&tree.to_msgpack(), nonce_ms, None, expires_after_ms);
    let digest = digest(chain, hash);
    let signature = agent.sign(&digest)?;
    if signature.recover(&digest)? != agent.address() {
        return Err(SignFault::OtherSigner);
    }
    Ok(body(&tree, nonce_ms, None, expires_after_ms, &signature))
}

/// Returns the `connectionId`.
pub(super) fn action_hash(
    msgpack: &[u8],
    nonce_ms: u64,
    vault: Option<Vault>,
    expires_after_ms: Option<u64>,
) -> [u8; 32] {
    let mut bytes = msgpack.to_vec();
    bytes.extend_from_slice(&nonce_ms.to_be_bytes());
    match vault {
        Some(vault) => {
            bytes.push(1);
            bytes.extend_from_slice(&vault);
        }
        None => bytes.push(0),
    }
    // Absent, not zero, without an expiry.
    if let Some(expires_after_ms) = expires_after_ms {
        bytes.push(0);
        bytes.extend_from_slice(&expires_after_ms.to_be_bytes());
    }
    keccak256(&bytes)
}

/// Returns the digest of `Agent`, whose source names the network.
pub(super) fn digest(chain: HyperliquidChain, action_hash: [u8; 32]) -> Digest {
    let source = match chain {
        HyperliquidChain::Mainnet => "a",
        HyperliquidChain::Testnet => "b",
    };
    typed_digest(DOMAIN, ENCODE_TYPE, &[Field::Text(source), Field::Bytes32(action_hash)])
}

/// Returns the request body: `r` and `s` padded to 32 bytes, absent fields omitted.
pub(super) fn body(
    action: &Node<'_>,
    nonce_ms: u64,
    vault: Option<Vault>,
    expires_after_ms: Option<u64>,
    signature: &Signature,
) -> String {
    let (r, s, v) = (hex::encode(signature.r), hex::encode(signature.s), signature.v);
    let vault = vault.map(|vault| format!(r#","vaultAddress":"0x{}""#, hex::encode(vault)));
    let expires = expires_after_ms.map(|at_ms| format!(r#","expiresAfter":{at_ms}"#));
    format!(
        r#"{{"action":{},"nonce":{nonce_ms},"signature":{{"r":"0x{r}","s":"0x{s}","v":{v}}}{}{}}}"#,
        action.to_json(),
        vault.unwrap_or_default(),
        expires.unwrap_or_default(),
    )
}
