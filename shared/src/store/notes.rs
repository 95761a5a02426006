//! What is noted at a credential for its tenant: how it differs from what the exchange lists, and
//! that an agent expires.

use domain::eth::Address;
use serde::{Deserialize, Serialize};

/// How a credential differs from what the exchange knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DriftKind {
    /// The exchange lists an agent that we do not know.
    AgentUnknown,
    /// The exchange does not list ours.
    AgentGone,
    /// The exchange lets ours expire before the time that we have handed out.
    ExpiresEarly,
    /// An operation was begun and nobody has ended it.
    Unfinished,
}

impl DriftKind {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::AgentUnknown, Self::AgentGone, Self::ExpiresEarly, Self::Unfinished];

    /// The word for it in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgentUnknown => "AGENT_UNKNOWN",
            Self::AgentGone => "AGENT_GONE",
            Self::ExpiresEarly => "EXPIRES_EARLY",
            Self::Unfinished => "UNFINISHED",
        }
    }
}

/// One difference.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftFound {
    /// What differs.
    pub kind: DriftKind,
    /// The agent that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Address>,
    /// When the exchange lets it expire, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed_ms: Option<u64>,
}

/// What a comparison has found, noted once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftNote {
    /// When it was found first, Unix milliseconds.
    pub at_ms: u64,
    /// All that differs.
    pub found: Vec<DriftFound>,
}

/// Why an agent is not renewed by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExpiringReason {
    /// Its tenant has said so.
    AutoRenewOff,
    /// Its key was handed out, and that of its successor was not.
    KeyHandedOut,
    /// The renewal job has tried, and failed.
    RenewalFailing,
}

impl ExpiringReason {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AutoRenewOff, Self::KeyHandedOut, Self::RenewalFailing];

    /// The word for it in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AutoRenewOff => "AUTO_RENEW_OFF",
            Self::KeyHandedOut => "KEY_HANDED_OUT",
            Self::RenewalFailing => "RENEWAL_FAILING",
        }
    }
}

/// That an agent expires and is not renewed by itself, noted once for each agent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpiringNote {
    /// When it was noted, Unix milliseconds.
    pub at_ms: u64,
    /// The agent.
    pub agent: Address,
    /// When it expires, Unix milliseconds.
    pub expires_at_ms: u64,
    /// Why it is not renewed.
    pub reason: ExpiringReason,
}
