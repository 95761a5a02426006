//! Tenants and their keys as values: names, scopes, states. Reads and writes are in `store`.
//!
//! A tenant owns wallets. A tenant key is a credential of one tenant, sent as `X-API-KEY`. API Gateway,
//! or the local gateway, authenticates the key and passes its id. The record of the id states the
//! tenant, the scopes and the limits of the key.

mod key;
mod network;
mod scope;

pub use key::{KeyId, KeyLabel, MAX_KEYS, draw_key_value, needs_record};
pub use network::{Cidr, MAX_CIDRS};
pub use scope::{Scope, Scopes};

use serde::{Deserialize, Serialize};

/// The longest text of [`Change::by`] and [`Change::reason`], in characters.
pub const MAX_CHANGE_TEXT: usize = 200;

/// Whether a tenant may act.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TenantState {
    /// It may do what the scopes of its keys allow.
    #[default]
    Active,
    /// It may read and remove, and nothing else.
    Suspended,
}

impl TenantState {
    /// The name in records and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// Whether a key may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It may, until it expires.
    Active,
    /// It may not. This state is final.
    Revoked,
}

impl KeyState {
    /// The name in records and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
        }
    }
}

/// The limits of a tenant that differ from the deployment's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantLimits {
    /// The number of wallets that it may have. `None`: the deployment's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallets: Option<u64>,
}

impl TenantLimits {
    /// Whether all limits are the deployment's.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Who changed a record, when and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Unix milliseconds.
    pub at_ms: u64,
    /// An IAM principal's ARN, a user of the local machine, or `key:` and the id of a tenant key.
    pub by: String,
    /// The reason; empty where none was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}
