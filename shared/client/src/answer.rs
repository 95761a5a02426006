//! The types of successful responses.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Secret;

/// A successful response. Dereferences to its value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer<T> {
    /// The requested value.
    pub value: T,
    /// HTTP status; 201 when this call created the value.
    pub http_status: u16,
    /// A message about the completed operation.
    pub note: Option<String>,
    /// The service's time in Unix milliseconds, if the response states it.
    pub timestamp: Option<u64>,
    /// The request's id in the service's log.
    pub request_id: Option<String>,
    /// Whether this is the stored response of an earlier request with the same `Idempotency-Key`.
    pub replayed: bool,
}

impl<T> Answer<T> {
    /// Returns the requested value.
    pub fn into_value(self) -> T {
        self.value
    }

    /// Returns the same response with another value, or `None` when there is none.
    pub(crate) fn map<U>(self, of: impl FnOnce(T) -> Option<U>) -> Option<Answer<U>> {
        let Self { value, http_status, note, timestamp, request_id, replayed } = self;
        let value = of(value)?;
        Some(Answer { value, http_status, note, timestamp, request_id, replayed })
    }
}

impl<T> Deref for Answer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A wallet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wallet {
    /// The tenant's own name for its user.
    pub user_id: String,
    /// The address, EIP-55.
    pub address: String,
    /// The wallet's id.
    pub wallet_id: Uuid,
    /// Uncompressed SEC1, 130 hex digits without `0x`.
    pub public_key: String,
    /// True if the wallet's key was exported, so that another holder may have it; else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exported: Option<bool>,
}

/// A wallet in the list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedWallet {
    /// The tenant's own name for its user.
    pub user_id: String,
    /// The address, EIP-55.
    pub address: String,
    /// The wallet's id.
    pub wallet_id: Uuid,
    /// Uncompressed SEC1, 130 hex digits without `0x`.
    pub public_key: String,
    /// Creation time, RFC 3339 in whole seconds.
    pub created_at: String,
}

/// A page of wallets. A page may be short or empty even if it is not the last one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WalletsPage {
    /// The wallets, in the service's own order.
    pub wallets: Vec<ListedWallet>,
    /// Cursor of the next page; `None` on the last page.
    pub next_cursor: Option<String>,
}

/// A signed message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signed {
    /// `0x` and 65 bytes: r, s (low), v (27 or 28).
    pub signature: String,
    /// The signer's address, EIP-55.
    pub address: String,
    /// The signer's wallet id.
    pub wallet_id: Uuid,
    /// The signed message.
    pub message: String,
}

/// A registration with Aster. The trading key stays on the server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AsterKey {
    /// The registered wallet's address, EIP-55.
    pub signer_address: String,
    /// Creation time, RFC 3339 in whole seconds.
    pub created_at: String,
    /// The agent's address, EIP-55; `None` for an API key of V1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_address: Option<String>,
    /// Expiry of the agent, Unix milliseconds; `None` for an API key of V1, which does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_timestamp: Option<u64>,
}

/// A registration with Hyperliquid.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HyperliquidKey {
    /// The agent's (API wallet's) address, EIP-55.
    pub api_wallet_address: String,
    /// The agent's private key, returned once; absent if the deployment does not return keys. A
    /// retry with the same `Idempotency-Key` returns it again for ten minutes, in case the
    /// response was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_private_key: Option<Secret>,
    /// The wallet's address, EIP-55.
    pub main_wallet_address: String,
    /// Expiry of the agent, Unix milliseconds.
    pub expiry_timestamp: u64,
}

/// A rotation of a trading key at Aster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AsterRotation {
    /// The registered wallet's address, EIP-55.
    pub signer_address: String,
    /// Creation time, RFC 3339 in whole seconds.
    pub created_at: String,
    /// The new agent's address, EIP-55.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_address: Option<String>,
    /// Expiry of the agent, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_timestamp: Option<u64>,
    /// The previous agent's address, EIP-55.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_agent_address: Option<String>,
    /// Whether the exchange has removed the previous agent. If not, the service removes it later.
    pub previous_agent_revoked: bool,
    /// Whether the new agent took the old one's name, and so replaced it at once.
    pub replaced_by_name: bool,
}

/// A rotation of a trading key at Hyperliquid.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HyperliquidRotation {
    /// The new agent's (API wallet's) address, EIP-55.
    pub api_wallet_address: String,
    /// The new agent's private key, returned once; absent if the deployment does not return keys.
    /// A retry with the same `Idempotency-Key` returns it again for ten minutes, in case the
    /// response was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_private_key: Option<Secret>,
    /// The wallet's address, EIP-55.
    pub main_wallet_address: String,
    /// Expiry of the agent, Unix milliseconds.
    pub expiry_timestamp: u64,
    /// The previous agent's address, EIP-55.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_agent_address: Option<String>,
    /// Whether the exchange has removed the previous agent. If not, the service removes it later.
    pub previous_agent_revoked: bool,
    /// Whether the new agent took the old one's name, and so replaced it at once.
    pub replaced_by_name: bool,
}

/// A credential: the state and metadata of a trading key, without secrets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// The exchange.
    pub exchange: Exchange,
    /// The credential's state.
    pub state: State,
    /// The wallet's id.
    pub wallet_id: Uuid,
    /// The wallet's address, EIP-55.
    pub wallet_address: String,
    /// The agent's address, EIP-55; `None` for an API key of Aster's V1.
    pub agent_address: Option<String>,
    /// The agent's name on the exchange.
    pub agent_name: String,
    /// Time of the exchange's approval, RFC 3339 in whole seconds; `None` before.
    pub created_at: Option<String>,
    /// Expiry, Unix milliseconds; `None` if it does not expire.
    pub expiry_timestamp: Option<u64>,
    /// Whether the renewal job renews the key.
    pub auto_renew: bool,
    /// Previous agents that the exchange still has to remove, EIP-55.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retiring_agent_addresses: Vec<String>,
    /// The current key, then earlier ones that the exchange may still accept. Empty for an API key
    /// of Aster's V1.
    #[serde(default)]
    pub keys: Vec<AgentKey>,
    /// Differences found by the last comparison with the exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// A problem with the keys, and the action to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// One trading key of a credential.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentKey {
    /// The agent's address, EIP-55.
    pub agent_address: String,
    /// The agent's name on the exchange.
    pub agent_name: String,
    /// Expiry, Unix milliseconds.
    pub expiry_timestamp: u64,
    /// Whether it is the current key.
    pub current: bool,
    /// Whether a response has shown its private key; `None` if keys are not shown, or if this is
    /// unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<bool>,
}

/// Differences between a credential and the exchange's list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// Time of the first finding, RFC 3339 in whole seconds.
    pub found_at: String,
    /// The differences.
    pub found: Vec<DriftEntry>,
}

/// One difference.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftEntry {
    /// `AGENT_UNKNOWN`, `AGENT_GONE`, `EXPIRES_EARLY` or `UNFINISHED`.
    pub kind: String,
    /// The agent concerned, EIP-55.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_address: Option<String>,
    /// The exchange's expiry, Unix milliseconds, for `EXPIRES_EARLY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed_expiry_timestamp: Option<u64>,
}

/// The agents that an exchange lists for a wallet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Agents {
    /// The exchange.
    pub exchange: Exchange,
    /// The wallet's id.
    pub wallet_id: Uuid,
    /// The wallet's address, EIP-55.
    pub wallet_address: String,
    /// The agents.
    pub agents: Vec<ListedAgent>,
}

/// One agent that an exchange lists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedAgent {
    /// The agent's address, EIP-55.
    pub agent_address: String,
    /// The agent's name on the exchange.
    pub agent_name: String,
    /// Expiry in Unix milliseconds, if the exchange states it.
    pub expiry_timestamp: Option<u64>,
    /// The agent's role.
    pub role: AgentRole,
}

/// The role of a listed agent.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AgentRole {
    /// The credential's current agent.
    Current,
    /// The agent that a rotation is about to make the current one.
    Next,
    /// An earlier agent whose delivered key is in use until it expires.
    Previous,
    /// Made by the service and used by no credential.
    Leftover,
    /// Not made by the service.
    Stranger,
    /// A role that this version of the crate does not know.
    #[serde(untagged)]
    Other(String),
}

/// A revoked credential.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// The exchange.
    pub exchange: Exchange,
    /// The wallet's id.
    pub wallet_id: Uuid,
    /// The revoked agent's address, EIP-55.
    pub agent_address: String,
}

/// The API's guidance about an exchange with which it does not register wallets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Guidance {
    /// Why the request was refused.
    pub error: String,
    /// The action to take.
    pub message: Option<String>,
}

/// An exchange.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Exchange {
    /// Aster.
    Aster,
    /// Hyperliquid.
    Hyperliquid,
    /// Lighter, where you bring the key of an account.
    Lighter,
    /// An exchange that this version of the crate does not know.
    #[serde(untagged)]
    Other(String),
}

impl Exchange {
    /// The exchanges with which the API registers wallets.
    pub const KNOWN: &[Self] = &[Self::Aster, Self::Hyperliquid];

    /// Returns the exchange's name in the API.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Aster => "aster",
            Self::Hyperliquid => "hyperliquid",
            Self::Lighter => "lighter",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The state of a credential.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// The key is made, and the exchange has not confirmed it.
    Pending,
    /// The exchange has approved the key.
    Active,
    /// A new key is replacing it.
    Rotating,
    /// It is being deleted.
    Revoking,
    /// It has expired.
    Expired,
    /// A state that this version of the crate does not know.
    #[serde(untagged)]
    Other(String),
}
