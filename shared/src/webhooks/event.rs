//! Events. The same change always yields the same event.

use domain::ids::{Tenant, UserId};
use domain::time::rfc3339_seconds;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::payload::{
    CredentialActive, CredentialDrift, CredentialExpiring, CredentialRenewed, CredentialRevoked,
    DriftEntry, EventBody, WalletCreated, WebhookTest,
};
use crate::credentials::advice;
use crate::events::{Event, EventId, EventType};
use crate::store::{CredentialRecord, DriftNote, ExpiringNote, WalletRecord, WebhookId};

/// The owner of a credential or an order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) wallet_id: Uuid,
    /// The wallet's user, if the wallet is known.
    pub(super) user: Option<&'a UserId>,
}

impl Whose<'_> {
    /// Returns the user's id as text.
    pub(super) fn user_text(self) -> Option<String> {
        self.user.map(ToString::to_string)
    }
}

impl Event {
    /// Makes an event. `which` distinguishes it from all others of its type and wallet.
    pub(super) fn new<T: Serialize + ToSchema>(
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
        let user = Some(&wallet.user_id);
        let whose = Whose { tenant: &wallet.tenant, wallet_id: wallet.wallet_id, user };
        let data = WalletCreated {
            user_id: wallet.user_id.to_string(),
            address: wallet.address.to_string(),
            wallet_id: wallet.wallet_id.to_string(),
        };
        Self::new(EventType::WalletCreated, whose, "", wallet.created_at_ms, data)
    }

    /// Makes a test of a webhook, requested at a time in Unix milliseconds. `request` distinguishes
    /// it from others.
    ///
    /// # Errors
    /// Fails when it cannot be written as JSON.
    pub fn webhook_test(
        tenant: &Tenant,
        webhook_id: WebhookId,
        request: Uuid,
        at_ms: u64,
    ) -> Result<Self, serde_json::Error> {
        let data = WebhookTest { webhook_id: webhook_id.to_string() };
        let whose = Whose { tenant, wallet_id: webhook_id.uuid(), user: None };
        Self::new(EventType::WebhookTest, whose, &request.to_string(), at_ms, data)
    }

    pub(super) fn active(
        whose: Whose<'_>,
        now: &CredentialRecord,
        at_ms: u64,
    ) -> Result<Self, serde_json::Error> {
        let data = CredentialActive {
            wallet_id: whose.wallet_id.to_string(),
            user_id: whose.user_text(),
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
            user_id: whose.user_text(),
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
            user_id: whose.user_text(),
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
            user_id: whose.user_text(),
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
            user_id: whose.user_text(),
            exchange: now.exchange,
            agent_address: now.agent.to_string(),
            found: found.collect(),
            advice: advice(now, note.at_ms),
        };
        let which = format!("{} {}", now.exchange, now.revision);
        Self::new(EventType::CredentialDrift, whose, &which, note.at_ms, data)
    }
}

/// Returns the agent's address. A key of Aster's V1 has no agent; its record names the wallet.
fn agent(record: &CredentialRecord) -> Option<String> {
    (!record.is_v1()).then(|| record.agent.to_string())
}
