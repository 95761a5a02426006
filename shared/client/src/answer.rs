//! What is answered.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Secret;

/// A good answer. It is read as what is in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// HTTP status: 201 where something was made by this very call.
    pub http_status: u16,
    /// What was done, in words.
    pub note: Option<String>,
    /// The service's time, Unix milliseconds, where it tells it.
    pub timestamp: Option<u64>,
    /// What the request is called in the service's log.
    pub request_id: Option<String>,
    /// The answer was given before, to the same `Idempotency-Key`.
    pub replayed: bool,
}

impl<T> Answer<T> {
    /// What was asked for.
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T> Deref for Answer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// `GET /api/health`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// The service's version.
    pub version: String,
}

/// A wallet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wallet {
    /// The platform's own name for its user.
    pub user_id: String,
    /// EIP-55.
    pub address: String,
    /// The wallet's id.
    pub wallet_id: Uuid,
    /// Uncompressed SEC1, 130 hex digits without `0x`.
    pub public_key: String,
}

/// A wallet in the list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedWallet {
    /// The platform's own name for its user.
    pub user_id: String,
    /// EIP-55.
    pub address: String,
    /// The wallet's id.
    pub wallet_id: Uuid,
    /// Uncompressed SEC1, 130 hex digits without `0x`.
    pub public_key: String,
    /// RFC 3339 in whole seconds.
    pub created_at: String,
}

/// A page of wallets, which may be short or empty though it is not the last one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WalletsPage {
    /// In the service's own order.
    pub wallets: Vec<ListedWallet>,
    /// Where the next page begins; `None` with the last one.
    pub next_cursor: Option<String>,
}

/// A signed message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signed {
    /// `0x` and 65 bytes: r, s (low), v (27 or 28).
    pub signature: String,
    /// The signer, EIP-55.
    pub address: String,
    /// The signer's id.
    pub wallet_id: Uuid,
    /// What was signed.
    pub message: String,
}

/// A registration with Aster. Its key stays on the server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AsterKey {
    /// The wallet that is registered, EIP-55.
    pub signer_address: String,
    /// RFC 3339 in whole seconds.
    pub created_at: String,
    /// The agent that may trade, EIP-55; none with an API key of V1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_address: Option<String>,
    /// When the agent expires, Unix milliseconds; never with an API key of V1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_timestamp: Option<u64>,
}

/// A registration with Hyperliquid.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HyperliquidKey {
    /// The agent (API wallet), EIP-55.
    pub api_wallet_address: String,
    /// Its private key, returned once; absent where the deployment says so. The same request under the
    /// same `Idempotency-Key` returns it again for ten minutes, in case the response was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_private_key: Option<Secret>,
    /// The wallet, EIP-55.
    pub main_wallet_address: String,
    /// When the agent expires, Unix milliseconds.
    pub expiry_timestamp: u64,
}

/// A new key with Aster in the place of another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AsterRotation {
    /// The wallet that is registered, EIP-55.
    pub signer_address: String,
    /// RFC 3339 in whole seconds.
    pub created_at: String,
    /// The agent that may trade, EIP-55.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_address: Option<String>,
    /// When the agent expires, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_timestamp: Option<u64>,
    /// The agent before, EIP-55.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_agent_address: Option<String>,
    /// Whether it is gone from the exchange; if not, it is taken away by itself later.
    pub previous_agent_revoked: bool,
    /// The new agent has the name of the old one, and took its place at once.
    pub replaced_by_name: bool,
}

/// A new key with Hyperliquid in the place of another.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HyperliquidRotation {
    /// The agent (API wallet), EIP-55.
    pub api_wallet_address: String,
    /// Its private key, returned once; absent where the deployment says so. The same request under the
    /// same `Idempotency-Key` returns it again for ten minutes, in case the response was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_private_key: Option<Secret>,
    /// The wallet, EIP-55.
    pub main_wallet_address: String,
    /// When the agent expires, Unix milliseconds.
    pub expiry_timestamp: u64,
    /// The agent before, EIP-55.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_agent_address: Option<String>,
    /// Whether it is gone from the exchange; if not, it is taken away by itself later.
    pub previous_agent_revoked: bool,
    /// The new agent has the name of the old one, and took its place at once.
    pub replaced_by_name: bool,
}

/// What is known of an API key. Never a secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// Where it is registered.
    pub exchange: Exchange,
    /// Where it is in its life.
    pub state: State,
    /// The wallet's id.
    pub wallet_id: Uuid,
    /// EIP-55.
    pub wallet_address: String,
    /// EIP-55; none with an API key of Aster's V1.
    pub agent_address: Option<String>,
    /// The agent's name on the exchange.
    pub agent_name: String,
    /// RFC 3339 in whole seconds; none until the exchange has approved it.
    pub created_at: Option<String>,
    /// Unix milliseconds; none where it never expires.
    pub expiry_timestamp: Option<u64>,
    /// Whether the renewal job renews it.
    pub auto_renew: bool,
    /// Agents before this one that are still to be taken away on the exchange, EIP-55.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retiring_agent_addresses: Vec<String>,
    /// The current key, then earlier ones that the exchange may still accept. Empty for an API key
    /// of Aster's V1.
    #[serde(default)]
    pub keys: Vec<AgentKey>,
    /// What the last comparison with the exchange found to differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// What is wrong with the keys, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// One key of a wallet's API key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentKey {
    /// EIP-55.
    pub agent_address: String,
    /// The agent's name on the exchange.
    pub agent_name: String,
    /// When it expires, Unix milliseconds.
    pub expiry_timestamp: u64,
    /// Whether it is the current key.
    pub current: bool,
    /// Whether a response has shown its private key; none where keys are not shown, or it is not
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<bool>,
}

/// How a wallet's API key differs from what the exchange lists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// When it was found first, RFC 3339 in whole seconds.
    pub found_at: String,
    /// All that differs.
    pub found: Vec<DriftEntry>,
}

/// One difference.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftEntry {
    /// `AGENT_UNKNOWN`, `AGENT_GONE`, `EXPIRES_EARLY` or `UNFINISHED`.
    pub kind: String,
    /// The agent that it is about, EIP-55.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_address: Option<String>,
    /// `EXPIRES_EARLY`: when the exchange lets it expire, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed_expiry_timestamp: Option<u64>,
}

/// What an exchange lists for a wallet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Agents {
    /// The exchange.
    pub exchange: Exchange,
    /// The wallet's id.
    pub wallet_id: Uuid,
    /// EIP-55.
    pub wallet_address: String,
    /// The agents.
    pub agents: Vec<ListedAgent>,
}

/// One agent that an exchange lists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedAgent {
    /// EIP-55.
    pub agent_address: String,
    /// Its name on the exchange.
    pub agent_name: String,
    /// When it expires, Unix milliseconds, if the exchange says.
    pub expiry_timestamp: Option<u64>,
    /// What it is to the service.
    pub role: AgentRole,
}

/// What an agent that an exchange lists is to the service.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AgentRole {
    /// The API key's current agent.
    Current,
    /// The agent that a rotation is about to make the current one.
    Next,
    /// An earlier agent whose delivered key is in use until it expires.
    Previous,
    /// Made by the service and used by no API key.
    Leftover,
    /// Not made by the service.
    Stranger,
    /// One that this version of the crate does not know.
    #[serde(untagged)]
    Other(String),
}

/// An API key that is gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// Where it was registered.
    pub exchange: Exchange,
    /// The wallet's id.
    pub wallet_id: Uuid,
    /// The agent that is gone, EIP-55.
    pub agent_address: String,
}

/// What the API says of an exchange that wallets are not registered with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Guidance {
    /// That it is not, and why.
    pub error: String,
    /// What to do.
    pub message: Option<String>,
}

/// An exchange that wallets are registered with.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Exchange {
    /// Aster.
    Aster,
    /// Hyperliquid.
    Hyperliquid,
    /// One that this version of the crate does not know.
    #[serde(untagged)]
    Other(String),
}

impl Exchange {
    /// Every exchange that has a name here.
    pub const KNOWN: &[Self] = &[Self::Aster, Self::Hyperliquid];

    /// Its name in the API.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Aster => "aster",
            Self::Hyperliquid => "hyperliquid",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where an API key is in its life.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// It is made, and the exchange has not confirmed it.
    Pending,
    /// It works.
    Active,
    /// Another one takes its place.
    Rotating,
    /// It is being taken away.
    Revoking,
    /// It has come to its end.
    Expired,
    /// One that this version of the crate does not know.
    #[serde(untagged)]
    Other(String),
}
