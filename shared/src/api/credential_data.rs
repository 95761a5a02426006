//! Response data of a wallet's credential and of its agents on an exchange, without secrets.

use domain::ids::Exchange;
use domain::time::rfc3339_seconds;
use serde::Serialize;
use utoipa::ToSchema;

use crate::credentials::{Agents, Life, RemovedAgent, Revoked, advice};
use crate::schema;
use crate::store::{AgentRecord, CredentialRecord, DriftNote, WalletRecord};

/// The `data` of `GET /api/trading/{exchange}/apikey`: state and metadata, without secrets.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct CredentialData {
    #[schema(value_type = schema::ExchangeName)]
    exchange: Exchange,
    /// `pending`, `active`, `rotating`, `revoking` or `expired`.
    #[schema(value_type = schema::State)]
    state: &'static str,
    #[schema(value_type = schema::WalletId)]
    wallet_id: String,
    /// The wallet's address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    wallet_address: String,
    /// The agent's address, EIP-55; `null` for an API key of Aster's V1.
    #[schema(value_type = Option<schema::AddressText>, required)]
    agent_address: Option<String>,
    agent_name: String,
    /// Time of the exchange's approval, RFC 3339 in whole seconds; `null` before.
    #[schema(value_type = Option<schema::Seconds>, required)]
    created_at: Option<String>,
    /// Expiry, Unix milliseconds; `null` if it does not expire.
    #[schema(value_type = Option<schema::UnixMs>, required)]
    expiry_timestamp: Option<u64>,
    auto_renew: bool,
    /// Previous agents that the exchange still has to remove, EIP-55.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<schema::AddressText>, required = false)]
    retiring_agent_addresses: Vec<String>,
    /// The current key, then earlier ones that the exchange may still accept. Empty for an API key
    /// of Aster's V1.
    keys: Vec<KeyRow>,
    /// Differences found by the last comparison with the exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = DriftData, required = false)]
    drift: Option<DriftData>,
    /// A problem with the keys, and the action to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    advice: Option<String>,
}

#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
struct KeyRow {
    /// The agent's address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    agent_address: String,
    agent_name: String,
    /// Expiry, Unix milliseconds.
    #[schema(value_type = schema::UnixMs)]
    expiry_timestamp: u64,
    /// Whether it is the current key.
    current: bool,
    /// Whether a response has shown its private key. Absent if keys of this exchange are not
    /// shown, or if this is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    delivered: Option<bool>,
}

impl KeyRow {
    fn new(agent: &AgentRecord, current: bool) -> Self {
        Self {
            agent_address: agent.agent.to_string(),
            agent_name: agent.agent_name.clone(),
            expiry_timestamp: agent.expires_at_ms,
            current,
            delivered: agent.delivered,
        }
    }
}

#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
struct DriftData {
    /// Time of the first finding, RFC 3339 in whole seconds.
    #[schema(value_type = schema::Seconds)]
    found_at: String,
    found: Vec<DriftRow>,
}

#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
struct DriftRow {
    /// AGENT_UNKNOWN, AGENT_GONE, EXPIRES_EARLY or UNFINISHED.
    #[schema(value_type = schema::DriftKindName)]
    kind: &'static str,
    /// The agent concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::AddressText, required = false)]
    agent_address: Option<String>,
    /// The exchange's expiry, for EXPIRES_EARLY.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::UnixMs, required = false)]
    listed_expiry_timestamp: Option<u64>,
}

impl From<&DriftNote> for DriftData {
    fn from(note: &DriftNote) -> Self {
        let found = note.found.iter().map(|found| DriftRow {
            kind: found.kind.as_str(),
            agent_address: found.agent.map(|agent| agent.to_string()),
            listed_expiry_timestamp: found.listed_ms,
        });
        Self { found_at: rfc3339_seconds(note.at_ms), found: found.collect() }
    }
}

impl CredentialData {
    /// Returns the data of a credential at a time in Unix milliseconds.
    #[must_use]
    pub fn new(wallet: &WalletRecord, record: &CredentialRecord, now_ms: u64) -> Self {
        let is_agent = !record.is_v1();
        let current = is_agent.then(|| KeyRow::new(&record.current(), true));
        let earlier = record.retiring.iter().rev().map(|agent| KeyRow::new(agent, false));
        Self {
            exchange: record.exchange,
            state: Life::of(record, now_ms).as_str(),
            wallet_id: wallet.wallet_id.to_string(),
            wallet_address: wallet.address.to_string(),
            agent_address: is_agent.then(|| record.agent.to_string()),
            agent_name: record.agent_name.clone(),
            created_at: record.created_at_ms.map(rfc3339_seconds),
            expiry_timestamp: is_agent.then_some(record.expires_at_ms),
            auto_renew: record.auto_renew && is_agent,
            retiring_agent_addresses: record
                .retiring
                .iter()
                .map(|agent| agent.agent.to_string())
                .collect(),
            keys: current.into_iter().chain(earlier).collect(),
            drift: record.drift.as_ref().map(DriftData::from),
            advice: advice(record, now_ms),
        }
    }
}

/// The `data` of `GET /api/trading/{exchange}/agents`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct AgentsData {
    #[schema(value_type = schema::ExchangeName)]
    exchange: Exchange,
    #[schema(value_type = schema::WalletId)]
    wallet_id: String,
    /// The wallet's address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    wallet_address: String,
    /// The agents that the exchange lists.
    agents: Vec<AgentRow>,
}

#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
struct AgentRow {
    /// The agent's address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    agent_address: String,
    agent_name: String,
    /// Expiry, Unix milliseconds; `null` if the exchange does not state it.
    #[schema(value_type = Option<schema::UnixMs>, required)]
    expiry_timestamp: Option<u64>,
    /// `current`, `next` or `previous`: used by the wallet's credential. `leftover`: made by this
    /// service and used by no credential. `stranger`: not made by this service.
    #[schema(value_type = schema::AgentRoleName)]
    role: &'static str,
}

impl AgentsData {
    /// Returns the data of the agents that the exchange lists.
    #[must_use]
    pub fn new(exchange: Exchange, listed: &Agents) -> Self {
        let rows = listed.agents.iter().map(|(agent, role)| AgentRow {
            agent_address: agent.address.to_string(),
            agent_name: agent.name.clone(),
            expiry_timestamp: agent.expires_at_ms,
            role: role.as_str(),
        });
        Self {
            exchange,
            wallet_id: listed.wallet.wallet_id.to_string(),
            wallet_address: listed.wallet.address.to_string(),
            agents: rows.collect(),
        }
    }
}

/// The `data` of `DELETE /api/trading/{exchange}/apikey` and of `DELETE …/agents/{name}`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct RevokedData {
    #[schema(value_type = schema::ExchangeName)]
    exchange: Exchange,
    #[schema(value_type = schema::WalletId)]
    wallet_id: String,
    /// The removed agent's address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    agent_address: String,
}

impl RevokedData {
    /// Returns the data of a removed agent that no credential used.
    #[must_use]
    pub fn of_agent(exchange: Exchange, removed: &RemovedAgent) -> Self {
        Self {
            exchange,
            wallet_id: removed.wallet.wallet_id.to_string(),
            agent_address: removed.agent.address.to_string(),
        }
    }

    /// Returns the data of a deleted credential.
    #[must_use]
    pub fn new(exchange: Exchange, revoked: &Revoked) -> Self {
        Self {
            exchange,
            wallet_id: revoked.wallet.wallet_id.to_string(),
            agent_address: revoked.agent.to_string(),
        }
    }
}
