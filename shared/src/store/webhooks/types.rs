//! The types of events of a webhook, as stored.
//!
//! An earlier version refuses a record whose `events` names a type that it does not know. Therefore
//! `events` only ever names the [`FIRST`] types, and each later type has an entry in `moreEvents`,
//! which earlier versions ignore. For a time, `events` also named the types of orders.

use std::collections::BTreeMap;

use super::WebhookRecord;
use crate::events::{EventType, TypeName};

/// The types that every version reads from `events`.
const FIRST: [EventType; 6] = [
    EventType::WalletCreated,
    EventType::CredentialActive,
    EventType::CredentialRenewed,
    EventType::CredentialExpiring,
    EventType::CredentialRevoked,
    EventType::CredentialDrift,
];

/// The types to send, as stored: the first ones, and whether to send each later one.
pub(crate) type StoredTypes = (Vec<TypeName>, BTreeMap<TypeName, bool>);

/// Returns types as stored.
pub(crate) fn stored_types(kinds: &[EventType]) -> StoredTypes {
    let later = EventType::SUBSCRIBED.into_iter().filter(|kind| !FIRST.contains(kind));
    let first = kinds.iter().filter(|kind| FIRST.contains(kind));
    (
        first.map(|kind| (*kind).into()).collect(),
        later.map(|kind| (kind.into(), kinds.contains(&kind))).collect(),
    )
}

impl WebhookRecord {
    /// Returns the types of the events to send, without those that this version does not know.
    #[must_use]
    pub fn types(&self) -> Vec<EventType> {
        EventType::SUBSCRIBED.into_iter().filter(|kind| self.names(*kind)).collect()
    }

    /// Returns whether events of this type are sent to it.
    #[must_use]
    pub fn wants(&self, event: EventType) -> bool {
        self.is_there() && self.disabled_at_ms.is_none() && self.names(event)
    }

    fn names(&self, event: EventType) -> bool {
        let name = TypeName::from(event);
        self.more_events.get(&name) == Some(&true) || self.events.contains(&name)
    }
}
