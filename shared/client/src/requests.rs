//! What is sent.

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

/// The name of one request: 1 to 255 visible ASCII characters. For a day the same request under
/// the same name is done once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A new one.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a name that only has to be another each time")]
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// One that was kept. `None`: it cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let visible = text.bytes().all(|letter| letter.is_ascii_graphic());
        ((1..=255).contains(&text.len()) && visible).then(|| Self(text.to_owned()))
    }

    /// The text, to keep it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A registration: a wallet by any of its names, and whether its key is renewed by itself.
/// A name alone is one: `"user_123".into()`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegisterApiKey {
    /// userId, walletId or address.
    pub wallet_id_or_address: String,
    /// `false` keeps the renewal job away from the key; the service's default is `true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_renew: Option<bool>,
}

impl RegisterApiKey {
    /// Of this wallet.
    pub fn new(wallet_id_or_address: impl Into<String>) -> Self {
        Self { wallet_id_or_address: wallet_id_or_address.into(), auto_renew: None }
    }

    /// With a key that the renewal job leaves alone, or not.
    #[must_use]
    pub const fn auto_renew(mut self, renew: bool) -> Self {
        self.auto_renew = Some(renew);
        self
    }
}

/// A deletion: a wallet by any of its names. A name alone is one: `"user_123".into()`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeleteApiKey {
    /// userId, walletId or address.
    pub wallet_id_or_address: String,
    /// The caller has taken the key away in the exchange's own settings.
    pub removed_on_exchange: bool,
}

impl DeleteApiKey {
    /// Of this wallet.
    pub fn new(wallet_id_or_address: impl Into<String>) -> Self {
        Self { wallet_id_or_address: wallet_id_or_address.into(), removed_on_exchange: false }
    }

    /// The key is gone from the exchange already.
    #[must_use]
    pub const fn removed_on_exchange(mut self) -> Self {
        self.removed_on_exchange = true;
        self
    }
}

macro_rules! from_name {
    ($($request:ident)+) => {$(
        impl From<&str> for $request {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }

        impl From<&String> for $request {
            fn from(name: &String) -> Self {
                Self::new(name)
            }
        }

        impl From<String> for $request {
            fn from(name: String) -> Self {
                Self::new(name)
            }
        }

        impl From<Uuid> for $request {
            fn from(id: Uuid) -> Self {
                Self::new(id.to_string())
            }
        }
    )+};
}

from_name!(RegisterApiKey DeleteApiKey);

/// What is asked of an exchange that wallets are not registered with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Elsewhere {
    /// `GET`.
    Describe,
    /// `POST`.
    Register,
    /// `DELETE`.
    Delete,
    /// `POST …/rotate`.
    Rotate,
    /// `GET …/agents`.
    ListAgents,
    /// `DELETE …/agents/{agentName}`.
    DeleteAgent,
}
