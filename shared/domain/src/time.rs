//! Times as text.

use time::OffsetDateTime;
use time::macros::format_description;

/// Formats a time as RFC 3339 in whole seconds, `2025-11-27T02:00:00Z`.
#[must_use]
pub fn rfc3339_seconds(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1_000).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(seconds)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"))
        .unwrap_or_default()
}
