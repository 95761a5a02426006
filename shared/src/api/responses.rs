//! Bodies of successful responses. The fields of the published contract are fixed.

use serde::Serialize;

use crate::eth::Signature;
use crate::intent::PersonalMessage;
use crate::store::WalletRecord;

/// `POST /api/wallets` and `GET /api/wallets/{walletIdOrAddress}`.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WalletBody {
    success: bool,
    user_id: String,
    /// EIP-55.
    address: String,
    wallet_id: String,
    /// Uncompressed SEC1, 130 hex digits without `0x`.
    public_key: String,
}

impl From<&WalletRecord> for WalletBody {
    fn from(wallet: &WalletRecord) -> Self {
        Self {
            success: true,
            user_id: wallet.user_id.to_string(),
            address: wallet.address.to_string(),
            wallet_id: wallet.wallet_id.to_string(),
            public_key: wallet.public_key.clone(),
        }
    }
}

/// `POST /api/wallets/{walletIdOrAddress}/sign`.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct SignedBody {
    success: bool,
    /// `0x` and 65 bytes.
    signature: String,
    address: String,
    wallet_id: String,
    message: String,
}

impl SignedBody {
    /// The answer to a signed message.
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

/// A response with `data` and a timestamp: what the trading routes answer.
#[derive(Serialize)]
pub struct DataBody<T> {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    data: T,
    /// Unix milliseconds.
    timestamp: u64,
}

impl<T> DataBody<T> {
    /// A successful answer.
    pub fn new(message: Option<&'static str>, data: T, now_ms: u64) -> Self {
        Self { success: true, message, data, timestamp: now_ms }
    }
}

/// `data` of a registration with Aster. No secret.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct AsterData {
    /// The wallet that is registered, EIP-55.
    pub signer_address: String,
    /// RFC 3339 in whole seconds.
    pub created_at: String,
    /// The agent that may trade, EIP-55.
    pub agent_address: String,
    /// When the agent expires, Unix milliseconds.
    pub expiry_timestamp: u64,
}

/// `data` of a registration with Hyperliquid: the one response that hands out a secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HyperliquidData {
    /// The agent (API wallet), EIP-55.
    pub api_wallet_address: String,
    /// Its private key; left out where the deployment says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_private_key: Option<zeroize::Zeroizing<String>>,
    /// The wallet, EIP-55.
    pub main_wallet_address: String,
    /// When the agent expires, Unix milliseconds.
    pub expiry_timestamp: u64,
}

/// A time as RFC 3339 in whole seconds, `2025-11-27T02:00:00Z`.
#[must_use]
pub fn rfc3339_seconds(unix_ms: u64) -> String {
    use time::OffsetDateTime;
    use time::macros::format_description;
    let seconds = i64::try_from(unix_ms / 1_000).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(seconds)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"))
        .unwrap_or_default()
}
