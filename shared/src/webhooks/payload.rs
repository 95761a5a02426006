//! What each event says. Nothing else is ever sent, so nothing secret can be.

use domain::ids::Exchange;
use serde::Serialize;
use utoipa::ToSchema;

use super::EventType;
use crate::schema;

/// What a receiver is sent.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct EventBody<T: ToSchema> {
    #[serde(rename = "type")]
    #[schema(value_type = schema::EventTypeName)]
    pub(super) kind: EventType,
    /// When it happened.
    #[schema(value_type = schema::Seconds)]
    pub(super) timestamp: String,
    pub(super) data: T,
}

/// `wallet.created`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WalletCreated {
    #[schema(value_type = schema::UserName)]
    pub(super) user_id: String,
    /// EIP-55.
    #[schema(value_type = schema::AddressText)]
    pub(super) address: String,
    #[schema(value_type = schema::WalletId)]
    pub(super) wallet_id: String,
}

/// `credential.active`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct CredentialActive {
    #[schema(value_type = schema::WalletId)]
    pub(super) wallet_id: String,
    #[schema(value_type = schema::ExchangeName)]
    pub(super) exchange: Exchange,
    /// Absent: an API key that the exchange made (Aster's V1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::AddressText, required = false)]
    pub(super) agent_address: Option<String>,
    /// When it expires.
    #[schema(value_type = schema::UnixMs)]
    pub(super) expiry_timestamp: u64,
    /// Whether it is renewed before it expires.
    pub(super) auto_renew: bool,
}

/// `credential.renewed`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct CredentialRenewed {
    #[schema(value_type = schema::WalletId)]
    pub(super) wallet_id: String,
    #[schema(value_type = schema::ExchangeName)]
    pub(super) exchange: Exchange,
    /// The new agent.
    #[schema(value_type = schema::AddressText)]
    pub(super) agent_address: String,
    /// When the new agent expires.
    #[schema(value_type = schema::UnixMs)]
    pub(super) expiry_timestamp: u64,
    /// The agent before.
    #[schema(value_type = schema::AddressText)]
    pub(super) previous_agent_address: String,
    /// The agent before stays in use until it expires: its key was handed out, and the new one has
    /// not been. A rotation hands one out.
    pub(super) previous_kept: bool,
    /// When the agent before expires.
    #[schema(value_type = schema::UnixMs)]
    pub(super) previous_expiry_timestamp: u64,
    /// Whether a response has shown the new key. Absent: keys of this exchange are not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    pub(super) delivered: Option<bool>,
    /// What to do to get a usable key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub(super) advice: Option<String>,
}

/// `credential.expiring`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct CredentialExpiring {
    #[schema(value_type = schema::WalletId)]
    pub(super) wallet_id: String,
    #[schema(value_type = schema::ExchangeName)]
    pub(super) exchange: Exchange,
    /// The agent that expires.
    #[schema(value_type = schema::AddressText)]
    pub(super) agent_address: String,
    /// When it expires.
    #[schema(value_type = schema::UnixMs)]
    pub(super) expiry_timestamp: u64,
    /// Why it is not renewed by itself: AUTO_RENEW_OFF, KEY_HANDED_OUT or RENEWAL_FAILING.
    #[schema(value_type = schema::ExpiringReason)]
    pub(super) reason: &'static str,
    /// What to do to get a usable key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub(super) advice: Option<String>,
}

/// `credential.revoked`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct CredentialRevoked {
    #[schema(value_type = schema::WalletId)]
    pub(super) wallet_id: String,
    #[schema(value_type = schema::ExchangeName)]
    pub(super) exchange: Exchange,
    /// The agent that it had. Absent: an API key that the exchange made (Aster's V1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::AddressText, required = false)]
    pub(super) agent_address: Option<String>,
}

/// `credential.drift`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct CredentialDrift {
    #[schema(value_type = schema::WalletId)]
    pub(super) wallet_id: String,
    #[schema(value_type = schema::ExchangeName)]
    pub(super) exchange: Exchange,
    /// The agent that we know.
    #[schema(value_type = schema::AddressText)]
    pub(super) agent_address: String,
    pub(super) found: Vec<DriftEntry>,
    /// What to do to get a usable key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub(super) advice: Option<String>,
}

/// One difference.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct DriftEntry {
    /// AGENT_UNKNOWN, AGENT_GONE, EXPIRES_EARLY or UNFINISHED.
    #[schema(value_type = schema::DriftKindName)]
    pub(super) kind: &'static str,
    /// The agent that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::AddressText, required = false)]
    pub(super) agent_address: Option<String>,
    /// EXPIRES_EARLY: when the exchange lets it expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::UnixMs, required = false)]
    pub(super) listed_expiry_timestamp: Option<u64>,
}
