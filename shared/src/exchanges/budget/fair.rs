//! The sizes of the budget's pools, and how one pool is shared between tenants.

use crate::store::Pool;

/// The part of the weight that only removals may use, and the part that only jobs may use.
const REMOVALS_PERCENT: u64 = 10;
const JOBS_PERCENT: u64 = 10;

/// Returns the weight of a minute that a pool holds, of a budget of `limit`.
pub(super) const fn limit_of(limit: u64, pool: Pool) -> u64 {
    let (removals, jobs) = (limit * REMOVALS_PERCENT / 100, limit * JOBS_PERCENT / 100);
    match pool {
        Pool::Removals => removals,
        Pool::Jobs => jobs,
        Pool::Common => limit - removals - jobs,
    }
}

/// Returns the most that jobs leave used of the common pool.
pub(super) fn jobs_until(limit: u64, job_percent: u64) -> u64 {
    limit * job_percent.min(100) / 100
}

/// The rule for one pool: after a call, `part * (100 - percent) <= left * percent`, where `part` is
/// what the tenant has used, and `left` is what the pool has left.
pub(super) struct Fair {
    pub(super) limit: u64,
    pub(super) percent: u64,
}

impl Fair {
    /// Returns the most that may be used of the pool and of the tenant's part before a call of this
    /// weight, so that the rule holds after it. `None`: it would not hold. The bounds lie between
    /// the present values and the rule, so that several calls fit in at once.
    pub(super) fn bounds(&self, used: u64, part: u64, weight: u64) -> Option<(u64, u64)> {
        let (percent, rest) = (self.percent, 100 - self.percent);
        let left = self.limit.checked_sub(used)?.checked_sub(weight)?;
        let slack = (left * percent).checked_sub((part + weight) * rest)?;
        let max_part = part + slack / (2 * percent + rest);
        let must_be_left = ((max_part + weight) * rest).div_ceil(percent);
        Some((self.limit - weight - must_be_left, max_part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes as often as the rule allows, and returns how much that was.
    fn drain(fair: &Fair, used: &mut u64, part: &mut u64, weight: u64) -> u64 {
        let before = *part;
        while fair.bounds(*used, *part, weight).is_some() {
            *used += weight;
            *part += weight;
        }
        *part - before
    }

    #[test]
    fn tenant_alone_uses_its_percentage_of_a_pool() {
        for (percent, most) in [(75, 1_150), (50, 750), (100, 1_500), (1, 0)] {
            let fair = Fair { limit: 1_536, percent };
            let (mut used, mut part) = (0, 0);
            assert_eq!(drain(&fair, &mut used, &mut part, 50), most, "{percent}");
        }
    }

    #[test]
    fn newcomer_finds_room_beside_greedy_tenants() {
        let fair = Fair { limit: 1_536, percent: 75 };
        let mut used = 0;
        for greedy in 0..3 {
            assert!(fair.bounds(used, 0, 50).is_some(), "after {greedy} greedy tenants");
            drain(&fair, &mut used, &mut 0, 1);
        }
        assert!(used <= 1_536);
    }

    #[test]
    fn greedy_tenants_come_to_equal_parts() {
        let fair = Fair { limit: 1_536, percent: 75 };
        let (mut used, mut parts) = (0, [0_u64; 2]);
        for _ in 0..1_000 {
            for part in &mut parts {
                if fair.bounds(used, *part, 1).is_some() {
                    used += 1;
                    *part += 1;
                }
            }
        }
        assert!(parts[0].abs_diff(parts[1]) <= 1 && parts[0] > 1_536 * 40 / 100, "{parts:?}");
    }

    #[test]
    fn every_state_within_the_bounds_keeps_the_rule() {
        let fair = Fair { limit: 500, percent: 75 };
        let mut checked = 0;
        for used in (0..500).step_by(7) {
            for part in (0..=used).step_by(5) {
                let Some((max_used, max_part)) = fair.bounds(used, part, 20) else { continue };
                assert!(used <= max_used && part <= max_part);
                assert!((max_part + 20) * 25 <= (500 - max_used - 20) * 75);
                checked += 1;
            }
        }
        assert!(checked > 1_000, "{checked}");
    }
}
