//! Repeats every decision of a chain from its records.

use std::collections::BTreeMap;

use domain::policy::Authority;

use super::chain::Chain;
use super::decide::Case;
use super::record::{Action, Entry};
use crate::callers::{LOCAL, OPERATOR};
use crate::record::Record;

/// The chain after each of its records, by their number, with the record's time.
pub(crate) type History = BTreeMap<u64, (u64, Chain)>;

/// What the records of a chain state about their deployment: a record cannot prove it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PolicyOrigin {
    /// The partition of the policy chain.
    pub partition: String,
    /// The first record that states it.
    pub seq: u64,
    /// The chain's id.
    pub chain_id: String,
    /// The public keys of the tenant's first authority, if it begins the chain, with its threshold.
    pub first: Option<Authority>,
    /// The root authority.
    pub root: Option<Authority>,
    /// The usual delay, the shortest, and the root authority's, seconds.
    pub delays_s: [u64; 3],
}

/// The longest time between a record's time and its write, in milliseconds. A call of the cosigner takes
/// at most 8 seconds.
pub(crate) const CALL_MS: u64 = 10_000;

/// Repeats the decisions of records that follow each other: signatures, thresholds and delays.
/// Compares the end with the stored head.
///
/// # Errors
/// Returns the number of the record that the rules do not allow, and why; 0 for the head.
pub(crate) fn replay<'a>(
    records: impl Iterator<Item = &'a Record>,
    head: Option<&Chain>,
) -> Result<(History, Vec<PolicyOrigin>), (u64, String)> {
    let mut history = History::new();
    let mut origins: Vec<PolicyOrigin> = Vec::new();
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
        let last_ms = history.last_key_value().map_or(0, |(_, (at_ms, _))| *at_ms);
        if entry.at_ms.saturating_add(CALL_MS) < last_ms {
            return Err(wrong("it is older than the record before it".to_owned()));
        }
        let is_operators = matches!(entry.alias.as_deref(), Some(OPERATOR | LOCAL));
        let is_unsigned = matches!(entry.action, Action::Cancel { .. } | Action::Freeze {});
        if is_unsigned && !is_operators {
            return Err(wrong("only the operator acts without a signature".to_owned()));
        }
        let origin = PolicyOrigin {
            seq: record.seq,
            chain_id: chain_id.clone(),
            first: entry.first.as_ref().and_then(|first| first.authority.clone()),
            root: entry.root.clone(),
            delays_s: entry.delays_s,
            ..PolicyOrigin::default()
        };
        let states = |it: &PolicyOrigin| (it.root.clone(), it.delays_s);
        if origins.last().is_none_or(|last| states(last) != states(&origin)) {
            origins.push(origin);
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
        history.insert(record.seq, (entry.at_ms, chain.clone()));
        last = Some((chain_id, chain));
    }
    match (last, head) {
        (Some((_, chain)), Some(head)) if chain != *head => {
            Err((0, "the head is not the state that the records lead to".to_owned()))
        }
        _ => Ok((history, origins)),
    }
}
