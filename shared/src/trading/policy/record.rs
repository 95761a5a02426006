//! The stored policy of a tenant or a wallet, and how it changes: tightening at once, loosening
//! after a delay.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Policy, PolicyFields, loosens};

/// A stored policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRecord {
    /// Version of the stored form.
    pub schema: u32,
    /// Identifies the write. The next write requires it to be unchanged.
    pub rev: Uuid,
    /// The fields in effect until the pending ones are.
    pub policy: PolicyFields,
    /// A looser policy that is not in effect yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingPolicy>,
}

/// A looser policy with its start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingPolicy {
    /// The fields.
    pub policy: PolicyFields,
    /// When they take effect, Unix milliseconds.
    pub from_ms: u64,
}

/// Whether a change loosens the policy in effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loosening {
    /// No field is wider: the change is in effect at once.
    No,
    /// A field is wider: the whole change waits.
    Pending,
}

impl PolicyRecord {
    /// Makes the record of a tenant or a wallet that has none.
    #[must_use]
    pub fn empty(rev: Uuid) -> Self {
        Self { schema: 1, rev, policy: PolicyFields::default(), pending: None }
    }

    /// Returns the fields in effect at a time. The clock alone puts pending fields into effect.
    #[must_use]
    pub fn fields_at(&self, now_ms: u64) -> &PolicyFields {
        match &self.pending {
            Some(pending) if pending.from_ms <= now_ms => &pending.policy,
            _ => &self.policy,
        }
    }

    /// Returns the record after a change to `fields`, and whether it loosens. `base` has the fields
    /// that missing ones inherit: the tenant's for a wallet, none for a tenant. Every change drops
    /// the fields that are still pending.
    #[must_use]
    pub fn changed(
        &self,
        fields: PolicyFields,
        base: &PolicyFields,
        rev: Uuid,
        now_ms: u64,
        delay_ms: u64,
    ) -> (Self, Loosening) {
        let present = self.fields_at(now_ms);
        let policy_of = |fields: &PolicyFields| -> Policy { fields.over(base).effective() };
        if loosens(&policy_of(present), &policy_of(&fields)) {
            let from_ms = now_ms.saturating_add(delay_ms);
            let pending = Some(PendingPolicy { policy: fields, from_ms });
            return (Self { schema: 1, rev, policy: present.clone(), pending }, Loosening::Pending);
        }
        (Self { schema: 1, rev, policy: fields, pending: None }, Loosening::No)
    }
}
