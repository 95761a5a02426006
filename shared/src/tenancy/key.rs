//! The names of tenant keys, and the form of their values.

use std::fmt;
use std::str::FromStr;

use domain::ids::{IdError, Tenant};
use domain::random::{Random, RandomError};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The number of keys that a tenant may have at a time. Revoked keys do not count. A suspension
/// changes all of them in one transaction.
pub const MAX_KEYS: usize = 20;

/// The start of the value of each key that is made together with a record.
const MARK: &str = "hdxk";

/// The hexadecimal digits after [`MARK`]: 256 random bits.
const DIGITS: usize = 64;

/// Returns the value of a new tenant key: `hdxk` and 64 lower-case hexadecimal digits.
///
/// Security invariant: every key that is made together with a record has a value of this form. See
/// [`needs_record`].
///
/// # Errors
/// Returns an error when the system returns no random bytes.
pub fn draw_key_value(random: &Random) -> Result<Zeroizing<String>, RandomError> {
    let secret = Zeroizing::new(random.bytes::<32>()?);
    let digits = Zeroizing::new(hex::encode(*secret));
    Ok(Zeroizing::new(format!("{MARK}{}", *digits)))
}

/// Returns whether the value of a key has the form of [`draw_key_value`]. Without its record, such a
/// key opens nothing: the record is not written yet, or it is lost. A key of another form was made
/// before there were records, and without one it is a tenant of its own name.
#[must_use]
pub fn needs_record(value: &[u8]) -> bool {
    value.strip_prefix(MARK.as_bytes()).is_some_and(|digits| {
        digits.len() == DIGITS
            && digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// The id of a tenant key: API Gateway's, or the local stack's. 1 to 64 characters of
/// `[A-Za-z0-9_-]`. It is not a secret.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl KeyId {
    /// Draws an id for a key of the local stack, in the form of API Gateway's: ten lower-case letters
    /// and digits.
    ///
    /// # Errors
    /// Returns an error when the system returns no random bytes.
    pub fn draw(random: &Random) -> Result<Self, RandomError> {
        const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let bytes = random.bytes::<10>()?;
        let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
        Ok(Self(bytes.iter().map(letter).collect()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the tenant of this key while it has no record: the tenant of its own name.
    #[must_use]
    pub fn own_tenant(&self) -> Option<Tenant> {
        self.0.parse().ok()
    }
}

impl FromStr for KeyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::new("invalid key id: expected 1 to 64 characters of A-Z a-z 0-9 _ -"))
        }
    }
}

impl From<Tenant> for KeyId {
    fn from(tenant: Tenant) -> Self {
        Self(tenant.into())
    }
}

impl TryFrom<String> for KeyId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The tenant's own words for a key: up to 64 characters, without control characters.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyLabel(String);

impl KeyLabel {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true without text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for KeyLabel {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.chars().count() <= 64 && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::new(
                "invalid label: expected at most 64 characters, without control characters",
            ))
        }
    }
}

impl TryFrom<String> for KeyLabel {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<KeyLabel> for String {
    fn from(label: KeyLabel) -> Self {
        label.0
    }
}

impl fmt::Display for KeyLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_value_needs_record_and_other_values_do_not() {
        let random = Random::system();
        let value = draw_key_value(&random).unwrap();
        assert_ne!(value, draw_key_value(&random).unwrap());
        // API Gateway takes 20 to 128 alphanumeric characters as a value.
        assert!(value.len() == 68 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(needs_record(value.as_bytes()));
        let old = format!("hdx_{}", &value[4..]);
        for other in
            ["", "hdxk", &value[..67], &value.to_uppercase(), &format!("{}0", *value), &old]
        {
            assert!(!needs_record(other.as_bytes()), "length {}", other.len());
        }
        // API Gateway's own values: 40 letters and digits.
        assert!(!needs_record(b"hdxkAbCdEf0123456789AbCdEf0123456789AbCd"));
    }

    #[test]
    fn key_id_cannot_leave_its_partition() {
        for text in ["", "a#b", "a b", "a*", "é", &"a".repeat(65)] {
            assert!(text.parse::<KeyId>().is_err(), "{text:?}");
        }
        for text in ["a1b2c3d4e5", "local", "A_-9"] {
            let id: KeyId = text.parse().unwrap();
            assert_eq!(id.own_tenant().unwrap().as_str(), text);
        }
        let drawn = KeyId::draw(&Random::system()).unwrap();
        assert!(drawn.as_str().len() == 10 && drawn.as_str().parse::<KeyId>().is_ok());
    }

    #[test]
    fn label_has_at_most_64_characters() {
        assert!("é".repeat(64).parse::<KeyLabel>().is_ok() && "".parse::<KeyLabel>().is_ok());
        for text in ["a".repeat(65), "a\nb".to_owned(), "\u{7f}".to_owned()] {
            assert!(text.parse::<KeyLabel>().is_err(), "{text:?}");
        }
    }
}
