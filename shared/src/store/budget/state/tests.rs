use super::*;

fn tenant(name: &str) -> Tenant {
    name.parse().unwrap()
}

fn item(attributes: &[(&str, u64)]) -> Item {
    attributes.iter().map(|(name, value)| ((*name).to_owned(), number(*value))).collect()
}

#[test]
fn weight_older_than_a_minute_is_forgotten() {
    let mut state = BudgetState { slot: 100, ..BudgetState::default() };
    state.common.slots[BudgetState::place(100)] = 5;
    state.common.slots[BudgetState::place(97)] = 3;
    let used = |slot| state.clone().at(slot).common.used;
    assert_eq!((used(100), used(103)), (8, 8));
    assert_eq!((used(104), used(106)), (5, 5));
    assert_eq!((used(107), used(5_000)), (0, 0));
    for behind in [99, 93] {
        assert_eq!(state.clone().at(behind), state.clone().at(100), "a clock that is behind");
    }
    state.failures = 3;
    let corrected = BudgetState { slot: 92, failures: 3, ..BudgetState::default() };
    assert_eq!(state.at(92), corrected, "a clock that was ahead does not lock the budget");
}

#[test]
fn item_of_an_earlier_version_has_no_parts_and_is_rolled() {
    let old = item(&[("slotId", 100), ("used", 8), ("s2", 8), ("failures", 2)]);
    let state = BudgetState::from(&old);
    assert_eq!((state.slot, state.used(), state.failures), (100, 8, 2));
    assert!(!state.takes_more(100) && state.takes.is_none());
    assert_eq!(state.tenant(Pool::Common, &tenant("a")).1, 0);
}

#[test]
fn map_is_read_as_it_was_written() {
    let state = BudgetState { slot: 100, ..BudgetState::default() };
    let (part, _) = state.tenant(Pool::Removals, &tenant("a"));
    let (own, _) = state.tenant(Pool::Common, &tenant("a"));
    let state = state.after(Pool::Removals, &part, 7).after(Pool::Common, &own, 50);
    let mut stored = item(&[("slotId", 100), ("used", 50), ("s2", 50)]);
    stored.insert(BY_TENANT.to_owned(), state.map());
    let read = BudgetState::from(&stored);
    assert_eq!((&read.parts, read.common), (&state.parts, state.common));
    assert!(read.takes_more(100) && read.takes == Some(1));
    assert_eq!((read.used(), read.used_of(Pool::Removals), read.used_of(Pool::Jobs)), (57, 7, 0));
    assert_eq!(read.tenant(Pool::Common, &tenant("a")), (own, 50));
    assert_eq!(read.tenant(Pool::Common, &tenant("b")).1, 0);
    // An earlier version has moved the slot and left the map.
    stored.insert("slotId".to_owned(), number(101));
    let moved = BudgetState::from(&stored);
    assert!(!moved.takes_more(101) && moved.parts.is_empty() && moved.takes == Some(1));
}

#[test]
fn parts_are_bounded_by_any_number_of_tenants() {
    let mut state = BudgetState { slot: 100, ..BudgetState::default() };
    for number in 0..10_000 {
        let (part, _) = state.tenant(Pool::Common, &tenant(&format!("tenant_{number}")));
        state = state.after(Pool::Common, &part, 1);
    }
    assert_eq!(state.parts.len(), MOST_PARTS + usize::from(SHARED_PARTS));
    assert_eq!(state.parts.values().map(|part| part.used).sum::<u64>(), 10_000);
    assert!(state.at(200).parts.is_empty());
}
