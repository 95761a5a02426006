//! Scopes: the kinds of operations that a tenant key may call.

use std::fmt;
use std::str::FromStr;

use domain::ids::IdError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A kind of operation. Each endpoint requires exactly one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Reads wallets, credentials and agents.
    Read,
    /// Creates wallets.
    Wallets,
    /// Signs messages.
    Sign,
    /// Registers, rotates and removes trading keys.
    Keys,
    /// Places and cancels orders.
    Trade,
    /// Moves money.
    Money,
    /// Reads, creates, deletes and replays webhooks.
    Webhooks,
    /// Manages the tenant's own keys.
    Admin,
}

impl Scope {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::Read,
        Self::Wallets,
        Self::Sign,
        Self::Keys,
        Self::Trade,
        Self::Money,
        Self::Webhooks,
        Self::Admin,
    ];

    /// The word in records, requests and errors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Wallets => "wallets",
            Self::Sign => "sign",
            Self::Keys => "keys",
            Self::Trade => "trade",
            Self::Money => "money",
            Self::Webhooks => "webhooks",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let known = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        known.ok_or(IdError::new(
            "invalid scope: expected read, wallets, sign, keys, trade, money, webhooks or admin",
        ))
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// The empty set.
    #[must_use]
    pub const fn none() -> Self {
        Self(0)
    }

    /// Every scope.
    #[must_use]
    pub const fn all() -> Self {
        Self(u8::MAX)
    }

    /// The scopes of a new key, and of a key without a record: all except `money` and `admin`.
    #[must_use]
    pub const fn usual() -> Self {
        Self::all().without(Scope::Money).without(Scope::Admin)
    }

    /// Whether the set has a scope.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The set with one more scope.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
    }

    /// The set with one scope less.
    #[must_use]
    pub const fn without(self, scope: Scope) -> Self {
        Self(self.0 & !scope.bit())
    }

    /// Whether the set has every scope of another one.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Its scopes, in the order of their declaration.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::none(), Self::with)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Scope::as_str).collect();
        f.write_str(&words.join(","))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter().map(Scope::as_str))
    }
}

/// A word of a later version grants nothing in this one.
impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let words = Vec::<String>::deserialize(from)?;
        Ok(words.iter().filter_map(|word| word.parse::<Scope>().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_scopes_are_all_but_money_and_admin() {
        let words: Vec<_> = Scopes::usual().iter().map(Scope::as_str).collect();
        assert_eq!(words, ["read", "wallets", "sign", "keys", "trade", "webhooks"]);
        assert!(Scopes::all().covers(Scopes::usual()) && !Scopes::usual().covers(Scopes::all()));
        assert_eq!(Scope::ALL.into_iter().collect::<Scopes>(), Scopes::all());
    }

    #[test]
    fn set_is_written_as_words_and_unknown_words_grant_nothing() {
        let set: Scopes = [Scope::Sign, Scope::Read].into_iter().collect();
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["read","sign"]"#);
        let read: Scopes = serde_json::from_str(r#"["sign","teleport","read","READ"]"#).unwrap();
        assert_eq!(read, set);
        assert_eq!(set.to_string(), "read,sign");
        for word in ["", "READ", "all", "*", "read "] {
            assert!(word.parse::<Scope>().is_err(), "{word}");
        }
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse::<Scope>().unwrap(), scope);
        }
    }
}
