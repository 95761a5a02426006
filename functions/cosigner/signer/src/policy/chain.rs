//! The document's rules of the tenants' policy chains.

use domain::ids::Tenant;
use domain::policy::Authority;

use super::Policy;
use super::document::ChainRules;
use crate::policy_chain::Rules;

const HOUR_S: u64 = 60 * 60;
const DAY_S: u64 = 24 * HOUR_S;

/// Checks the rules. Returns the expectation that they do not meet.
pub(super) fn check(rules: &ChainRules) -> Result<(), &'static str> {
    let authorities = rules.first_authorities.values();
    let mut authorities = authorities.chain(&rules.root_authority).chain(&rules.first_authority);
    if authorities.any(|authority| authority.check().is_err()) {
        return Err("a document with valid authorities");
    }
    let firsts = rules.first_authorities.values().chain(&rules.first_authority);
    let has_root_key = |it: &Authority| {
        let root = rules.root_authority.iter().flat_map(|root| &root.approvers);
        root.into_iter().any(|approver| it.has_key(&approver.public_key))
    };
    if firsts.into_iter().any(has_root_key) {
        return Err("a document whose root authority shares no key with a tenant's");
    }
    let most = rules.min_delay_seconds.max(rules.delay_seconds).max(rules.root_delay_seconds);
    if most.is_some_and(|seconds| seconds > 30 * DAY_S) {
        return Err("a document with delays of at most 30 days");
    }
    Ok(())
}

impl Policy {
    /// Returns the rules of the policy chains.
    pub(crate) fn chain_rules(&self) -> Rules {
        let rules = &self.document.policy_chain;
        Rules {
            root: rules.root_authority.clone(),
            delay_s: rules.delay_seconds.unwrap_or(DAY_S),
            min_delay_s: rules.min_delay_seconds.unwrap_or(HOUR_S),
            root_delay_s: rules.root_delay_seconds.unwrap_or(7 * DAY_S),
            caps: rules.caps.clone(),
        }
    }

    /// Returns the authority with which a tenant's chain begins.
    pub(crate) fn first_authority(&self, tenant: &Tenant) -> Option<Authority> {
        let rules = &self.document.policy_chain;
        rules.first_authorities.get(tenant).or(rules.first_authority.as_ref()).cloned()
    }
}
