//! What is in effect for a wallet: its tenant's policy, tightened by its own fields, and loosened
//! only as far as an admin has allowed it.

use serde::{Deserialize, Serialize};

use super::{Policy, PolicyFields, tighter};

/// The fields of a tenant or a wallet, with what an admin has allowed the wallet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Setting {
    /// The fields as they are set.
    pub policy: PolicyFields,
    /// What an admin has allowed the wallet beyond its tenant's policy. A tenant has none.
    pub grant: Option<Grant>,
}

/// A permission of an admin: a wallet's policy may be looser than its tenant's. It covers each field
/// only while the tenant's field is not tighter than it was, so a tenant that tightens its policy
/// tightens it for every wallet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The wallet's fields as the admin set them.
    pub policy: PolicyFields,
    /// The tenant's fields at that time.
    pub tenant: PolicyFields,
}

impl Setting {
    /// Returns the policy in effect. `tenant` has the tenant's fields for a wallet's setting, and is
    /// `None` for the tenant's own.
    ///
    /// A wallet has the tighter value of each field: the tenant's or its own. Only a [`Grant`] lets
    /// its own value be the looser one.
    #[must_use]
    pub fn effective(&self, tenant: Option<&PolicyFields>) -> Policy {
        let Some(tenant) = tenant else { return self.policy.effective() };
        let own = self.policy.over(tenant).effective();
        let tenant = tenant.effective();
        match &self.grant {
            Some(grant) => tighter(&grant.over(tenant), &own),
            None => tighter(&tenant, &own),
        }
    }
}

impl Grant {
    /// Returns the loosest policy that a wallet of this tenant may have.
    fn over(&self, tenant: Policy) -> Policy {
        let then = self.tenant.effective();
        let granted = self.policy.over(&self.tenant).effective();
        let (_, max_position_notional) = raised(
            width(tenant.max_position_notional),
            &width(then.max_position_notional),
            width(granted.max_position_notional),
        );
        let (_, max_leverage) = raised(
            width(tenant.max_leverage),
            &width(then.max_leverage),
            width(granted.max_leverage),
        );
        let (_, max_builder_fee) = raised(
            width(tenant.max_builder_fee),
            &width(then.max_builder_fee),
            width(granted.max_builder_fee),
        );
        Policy {
            symbols: raised_list(
                tenant.symbols,
                then.symbols.as_deref(),
                granted.symbols.as_deref(),
            ),
            max_order_notional: raised(
                tenant.max_order_notional,
                &then.max_order_notional,
                granted.max_order_notional,
            ),
            max_position_notional,
            max_leverage,
            orders_per_minute: raised(
                tenant.orders_per_minute,
                &then.orders_per_minute,
                granted.orders_per_minute,
            ),
            reduce_only: !raised(!tenant.reduce_only, &!then.reduce_only, !granted.reduce_only),
            max_slippage: raised(tenant.max_slippage, &then.max_slippage, granted.max_slippage),
            is_slippage_set: tenant.is_slippage_set,
            builders: raised_list(
                tenant.builders,
                then.builders.as_deref(),
                granted.builders.as_deref(),
            ),
            max_builder_fee,
        }
    }
}

/// Returns a limit in a form that orders by width: a missing limit is the widest one.
const fn width<T: Copy>(limit: Option<T>) -> (bool, Option<T>) {
    (limit.is_none(), limit)
}

/// Returns the wider of the tenant's present limit and the granted one. A tenant's limit that is
/// tighter than it was when the admin granted the other one ends the grant.
fn raised<T: Ord>(tenant: T, then: &T, granted: T) -> T {
    if tenant >= *then { tenant.max(granted) } else { tenant }
}

/// Returns the entries of the tenant's list, and those that are granted while the tenant still has
/// all that it had. A missing list has everything.
fn raised_list<T: PartialEq + Clone>(
    tenant: Option<Vec<T>>,
    then: Option<&[T]>,
    granted: Option<&[T]>,
) -> Option<Vec<T>> {
    let mut tenant = tenant?;
    if !then.is_some_and(|then| then.iter().all(|entry| tenant.contains(entry))) {
        return Some(tenant);
    }
    for entry in granted? {
        if !tenant.contains(entry) {
            tenant.push(entry.clone());
        }
    }
    Some(tenant)
}

#[cfg(test)]
mod tests;
