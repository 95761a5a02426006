//! How the work of one run of a job is shared between tenants.

use std::collections::HashMap;

use domain::ids::Tenant;

/// A tenant may take so many times what is left of a run. The rest stays for tenants whose work the
/// run has not met yet.
const TIMES_LEFT: u32 = 3;

/// The turns of one run.
#[derive(Debug)]
pub(crate) struct Turns {
    left: u32,
    taken: HashMap<Tenant, u32>,
}

impl Turns {
    /// Returns the turns of a run that works on at most `limit` things.
    pub(crate) fn new(limit: u32) -> Self {
        Self { left: limit, taken: HashMap::new() }
    }

    /// Returns whether a tenant may take a turn before other tenants. What may not is deferred to
    /// the end of the run, so no turn is left unused.
    pub(crate) fn admits(&self, tenant: &Tenant) -> bool {
        match self.taken.get(tenant) {
            None | Some(0) => true,
            Some(taken) => *taken < self.left.saturating_mul(TIMES_LEFT),
        }
    }

    /// Takes a turn.
    pub(crate) fn take(&mut self, tenant: &Tenant) {
        self.left = self.left.saturating_sub(1);
        *self.taken.entry(tenant.clone()).or_default() += 1;
    }

    /// Returns whether no turn is left.
    pub(crate) const fn is_over(&self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greedy_tenant_leaves_turns_to_others() {
        let [greedy, other] = ["greedy", "other"].map(|name| name.parse::<Tenant>().unwrap());
        let mut turns = Turns::new(200);
        let mut taken = 0;
        while turns.admits(&greedy) {
            turns.take(&greedy);
            taken += 1;
        }
        assert_eq!((taken, turns.left), (150, 50));
        assert!(turns.admits(&other) && !turns.is_over());
    }

    #[test]
    fn run_of_one_turn_admits_every_tenant() {
        let tenant = "a".parse::<Tenant>().unwrap();
        let mut turns = Turns::new(1);
        assert!(turns.admits(&tenant));
        turns.take(&tenant);
        assert!(turns.is_over() && !turns.admits(&tenant));
    }
}
