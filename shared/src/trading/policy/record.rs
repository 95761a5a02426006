//! The stored policy of a tenant or a wallet, and how it changes: tightening at once, loosening
//! after a delay.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Grant, PolicyFields, Setting, loosens};

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
    /// What an admin has allowed a wallet. Records of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// A looser policy that is not in effect yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingPolicy>,
    /// What an admin can restore at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
}

/// A looser policy with its start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingPolicy {
    /// The fields.
    pub policy: PolicyFields,
    /// What an admin has allowed a wallet with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// When they take effect, Unix milliseconds.
    pub from_ms: u64,
}

/// The policy before a caller without the right to loosen it tightened it. An admin can restore exactly it
/// without a delay: a key that may only tighten could otherwise stop a tenant for the length of the delay.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Undo {
    /// The fields in effect before the first of the changes.
    pub policy: PolicyFields,
    /// What an admin had allowed a wallet with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// The looser policy that waited before the first of the changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingPolicy>,
    /// Until when it can be restored, Unix milliseconds. Each further change moves it.
    pub until_ms: u64,
}

/// Whether a change loosens the policy in effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loosening {
    /// The change is in effect at once.
    No,
    /// A field is wider: the whole change waits.
    Pending,
}

/// A change of a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldsChange<'a> {
    /// All fields of the new policy.
    pub fields: PolicyFields,
    /// The tenant's fields, if the policy is a wallet's.
    pub tenant: Option<&'a PolicyFields>,
    /// Whether the caller may loosen a policy.
    pub may_loosen: bool,
    /// The present, Unix milliseconds.
    pub now_ms: u64,
    /// How long a looser policy waits, in milliseconds.
    pub delay_ms: u64,
}

/// The change loosens the policy, and the caller may only tighten it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the change loosens the trading policy, and the caller may only tighten it")]
pub struct MayNotLoosen;

/// Copies one field from a policy to another one.
type CopyField = fn(&PolicyFields, &mut PolicyFields);

/// All fields of a policy.
const FIELDS: [CopyField; 9] = [
    |from, to| to.symbols.clone_from(&from.symbols),
    |from, to| to.max_order_notional = from.max_order_notional,
    |from, to| to.max_position_notional = from.max_position_notional,
    |from, to| to.max_leverage = from.max_leverage,
    |from, to| to.orders_per_minute = from.orders_per_minute,
    |from, to| to.reduce_only = from.reduce_only,
    |from, to| to.max_slippage = from.max_slippage,
    |from, to| to.builders.clone_from(&from.builders),
    |from, to| to.max_builder_fee = from.max_builder_fee,
];

impl PendingPolicy {
    fn setting(&self) -> Setting {
        Setting { policy: self.policy.clone(), grant: self.grant.clone() }
    }
}

impl Undo {
    /// Returns what would be in effect if nobody had tightened the policy.
    fn setting_at(&self, now_ms: u64) -> Setting {
        match &self.pending {
            Some(pending) if pending.from_ms <= now_ms => pending.setting(),
            _ => Setting { policy: self.policy.clone(), grant: self.grant.clone() },
        }
    }

    /// Returns the looser policy that would still wait.
    fn pending_at(&self, now_ms: u64) -> Option<&PendingPolicy> {
        self.pending.as_ref().filter(|pending| pending.from_ms > now_ms)
    }
}

impl FieldsChange<'_> {
    /// Returns whether the new policy allows anything that a setting refuses. The new fields are
    /// taken as they are stated, also where the tenant's are tighter: a wider field is a loosening,
    /// even if it has no effect yet.
    fn loosens(&self, setting: &Setting) -> bool {
        let none = PolicyFields::default();
        let wanted = self.fields.over(self.tenant.unwrap_or(&none)).effective();
        loosens(&setting.effective(self.tenant), &wanted)
    }

    /// Returns the fields of a pending policy after a change by a caller that may only tighten: a
    /// field that the change tightens is as tight in the pending policy, and the others wait on.
    fn restricted(&self, pending: &PolicyFields, present: &PolicyFields) -> PolicyFields {
        let none = PolicyFields::default();
        let base = self.tenant.unwrap_or(&none);
        let mut next = pending.clone();
        for only in FIELDS {
            let of = |fields: &PolicyFields| {
                let mut one = PolicyFields::default();
                only(fields, &mut one);
                one
            };
            let (new, old) = (of(&self.fields), of(pending));
            let is_tighter = loosens(&new.over(base).effective(), &old.over(base).effective());
            if new != of(present) && is_tighter {
                only(&self.fields, &mut next);
            }
        }
        next
    }
}

impl PolicyRecord {
    /// Makes the record of a tenant or a wallet that has none.
    #[must_use]
    pub fn empty(rev: Uuid) -> Self {
        Self::new(rev, Setting::default(), None, None)
    }

    fn new(
        rev: Uuid,
        setting: Setting,
        pending: Option<PendingPolicy>,
        undo: Option<Undo>,
    ) -> Self {
        let Setting { policy, grant } = setting;
        Self { schema: 1, rev, policy, grant, pending, undo }
    }

    /// Returns what is in effect at a time. The clock alone puts a pending policy into effect.
    #[must_use]
    pub fn setting_at(&self, now_ms: u64) -> Setting {
        match &self.pending {
            Some(pending) if pending.from_ms <= now_ms => pending.setting(),
            _ => Setting { policy: self.policy.clone(), grant: self.grant.clone() },
        }
    }

    /// Returns the looser policy that is not in effect yet at a time.
    #[must_use]
    pub fn pending_at(&self, now_ms: u64) -> Option<&PendingPolicy> {
        self.pending.as_ref().filter(|pending| pending.from_ms > now_ms)
    }

    /// Returns what an admin can restore at a time. It ends when a pending policy takes effect,
    /// which an admin made after it.
    fn undo_at(&self, now_ms: u64) -> Option<&Undo> {
        let has_started = self.pending.as_ref().is_some_and(|pending| pending.from_ms <= now_ms);
        self.undo.as_ref().filter(|undo| undo.until_ms > now_ms && !has_started)
    }

    /// Returns the record after a change, and whether the change waits.
    ///
    /// An admin's change replaces what is pending. A change by anybody else keeps it, as far as the
    /// change does not tighten it, and can be undone by an admin within the delay.
    ///
    /// # Errors
    /// Fails when the change loosens the policy in effect, and the caller may not.
    pub fn changed(
        &self,
        change: &FieldsChange<'_>,
        rev: Uuid,
    ) -> Result<(Self, Loosening), MayNotLoosen> {
        if change.may_loosen {
            return Ok(self.changed_by_admin(change, rev));
        }
        let present = self.setting_at(change.now_ms);
        let pending = self.pending_at(change.now_ms);
        let undo = self.undo_at(change.now_ms);
        if change.fields == present.policy {
            return Ok((Self::new(rev, present, pending.cloned(), undo.cloned()), Loosening::No));
        }
        if change.loosens(&present) {
            return Err(MayNotLoosen);
        }
        let until_ms = change.now_ms.saturating_add(change.delay_ms);
        let undo = match undo {
            Some(undo) => Undo { until_ms, ..undo.clone() },
            None => {
                let Setting { policy, grant } = present.clone();
                Undo { policy, grant, pending: pending.cloned(), until_ms }
            }
        };
        let next = Setting { policy: change.fields.clone(), grant: present.grant };
        let pending = pending.map(|pending| PendingPolicy {
            policy: change.restricted(&pending.policy, &present.policy),
            ..pending.clone()
        });
        let pending = pending.filter(|pending| pending.policy != change.fields);
        Ok((Self::new(rev, next, pending, Some(undo)), Loosening::No))
    }

    fn changed_by_admin(&self, change: &FieldsChange<'_>, rev: Uuid) -> (Self, Loosening) {
        let FieldsChange { fields, tenant, now_ms, delay_ms, .. } = change;
        let (present, undo) = (self.setting_at(*now_ms), self.undo_at(*now_ms));
        let next = Setting { policy: fields.clone(), grant: grant(fields, *tenant) };
        if !change.loosens(&present) {
            return (Self::new(rev, next, None, None), Loosening::No);
        }
        // Only exactly the earlier policy: any other loosening is a decision of its own, and waits.
        let earlier = undo.map(|undo| undo.setting_at(*now_ms));
        if let (Some(undo), Some(earlier)) = (undo, earlier)
            && earlier.policy == *fields
            && !change.loosens(&earlier)
        {
            let pending = undo.pending_at(*now_ms).cloned();
            return (Self::new(rev, next, pending, None), Loosening::No);
        }
        // A policy that was announced before need not be announced again.
        let waits = self.pending_at(*now_ms);
        let waited = undo.and_then(|undo| undo.pending_at(*now_ms));
        let announced = [waits, waited].into_iter().flatten();
        let announced = announced
            .filter(|earlier| earlier.policy == *fields && !change.loosens(&earlier.setting()));
        let from_ms = announced.map(|earlier| earlier.from_ms).min();
        let from_ms = from_ms.unwrap_or(now_ms.saturating_add(*delay_ms));
        let Setting { policy, grant } = next;
        let pending = Some(PendingPolicy { policy, grant, from_ms });
        (Self::new(rev, present, pending, undo.cloned()), Loosening::Pending)
    }
}

/// Returns the permission that an admin gives with these fields: none, unless they are looser than
/// the tenant's.
fn grant(fields: &PolicyFields, tenant: Option<&PolicyFields>) -> Option<Grant> {
    let tenant = tenant?;
    let is_looser = loosens(&tenant.effective(), &fields.over(tenant).effective());
    is_looser.then(|| Grant { policy: fields.clone(), tenant: tenant.clone() })
}

#[cfg(test)]
mod tests;
