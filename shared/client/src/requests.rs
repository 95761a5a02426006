//! The types of requests.

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

/// The name of one request: 1 to 255 visible ASCII characters. The service processes a request
/// with the same name once within a day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Makes a random key.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "an identifier that only has to be unique")]
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// Parses a stored key. Returns `None` when its form is invalid.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let visible = text.bytes().all(|letter| letter.is_ascii_graphic());
        ((1..=255).contains(&text.len()) && visible).then(|| Self(text.to_owned()))
    }

    /// Returns the text, to store it.
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

/// A registration: a wallet by any of its names, and whether its key is renewed automatically. A
/// name converts into one: `"user_123".into()`.
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
    /// Makes a registration of this wallet.
    pub fn new(wallet_id_or_address: impl Into<String>) -> Self {
        Self { wallet_id_or_address: wallet_id_or_address.into(), auto_renew: None }
    }

    /// Sets whether the renewal job renews the key.
    #[must_use]
    pub const fn auto_renew(mut self, renew: bool) -> Self {
        self.auto_renew = Some(renew);
        self
    }
}

/// A deletion: a wallet by any of its names. A name converts into one: `"user_123".into()`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeleteApiKey {
    /// userId, walletId or address.
    pub wallet_id_or_address: String,
    /// Whether you have removed the key in the exchange's own settings.
    pub removed_on_exchange: bool,
}

impl DeleteApiKey {
    /// Makes a deletion for this wallet.
    pub fn new(wallet_id_or_address: impl Into<String>) -> Self {
        Self { wallet_id_or_address: wallet_id_or_address.into(), removed_on_exchange: false }
    }

    /// States that the key was already removed on the exchange.
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

/// A request about an exchange with which the API does not register wallets.
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
    /// `POST …/orders`.
    PlaceOrder,
    /// `PUT …/orders/{orderId}`.
    ModifyOrder,
    /// `DELETE …/orders/{orderId}`.
    CancelOrder,
    /// `DELETE …/orders`.
    CancelOrders,
    /// `GET …/orders`.
    ListOrders,
    /// `GET …/orders/{orderId}/status`.
    GetOrder,
    /// `GET …/positions/{walletAddress}`.
    ListPositions,
    /// `POST …/positions/close`.
    ClosePosition,
    /// `GET …/balances`.
    GetBalances,
    /// `GET …/fills`.
    ListFills,
    /// `POST …/leverage`.
    SetLeverage,
    /// `POST …/deposit`.
    Deposit,
    /// `POST …/withdraw`.
    Withdraw,
    /// `POST …/transfer`.
    Transfer,
    /// `GET …/transfers/{transferId}`.
    GetTransfer,
}
