//! The stored records, field by field. Every record has a `schema` number.

use domain::builder::Builder;
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
    /// Schema number: 1.
    pub schema: u32,
    /// The wallet's tenant.
    pub tenant: Tenant,
    /// The tenant's user.
    pub user_id: UserId,
    /// Its id.
    pub wallet_id: Uuid,
    /// Its address.
    pub address: Address,
    /// Uncompressed SEC1, 130 hex digits.
    pub public_key: String,
    /// The version of the shares in use.
    pub key_version: u32,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// Whether signing is barred permanently, because the cosigner cheated in a run of the
    /// protocol.
    pub frozen: bool,
    /// Start of the shares' age, Unix milliseconds: see [`shares_at_ms`]. `None` for wallets of a
    /// version without refreshes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares_at_ms: Option<u64>,
    /// The last or current refresh of its shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshState>,
    /// The request with an `Idempotency-Key` that made it: see [`RequestMark::operation`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<Uuid>,
    /// The export of its key, if there was one: another holder may have the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exported: Option<ExportMark>,
    /// The operator's freeze in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_freeze: Option<OperatorAction>,
    /// The operators' actions, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operator_actions: Vec<OperatorAction>,
}

/// The export of a wallet's key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportMark {
    /// Unix milliseconds.
    pub at_ms: u64,
    /// The number of the change of the tenant's policy that allowed it.
    pub change: u64,
    /// The id of the recipient's key.
    pub recipient: String,
}

/// The state of a refresh of a wallet's shares.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshState {
    /// The version of the last attempt. Each attempt has its own version, and only the last one
    /// may bring its shares into use. This is the fence.
    pub to: u32,
    /// End of the lease of the call at work, Unix milliseconds; 0 when no call is at work.
    pub lease_until_ms: u64,
    /// Whether the cosigner must still be informed that the new shares are in use.
    pub retire: bool,
    /// After a failure, the time of the job's next attempt, Unix milliseconds.
    #[serde(default)]
    pub rest_until_ms: u64,
}

/// New wallets count as older by up to this time, so that wallets made together are not refreshed
/// together.
const SPREAD_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Returns the start of the age of a new wallet's shares.
#[must_use]
pub fn shares_at_ms(wallet_id: Uuid, created_at_ms: u64) -> u64 {
    let (high, low) = wallet_id.as_u64_pair();
    created_at_ms.saturating_sub((high ^ low) % SPREAD_MS)
}

impl WalletRecord {
    /// Returns the key, as the two parties name it.
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
    /// Schema number: 1.
    pub schema: u32,
    /// The version of the share.
    pub key_version: u32,
    /// The share, sealed under key A.
    pub sealed: Sealed,
}

impl ShareRecord {
    /// Returns the encryption context of the share.
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

/// The last nonce used on each exchange, so that none is used twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Nonces {
    /// Schema number: 1.
    pub schema: u32,
    /// Unix microseconds.
    #[serde(default)]
    pub aster: u64,
    /// Unix milliseconds.
    #[serde(default)]
    pub hyperliquid: u64,
}

impl Nonces {
    /// Returns the last nonce of this exchange, in its unit; 0 for none.
    #[must_use]
    pub const fn last(&self, exchange: Exchange) -> u64 {
        match exchange {
            Exchange::Aster => self.aster,
            Exchange::Hyperliquid => self.hyperliquid,
            // No wallet signs for Lighter.
            Exchange::Lighter => 0,
        }
    }

    /// Merges two items by the later nonce: each exchange has its own item, and earlier versions
    /// wrote one for both.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            schema: self.schema.max(other.schema),
            aster: self.aster.max(other.aster),
            hyperliquid: self.hyperliquid.max(other.hyperliquid),
        }
    }
}

/// The stored state of a credential; `docs/concepts/credentials.md` has the diagram. Expiry
/// depends on the clock: see `Life` in `credentials`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialState {
    /// The agent key is sealed; the exchange may or may not know the agent.
    Pending,
    /// The exchange has approved the agent.
    Active,
    /// It is active, and a new agent is replacing the current one.
    Rotating,
    /// It is being deleted, which cannot be undone.
    Revoking,
}

/// An agent of a credential other than the current one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentRecord {
    /// Its address.
    pub agent: Address,
    /// Its name on the exchange.
    pub agent_name: String,
    /// Expiry, Unix milliseconds.
    pub expires_at_ms: u64,
    /// Time of the first approval request, Unix milliseconds.
    pub requested_at_ms: u64,
    /// Its private key, sealed under key A.
    pub sealed: Sealed,
    /// See [`CredentialRecord::delivered`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<bool>,
}

/// A credential: a sealed agent key, and the approval requested from the exchange.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialRecord {
    /// Schema number: 1.
    pub schema: u32,
    /// The exchange.
    pub exchange: Exchange,
    /// The state.
    pub state: CredentialState,
    /// A new random value for each write; a writer that names an old one is refused.
    pub revision: Uuid,
    /// End of the lease of the call at work, Unix milliseconds; 0 when no call is at work.
    pub lease_until_ms: u64,
    /// The agent's address, never reused. For a key of Aster's V1, the wallet's own.
    pub agent: Address,
    /// The agent's name on the exchange, never reused.
    pub agent_name: String,
    /// Expiry of the agent, Unix milliseconds.
    pub expires_at_ms: u64,
    /// Start of the registration, Unix milliseconds.
    pub requested_at_ms: u64,
    /// Time at which the exchange's approval became known, Unix milliseconds.
    pub created_at_ms: Option<u64>,
    /// The agent's private key, sealed under key A. For a key of Aster's V1, its secret.
    pub sealed: Sealed,
    /// Whether a response has shown the current agent's private key. `None` if keys of this
    /// exchange are not shown, or if an earlier version wrote the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<bool>,
    /// The new agent of a rotation in progress.
    #[serde(default)]
    pub next: Option<AgentRecord>,
    /// Whether the rotation in progress leaves the current agent on the exchange until it expires.
    #[serde(default)]
    pub keep_previous: bool,
    /// Previous agents that the exchange still has to remove.
    #[serde(default)]
    pub retiring: Vec<AgentRecord>,
    /// A key of Aster's V1, whose secret is sealed; empty while pending.
    #[serde(default)]
    pub api_key: Option<String>,
    /// Whether it is renewed before it expires.
    #[serde(default = "yes")]
    pub auto_renew: bool,
    /// Number of consecutive failures of jobs with it.
    #[serde(default)]
    pub job_failures: u32,
    /// The earliest time for the next job, Unix milliseconds.
    #[serde(default)]
    pub job_after_ms: u64,
    /// Time of the next comparison with the exchange, Unix milliseconds.
    #[serde(default)]
    pub check_at_ms: Option<u64>,
    /// The request with an `Idempotency-Key` being served; none at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestMark>,
    /// Differences found by the last comparison with the exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftNote>,
    /// The notice to the tenant about an agent that expires and is not renewed automatically.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiring: Option<ExpiringNote>,
    /// The builder that the wallet is known to have approved at the exchange, with its maximum fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<Builder>,
}

const fn yes() -> bool {
    true
}

/// Credentials that could not be renewed for this long after their expiry, and registrations
/// unfinished for this long, are left alone.
const GIVE_UP_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

impl CredentialRecord {
    /// Returns the encryption context of an agent's key: the wallet, the exchange and the agent.
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

    /// Returns whether it is an API key of Aster's V1, made by the exchange.
    #[must_use]
    pub const fn is_v1(&self) -> bool {
        self.api_key.is_some()
    }

    /// Returns the current agent.
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

    /// Returns the earlier agents that stay on the exchange until they expire, because callers
    /// have their keys and use them.
    pub fn kept(&self) -> impl Iterator<Item = &AgentRecord> + Clone {
        self.retiring.iter().filter(|_| self.keep_previous)
    }

    /// Makes another agent the current one, and returns the previous one.
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

    /// Returns when the renewal job must handle it, Unix milliseconds: at once for an unfinished
    /// operation, otherwise before its expiry. Returns `None` when never.
    #[must_use]
    pub fn due_at_ms(&self) -> Option<u64> {
        let unfinished = self.lease_until_ms.max(self.job_after_ms);
        match self.state {
            // Its caller finishes it; the renewal job counts it, and the reconciliation job
            // reports it.
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

/// The outcome of a request on a credential, with everything that its response requires.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The agent that was made or removed.
    pub agent: Address,
    /// The agent's private key, sealed as in the credential. `None` when it was deleted, or for a
    /// key of Aster's V1.
    pub sealed: Option<Sealed>,
    /// Start of its activity, Unix milliseconds.
    pub created_at_ms: u64,
    /// Expiry, Unix milliseconds.
    pub expires_at_ms: u64,
    /// Since when a response may have shown it, Unix milliseconds. `None` when a job caused the
    /// outcome, or an earlier version recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_from_ms: Option<u64>,
    /// For a rotation, the previous agents.
    pub previous: Vec<Address>,
    /// For a rotation, whether the exchange has removed them.
    pub previous_revoked: bool,
    /// For a rotation, whether the new agent took the old one's name.
    pub replaced_by_name: bool,
}

impl Outcome {
    /// Returns the outcome that a credential represents.
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
