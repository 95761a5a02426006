//! An API key of a Lighter account, which a caller brings.

use std::fmt;
use std::sync::Arc;

use domain::eth::{Address, AddressError};
use lighter_signer::{KeyError, PublicKey, SecretKey};

/// The highest account index: masters have 47 bits, sub-accounts one more.
pub const MAX_ACCOUNT: u64 = (1 << 48) - 2;

/// The highest slot of an API key. 255 means all slots in questions.
pub const MAX_SLOT: u8 = 254;

/// An API key with the account and the slot that it belongs to. Clones share the key, which is erased
/// with the last of them.
#[derive(Clone)]
pub struct Credential {
    /// The account.
    pub account_index: u64,
    /// The slot of the key.
    pub api_key_index: u8,
    /// The key.
    pub key: Arc<SecretKey>,
}

/// A part of a credential that is not valid. The text names the part, and never its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CredentialFault {
    /// The private key.
    #[error("apiKeyPrivateKey must be 80 hex digits of a private key of Lighter")]
    Key,
    /// The slot.
    #[error("apiKeyIndex must be a number from 0 to 254")]
    Slot,
    /// The account.
    #[error("accountIndex must be a number from 0 to 281474976710654")]
    Account,
}

impl From<KeyError> for CredentialFault {
    fn from(_: KeyError) -> Self {
        Self::Key
    }
}

impl Credential {
    /// Parses the three parts.
    ///
    /// # Errors
    /// Fails at the first part that is not valid.
    pub fn parse(key: &str, slot: &str, account: &str) -> Result<Self, CredentialFault> {
        Ok(Self {
            account_index: parse_account(account)?,
            api_key_index: parse_slot(slot)?,
            key: Arc::new(SecretKey::parse(key)?),
        })
    }

    /// Returns the public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        *self.key.public_key()
    }

    /// Returns the name of the key in records of orders: the first 20 bytes of the public key.
    ///
    /// # Errors
    /// Never fails for a public key.
    pub fn fingerprint(&self) -> Result<Address, AddressError> {
        let text = self.public_key().to_string();
        format!("0x{}", text.get(..40).unwrap_or_default()).parse()
    }
}

/// Parses the index of an account.
///
/// # Errors
/// Fails for any other text than a number in the range.
pub fn parse_account(text: &str) -> Result<u64, CredentialFault> {
    number(text).filter(|index| *index <= MAX_ACCOUNT).ok_or(CredentialFault::Account)
}

/// Parses the slot of an API key.
///
/// # Errors
/// Fails for any other text than a number in the range.
pub fn parse_slot(text: &str) -> Result<u8, CredentialFault> {
    let slot = number(text).and_then(|slot| u8::try_from(slot).ok());
    slot.filter(|slot| *slot <= MAX_SLOT).ok_or(CredentialFault::Slot)
}

/// Parses digits only: no sign, no space, and no leading zero. Each number has one text.
fn number(text: &str) -> Option<u64> {
    let is_canonical = text == "0" || !text.starts_with('0');
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (is_canonical && is_digits).then(|| text.parse().ok())?
}

/// Omits the key.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}/{})", self.account_index, self.api_key_index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "0915b889c9631706684d65f004fb858275092036a85d9f7516ae34fc9c292f1e96fb5e73f33e9c62";

    #[test]
    fn invalid_part_is_named_without_its_value() {
        for (key, slot, account, part) in [
            (&KEY[1..], "5", "281190", "apiKeyPrivateKey"),
            ("zz", "5", "281190", "apiKeyPrivateKey"),
            (KEY, "255", "281190", "apiKeyIndex"),
            (KEY, "+5", "281190", "apiKeyIndex"),
            (KEY, "", "281190", "apiKeyIndex"),
            (KEY, "05", "281190", "apiKeyIndex"),
            (KEY, "00", "281190", "apiKeyIndex"),
            (KEY, "5", "0281190", "accountIndex"),
            (KEY, "5", "281474976710655", "accountIndex"),
            (KEY, "5", "-1", "accountIndex"),
        ] {
            let fault = Credential::parse(key, slot, account).unwrap_err().to_string();
            assert!(fault.starts_with(part), "{fault}");
            assert!(!fault.contains(&KEY[..8]));
        }
    }

    #[test]
    fn debug_form_has_no_key() {
        for text in [KEY.to_owned(), format!("0x{KEY}")] {
            let credential = Credential::parse(&text, "5", "281190").unwrap();
            assert_eq!(format!("{credential:?}"), "Credential(281190/5)");
        }
    }
}
