//! Events: what happened, once. The same change is the same event, however often it is met.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use domain::ids::{IdError, Tenant};
use domain::time::rfc3339_seconds;
use platform::items::SHARDS;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::payload::{
    CredentialActive, CredentialDrift, CredentialExpiring, CredentialRenewed, CredentialRevoked,
    DriftEntry, EventBody, WalletCreated,
};
use crate::credentials::advice;
use crate::store::{CredentialRecord, DriftNote, ExpiringNote, WalletRecord};

/// Defines the types once, with their names.
macro_rules! types {
    ($($(#[doc = $doc:literal])+ $name:ident: $text:literal,)+) => {
        /// What an event is about.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub enum EventType {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)+
        }

        impl EventType {
            /// All of them.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$name),+];

            /// The name in events and in a webhook's list.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

types! {
    /// A wallet was made.
    WalletCreated: "wallet.created",
    /// An exchange has approved a credential's first agent.
    CredentialActive: "credential.active",
    /// Another agent has taken its place.
    CredentialRenewed: "credential.renewed",
    /// It expires within a week, and is not renewed by itself.
    CredentialExpiring: "credential.expiring",
    /// It is gone, on the exchange and here.
    CredentialRevoked: "credential.revoked",
    /// The exchange knows it otherwise than we do.
    CredentialDrift: "credential.drift",
}

impl FromStr for EventType {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let found = Self::ALL.into_iter().find(|known| known.as_str() == text);
        found.ok_or_else(|| IdError::new("events must be types of events"))
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const PREFIX: &str = "evt_";
/// Hex digits of the time, Unix milliseconds.
const TIME: usize = 12;
/// Hex digits of the digest.
const DIGEST: usize = 24;

/// An event's id: `evt_`, its time, and a digest of what makes it this event. In the order of ids
/// events are in the order of their times.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId(String);

impl EventId {
    fn new(at_ms: u64, parts: &[&str]) -> Self {
        // None of the parts holds a line's end.
        let hash = hex::encode(digest(&SHA256, parts.join("\n").as_bytes()));
        Self(format!("{PREFIX}{at_ms:0TIME$x}{}", &hash[..DIGEST]))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When it happened, Unix milliseconds.
    #[must_use]
    pub fn at_ms(&self) -> u64 {
        u64::from_str_radix(&self.0[PREFIX.len()..PREFIX.len() + TIME], 16).unwrap_or_default()
    }

    /// Which of the [`SHARDS`] partitions it is kept in.
    #[must_use]
    pub fn shard(&self) -> u8 {
        let last = &self.0[self.0.len() - 2..];
        u8::from_str_radix(last, 16).unwrap_or_default() % SHARDS
    }

    /// Not above any id of this time.
    #[must_use]
    pub fn floor(at_ms: u64) -> String {
        format!("{PREFIX}{:0TIME$x}", at_ms.min(MAX_MS))
    }

    /// Above every id of this time.
    #[must_use]
    pub fn ceiling(at_ms: u64) -> String {
        format!("{PREFIX}{:0TIME$x}~", at_ms.min(MAX_MS))
    }

    /// Above this one, and not above any other that is.
    #[must_use]
    pub fn next(&self) -> String {
        format!("{}!", self.0)
    }
}

/// The last time that an id can name.
const MAX_MS: u64 = (1 << (4 * TIME)) - 1;

impl FromStr for EventId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.strip_prefix(PREFIX).unwrap_or_default();
        let is_hex =
            digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if digits.len() == TIME + DIGEST && is_hex {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::new("eventId must be the id of an event"))
        }
    }
}

impl TryFrom<String> for EventId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Its type.
    pub kind: EventType,
    /// What is sent, to the byte. Holds no secret: it is made of the types below alone.
    pub body: String,
}

/// Whose credential it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) wallet_id: Uuid,
}

impl Event {
    /// `which`: what tells this event from all others of its type and wallet.
    fn new<T: Serialize + ToSchema>(
        kind: EventType,
        whose: Whose<'_>,
        which: &str,
        at_ms: u64,
        data: T,
    ) -> Result<Self, serde_json::Error> {
        let wallet_id = whose.wallet_id.to_string();
        let id = EventId::new(at_ms, &[whose.tenant.as_str(), &wallet_id, kind.as_str(), which]);
        let body = EventBody { kind, timestamp: rfc3339_seconds(at_ms), data };
        Ok(Self { id, kind, body: serde_json::to_string(&body)? })
    }

    pub(super) fn wallet_created(wallet: &WalletRecord) -> Result<Self, serde_json::Error> {
        let whose = Whose { tenant: &wallet.tenant, wallet_id: wallet.wallet_id };
        let data = WalletCreated {
            user_id: wallet.user_id.to_string(),
            address: wallet.address.to_string(),
            wallet_id: wallet.wallet_id.to_string(),
        };
        Self::new(EventType::WalletCreated, whose, "", wallet.created_at_ms, data)
    }

    pub(super) fn active(
        whose: Whose<'_>,
        now: &CredentialRecord,
        at_ms: u64,
    ) -> Result<Self, serde_json::Error> {
        let data = CredentialActive {
            wallet_id: whose.wallet_id.to_string(),
            exchange: now.exchange,
            agent_address: agent(now),
            expiry_timestamp: now.expires_at_ms,
            auto_renew: now.auto_renew && !now.is_v1(),
        };
        Self::new(EventType::CredentialActive, whose, &now.revision.to_string(), at_ms, data)
    }

    pub(super) fn renewed(
        whose: Whose<'_>,
        before: &CredentialRecord,
        now: &CredentialRecord,
        at_ms: u64,
    ) -> Result<Self, serde_json::Error> {
        let data = CredentialRenewed {
            wallet_id: whose.wallet_id.to_string(),
            exchange: now.exchange,
            agent_address: now.agent.to_string(),
            expiry_timestamp: now.expires_at_ms,
            previous_agent_address: before.agent.to_string(),
            previous_kept: now.keep_previous
                && now.retiring.iter().any(|it| it.agent == before.agent),
            previous_expiry_timestamp: before.expires_at_ms,
            delivered: now.delivered,
            advice: advice(now, at_ms),
        };
        Self::new(EventType::CredentialRenewed, whose, &now.revision.to_string(), at_ms, data)
    }

    pub(super) fn revoked(
        whose: Whose<'_>,
        before: &CredentialRecord,
        at_ms: u64,
    ) -> Result<Self, serde_json::Error> {
        let data = CredentialRevoked {
            wallet_id: whose.wallet_id.to_string(),
            exchange: before.exchange,
            agent_address: agent(before),
        };
        Self::new(EventType::CredentialRevoked, whose, &before.revision.to_string(), at_ms, data)
    }

    pub(super) fn expiring(
        whose: Whose<'_>,
        now: &CredentialRecord,
        note: &ExpiringNote,
    ) -> Result<Self, serde_json::Error> {
        let data = CredentialExpiring {
            wallet_id: whose.wallet_id.to_string(),
            exchange: now.exchange,
            agent_address: note.agent.to_string(),
            expiry_timestamp: note.expires_at_ms,
            reason: note.reason.as_str(),
            advice: advice(now, note.at_ms),
        };
        let which = note.agent.to_lower_hex();
        Self::new(EventType::CredentialExpiring, whose, &which, note.at_ms, data)
    }

    pub(super) fn drift(
        whose: Whose<'_>,
        now: &CredentialRecord,
        note: &DriftNote,
    ) -> Result<Self, serde_json::Error> {
        let found = note.found.iter().map(|found| DriftEntry {
            kind: found.kind.as_str(),
            agent_address: found.agent.map(|agent| agent.to_string()),
            listed_expiry_timestamp: found.listed_ms,
        });
        let data = CredentialDrift {
            wallet_id: whose.wallet_id.to_string(),
            exchange: now.exchange,
            agent_address: now.agent.to_string(),
            found: found.collect(),
            advice: advice(now, note.at_ms),
        };
        let which = format!("{} {}", now.exchange, now.revision);
        Self::new(EventType::CredentialDrift, whose, &which, note.at_ms, data)
    }
}

/// A key of Aster's V1 has none: its record names the wallet.
fn agent(record: &CredentialRecord) -> Option<String> {
    (!record.is_v1()).then(|| record.agent.to_string())
}
