//! Types and ids of events. Their contents are in `webhooks`.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use domain::ids::IdError;
use platform::items::SHARDS;
use serde::{Deserialize, Serialize};

/// Defines the types once, with their names.
macro_rules! types {
    ($($(#[doc = $doc:literal])+ $name:ident: $text:literal,)+) => {
        /// The type of an event.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
        pub enum EventType {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)+
        }

        impl EventType {
            /// All types.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$name),+];

            /// Returns the name in events and in a webhook's list.
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
    /// A new agent has replaced the previous one.
    CredentialRenewed: "credential.renewed",
    /// The agent expires within a week, and is not renewed automatically.
    CredentialExpiring: "credential.expiring",
    /// The credential was revoked on the exchange and deleted.
    CredentialRevoked: "credential.revoked",
    /// The credential differs from the exchange's list.
    CredentialDrift: "credential.drift",
    /// An exchange has accepted an order.
    OrderPlaced: "order.placed",
    /// An exchange has refused an order.
    OrderRejected: "order.rejected",
    /// The outcome of an order, or of a change of one, was unknown and is known now.
    OrderUnknownResolved: "order.unknown_resolved",
    /// The tenant has requested a test of one webhook.
    WebhookTest: "webhook.test",
}

impl EventType {
    /// The types that a webhook can subscribe to. A test is sent only to the tested webhook.
    pub const SUBSCRIBED: [Self; 9] = [
        Self::WalletCreated,
        Self::CredentialActive,
        Self::CredentialRenewed,
        Self::CredentialExpiring,
        Self::CredentialRevoked,
        Self::CredentialDrift,
        Self::OrderPlaced,
        Self::OrderRejected,
        Self::OrderUnknownResolved,
    ];
}

impl FromStr for EventType {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let found = Self::SUBSCRIBED.into_iter().find(|known| known.as_str() == text);
        found.ok_or_else(|| IdError::new("events must be event types"))
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of a type as stored. Another version may have stored a name that this version does not
/// know. Such a name is ignored, and kept when its record is written again.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TypeName(String);

impl TypeName {
    /// Returns the type, if this version knows it.
    #[must_use]
    pub fn known(&self) -> Option<EventType> {
        EventType::ALL.into_iter().find(|kind| kind.as_str() == self.0)
    }
}

impl From<EventType> for TypeName {
    fn from(kind: EventType) -> Self {
        Self(kind.as_str().to_owned())
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const PREFIX: &str = "evt_";
/// Hex digits of the time, Unix milliseconds.
const TIME: usize = 12;
/// Hex digits of the digest.
const DIGEST: usize = 24;

/// An event's id: `evt_`, its time, and a digest that identifies it. Sorting by id sorts by time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId(String);

impl EventId {
    /// Makes the id of an event at a time, in Unix milliseconds. `parts` identify it.
    pub(crate) fn new(at_ms: u64, parts: &[&str]) -> Self {
        // The parts contain no line feeds.
        let hash = hex::encode(digest(&SHA256, parts.join("\n").as_bytes()));
        Self(format!("{PREFIX}{at_ms:0TIME$x}{}", &hash[..DIGEST]))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the time of the event, Unix milliseconds.
    #[must_use]
    pub fn at_ms(&self) -> u64 {
        u64::from_str_radix(&self.0[PREFIX.len()..PREFIX.len() + TIME], 16).unwrap_or_default()
    }

    /// Returns the number of the [`SHARDS`] partition that stores it.
    #[must_use]
    pub fn shard(&self) -> u8 {
        let last = &self.0[self.0.len() - 2..];
        u8::from_str_radix(last, 16).unwrap_or_default() % SHARDS
    }

    /// Returns a text that is not above any id of this time.
    #[must_use]
    pub fn floor(at_ms: u64) -> String {
        format!("{PREFIX}{:0TIME$x}", at_ms.min(MAX_MS))
    }

    /// Returns a text that is above every id of this time.
    #[must_use]
    pub fn ceiling(at_ms: u64) -> String {
        format!("{PREFIX}{:0TIME$x}~", at_ms.min(MAX_MS))
    }

    /// Returns a text above this id and below every later one.
    #[must_use]
    pub fn next(&self) -> String {
        format!("{}!", self.0)
    }
}

/// The latest time that an id can contain.
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
    /// The exact bytes that are sent. Contains no secret, because it consists only of the types
    /// below.
    pub body: String,
}
