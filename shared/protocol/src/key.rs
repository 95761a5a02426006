//! The names of a wallet's key and of a run of the protocol.

use std::fmt;

use domain::ids::Tenant;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The id of one run of the protocol, drawn by party 1.
pub type SessionId = [u8; 32];

/// The key that a message concerns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WalletKey {
    /// The wallet's tenant.
    pub tenant: Tenant,
    /// The wallet.
    pub wallet_id: Uuid,
    /// The share version; 1 is made by key generation.
    pub key_version: u32,
}

impl WalletKey {
    /// Returns the key of a message that concerns a tenant and none of its wallets.
    #[must_use]
    pub const fn of_tenant(tenant: Tenant) -> Self {
        Self { tenant, wallet_id: Uuid::nil(), key_version: 0 }
    }
}

impl fmt::Display for WalletKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tenant, self.wallet_id, self.key_version)
    }
}
