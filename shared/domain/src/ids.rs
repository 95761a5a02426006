//! Identifiers: parsed once at the edge, and valid everywhere else.

use std::fmt;
use std::ops::{Index, IndexMut};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::eth::Address;

/// The text is not a valid identifier of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(&'static str, Option<&'static str>);

impl IdError {
    /// Makes an error with this text, which states the expectation.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self(text, None)
    }

    /// Returns the action to take, if there is one.
    #[must_use]
    pub const fn advice(&self) -> Option<&'static str> {
        self.1
    }
}

/// Advice about a userId that would not find the wallet later.
const PREFIX: &str =
    "Add a prefix to the userId, such as user:, and use the prefixed userId in every call.";

/// A tenant, the holder of tenant keys. 1 to 64 characters of `[A-Za-z0-9_-]`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(String);

impl Tenant {
    /// Returns the local stack's tenant for the time before any tenant key exists.
    #[must_use]
    pub fn local() -> Self {
        Self("local".to_owned())
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tenant {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        let error = IdError::new("tenant must be 1 to 64 characters of A-Z a-z 0-9 _ -");
        if fits { Ok(Self(text.to_owned())) } else { Err(error) }
    }
}

impl TryFrom<String> for Tenant {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> Self {
        tenant.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const EXPECTED: &str = "userId must be 1 to 128 characters of A-Z a-z 0-9 _ . : @ | -";

/// A tenant's own name for its user: 1 to 128 characters of `[A-Za-z0-9_.:@|-]`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

impl UserId {
    /// Parses a user identifier for a new wallet. A name that parses as another kind of identifier
    /// is refused, because it would never find the wallet. A dot segment is refused, because URL
    /// libraries remove it from a path.
    ///
    /// # Errors
    /// Fails when the text parses as a UUID or an address, is a dot segment, or is not a user
    /// identifier.
    pub fn for_creation(text: &str) -> Result<Self, IdError> {
        match text.parse::<WalletRef>() {
            Ok(WalletRef::User(_)) if matches!(text, "." | "..") => {
                Err(IdError("userId must not be . or ..", Some(PREFIX)))
            }
            Ok(WalletRef::User(user)) => Ok(user),
            Ok(WalletRef::Wallet(_)) => Err(IdError("userId must not be a UUID", Some(PREFIX))),
            Ok(WalletRef::Address(_)) => {
                Err(IdError("userId must not be an address", Some(PREFIX)))
            }
            Err(_) => Err(IdError::new(EXPECTED)),
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        let fits = (1..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:@|-".contains(&byte));
        if fits { Ok(Self(text)) } else { Err(IdError::new(EXPECTED)) }
    }
}

impl From<UserId> for String {
    fn from(user: UserId) -> Self {
        user.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A caller's reference to a wallet: `walletIdOrAddress`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WalletRef {
    /// By address.
    Address(Address),
    /// By wallet id.
    Wallet(Uuid),
    /// By its user.
    User(UserId),
}

impl FromStr for WalletRef {
    type Err = IdError;

    /// Parses in the order address, UUID (hyphenated), userId.
    fn from_str(text: &str) -> Result<Self, IdError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        // Only the hyphenated form has 36 characters.
        if text.len() == 36
            && let Ok(id) = Uuid::try_parse(text)
        {
            return Ok(Self::Wallet(id));
        }
        UserId::try_from(text.to_owned()).map(Self::User).map_err(|_| {
            IdError::new("walletIdOrAddress must be a userId, a walletId or an address")
        })
    }
}

/// An exchange with orders.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exchange {
    /// Aster.
    Aster,
    /// Hyperliquid.
    Hyperliquid,
    /// Lighter, whose trading keys callers bring. No wallet is registered there.
    Lighter,
}

impl Exchange {
    /// The exchanges at which wallets can be registered, in declaration order.
    pub const ALL: [Self; 2] = [Self::Aster, Self::Hyperliquid];

    /// The exchanges with orders, in declaration order.
    pub const TRADED: [Self; 3] = [Self::Aster, Self::Hyperliquid, Self::Lighter];

    /// Returns the name in paths and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aster => "aster",
            Self::Hyperliquid => "hyperliquid",
            Self::Lighter => "lighter",
        }
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One value for each exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PerExchange<T>([T; Exchange::TRADED.len()]);

impl<T> PerExchange<T> {
    /// Computes the value of each exchange.
    pub fn from_fn(value: impl FnMut(Exchange) -> T) -> Self {
        Self(Exchange::TRADED.map(value))
    }
}

impl<T> Index<Exchange> for PerExchange<T> {
    type Output = T;

    fn index(&self, exchange: Exchange) -> &T {
        &self.0[exchange as usize]
    }
}

impl<T> IndexMut<Exchange> for PerExchange<T> {
    fn index_mut(&mut self, exchange: Exchange) -> &mut T {
        &mut self.0[exchange as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_per_exchange_is_found_by_its_exchange() {
        let mut names = PerExchange::from_fn(Exchange::as_str);
        for exchange in Exchange::TRADED {
            assert_eq!(names[exchange], exchange.as_str());
            names[exchange] = "changed";
            assert_eq!(names[exchange], "changed");
        }
    }

    #[test]
    fn wallet_reference_parses_address_then_uuid_then_user() {
        let address = "0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7";
        assert!(matches!(address.parse(), Ok(WalletRef::Address(_))));
        assert!(matches!(address.to_lowercase().parse(), Ok(WalletRef::Address(_))));
        let id = "29DD4DC0-1ff9-4df6-a19f-936f997cbc5a";
        assert!(matches!(id.parse(), Ok(WalletRef::Wallet(_))));
        // Platforms use 32 digits without hyphens as usernames.
        let digits = id.replace('-', "");
        assert!(matches!(digits.parse(), Ok(WalletRef::User(_))));
        assert!(matches!("auth0|user_1@x.io:9".parse(), Ok(WalletRef::User(_))));
        // An address without its last digit, or with a capital X, is a username.
        assert!(matches!(address[..41].parse(), Ok(WalletRef::User(_))));
        assert!(matches!(address.replace("0x", "0X").parse(), Ok(WalletRef::User(_))));
    }

    #[test]
    fn invalid_identifier_is_refused() {
        for text in ["", " ", "a b", "user/1", "user#1", "naïve", "a\n", &"a".repeat(129)] {
            assert!(text.parse::<WalletRef>().is_err(), "{text:?}");
            assert!(UserId::for_creation(text).is_err(), "{text:?}");
        }
        assert!("a".repeat(128).parse::<WalletRef>().is_ok());
    }

    #[test]
    fn user_id_with_another_identifiers_form_is_refused() {
        assert!(UserId::for_creation("29dd4dc0-1ff9-4df6-a19f-936f997cbc5a").is_err());
        assert!(UserId::for_creation("0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7").is_err());
        assert!(UserId::for_creation("user_123").is_ok());
    }

    #[test]
    fn dot_segment_user_id_is_refused_at_creation() {
        for text in [".", ".."] {
            assert!(UserId::for_creation(text).unwrap_err().advice().is_some(), "{text}");
            // A wallet of an earlier version is still found.
            assert!(text.parse::<WalletRef>().is_ok(), "{text}");
        }
        for text in ["a..b", "...", ".a"] {
            assert!(UserId::for_creation(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn tenant_with_key_separator_is_refused() {
        for text in ["", "a#b", "a b", &"a".repeat(65)] {
            assert!(text.parse::<Tenant>().is_err(), "{text:?}");
        }
        assert!("abc123_-".parse::<Tenant>().is_ok());
    }
}
