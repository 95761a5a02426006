//! Bodies of successful responses. The fields of the published contract are fixed.

use domain::eth::{Address, Signature};
use domain::ids::Tenant;
use domain::intent::PersonalMessage;
use domain::time::rfc3339_seconds;
use serde::Serialize;
use utoipa::ToSchema;

use super::cursor::to_cursor;
use super::error::ApiError;
use crate::credentials::{Registered, Rotated};
use crate::schema;
use crate::store::{ListedWallet, Position, WalletRecord};

/// `GET /api/health`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct HealthBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    /// `ok`.
    status: &'static str,
    /// The service's version.
    version: &'static str,
    /// Whether new wallets get a recovery record of the endpoint side. Without it, the loss of one
    /// table or key ends all wallets.
    recovery_key: bool,
}

impl HealthBody {
    /// Returns the body of a healthy service of this version, with or without a recovery key.
    #[must_use]
    pub const fn new(version: &'static str, recovery_key: bool) -> Self {
        Self { success: true, status: "ok", version, recovery_key }
    }
}

/// `POST /api/wallets` and `GET /api/wallets/{walletIdOrAddress}`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WalletBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    #[schema(value_type = schema::UserName)]
    user_id: String,
    /// The wallet's address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    address: String,
    #[schema(value_type = schema::WalletId)]
    wallet_id: String,
    /// Uncompressed SEC1, 130 hex digits without `0x`.
    #[schema(value_type = schema::PublicKey)]
    public_key: String,
    /// True if the wallet's key was exported, so that another holder may have it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    exported: bool,
}

impl From<&WalletRecord> for WalletBody {
    fn from(wallet: &WalletRecord) -> Self {
        Self {
            success: true,
            user_id: wallet.user_id.to_string(),
            address: wallet.address.to_string(),
            wallet_id: wallet.wallet_id.to_string(),
            public_key: wallet.public_key.clone(),
            exported: wallet.exported.is_some(),
        }
    }
}

/// `GET /api/wallets`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WalletsBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    wallets: Vec<WalletRow>,
    /// `null` on the last page.
    #[schema(value_type = Option<schema::Cursor>, required)]
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
struct WalletRow {
    #[schema(value_type = schema::UserName)]
    user_id: String,
    /// The wallet's address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    address: String,
    #[schema(value_type = schema::WalletId)]
    wallet_id: String,
    /// Uncompressed SEC1, 130 hex digits without `0x`.
    #[schema(value_type = schema::PublicKey)]
    public_key: String,
    /// Creation time, RFC 3339 in whole seconds.
    #[schema(value_type = schema::Seconds)]
    created_at: String,
}

impl WalletsBody {
    /// Returns a page of a tenant's wallets.
    #[must_use]
    pub fn new(tenant: &Tenant, wallets: &[ListedWallet], next: Option<Position>) -> Self {
        let wallets = wallets.iter().map(|wallet| WalletRow {
            user_id: wallet.user_id.to_string(),
            address: wallet.address.to_string(),
            wallet_id: wallet.wallet_id.to_string(),
            public_key: wallet.public_key.clone(),
            created_at: rfc3339_seconds(wallet.created_at_ms),
        });
        let next_cursor = next.map(|position| to_cursor(tenant, position));
        Self { success: true, wallets: wallets.collect(), next_cursor }
    }
}

/// `POST /api/wallets/{walletIdOrAddress}/sign`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct SignedBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    /// The signature: `0x` and 65 bytes.
    #[schema(value_type = schema::SignatureText)]
    signature: String,
    #[schema(value_type = schema::AddressText)]
    address: String,
    #[schema(value_type = schema::WalletId)]
    wallet_id: String,
    #[schema(value_type = schema::MessageText)]
    message: String,
}

impl SignedBody {
    /// Returns the body of a signed message.
    #[must_use]
    pub fn new(wallet: &WalletRecord, message: PersonalMessage, signature: &Signature) -> Self {
        Self {
            success: true,
            signature: signature.to_hex(),
            address: wallet.address.to_string(),
            wallet_id: wallet.wallet_id.to_string(),
            message: message.into(),
        }
    }
}

/// A response of the trading routes, with `data` and a timestamp.
#[derive(Serialize, ToSchema)]
pub struct DataBody<T> {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    message: Option<&'static str>,
    data: T,
    /// Unix milliseconds.
    #[schema(value_type = schema::UnixMs)]
    timestamp: u64,
}

impl<T> DataBody<T> {
    /// Returns the body of a successful response.
    pub fn new(message: Option<&'static str>, data: T, now_ms: u64) -> Self {
        Self { success: true, message, data, timestamp: now_ms }
    }
}

/// The `data` of a registration with Aster, without secrets.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct AsterData {
    /// The registered wallet's address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    pub signer_address: String,
    /// Creation time, RFC 3339 in whole seconds.
    #[schema(value_type = schema::Seconds)]
    pub created_at: String,
    /// The agent's address, EIP-55; absent for an API key of V1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::AddressText, required = false)]
    pub agent_address: Option<String>,
    /// Expiry of the agent, Unix milliseconds; absent for an API key of V1, which does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::UnixMs, required = false)]
    pub expiry_timestamp: Option<u64>,
}

impl From<&Registered> for AsterData {
    fn from(registered: &Registered) -> Self {
        let agent = registered.agent.as_ref();
        Self {
            signer_address: registered.wallet.to_string(),
            created_at: rfc3339_seconds(registered.created_at_ms),
            agent_address: agent.map(|agent| agent.address().to_string()),
            expiry_timestamp: agent.map(|_| registered.expires_at_ms),
        }
    }
}

/// The `data` of a registration with Hyperliquid, the only response with a trading key's secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HyperliquidData {
    /// The agent's (API wallet's) address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    pub api_wallet_address: String,
    /// The agent's private key; absent if the deployment does not return keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::PrivateKey, required = false)]
    pub api_private_key: Option<zeroize::Zeroizing<String>>,
    /// The wallet's address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    pub main_wallet_address: String,
    /// Expiry of the agent, Unix milliseconds.
    #[schema(value_type = schema::UnixMs)]
    pub expiry_timestamp: u64,
}

impl HyperliquidData {
    /// Returns the data of a registration.
    ///
    /// # Errors
    /// Fails without an agent, which a credential of Hyperliquid always has.
    pub fn new(registered: &Registered, return_private_key: bool) -> Result<Self, ApiError> {
        let agent = registered.agent.as_ref().ok_or_else(|| {
            ApiError::internal("Failed to generate API key", &"a credential without an agent")
        })?;
        Ok(Self {
            api_wallet_address: agent.address().to_string(),
            api_private_key: return_private_key.then(|| agent.to_hex()),
            main_wallet_address: registered.wallet.to_string(),
            expiry_timestamp: registered.expires_at_ms,
        })
    }
}

/// The `data` of a rotation: that of a registration, and the state of the previous key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotatedData<T> {
    /// The fields of a registration with the exchange.
    #[serde(flatten)]
    pub registered: T,
    /// The previous agent's address, EIP-55.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::AddressText, required = false)]
    pub previous_agent_address: Option<String>,
    /// Whether the exchange has removed the previous agent. If not, the service removes it later.
    pub previous_agent_revoked: bool,
    /// Whether the new agent replaced the old one by taking its name, because no slot was free.
    pub replaced_by_name: bool,
}

impl<T> RotatedData<T> {
    /// Returns the data of a rotation.
    #[must_use]
    pub fn new(registered: T, rotated: &Rotated) -> Self {
        Self {
            registered,
            previous_agent_address: rotated.previous.last().map(Address::to_string),
            previous_agent_revoked: rotated.previous_revoked,
            replaced_by_name: rotated.replaced_by_name,
        }
    }
}
