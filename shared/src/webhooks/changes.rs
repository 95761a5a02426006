//! Derives events from a change of the wallets' table. A change is an item before and after, as
//! the table's stream shows it. Only this module interprets it, by comparing both.

use domain::ids::{Tenant, UserId};
use platform::items::{Item, StoreError, from_item};
use uuid::Uuid;

use super::event::Whose;
use super::order;
use super::{Event, EventType};
use crate::store::{
    CREDENTIAL, CredentialRecord, CredentialState, ORDER, OrderRecord, RECORD, WalletRecord,
};

/// An item before and after a change.
#[derive(Debug, Default)]
pub struct Images {
    /// `None` for a new item.
    pub before: Option<Item>,
    /// `None` for a deleted item.
    pub after: Option<Item>,
}

/// A change of a wallet, of a credential or of an order.
#[derive(Debug)]
pub struct Change {
    /// The tenant.
    pub tenant: Tenant,
    wallet_id: Uuid,
    what: What,
}

#[derive(Debug)]
enum What {
    Wallet(Box<WalletRecord>),
    Credential {
        before: Option<Box<CredentialRecord>>,
        after: Option<Box<CredentialRecord>>,
        /// Time of the change, Unix milliseconds.
        at_ms: u64,
    },
    Order {
        before: Option<Box<OrderRecord>>,
        after: Option<Box<OrderRecord>>,
        /// Time of the change, Unix milliseconds.
        at_ms: u64,
    },
    /// No event.
    Nothing,
}

impl Change {
    /// Parses a change of the item with these keys, at a time in Unix milliseconds. Returns `None`
    /// when it is neither a wallet's record nor a credential nor an order.
    ///
    /// # Errors
    /// Fails when an image cannot be read.
    pub fn read(
        pk: &str,
        sk: &str,
        images: Images,
        at_ms: u64,
    ) -> Result<Option<Self>, StoreError> {
        if let Some((tenant, account)) = pk.split_once("#O#") {
            return Self::read_order((tenant, account), sk, images, at_ms);
        }
        let Some((tenant, wallet_id)) = pk.split_once("#W#") else { return Ok(None) };
        let (Ok(tenant), Ok(wallet_id)) = (tenant.parse(), wallet_id.parse()) else {
            return Ok(None);
        };
        let Images { before, after } = images;
        let what = if sk == RECORD {
            match (before, after) {
                (None, Some(wallet)) => What::Wallet(Box::new(from_item("wallet", wallet)?)),
                _ => What::Nothing,
            }
        } else if sk.starts_with(CREDENTIAL) {
            let read = |item: Option<Item>| {
                item.map(|item| from_item("credential", item).map(Box::new)).transpose()
            };
            What::Credential { before: read(before)?, after: read(after)?, at_ms }
        } else {
            return Ok(None);
        };
        Ok(Some(Self { tenant, wallet_id, what }))
    }

    /// Parses a change of an order. `account` is its wallet's id and its exchange.
    fn read_order(
        (tenant, account): (&str, &str),
        sk: &str,
        images: Images,
        at_ms: u64,
    ) -> Result<Option<Self>, StoreError> {
        let wallet_id = account.split('#').next().and_then(|id| id.parse().ok());
        let (Ok(tenant), Some(wallet_id)) = (tenant.parse(), wallet_id) else { return Ok(None) };
        if !sk.starts_with(ORDER) {
            return Ok(None);
        }
        let read = |item: Option<Item>| {
            item.map(|item| from_item("order", item).map(Box::new)).transpose()
        };
        let what = What::Order { before: read(images.before)?, after: read(images.after)?, at_ms };
        Ok(Some(Self { tenant, wallet_id, what }))
    }

    /// Returns the wallet concerned.
    #[must_use]
    pub const fn wallet_id(&self) -> Uuid {
        self.wallet_id
    }

    /// Returns the events of the change. `user` is the wallet's user, if the wallet is known.
    ///
    /// # Errors
    /// Fails when one cannot be written as JSON.
    pub fn events(&self, user: Option<&UserId>) -> Result<Vec<Event>, serde_json::Error> {
        let whose = Whose { tenant: &self.tenant, wallet_id: self.wallet_id, user };
        match &self.what {
            What::Nothing => Ok(Vec::new()),
            What::Order { before, after, at_ms } => {
                order::events(whose, before.as_deref(), after.as_deref(), *at_ms)
            }
            What::Wallet(wallet) => Ok(vec![Event::wallet_created(wallet)?]),
            What::Credential { before, after, at_ms } => {
                let now = after.as_deref();
                let kinds = kinds(before.as_deref(), now);
                let event = |kind| match (kind, before.as_deref(), now) {
                    (EventType::CredentialActive, _, Some(now)) => {
                        Event::active(whose, now, now.created_at_ms.unwrap_or(*at_ms)).map(Some)
                    }
                    (EventType::CredentialRenewed, Some(before), Some(now)) => {
                        let live_ms = now.created_at_ms.unwrap_or(*at_ms);
                        Event::renewed(whose, before, now, live_ms).map(Some)
                    }
                    (EventType::CredentialRevoked, Some(before), _) => {
                        Event::revoked(whose, before, *at_ms).map(Some)
                    }
                    (EventType::CredentialExpiring, _, Some(now)) => {
                        let note = now.expiring.as_ref();
                        note.map(|note| Event::expiring(whose, now, note)).transpose()
                    }
                    (EventType::CredentialDrift, _, Some(now)) => {
                        let note = now.drift.as_ref();
                        note.map(|note| Event::drift(whose, now, note)).transpose()
                    }
                    _ => Ok(None),
                };
                let events = kinds.into_iter().map(event).filter_map(Result::transpose);
                events.collect()
            }
        }
    }
}

/// Returns the types of the events for a credential's change.
fn kinds(before: Option<&CredentialRecord>, after: Option<&CredentialRecord>) -> Vec<EventType> {
    let was_live = before.is_some_and(|record| record.created_at_ms.is_some());
    let Some(now) = after else {
        // A deleted pending credential was refused, and its caller has the error.
        let revoked = before.is_some_and(|it| was_live || it.state == CredentialState::Revoking);
        return if revoked { vec![EventType::CredentialRevoked] } else { Vec::new() };
    };
    let mut kinds = Vec::new();
    if now.created_at_ms.is_some() {
        if !was_live {
            kinds.push(EventType::CredentialActive);
        } else if before.is_some_and(|before| before.agent != now.agent) {
            kinds.push(EventType::CredentialRenewed);
        }
    }
    if now.expiring.is_some() && before.and_then(|it| it.expiring.as_ref()) != now.expiring.as_ref()
    {
        kinds.push(EventType::CredentialExpiring);
    }
    if now.drift.is_some() && before.and_then(|it| it.drift.as_ref()) != now.drift.as_ref() {
        kinds.push(EventType::CredentialDrift);
    }
    kinds
}

#[cfg(test)]
mod tests;
