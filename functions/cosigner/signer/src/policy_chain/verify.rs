//! Repeats every decision of a chain from its records.

use std::collections::BTreeMap;

use super::chain::Chain;
use super::decide::Case;
use super::record::{Action, Entry};
use crate::callers::{LOCAL, OPERATOR};
use crate::record::Record;

/// The chain after each of its records, by their number.
pub(crate) type History = BTreeMap<u64, Chain>;

/// Repeats the decisions of records that follow each other: signatures, thresholds and delays.
/// Compares the end with the stored head.
///
/// # Errors
/// Returns the number of the record that the rules do not allow, and why; 0 for the head.
pub(crate) fn replay<'a>(
    records: impl Iterator<Item = &'a Record>,
    head: Option<&Chain>,
) -> Result<History, (u64, String)> {
    let mut history = History::new();
    let mut last: Option<(String, Chain)> = None;
    for record in records {
        let wrong = |why: String| (record.seq, why);
        let entry: Entry =
            serde_json::from_str(&record.body).map_err(|error| wrong(error.to_string()))?;
        let (chain_id, before) = match (last.take(), entry.first.clone()) {
            (Some(last), None) => last,
            (None, Some(first)) => {
                (entry.chain_id.clone(), Chain::begin(first.authority, first.place))
            }
            _ => return Err(wrong("a chain begins with its first record only".to_owned())),
        };
        if chain_id != entry.chain_id {
            return Err(wrong("it belongs to another deployment".to_owned()));
        }
        let is_operators = matches!(entry.alias.as_deref(), Some(OPERATOR | LOCAL));
        if matches!(entry.action, Action::Cancel { .. }) && !is_operators {
            return Err(wrong("only the operator cancels without a signature".to_owned()));
        }
        let rules = entry.rules();
        let case = Case {
            rules: &rules,
            chain_id: &chain_id,
            tenant: &entry.tenant,
            place: &entry.place,
            now_ms: entry.at_ms,
        };
        let decided =
            before.decide(case, &entry.action).map_err(|fault| wrong(fault.to_string()))?;
        if decided.change.effective_at_ms != entry.effective_at_ms {
            return Err(wrong("it takes effect at another time".to_owned()));
        }
        let mut chain = decided.chain;
        (chain.seq, chain.hash) = (record.seq, record.hash.clone());
        history.insert(record.seq, chain.clone());
        last = Some((chain_id, chain));
    }
    match (last, head) {
        (Some((_, chain)), Some(head)) if chain != *head => {
            Err((0, "the head is not the state that the records lead to".to_owned()))
        }
        _ => Ok(history),
    }
}

/// Checks the policy that a payment's record names: its last record, the change that listed the
/// destination, and the changes that set the limits.
///
/// # Errors
/// Returns what the chain does not confirm.
pub(crate) fn covers(
    history: Option<&History>,
    (seq, hash): (u64, &str),
    (destination, limits): (Option<u64>, &[u64]),
    at_ms: u64,
) -> Result<(), String> {
    // Money that stays the wallet's own depends on no policy.
    if destination.is_none() && limits.is_empty() {
        return Ok(());
    }
    let named = history.and_then(|history| history.get(&seq));
    let chain = named.filter(|chain| chain.hash == hash);
    let state = chain.ok_or_else(|| format!("policy record {seq} does not exist"))?.at(at_ms).state;
    if state.frozen {
        return Err("payments were frozen".to_owned());
    }
    let is_listed = |change: u64| state.destinations.iter().any(|known| known.change == change);
    let is_limit = |change: u64| state.limits.iter().any(|known| known.change == change);
    let unlisted = destination.filter(|change| !is_listed(*change));
    let unset = limits.iter().copied().find(|change| !is_limit(*change));
    match unlisted.or(unset) {
        Some(change) => Err(format!("change {change} was not in effect")),
        None => Ok(()),
    }
}
