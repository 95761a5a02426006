//! Notes on a credential for its tenant: its differences from the exchange's list, and an agent's
//! expiry.

use domain::eth::Address;
use serde::{Deserialize, Serialize};

/// A kind of difference between a credential and the exchange's list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DriftKind {
    /// The exchange lists an agent that no record names.
    AgentUnknown,
    /// The exchange does not list the record's agent.
    AgentGone,
    /// The exchange's expiry of the agent is before the recorded time.
    ExpiresEarly,
    /// An operation was begun and not finished.
    Unfinished,
}

impl DriftKind {
    /// All kinds.
    pub const ALL: [Self; 4] =
        [Self::AgentUnknown, Self::AgentGone, Self::ExpiresEarly, Self::Unfinished];

    /// Returns its name in events.
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
    /// The kind of difference.
    pub kind: DriftKind,
    /// The agent concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Address>,
    /// The exchange's expiry of the agent, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed_ms: Option<u64>,
}

/// The differences found by a comparison, noted once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftNote {
    /// Time of the first finding, Unix milliseconds.
    pub at_ms: u64,
    /// The differences.
    pub found: Vec<DriftFound>,
}

/// Why an agent is not renewed automatically.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExpiringReason {
    /// The tenant disabled automatic renewal.
    AutoRenewOff,
    /// The key was returned to a caller, and its successor's was not.
    KeyHandedOut,
    /// The renewal job has tried and failed.
    RenewalFailing,
}

impl ExpiringReason {
    /// All reasons.
    pub const ALL: [Self; 3] = [Self::AutoRenewOff, Self::KeyHandedOut, Self::RenewalFailing];

    /// Returns its name in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AutoRenewOff => "AUTO_RENEW_OFF",
            Self::KeyHandedOut => "KEY_HANDED_OUT",
            Self::RenewalFailing => "RENEWAL_FAILING",
        }
    }
}

/// An agent that expires and is not renewed automatically, noted once for each agent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpiringNote {
    /// Time of the note, Unix milliseconds.
    pub at_ms: u64,
    /// The agent.
    pub agent: Address,
    /// Expiry of the agent, Unix milliseconds.
    pub expires_at_ms: u64,
    /// The reason.
    pub reason: ExpiringReason,
}
