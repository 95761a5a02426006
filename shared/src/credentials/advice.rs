//! Advice for the holder of a credential: which key is usable, and how to get one.

use crate::api::ids::Exchange;
use crate::api::responses::rfc3339_seconds;
use crate::store::{CredentialRecord, CredentialState, DriftKind};

/// Returns the call that makes a new key in the place of the current one.
#[must_use]
pub fn rotate_path(exchange: Exchange) -> String {
    format!("POST /api/trading/{exchange}/apikey/rotate")
}

/// Returns what is wrong with a credential's keys at a time in Unix milliseconds, and what to do.
/// `None`: nothing is wrong.
#[must_use]
pub fn advice(record: &CredentialRecord, now_ms: u64) -> Option<String> {
    let rotate = rotate_path(record.exchange);
    if record.created_at_ms.is_none() || record.state == CredentialState::Revoking {
        return None;
    }
    let found = record.drift.iter().flat_map(|note| &note.found);
    let found = found.filter(|found| found.agent == Some(record.agent));
    if found.clone().any(|found| found.kind == DriftKind::AgentGone) {
        return Some(format!(
            "The exchange no longer lists the current key. Rotate to get a new one: {rotate}."
        ));
    }
    if record.delivered == Some(false) {
        let held = record.retiring.iter().filter(|agent| agent.delivered != Some(false));
        let held = held.filter(|agent| now_ms < agent.expires_at_ms);
        return Some(match held.max_by_key(|agent| agent.expires_at_ms) {
            Some(held) => format!(
                "The current key was renewed and not delivered. The delivered key of {} expires \
                 at {}. Rotate before then to get a new one: {rotate}.",
                held.agent,
                rfc3339_seconds(held.expires_at_ms)
            ),
            None => format!(
                "The current key was renewed and not delivered, and no delivered key is valid. \
                 Rotate to get a new one: {rotate}."
            ),
        });
    }
    let early = found.filter(|found| found.kind == DriftKind::ExpiresEarly);
    early.filter_map(|found| found.listed_ms).min().map(|listed_ms| {
        let listed = rfc3339_seconds(listed_ms);
        format!(
            "The exchange lets the current key expire at {listed}. Rotate before then: {rotate}."
        )
    })
}
