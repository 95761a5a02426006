//! Arguments that several commands share.

use std::path::Path;

use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::Random;
use shared::tenancy::{KeyId, KeyLabel, MAX_CHANGE_TEXT, Scope, Scopes};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The environment of a command: the local stack's data directory and the user.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The data directory.
    pub data_dir: &'a Path,
    /// The local machine's user.
    pub user: &'a str,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub random: Random,
}

/// The outputs of a command. Results and remarks are separate, so that a script can read the result
/// alone.
pub trait Output {
    /// Writes a line of the result.
    fn say(&self, line: &str);
    /// Writes a remark.
    fn note(&self, line: &str);
}

pub(super) fn tenant(text: &str) -> Result<Tenant, &'static str> {
    text.parse().map_err(|_| "expected 1 to 64 characters of A-Z a-z 0-9 _ -")
}

pub(super) fn key_id(text: &str) -> Result<KeyId, &'static str> {
    text.parse().map_err(|_| "expected the id of a key, as `keys list` prints it")
}

pub(super) fn label(text: &str) -> Result<KeyLabel, &'static str> {
    let label = text.trim().parse::<KeyLabel>().ok().filter(|label| !label.is_empty());
    label.ok_or("expected 1 to 64 characters, without control characters")
}

pub(super) fn reason(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let fits = (1..=MAX_CHANGE_TEXT).contains(&text.chars().count());
    if fits && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 200 characters, without control characters")
    }
}

pub(super) fn scopes(text: &str) -> Result<Scopes, String> {
    let named = text.split(',').map(|word| word.trim().parse::<Scope>());
    named.collect::<Result<Scopes, _>>().map_err(|error| error.to_string())
}

/// A duration such as `90d`, `12h`, `30m` or `45s`, in milliseconds.
pub(super) fn duration_ms(text: &str) -> Result<u64, &'static str> {
    const EXPECTED: &str = "expected a duration such as 90d, 12h, 30m or 0s";
    let unit = text.chars().last().ok_or(EXPECTED)?;
    let seconds: u64 = match unit {
        'd' => 24 * 60 * 60,
        'h' => 60 * 60,
        'm' => 60,
        's' => 1,
        _ => return Err(EXPECTED),
    };
    let number = text.strip_suffix(unit).and_then(|number| number.parse::<u64>().ok());
    let ms = number.and_then(|number| number.checked_mul(seconds * 1_000));
    // A hundred years.
    ms.filter(|ms| *ms <= 36_525 * 24 * 60 * 60 * 1_000).ok_or(EXPECTED)
}

/// The expiry of a key: a time, or a duration from now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// At this time, Unix milliseconds.
    At(u64),
    /// After this number of milliseconds.
    After(u64),
}

impl Expiry {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Ok(ms) = duration_ms(text) {
            return if ms > 0 { Ok(Self::After(ms)) } else { Err("expected a time in the future") };
        }
        let time = OffsetDateTime::parse(text, &Rfc3339);
        let at_ms =
            time.ok().and_then(|time| u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok());
        at_ms.map(Self::At).ok_or("expected a duration such as 90d, or a time as RFC 3339 has it")
    }

    pub(super) const fn at_ms(self, now_ms: u64) -> u64 {
        match self {
            Self::At(at_ms) => at_ms,
            Self::After(ms) => now_ms.saturating_add(ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_needs_a_number_and_a_unit() {
        assert_eq!(duration_ms("90d"), Ok(90 * 24 * 60 * 60 * 1_000));
        assert_eq!((duration_ms("2h"), duration_ms("0s")), (Ok(7_200_000), Ok(0)));
        for text in ["", "d", "90", "-1d", "1.5h", "1w", "1 h", "99999999999999999999d", "40000d"] {
            assert!(duration_ms(text).is_err(), "{text}");
        }
        assert_eq!(Expiry::parse("1h").unwrap().at_ms(5), 3_600_005);
        let at = Expiry::parse("2027-01-31T00:00:00Z").unwrap();
        assert_eq!(at.at_ms(5), 1_801_353_600_000);
        for text in ["0s", "tomorrow", "2027-01-31"] {
            assert!(Expiry::parse(text).is_err(), "{text}");
        }
    }
}
