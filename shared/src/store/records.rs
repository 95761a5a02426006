//! What is stored, field by field. Every record has a `schema` number.

use domain::eth::Address;
use domain::ids::{Exchange, Tenant, UserId};
use platform::envelope::{Context, Purpose, Sealed};
use protocol::WalletKey;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DriftNote, ExpiringNote, OperatorAction, RequestMark};

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
    /// Signing is barred for good: the cosigner cheated in a run of the protocol.
    pub frozen: bool,
    /// From when the age of its shares is counted, Unix milliseconds: see [`shares_at_ms`]. `None`:
    /// made by a version that refreshed none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares_at_ms: Option<u64>,
    /// The last refresh of its shares, or the one that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshState>,
    /// The request with an `Idempotency-Key` that made it: see [`RequestMark::operation`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<Uuid>,
    /// The operator's freeze that is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_freeze: Option<OperatorAction>,
    /// What operators did with the wallet, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operator_actions: Vec<OperatorAction>,
}

/// Where the refresh of a wallet's shares is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshState {
    /// The version that the last attempt is for. Each attempt has one of its own, and only the
    /// last one may bring its shares into use: this is the fence.
    pub to: u32,
    /// Until when one call works on it, Unix milliseconds; 0 when none does.
    pub lease_until_ms: u64,
    /// The cosigner is still to be told that the new shares are in use.
    pub retire: bool,
    /// After a failure the job leaves it alone until then, Unix milliseconds.
    #[serde(default)]
    pub rest_until_ms: u64,
}

/// New wallets count as up to so much older than they are, so that those made together are not
/// refreshed together.
const SPREAD_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// From when the age of a new wallet's shares is counted.
#[must_use]
pub fn shares_at_ms(wallet_id: Uuid, created_at_ms: u64) -> u64 {
    let (high, low) = wallet_id.as_u64_pair();
    created_at_ms.saturating_sub((high ^ low) % SPREAD_MS)
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

    /// The later ones of two items: each exchange has its own, and earlier versions have written
    /// one for both.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            schema: self.schema.max(other.schema),
            aster: self.aster.max(other.aster),
            hyperliquid: self.hyperliquid.max(other.hyperliquid),
        }
    }
}

/// What is stored of a credential's life; `docs/concepts/credentials.md` draws it. Whether one has expired
/// is the clock's matter: see `Life` in `credentials`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialState {
    /// The agent key is sealed; the exchange may or may not have heard of it.
    Pending,
    /// The exchange has approved the agent.
    Active,
    /// It is active, and its agent is being exchanged for another.
    Rotating,
    /// It is being taken away; from here there is no way back.
    Revoking,
}

/// An agent beside the current one of a credential.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentRecord {
    /// Its address.
    pub agent: Address,
    /// Its name on the exchange.
    pub agent_name: String,
    /// When it expires, Unix milliseconds.
    pub expires_at_ms: u64,
    /// When its approval was first asked for, Unix milliseconds.
    pub requested_at_ms: u64,
    /// Its private key, sealed under key A.
    pub sealed: Sealed,
    /// See [`CredentialRecord::delivered`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<bool>,
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
    /// Until when one call works on it, Unix milliseconds; 0 when none does.
    pub lease_until_ms: u64,
    /// The agent's address. Never reused. Of a key of Aster's V1: the wallet's own.
    pub agent: Address,
    /// The agent's name on the exchange. Never reused.
    pub agent_name: String,
    /// When the agent expires, Unix milliseconds.
    pub expires_at_ms: u64,
    /// When registration began, Unix milliseconds.
    pub requested_at_ms: u64,
    /// When the exchange was known to have approved it, Unix milliseconds.
    pub created_at_ms: Option<u64>,
    /// The agent's private key, sealed under key A. Of a key of Aster's V1: its secret.
    pub sealed: Sealed,
    /// Whether a response has shown the current agent's private key. `None`: keys of this exchange
    /// are not shown, or an earlier version wrote the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<bool>,
    /// While it rotates: the agent to come.
    #[serde(default)]
    pub next: Option<AgentRecord>,
    /// While it rotates: the current agent is to stay on the exchange until it expires.
    #[serde(default)]
    pub keep_previous: bool,
    /// Agents before this one that are still to be taken away on the exchange.
    #[serde(default)]
    pub retiring: Vec<AgentRecord>,
    /// A key of Aster's V1, whose secret is sealed; empty while it is pending.
    #[serde(default)]
    pub api_key: Option<String>,
    /// Whether it is renewed before it expires.
    #[serde(default = "yes")]
    pub auto_renew: bool,
    /// How often in a row a job has failed with it.
    #[serde(default)]
    pub job_failures: u32,
    /// No job touches it before, Unix milliseconds.
    #[serde(default)]
    pub job_after_ms: u64,
    /// When it is next compared with what the exchange knows, Unix milliseconds.
    #[serde(default)]
    pub check_at_ms: Option<u64>,
    /// The request with an `Idempotency-Key` for which it is being worked on; none at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestMark>,
    /// What the last comparison with the exchange has found to differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftNote>,
    /// That its tenant was told of an agent which expires and is not renewed by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiring: Option<ExpiringNote>,
}

const fn yes() -> bool {
    true
}

/// A credential that jobs could not renew for so long after its expiry is left alone, and a
/// registration that nobody has ended for so long.
const GIVE_UP_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

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

    /// Whether it is an API key of Aster's V1, made by the exchange.
    #[must_use]
    pub const fn is_v1(&self) -> bool {
        self.api_key.is_some()
    }

    /// The current agent.
    #[must_use]
    pub fn current(&self) -> AgentRecord {
        AgentRecord {
            agent: self.agent,
            agent_name: self.agent_name.clone(),
            expires_at_ms: self.expires_at_ms,
            requested_at_ms: self.requested_at_ms,
            sealed: self.sealed.clone(),
            delivered: self.delivered,
        }
    }

    /// Returns the earlier agents that stay on the exchange until they expire, because their keys
    /// were handed out and are in use.
    pub fn kept(&self) -> impl Iterator<Item = &AgentRecord> + Clone {
        self.retiring.iter().filter(|_| self.keep_previous)
    }

    /// Makes another agent the current one, and returns the one before.
    pub fn promote(&mut self, next: AgentRecord) -> AgentRecord {
        let before = self.current();
        let AgentRecord { agent, agent_name, expires_at_ms, requested_at_ms, sealed, delivered } =
            next;
        self.agent = agent;
        self.agent_name = agent_name;
        self.expires_at_ms = expires_at_ms;
        self.requested_at_ms = requested_at_ms;
        self.sealed = sealed;
        self.delivered = delivered;
        before
    }

    /// When the renewal job has something to do with it, Unix milliseconds: work that was begun
    /// and not ended, or else its expiry. `None`: never.
    #[must_use]
    pub fn due_at_ms(&self) -> Option<u64> {
        let unfinished = self.lease_until_ms.max(self.job_after_ms);
        match self.state {
            // Its caller finishes it; the renewal job counts it, the reconciliation job reports it.
            CredentialState::Pending => {
                let given_up_ms = self.requested_at_ms.saturating_add(GIVE_UP_MS);
                Some(unfinished).filter(|at_ms| *at_ms < given_up_ms)
            }
            CredentialState::Rotating | CredentialState::Revoking => Some(unfinished),
            CredentialState::Active if !self.retiring.is_empty() => Some(unfinished),
            CredentialState::Active => (self.auto_renew
                && !self.is_v1()
                && self.job_after_ms < self.expires_at_ms.saturating_add(GIVE_UP_MS))
            .then_some(self.expires_at_ms),
        }
    }
}

/// What a request has brought about at a credential: all that its answer needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The agent that it made, or took away.
    pub agent: Address,
    /// Its private key, sealed as in the credential. `None`: it is gone, or a key of Aster's V1.
    pub sealed: Option<Sealed>,
    /// When it became active, Unix milliseconds.
    pub created_at_ms: u64,
    /// When it expires, Unix milliseconds.
    pub expires_at_ms: u64,
    /// Since when a response may have shown it, Unix milliseconds. `None`: a job brought it about, or
    /// an earlier version noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_from_ms: Option<u64>,
    /// A rotation: the agents before.
    pub previous: Vec<Address>,
    /// A rotation: whether they are gone from the exchange.
    pub previous_revoked: bool,
    /// A rotation: whether the new agent took the name of the old one.
    pub replaced_by_name: bool,
}

impl Outcome {
    /// What there is to say of a credential.
    #[must_use]
    pub fn of(record: &CredentialRecord) -> Self {
        Self {
            agent: record.agent,
            sealed: Some(record.sealed.clone()),
            created_at_ms: record.created_at_ms.unwrap_or_default(),
            expires_at_ms: record.expires_at_ms,
            shown_from_ms: None,
            previous: Vec::new(),
            previous_revoked: false,
            replaced_by_name: false,
        }
    }
}
