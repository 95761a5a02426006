//! The state of a budget, as its item holds it.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::Tenant;
use platform::items::Item;

use super::{BY_TENANT, number};
use crate::store::hash;

/// How many slots of ten seconds count: a minute, and the one that has begun.
pub const SLOTS: usize = 7;

/// How many parts of tenants the item holds by name. Tenants beyond that share [`SHARED_PARTS`]
/// parts of each pool, so the item is bounded.
const MOST_PARTS: usize = 100;
const SHARED_PARTS: u8 = 16;

/// A part of the budget that has a limit of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Pool {
    /// Everything that is not reserved.
    Common,
    /// The reserve for removals.
    Removals,
    /// The reserve for unattended jobs.
    Jobs,
}

impl Pool {
    pub(super) const fn letter(self) -> char {
        match self {
            Self::Common => 'c',
            Self::Removals => 'r',
            Self::Jobs => 'j',
        }
    }
}

/// Weight that was spent in the last minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spent {
    /// The sum of all slots.
    pub used: u64,
    /// The weight of each slot, at its number modulo their count.
    pub slots: [u64; SLOTS],
}

impl Spent {
    fn forget(&mut self, passed: impl Iterator<Item = u64>) {
        for slot in passed {
            self.slots[BudgetState::place(slot)] = 0;
        }
        self.used = self.slots.iter().sum();
    }

    fn add(&mut self, slot: u64, cost: u64) {
        self.slots[BudgetState::place(slot)] += cost;
        self.used += cost;
    }
}

/// The state of a budget and of its circuit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BudgetState {
    /// The latest slot: Unix time in tens of seconds.
    pub slot: u64,
    /// The common pool.
    pub common: Spent,
    /// The other pools and the parts of the tenants, by their names in the map.
    parts: BTreeMap<String, Spent>,
    /// The count of writes of the map. `None` before the map exists.
    pub(super) takes: Option<u64>,
    /// Whether the map is of [`BudgetState::slot`]. An earlier version moves the slot without it.
    is_current: bool,
    /// Failures in a row.
    pub failures: u32,
    /// Until when nothing is sent, Unix milliseconds.
    pub open_until_ms: u64,
    /// Whether the exchange asked for that.
    pub limited: bool,
    /// Whether the edge in front of the exchange caused one of the failures in a row.
    pub blocked: bool,
}

impl BudgetState {
    /// Returns where a slot is kept.
    #[must_use]
    pub fn place(slot: u64) -> usize {
        usize::try_from(slot % SLOTS as u64).unwrap_or_default()
    }

    /// Returns the weight spent from all pools.
    #[must_use]
    pub fn used(&self) -> u64 {
        [Pool::Common, Pool::Removals, Pool::Jobs].iter().map(|pool| self.used_of(*pool)).sum()
    }

    /// Returns the weight spent from one pool.
    #[must_use]
    pub fn used_of(&self, pool: Pool) -> u64 {
        match pool {
            Pool::Common => self.common.used,
            Pool::Removals | Pool::Jobs => self.part(&pool.letter().to_string()),
        }
    }

    /// Returns a tenant's part of a pool: its name in the map, and the weight spent.
    #[must_use]
    pub fn tenant(&self, pool: Pool, tenant: &Tenant) -> (String, u64) {
        let digest = hash(&[tenant.as_str().as_bytes()]);
        let name = format!("{}{}", pool.letter(), &digest[..8]);
        if self.parts.len() < MOST_PARTS || self.parts.contains_key(&name) {
            let used = self.part(&name);
            return (name, used);
        }
        let digits = u8::from_str_radix(&digest[..2], 16).unwrap_or_default();
        let shared = format!("{}x{}", pool.letter(), digits % SHARED_PARTS);
        let used = self.part(&shared);
        (shared, used)
    }

    fn part(&self, name: &str) -> u64 {
        self.parts.get(name).map_or(0, |part| part.used)
    }

    /// Returns the state at a later slot: what is older than a minute is forgotten. A clock that is
    /// behind changes nothing. Slots that lie a minute ahead come from a wrong clock, and are
    /// forgotten.
    #[must_use]
    pub fn at(mut self, slot: u64) -> Self {
        let ahead = self.slot > slot.saturating_add(SLOTS as u64);
        let (from, upto) = if ahead { (0, SLOTS as u64) } else { (self.slot + 1, slot + 1) };
        let passed = (from..upto).take(SLOTS);
        self.common.forget(passed.clone());
        for part in self.parts.values_mut() {
            part.forget(passed.clone());
        }
        self.parts.retain(|_, part| part.used > 0);
        self.slot = if ahead { slot } else { self.slot.max(slot) };
        self
    }

    /// Returns the state after weight is taken in a slot in which none was taken before.
    #[must_use]
    pub fn after(mut self, pool: Pool, part: &str, cost: u64) -> Self {
        let slot = self.slot;
        let mut add = |name: &str| {
            self.parts.entry(name.to_owned()).or_default().add(slot, cost);
        };
        add(part);
        match pool {
            Pool::Common => self.common.add(slot, cost),
            Pool::Removals | Pool::Jobs => add(&pool.letter().to_string()),
        }
        self
    }

    /// Returns whether weight can be added to the item as it is: the slot is the latest one, and
    /// the map is of it.
    #[must_use]
    pub const fn takes_more(&self, slot: u64) -> bool {
        self.slot == slot && self.is_current
    }

    pub(super) fn map(&self) -> AttributeValue {
        let mut map = Item::new();
        for (name, part) in &self.parts {
            map.insert(name.clone(), number(part.used));
            for (place, spent) in part.slots.iter().enumerate().filter(|(_, spent)| **spent > 0) {
                map.insert(format!("{name}_{place}"), number(*spent));
            }
        }
        map.insert("slotId".to_owned(), number(self.slot));
        map.insert("takes".to_owned(), number(self.takes.map_or(1, |takes| takes + 1)));
        AttributeValue::M(map)
    }
}

impl From<&Item> for BudgetState {
    fn from(item: &Item) -> Self {
        let read = |item: &Item, name: &str| -> Option<u64> {
            item.get(name).and_then(|value| value.as_n().ok()?.parse().ok())
        };
        let number = |name: &str| read(item, name).unwrap_or_default();
        let slots = std::array::from_fn(|place| number(&format!("s{place}")));
        let map = item.get(BY_TENANT).and_then(|value| value.as_m().ok());
        let takes = map.and_then(|map| read(map, "takes"));
        let is_current = map.and_then(|map| read(map, "slotId")) == Some(number("slotId"));
        let mut parts: BTreeMap<String, Spent> = BTreeMap::new();
        for (name, value) in map.filter(|_| is_current).into_iter().flatten() {
            let value = value.as_n().ok().and_then(|text| text.parse().ok()).unwrap_or_default();
            let (part, place) =
                name.split_once('_').map_or((name.as_str(), None), |(part, place)| {
                    (part, place.parse::<usize>().ok().filter(|place| *place < SLOTS))
                });
            if matches!(part, "slotId" | "takes") {
                continue;
            }
            let part = parts.entry(part.to_owned()).or_default();
            match place {
                Some(place) => part.slots[place] = value,
                None => part.used = value,
            }
        }
        Self {
            slot: number("slotId"),
            common: Spent { used: number("used"), slots },
            parts,
            takes,
            is_current,
            failures: u32::try_from(number("failures")).unwrap_or(u32::MAX),
            open_until_ms: number("openUntilMs"),
            limited: item.get("askedFor").and_then(|value| value.as_bool().ok()) == Some(&true),
            blocked: item.get("blocked").and_then(|value| value.as_bool().ok()) == Some(&true),
        }
    }
}

#[cfg(test)]
mod tests;
