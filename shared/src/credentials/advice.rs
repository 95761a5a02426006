//! Advice for the holder of a credential: which key is usable, and how to get one.

use domain::eth::Address;
use domain::ids::Exchange;
use domain::time::rfc3339_seconds;

use crate::store::{AgentRecord, CredentialRecord, CredentialState, DriftKind};

/// Returns the call that makes a new key in the place of the current one.
#[must_use]
pub fn rotate_path(exchange: Exchange) -> String {
    format!("POST /api/trading/{exchange}/apikey/rotate")
}

/// Returns what is wrong with a credential's keys at a time in Unix milliseconds, and the action
/// to take. Returns `None` when nothing is wrong.
#[must_use]
pub fn advice(record: &CredentialRecord, now_ms: u64) -> Option<String> {
    let rotate = rotate_path(record.exchange);
    if record.created_at_ms.is_none() || record.state == CredentialState::Revoking {
        return None;
    }
    let found = |agent: Address, kind: DriftKind| {
        let found = record.drift.iter().flat_map(|note| &note.found);
        found.filter(move |found| found.agent == Some(agent) && found.kind == kind)
    };
    let is_gone = |agent: Address| found(agent, DriftKind::AgentGone).next().is_some();
    let early_ms =
        |agent| found(agent, DriftKind::ExpiresEarly).filter_map(|it| it.listed_ms).min();
    if is_gone(record.agent) {
        return Some(format!(
            "The exchange no longer lists the current key. Rotate to get a new one: {rotate}."
        ));
    }
    let in_time = |agent: &&AgentRecord| now_ms < agent.expires_at_ms;
    if record.delivered == Some(false) {
        let held = record.retiring.iter().filter(|agent| agent.delivered != Some(false));
        let mut held = held.filter(in_time);
        let valid = held.clone().filter(|agent| !is_gone(agent.agent));
        if let Some(valid) = valid.max_by_key(|agent| agent.expires_at_ms) {
            let ends_ms = early_ms(valid.agent).unwrap_or(u64::MAX).min(valid.expires_at_ms);
            return Some(format!(
                "The current key was renewed and not delivered. The delivered key of {} expires \
                 at {}. Rotate before then to get a new one: {rotate}.",
                valid.agent,
                rfc3339_seconds(ends_ms)
            ));
        }
        return Some(match held.next_back() {
            Some(lost) => format!(
                "The exchange no longer lists the delivered key of {}, and the current key was \
                 renewed and not delivered. Rotate to get a new one: {rotate}.",
                lost.agent
            ),
            None => format!(
                "The current key was renewed and not delivered, and no delivered key is valid. \
                 Rotate to get a new one: {rotate}."
            ),
        });
    }
    // Records of earlier versions do not state which key was delivered.
    if let Some(lost) = record.kept().filter(in_time).find(|agent| is_gone(agent.agent)) {
        return Some(format!(
            "The exchange no longer lists the earlier key of {}. If you use it, rotate to get a new \
             one: {rotate}.",
            lost.agent
        ));
    }
    early_ms(record.agent).map(|listed_ms| {
        let listed = rfc3339_seconds(listed_ms);
        format!(
            "The exchange lets the current key expire at {listed}. Rotate before then: {rotate}."
        )
    })
}
