//! What is stored, field by field. Every record has a `schema` number.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::api::ids::{Exchange, Tenant, UserId};
use crate::envelope::{Context, Purpose, Sealed};
use crate::eth::Address;
use crate::mpc::WalletKey;

/// A wallet. It exists only when both shares of its key are stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WalletRecord {
    /// 1.
    pub schema: u32,
    /// Whose it is.
    pub tenant: Tenant,
    /// The platform's user.
    pub user_id: UserId,
    /// Its id.
    pub wallet_id: Uuid,
    /// Its address.
    pub address: Address,
    /// Uncompressed SEC1, 130 hex digits.
    pub public_key: String,
    /// Which shares are in use.
    pub key_version: u32,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// Signing is barred: the cosigner cheated in a run of the protocol.
    pub frozen: bool,
}

impl WalletRecord {
    /// The key, as the two parties name it.
    #[must_use]
    pub fn key(&self) -> WalletKey {
        WalletKey {
            tenant: self.tenant.clone(),
            wallet_id: self.wallet_id,
            key_version: self.key_version,
        }
    }
}

/// Party 1's share.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareRecord {
    /// 1.
    pub schema: u32,
    /// Which key version it is of.
    pub key_version: u32,
    /// The share, sealed under key A.
    pub sealed: Sealed,
}

impl ShareRecord {
    /// What the share is sealed for.
    #[must_use]
    pub fn context(key: &WalletKey) -> Context {
        Context {
            tenant: key.tenant.clone(),
            wallet_id: key.wallet_id,
            purpose: Purpose::Share,
            exchange: None,
            version: key.key_version.to_string(),
        }
    }
}

/// The last nonce that was used for each exchange, so that none is used twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Nonces {
    /// 1.
    pub schema: u32,
    /// Unix microseconds.
    #[serde(default)]
    pub aster: u64,
    /// Unix milliseconds.
    #[serde(default)]
    pub hyperliquid: u64,
}

impl Nonces {
    /// The last one used for this exchange, in its unit; 0 for none.
    #[must_use]
    pub const fn last(&self, exchange: Exchange) -> u64 {
        match exchange {
            Exchange::Aster => self.aster,
            Exchange::Hyperliquid => self.hyperliquid,
        }
    }
}

/// Where a credential is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialState {
    /// The agent key is sealed; the exchange may or may not have heard of it.
    Pending,
    /// The exchange has approved the agent.
    Active,
}

/// An exchange credential: an agent key, sealed, and what the exchange was asked to approve.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialRecord {
    /// 1.
    pub schema: u32,
    /// Where it is registered.
    pub exchange: Exchange,
    /// Where it is in its life.
    pub state: CredentialState,
    /// Drawn anew with each write; a writer that names an old one is refused.
    pub revision: Uuid,
    /// Until when a pending credential is worked on by one call, Unix milliseconds.
    pub lease_until_ms: u64,
    /// The agent's address. Never reused.
    pub agent: Address,
    /// The agent's name on the exchange. Never reused.
    pub agent_name: String,
    /// When the agent expires, Unix milliseconds.
    pub expires_at_ms: u64,
    /// When registration began, Unix milliseconds.
    pub requested_at_ms: u64,
    /// When the exchange was known to have approved it, Unix milliseconds.
    pub created_at_ms: Option<u64>,
    /// The agent's private key, sealed under key A.
    pub sealed: Sealed,
}

impl CredentialRecord {
    /// What an agent's key is sealed for: the wallet, the exchange and the agent itself.
    #[must_use]
    pub fn context(wallet: &WalletRecord, exchange: Exchange, agent: Address) -> Context {
        Context {
            tenant: wallet.tenant.clone(),
            wallet_id: wallet.wallet_id,
            purpose: Purpose::AgentKey,
            exchange: Some(exchange),
            version: agent.to_lower_hex(),
        }
    }

    /// Whether it is active and not past its expiry.
    #[must_use]
    pub fn is_live(&self, now_ms: u64) -> bool {
        self.state == CredentialState::Active && now_ms < self.expires_at_ms
    }
}
